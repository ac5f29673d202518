"""Every run has a place on a device: no GPU has too many, none is idle while a run waits."""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
import yte
from small_runs import ROOT

from seqrec.lease import place_on, place_on_device, visible_gpus

GPUS = [f"GPU-{number:08x}-0000" for number in range(8)]

WORKER = """
import os, sys, time
from seqrec.lease import place_on_device
asked = time.monotonic()
with place_on_device("auto", int(sys.argv[1])) as place:
    start = time.monotonic()
    time.sleep(float(sys.argv[2]))
    shared = place.look()
    print(place.device, os.environ["CUDA_VISIBLE_DEVICES"], asked, start, time.monotonic(), shared,
          flush=True)
    if sys.argv[3:]:
        time.sleep(600)
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with eight pretended GPUs, which `nvidia-smi` lists, and no locks yet."""
    listed = "".join(f"GPU {n}: Pretended (UUID: {uuid})\n" for n, uuid in enumerate(GPUS))
    pretend(tmp_path, listed)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return tmp_path


def pretend(machine: Path, listed: str) -> None:
    command = machine / "bin/nvidia-smi"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f"#!/bin/sh\ncat << END\n{listed}END\n")
    command.chmod(0o755)


def worker(runs_per_gpu: int, seconds: float, *stay: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(runs_per_gpu), str(seconds), *stay]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("runs_per_gpu", [1, 2])
def test_forty_runs_on_eight_gpus_keep_all_of_them_busy_and_none_too_busy(
    runs_per_gpu: int,
) -> None:
    workers = [worker(runs_per_gpu, 3.0) for _ in range(40)]
    runs = []
    for process in workers:
        said, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert errors.count("waiting") <= 1
        device, visible, *times, shared = said.split()
        assert device == visible
        runs.append((device, *map(float, times), int(shared)))

    # At every moment at which something happened, just after it.
    moments = sorted(moment for _, _, start, end, _ in runs for moment in (start, end))
    idle_seconds = 0.0  # of GPUs without a run while one waits for a place
    for moment, following in itertools.pairwise(moments):
        running = Counter(device for device, _, start, end, _ in runs if start <= moment < end)
        assert max(running.values(), default=0) <= runs_per_gpu
        if any(asked <= moment < start for _, asked, start, _, _ in runs):
            idle_seconds += (len(GPUS) - len(running)) * (following - moment)
    # A place that a run has left is taken when one that waits looks again; on a busy machine its
    # turn to look comes late.
    assert idle_seconds < 0.5 * len(GPUS) * (moments[-1] - moments[0])
    assert {device for device, *_ in runs} == set(GPUS)
    assert max(shared for *_, shared in runs) == runs_per_gpu


def test_the_place_of_a_killed_run_is_taken_by_the_next(machine: Path) -> None:
    pretend(machine, f"GPU 0: Pretended (UUID: {GPUS[0]})\n")
    holder = worker(1, 0, "stay")
    assert holder.stdout is not None
    assert holder.stdout.readline().startswith(GPUS[0])
    waiting = worker(1, 0)
    assert waiting.stderr is not None
    assert waiting.stderr.readline() == f"all 1 places on {GPUS[0]} are taken; waiting.\n"
    assert waiting.poll() is None
    os.kill(holder.pid, signal.SIGKILL)
    said, errors = waiting.communicate(timeout=30)
    assert said.startswith(GPUS[0])
    assert errors == ""  # told once
    holder.communicate()


def test_a_run_goes_where_the_fewest_are() -> None:
    with (
        place_on(GPUS[:1], 3),
        place_on(GPUS[:1], 3),
        place_on(GPUS[1:2], 3),
        place_on(GPUS[:3], 3) as alone,
        place_on(GPUS[:2], 3) as second,
    ):
        assert (alone.device, second.device) == (GPUS[2], GPUS[1])
        assert (alone.look(), second.look()) == (1, 2)
        with place_on(GPUS[2:3], 3):
            assert alone.look() == 2
        assert alone.look() == 2  # the most so far


def test_numbers_and_names_of_a_gpu_are_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert visible_gpus() == GPUS
    for given, expected in [
        ("", []),
        ("2, 0", [GPUS[2], GPUS[0]]),
        (GPUS[3], [GPUS[3]]),
        ("1,-1,2", [GPUS[1]]),
        ("-1", []),
    ]:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert visible_gpus() == expected


def test_the_parts_of_a_split_gpu_are_devices_of_their_own(machine: Path) -> None:
    pretend(
        machine,
        f"GPU 0: A (UUID: {GPUS[0]})\n"
        f"GPU 1: B (UUID: {GPUS[1]})\n"
        "  MIG 3g.40gb     Device  0: (UUID: MIG-1)\n"
        "  MIG 3g.40gb     Device  1: (UUID: MIG-2)\n",
    )
    assert visible_gpus() == [GPUS[0], "MIG-1", "MIG-2"]


@pytest.mark.parametrize(
    ("name", "environment", "device", "visible"),
    [
        ("cpu", {}, "cpu", None),
        ("cuda:5", {}, GPUS[5], None),
        ("auto", {"CUDA_VISIBLE_DEVICES": ""}, "cpu", ""),
        # A scheduler has chosen.
        ("auto", {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "3"}, GPUS[3], "3"),
        ("cuda", {"SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "0"}, GPUS[0], None),
    ],
)
def test_what_was_chosen_already_is_taken_without_waiting_and_counted(
    name: str,
    environment: dict[str, str],
    device: str,
    visible: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    with place_on_device(name, 1) as first, place_on_device(name, 1) as second:
        assert (first.device, second.device) == (device, device)
        assert (first.most_runs, first.look(), second.most_runs) == (1, 2, 2)
        assert os.environ.get("CUDA_VISIBLE_DEVICES") == visible


def test_the_profile_for_gpus_starts_as_many_runs_as_there_are_places(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resources() -> Any:
        text = (ROOT / "profiles/gpu/config.yaml").read_text(encoding="utf-8")
        return yte.process_yaml(text).get("resources")

    monkeypatch.chdir(ROOT)
    setting = yaml.safe_load(Path("config/workflow.yaml").read_text(encoding="utf-8"))
    assert resources() == [f"gpu={8 * setting['runs_per_gpu']}"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    assert resources() == [f"gpu={2 * setting['runs_per_gpu']}"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert resources() is None
