"""What really happens to a workflow: each fault ends in one clear message, and then in success.

Every drill runs Snakemake on a tiny experiment; what was finished before stays as it was.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from https_server import https_server
from small_disk import small_disk
from test_download import CONTENT, SHA256, drop, html, send, status, truncated, whole
from test_workflow import EXPERIMENT, Project, jobs, trainings

MODELS = ["popularity", "sasrec+"]
TINY = {**EXPERIMENT, "models": MODELS}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with its runs done."""
    project = Project.new(tmp_path_factory.mktemp("faults") / "project")
    project.write("config/tiny.yaml", TINY)
    project.make("runs")
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project that a test may change."""
    return finished.copy(tmp_path / "copy")


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of the records below a folder, but not whether Snakemake has seen them."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("runs/*/*/*/*"))
        if not path.name.startswith(".")
    }


def refused(project: Project, *words: str) -> str:
    """What Snakemake says when it fails: a message and no traceback."""
    done = project.snakemake(*words)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said, said
    return said


def started(project: Project, *words: str) -> subprocess.Popen[str]:
    """Snakemake under way, in a process group of its own as a terminal would give it."""
    command = [sys.executable, "-m", "snakemake", *words, "--cores", "1", "--nocolor"]
    environment = {**os.environ, "PYTHONPATH": str(project.folder), "SEQREC_MIRROR": ""}
    return subprocess.Popen(
        [*command, "--config", "experiment=tiny"],
        cwd=project.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(reached: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < deadline, f"it never came to {what}"
        time.sleep(0.02)


# Downloads


FAULTS = {
    "dropped": (drop, "no connection"),
    "truncated": (truncated, "the connection broke before the end of the file"),
    "altered": (send(CONTENT[:-4] + b"7 7\n"), "truncated or altered: SHA-256"),
    "failing": (status(500), "HTTP 500"),
    "html": (html, "an HTML page came instead of data"),
}


@pytest.mark.slow
def test_downloads_that_fail_are_told_each_and_are_had_by_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.new(tmp_path / "project")
    project.write("config/tiny.yaml", {**TINY, "datasets": ["whole", *FAULTS]})
    with https_server(tmp_path, monkeypatch) as server:
        for name, (behave, _) in {**FAULTS, "whole": (whole, "")}.items():
            url = f"{server.url}/{name}.txt"
            server.behaviours[f"/{name}.txt"] = [behave]
            source = {"file": f"{name}.txt", "sha256": SHA256, "urls": [url]}
            dataset = {"title": name, "max_length": 10, "sources": [source]}
            project.write(f"config/datasets/{name}.yaml", dataset)

        said = refused(project, "data")

        for name, (_, reason) in FAULTS.items():
            assert re.search(rf"/{name}\.txt: .*{reason}", said), said
            assert f"put {name}.txt into data/raw/" in said
        had = sorted(path.name for path in project.path("data/raw").iterdir() if path.is_file())
        assert had == ["whole.json", "whole.txt"]
        before = project.path("data/processed/whole/digest.json").read_bytes()

        server.behaviours = {f"/{name}.txt": [whole] for name in FAULTS}
        done = jobs(project.make("data"))

        assert "download whole" not in done
        for name in FAULTS:
            assert project.path(f"data/processed/{name}/digest.json").read_bytes() == before


@pytest.mark.slow
def test_a_download_that_is_interrupted_or_killed_leaves_nothing_and_is_had_by_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.new(tmp_path / "project")
    with https_server(tmp_path, monkeypatch) as server:
        source = {"file": "log.txt", "sha256": SHA256, "urls": [f"{server.url}/log.txt"]}
        dataset = {"title": "T", "max_length": 10, "sources": [source]}
        project.write("config/datasets/tiny.yaml", dataset)

        def stall(handler: object) -> None:
            truncated(handler)
            handler.wfile.flush()  # type: ignore[attr-defined]
            time.sleep(20)

        def parts() -> list[Path]:
            return [
                path
                for path in project.path("data/raw").glob(".log.txt.*")
                if path.stat().st_size > 0
            ]

        server.behaviours["/log.txt"] = [stall]
        process = started(project, "data")
        wait_for(lambda: len(server.asked) == 1, "its download")
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
        said, _ = process.communicate(timeout=60)
        assert process.returncode != 0
        assert "Traceback" not in said
        assert not project.path("data/raw/log.txt").exists()
        assert parts() == []

        process = started(project, "data")
        wait_for(lambda: len(server.asked) == 2, "its download")
        os.killpg(process.pid, signal.SIGKILL)  # a power cut
        process.communicate()
        assert not project.path("data/raw/log.txt").exists()

        # Snakemake says itself how to go on.
        assert "--unlock" in refused(project, "data")
        project.make("--unlock")
        server.behaviours["/log.txt"] = [whole]
        project.make("data")
        assert project.path("data/raw/log.txt").read_bytes() == CONTENT
        assert parts() == []


# Disks


@pytest.mark.slow
@pytest.mark.parametrize("full", ["data/raw", "data/processed"])
def test_a_disk_that_is_full_of_data_is_told_and_goes_on_when_there_is_space(
    full: str, finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.new(tmp_path / "project")
    with (
        small_disk(project.path(full), 16 * 1024) as disk,
        https_server(tmp_path, monkeypatch) as server,
    ):
        server.behaviours["/log.txt"] = [whole]
        source = {"file": "log.txt", "sha256": SHA256, "urls": [f"{server.url}/log.txt"]}
        dataset = {"title": "T", "max_length": 10, "sources": [source]}
        project.write("config/datasets/tiny.yaml", dataset)
        if full == "data/raw":
            disk.fill(8192)

        said = refused(project, "data")

        assert re.search(rf"{full}/\S+: cannot be written \(.*\)\. Free some disk space", said)
        assert not project.path("data/processed/tiny/digest.json").exists()
        disk.grow(1 << 22)
        project.make("data")
        assert project.path("data/processed/tiny/digest.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("free", [0, 36 * 1024], ids=["no byte", "some pages"])
def test_a_disk_that_is_full_of_results_is_told_and_goes_on_when_there_is_space(
    free: int, finished: Project, tmp_path: Path
) -> None:
    project = Project.new(tmp_path / "project")
    project.write("config/tiny.yaml", TINY)
    with small_disk(project.path("results"), 128 * 1024) as disk:
        filler = disk.fill(free)

        said = refused(project, "runs")

        assert "ree some disk space" in said
        before = snapshot(project.results)
        assert bool(before) == bool(free), "the small model fitted, the trained one did not"
        assert not project.record("sasrec+").exists()
        filler.unlink()
        project.make("runs")
        after = snapshot(project.results)
        assert {name: after.get(name) for name in before} == before
        ranks = "runs/tiny/sasrec+/seed-0/ranks.npy"
        assert after[ranks] == snapshot(finished.results)[ranks]


@pytest.fixture
def read_only(project: Project) -> Iterator[Project]:
    """The project with a results folder that nobody, not even root, may write to."""
    folder = project.path("results")
    if os.geteuid():
        for path in [folder, *folder.rglob("*")]:
            path.chmod(path.stat().st_mode & ~0o222)
    else:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    yield project
    if os.geteuid():
        for path in [folder, *folder.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
    else:
        subprocess.run(["umount", folder], check=True)


def test_results_that_cannot_be_written_are_one_message(read_only: Project) -> None:
    before = snapshot(read_only.results)
    assert "Nothing to be done" in read_only.make("runs")
    said = refused(read_only, "runs", "name=other", "set=seeds=[1]")
    assert re.search(r"results/other.*\n?.*(Read-only file system|Permission denied)", said), said
    read_only.write("config/tiny.yaml", {**TINY, "seeds": [0, 1]})
    said = refused(read_only, "runs")
    assert re.search(r"seed-1.*\n?.*(Read-only file system|Permission denied)", said), said
    assert snapshot(read_only.results) == before


# Damage


@pytest.mark.parametrize("name", ["items.npy", "statistics.json"])
def test_a_damaged_log_is_told_and_its_remedy_keeps_what_is_finished(
    name: str, project: Project
) -> None:
    before = snapshot(project.results)
    damaged = project.path("data/processed/tiny") / name
    damaged.write_bytes(damaged.read_bytes()[:-9])
    project.write("config/tiny.yaml", {**TINY, "models": [*MODELS, "sasrec+N"]})

    said = refused(project, "runs")

    assert "data/processed/tiny: not a whole interaction log" in said
    assert "Remove the folder" in said
    assert project.call("rm", "-r", "data/processed/tiny").returncode == 0
    project.make("runs")
    assert snapshot(project.results).items() >= before.items()
    assert project.record("sasrec+5").is_file()


def test_a_changed_raw_file_is_told_and_its_remedy_works(project: Project) -> None:
    raw = project.path("data/raw/tiny.txt")
    raw.write_bytes(raw.read_bytes()[:-9])
    assert project.call("rm", "-r", "data/processed/tiny").returncode == 0
    before = snapshot(project.results)

    said = refused(project, "data")

    remedy = re.search(r"data/raw/tiny\.txt: missing, or changed .* Remove (\S+), then run", said)
    assert remedy, said
    assert project.call("rm", remedy[1]).returncode == 0
    project.make("runs")
    assert snapshot(project.results) == before


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "empty", "not JSON", "another's"])
def test_a_damaged_record_is_told_and_its_remedy_gives_the_same_again(
    damage: str, project: Project
) -> None:
    record = project.record("sasrec+")
    content = record.read_bytes()
    damaged = {"cut": content[: len(content) // 2], "empty": b"", "not JSON": b"\x00\xff" * 100}
    damaged["another's"] = project.record("popularity").read_bytes()
    ranks = (record.parent / "ranks.npy").read_bytes()
    record.write_bytes(damaged[damage])

    listed = project.seqrec("missing", "results/tiny")

    assert listed.returncode == 1
    assert "Traceback" not in listed.stderr
    remedy = re.search(
        r"metrics\.json: .* Delete (\S+) and run the experiment again", listed.stderr
    )
    assert remedy, listed.stderr
    assert project.call("rm", "-r", f"results/tiny/{remedy[1]}").returncode == 0
    assert jobs(project.make("runs")) == {*trainings("sasrec+"), "runs"}
    assert (record.parent / "ranks.npy").read_bytes() == ranks
    assert project.seqrec("missing", "results/tiny").returncode == 0


# Two at once, and one that is gone


def long_training(project: Project) -> dict[str, object]:
    """The experiment with a training that takes a while, and what to call to have it stop."""
    change = {"models": ["sasrec+"], "training": {"max_epochs": 3000, "patience": 3000}}
    return {**TINY, "overrides": [*EXPERIMENT["overrides"], change]}


def test_of_two_that_are_started_at_once_one_does_it_and_one_says_so(project: Project) -> None:
    before = snapshot(project.results)
    project.write("config/tiny.yaml", {**TINY, "models": [*MODELS, "sasrec+N"]})
    both = [started(project, "runs") for _ in range(2)]
    said = [process.communicate(timeout=240)[0] for process in both]
    codes = [process.returncode for process in both]
    assert sorted(codes) == [0, 1], said
    refusal = said[codes.index(1)]
    assert "Directory cannot be locked" in refusal
    assert "Traceback" not in refusal
    assert project.record("sasrec+5").is_file()
    assert snapshot(project.results).items() >= before.items()
    assert "Nothing to be done" in project.make("runs")


@pytest.mark.slow
def test_after_a_power_cut_it_goes_on_from_the_checkpoint(project: Project) -> None:
    popularity = project.record("popularity").read_bytes()
    project.write("config/tiny.yaml", long_training(project))
    sidecar = project.record("sasrec+").parent / "resume.previous.pt"
    process = started(project, "runs")
    wait_for(sidecar.exists, "its second checkpoint")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert "--unlock" in refused(project, "runs")
    project.make("--unlock")
    # The lives of a training add up: it is stopped, and goes on, by a signal now.
    process = started(project, "runs")
    log = project.path("results/tiny/logs/tiny/sasrec+/seed-0.log")
    wait_for(lambda: log.exists() and "epoch" in log.read_text(), "an epoch")
    first = re.search(r"epoch +(\d+)", log.read_text())
    assert first and int(first[1]) > 1
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert project.record("popularity").read_bytes() == popularity


# Clocks


@pytest.mark.parametrize("days", [400, -400])
def test_a_clock_that_jumps_repeats_nothing_and_loses_nothing(days: int, project: Project) -> None:
    """What there is seems to be of the future, or old; what is new is made as ever."""
    before = snapshot(project.results)
    for path in [*project.path("data").rglob("*"), *project.path("results").rglob("*")]:
        moment = path.stat().st_mtime + days * 86_400
        os.utime(path, (moment, moment))
    assert project.plan("runs") == set()
    project.write("config/tiny.yaml", {**TINY, "models": [*MODELS, "sasrec+N"]})

    done = jobs(project.make("runs", "tables"))

    assert done == {*trainings("sasrec+5"), *("runs", "write_grid", "write_tables", "tables")}
    assert project.record("sasrec+5").is_file()
    assert snapshot(project.results).items() >= before.items()
    assert project.plan("runs") == set()


@pytest.mark.slow
def test_a_clock_that_is_set_back_during_a_training_does_not_cost_it(project: Project) -> None:
    project.write("config/tiny.yaml", long_training(project))
    digest = project.path("data/processed/tiny/digest.json")
    record = project.record("sasrec+")
    sidecar = record.parent / "resume.previous.pt"
    # Some epochs in one life, so that few are left for the next.
    config = {**long_training(project)}
    process = started(project, "runs")
    wait_for(sidecar.exists, "its second checkpoint")
    os.utime(digest, (time.time() + 86_400,) * 2)
    del config
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert record.is_file()
    assert project.plan("runs") == set()


# Configurations


@pytest.mark.slow
def test_a_configuration_edited_in_the_middle_of_a_grid_reaches_the_next_call(
    project: Project,
) -> None:
    """What is under way ends as it was begun; the next call does what the edit has changed."""
    names = ["popularity", "sasrec+", "sasrec+5", "sasrec+6"]
    grid = {**TINY, "models": [*MODELS, "sasrec+N"], "negatives": [5, 6]}
    project.write("config/tiny.yaml", grid)
    process = started(project, "runs")
    wait_for(
        lambda: any(project.record(name).exists() for name in names[2:]), "its first new training"
    )
    change = {"models": ["sasrec+6"], "training": {"learning_rate": 0.01}}
    edited = {**grid, "overrides": [*EXPERIMENT["overrides"], change]}
    project.write("config/tiny.yaml", edited)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    before = project.records()
    assert all('"learning_rate": 0.001' in before[name] for name in before if "sasrec" in name)

    assert jobs(project.make("runs")) == {*trainings("sasrec+6"), "runs"}

    after = project.records()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {str(project.record("sasrec+6").relative_to(project.folder))}
    assert '"learning_rate": 0.01' in project.record("sasrec+6").read_text()


def test_a_configuration_broken_in_the_middle_of_a_grid_stops_the_next_call(
    project: Project,
) -> None:
    before = snapshot(project.results)
    project.append("config/tiny.yaml", "models: [sasrec+\n")
    assert "config/tiny.yaml:" in refused(project, "runs")
    assert snapshot(project.results) == before
    project.write("config/tiny.yaml", TINY)
    assert project.plan("runs") == set()
