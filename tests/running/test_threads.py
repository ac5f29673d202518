"""How a run uses the cores of a machine that others use too, as a person starts it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import preprocessed_log, small_config

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads what GNU OpenMP displays")

CORES = os.sched_getaffinity(0) if sys.platform == "linux" else set()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_log(tmp_path_factory.mktemp("data"))


def executed(
    data: Path, folder: Path, cores: set[int] = CORES, **variables: str
) -> tuple[int, int]:
    """Do a run; return its threads, and how often they look for work before they sleep."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OMP_")}
    arguments = ["--config", small_config("popularity").json(), "--data", str(data)]
    done = subprocess.run(
        [sys.executable, "-m", "seqrec", "execute", *arguments, "--output", str(folder)],
        env=environment | {"OMP_DISPLAY_ENV": "VERBOSE"} | variables,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    spins = re.search(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)
    assert spins, done.stderr
    return json.loads((folder / "metrics.json").read_text())["threads"], int(spins[1])


def test_a_run_takes_a_thread_for_each_core_but_at_most_four_which_wait_asleep(
    data: Path, tmp_path: Path
) -> None:
    assert executed(data, tmp_path / "all") == (min(4, len(CORES)), 0)
    assert executed(data, tmp_path / "one", cores={min(CORES)}) == (1, 0)


def test_the_environment_may_say_otherwise(data: Path, tmp_path: Path) -> None:
    threads, spins = executed(data, tmp_path, OMP_NUM_THREADS="3,2", OMP_WAIT_POLICY="ACTIVE")
    assert threads == 3
    assert spins > 0
