"""One CPU thread for every test and the processes it starts, and no deadline for an example.

Tiny tensors gain nothing from more, and threads that wait for one another make a busy machine
many times slower.
"""

import os
import signal
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Read when torch is imported, which happens after this file is.
os.environ["OMP_NUM_THREADS"] = "1"

# A test that passes alone must not fail because the machine was busy.
settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")


@pytest.fixture(autouse=True)
def hangups() -> Iterator[None]:
    """What a test starts is told of the end of its terminal, also if the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="session")
def benchmark() -> Iterator[Any]:
    """The modules of `tests/benchmarks`, which are a program and no package."""
    folder = Path(__file__).parent / "benchmarks"
    sys.path.insert(0, str(folder))
    spec = spec_from_file_location("benchmark", folder / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(folder))
