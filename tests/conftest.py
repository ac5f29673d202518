"""Give every test and the processes it starts one CPU thread, and no example a deadline.

Tiny tensors gain nothing from more threads, and threads that wait for one another make a busy
machine many times slower.
"""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# torch reads it when it is imported, which is after this file.
os.environ["OMP_NUM_THREADS"] = "1"

# A test that passes alone must not fail because the machine was busy.
settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")


def pytest_configure(config: pytest.Config) -> None:
    """Have pytest-xdist hand out the files in the order that they are collected in."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process is left with one at the end."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)


@pytest.fixture(autouse=True)
def hangups() -> Iterator[None]:
    """Tell what a test starts when its terminal closes, even if the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(autouse=True)
def own_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forget what a test has imported from files that it wrote: another may write its own."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(tmp_path_factory.getbasetemp()):
            del sys.modules[name]


@pytest.fixture(scope="session")
def benchmark() -> Iterator[Any]:
    """Make the modules of `tests/benchmarks` importable, and return the program that they are."""
    folder = Path(__file__).parent / "benchmarks"
    sys.path.insert(0, str(folder))
    spec = spec_from_file_location("benchmark", folder / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser. Where SEQREC_REQUIRE_BROWSER is set, its absence fails."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        if os.environ.get("SEQREC_REQUIRE_BROWSER"):
            pytest.fail("no chromium or google-chrome to open pages with")
        pytest.skip("needs chromium or google-chrome")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium refuses to sandbox itself where tests run as root, as in containers.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
