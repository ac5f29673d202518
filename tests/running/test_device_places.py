"""Every run has a place on a device: no GPU has too many, none is idle while a run waits."""

import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
import yte
from small_runs import ROOT

from seqrec.running.device_places import place_on, place_on_device, visible_gpus

GPUS = [f"GPU-{number:08x}-0000" for number in range(8)]

WORKER = """
import os, sys
from seqrec.running.device_places import place_on_device
with place_on_device("auto", int(sys.argv[1])) as place:
    print(place.device, os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    sys.stdin.readline()
    print(place.look(), flush=True)
"""
"""Takes a place, prints it, and holds it until a line comes from its input."""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which `nvidia-smi` lists eight pretended GPUs, and no place is taken."""
    listed = "".join(f"GPU {n}: Pretended (UUID: {uuid})\n" for n, uuid in enumerate(GPUS))
    pretend(tmp_path, listed)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    return tmp_path


def pretend(machine: Path, listed: str) -> None:
    command = machine / "bin/nvidia-smi"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f"#!/bin/sh\ncat << END\n{listed}END\n")
    command.chmod(0o755)


def worker(runs_per_gpu: int) -> subprocess.Popen[str]:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-c", WORKER, str(runs_per_gpu)]
    return subprocess.Popen(command, text=True, **pipes)


@pytest.mark.parametrize("runs_per_gpu", [1, 2])
def test_many_runs_on_eight_gpus_leave_none_idle_and_none_too_busy(runs_per_gpu: int) -> None:
    """When runs end, waiting ones take their places: no GPU has a free place while a run waits,
    however slow the machine, and none has more runs than places."""
    workers = [worker(runs_per_gpu) for _ in range(24)]
    taken: queue.Queue[tuple[subprocess.Popen[str], list[str]]] = queue.Queue()

    def listen(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        taken.put((process, process.stdout.readline().split()))

    for process in workers:
        threading.Thread(target=listen, args=(process,), daemon=True).start()
    places = Counter(dict.fromkeys(GPUS, runs_per_gpu))
    holders: list[tuple[subprocess.Popen[str], str]] = []
    free, waiting, most = places.total(), len(workers), 0
    luck = random.Random(runs_per_gpu)
    while waiting or holders:
        for _ in range(min(free, waiting)):
            process, (device, visible) = taken.get(timeout=120)
            assert device == visible
            holders.append((process, device))
        free, waiting = max(0, free - waiting), max(0, waiting - free)
        running = Counter(device for _, device in holders)
        assert running <= places
        if waiting:
            assert running == places
        for _ in range(luck.randint(1, len(holders))):
            process, _ = holders.pop(luck.randrange(len(holders)))
            said, errors = process.communicate("go on\n", timeout=120)
            assert process.returncode == 0, errors
            assert errors.count("waiting") <= 1
            most = max(most, int(said))
            free += 1
    assert taken.empty()
    assert most == runs_per_gpu


def test_the_place_of_a_killed_run_is_taken_by_the_next(machine: Path) -> None:
    pretend(machine, f"GPU 0: Pretended (UUID: {GPUS[0]})\n")
    holder = worker(1)
    assert holder.stdout is not None
    assert holder.stdout.readline().startswith(GPUS[0])
    waiting = worker(1)
    assert waiting.stderr is not None
    assert waiting.stderr.readline() == f"every place on {GPUS[0]} is taken; waiting.\n"
    assert waiting.poll() is None
    os.kill(holder.pid, signal.SIGKILL)
    said, errors = waiting.communicate("go on\n", timeout=30)
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
        ("0,8,1", [GPUS[0]]),
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
        assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"  # as nvidia-smi counts


def test_runs_in_an_allocation_of_several_gpus_spread_over_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,4")
    with place_on_device("auto", 1) as first:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,4")  # as another process has it
        with place_on_device("auto", 1) as second:
            assert {first.device, second.device} == {GPUS[2], GPUS[4]}


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
