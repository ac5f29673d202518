"""What really happens to a workflow: each fault ends in one clear message, and then in success.

Every drill runs Snakemake on a tiny experiment; what was finished before stays as it was.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from http_server import (
    CONTENT,
    SHA256,
    drop,
    html,
    https_server,
    send,
    status,
    truncated,
    whole,
)
from small_disk import small_disk
from tiny_project import EXPERIMENT, Project, jobs, trainings

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
    """Every file of the records below a folder: no logs, nor what Snakemake keeps for itself."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("runs/*/*/*/*"))
        if not path.name.startswith(".") and path.name != "log.txt"
    }


def refused(project: Project, *words: str) -> str:
    """What Snakemake says when it fails: a message and no traceback."""
    done = project.snakemake(*words)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said, said
    return said


@contextmanager
def started(
    project: Project, *words: str, experiment: str = "tiny"
) -> Iterator[subprocess.Popen[str]]:
    """Snakemake under way, in a process group of its own as a terminal would give it."""
    command = [sys.executable, "-m", "snakemake", *words, "--cores", "1", "--nocolor"]
    environment = {**os.environ, "PYTHONPATH": str(project.folder), "SEQREC_MIRROR": ""}
    process = subprocess.Popen(
        [*command, "--config", f"experiment={experiment}"],
        cwd=project.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(reached: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 250
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
            send(bytes(200_000), promised=300_000)(handler)
            time.sleep(20)

        def parts() -> list[Path]:
            return [
                path
                for path in project.path("data/raw").glob(".log.txt.*")
                if path.stat().st_size > 0
            ]

        server.behaviours["/log.txt"] = [stall]
        with started(project, "data") as process:
            wait_for(lambda: len(server.asked) == 1, "its download")
            os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
            said, _ = process.communicate(timeout=60)
        assert process.returncode != 0
        assert "Traceback" not in said
        assert not project.path("data/raw/log.txt").exists()
        assert parts() == []

        with started(project, "data") as process:
            wait_for(lambda: len(server.asked) == 2 and parts(), "its download")
            os.killpg(process.pid, signal.SIGKILL)  # a power cut
        assert not project.path("data/raw/log.txt").exists()
        assert parts()

        server.behaviours["/log.txt"] = [whole]
        project.make("data")
        assert project.path("data/raw/log.txt").read_bytes() == CONTENT
        assert parts() == []


# Disks

# The file or, where not a word of it fitted into the log, the log.
FULL = r"cannot be written.*[Ff]ree some disk space"


@pytest.mark.slow
def test_a_disk_that_is_full_of_data_is_told_and_goes_on_when_there_is_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.new(tmp_path / "project")
    with (
        small_disk(project.path("data"), 128 * 1024) as disk,
        https_server(tmp_path, monkeypatch) as server,
    ):
        server.behaviours["/log.txt"] = [whole]
        source = {"file": "log.txt", "sha256": SHA256, "urls": [f"{server.url}/log.txt"]}
        dataset = {"title": "T", "max_length": 10, "sources": [source]}
        project.write("config/datasets/tiny.yaml", dataset)
        for free, full in ((16, "raw"), (44, "processed")):
            filler = disk.fill(free * 1024)
            said = refused(project, "data")
            assert re.search(FULL, said), said
            assert project.path("data/raw/tiny.json").exists() == (full == "processed")
            assert not project.path("data/processed/tiny/digest.json").exists()
            filler.unlink()
        assert jobs(project.make("data")) == {"preprocess tiny", "data"}


@pytest.mark.slow
def test_a_disk_that_is_full_of_results_is_told_and_goes_on_when_there_is_space(
    finished: Project, tmp_path: Path
) -> None:
    project = Project.new(tmp_path / "project")
    project.write("config/tiny.yaml", TINY)
    with small_disk(project.path("results"), 192 * 1024) as disk:
        filler = disk.fill(0)
        said = refused(project, "runs")
        assert "The log cannot be written: free some disk space, then run again" in said
        assert snapshot(project.results) == {}

        filler.unlink()
        filler = disk.fill(56 * 1024)
        said = refused(project, "runs")
        assert re.search(FULL, said), said
        # The small model fitted, the trained one did not.
        before = snapshot(project.record("popularity").parent)
        assert "metrics.json" in [path.name for path in project.results.rglob("*.json")]
        assert not project.record("sasrec+").exists()

        filler.unlink()
        project.make("runs")
        assert snapshot(project.record("popularity").parent) == before
        for model in MODELS:
            ranks = [p.record(model).parent / "ranks.npy" for p in (project, finished)]
            assert ranks[0].read_bytes() == ranks[1].read_bytes()


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
    assert re.search(r"results/other: cannot be written, \S*results is read-only", said), said
    read_only.write("config/tiny.yaml", {**TINY, "seeds": [0, 1]})
    said = refused(read_only, "runs")
    assert "results/tiny: cannot be written, results/tiny is read-only. Make it wri" in said, said
    assert snapshot(read_only.results) == before


def test_a_project_without_a_free_byte_is_one_message(project: Project, tmp_path: Path) -> None:
    """Of make: Snakemake by itself adds that it cannot write its log."""
    with small_disk(tmp_path / "disk", 1 << 26) as disk:
        full = project.copy(disk.folder / "project").with_make()
        disk.fill(0)
        for target in ("runs", "tables"):
            done = full.call("make", target, "EXPERIMENT=tiny")
            said = done.stdout + done.stderr
            assert done.returncode != 0
            assert said.count("the disk is full (0 bytes are left). Free some disk space") == 1
            assert "Traceback" not in said


@pytest.mark.parametrize("command", ["make", "snakemake"])
def test_a_project_in_a_read_only_folder_is_one_message(
    project: Project, tmp_path: Path, command: str
) -> None:
    with small_disk(tmp_path / "disk", 1 << 26) as disk:
        kept = project.copy(disk.folder / "project").with_make()
        shutil.rmtree(kept.path(".snakemake"))
        subprocess.run(["mount", "-o", "remount,ro", disk.folder], check=True)
        if command == "make":
            done = kept.call("make", "runs", "EXPERIMENT=tiny")
        else:
            done = kept.snakemake("runs", "--dry-run")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert len(re.findall(r"\.snakemake: cannot be written, \S+ is read-only", said)) == 1, said
    assert "Traceback" not in said


# Damage


@pytest.mark.slow
def test_a_damaged_log_is_told_and_its_remedy_keeps_what_is_finished(project: Project) -> None:
    before = snapshot(project.results)
    damaged = project.path("data/processed/tiny/items.npy")
    damaged.write_bytes(damaged.read_bytes()[:-9])
    project.write("config/tiny.yaml", {**TINY, "models": [*MODELS, "sasrec+N"]})

    said = refused(project, "runs")

    assert "data/processed/tiny: not a complete interaction log" in said
    assert "Remove the folder" in said
    assert project.call("rm", "-r", "data/processed/tiny").returncode == 0
    project.make("runs")
    assert snapshot(project.results).items() >= before.items()
    assert project.record("sasrec+5").is_file()


@pytest.mark.slow
def test_a_changed_raw_file_is_told_and_its_remedy_works(project: Project) -> None:
    raw = project.path("data/raw/tiny.txt")
    raw.write_bytes(raw.read_bytes()[:-9])
    assert project.call("rm", "-r", "data/processed/tiny").returncode == 0
    before = snapshot(project.results)

    said = refused(project, "data")

    remedy = re.search(r"data/raw/tiny\.txt: changed since .* Run `seqrec (\w+) (\w+)`", said)
    assert remedy, said
    assert project.seqrec(*remedy.groups()).returncode == 0
    project.make("runs")
    assert snapshot(project.results) == before


@pytest.mark.slow
def test_a_damaged_record_is_told_and_its_remedy_gives_the_same_again(project: Project) -> None:
    record = project.record("sasrec+")
    content = record.read_bytes()
    ranks = (record.parent / "ranks.npy").read_bytes()
    another = project.record("popularity").read_bytes()
    for damaged in (content[:-9], b"", b"\x00\xff" * 100, another):
        record.write_bytes(damaged)
        listed = project.seqrec("missing", "results/tiny")
        assert listed.returncode == 1
        assert "Traceback" not in listed.stderr
        remedy = re.search(r"metrics\.json: .* Delete (\S+) and run the exp", listed.stderr)
        assert remedy, listed.stderr
    assert project.call("rm", "-r", f"results/tiny/{remedy[1]}").returncode == 0
    assert jobs(project.make("runs")) == {*trainings("sasrec+"), "runs"}
    assert (record.parent / "ranks.npy").read_bytes() == ranks
    assert project.seqrec("missing", "results/tiny").returncode == 0


# Two at once, and one that is gone


def training_of(epochs: int) -> dict[str, object]:
    """The experiment with a training that takes a while."""
    change = {"models": ["sasrec+"], "training": {"max_epochs": epochs, "patience": epochs}}
    return {**TINY, "overrides": [*EXPERIMENT["overrides"], change]}


def test_two_experiments_share_a_checkout_from_the_start_and_one_is_made_once_at_a_time(
    project: Project,
) -> None:
    """Both make the same data at the same time; the same experiment once more is refused."""
    before = snapshot(project.results)
    digest = project.path("data/processed/tiny/digest.json").read_bytes()
    assert project.call("rm", "-r", "data").returncode == 0
    project.write("config/tiny.yaml", {**TINY, "models": [*MODELS, "sasrec+N"]})
    project.write("config/other.yaml", {"datasets": ["tiny"], "models": ["popularity"]})
    with (
        started(project, "runs") as one,
        started(project, "runs") as two,
        started(project, "runs", experiment="other") as other,
    ):
        said = [process.communicate(timeout=240)[0] for process in (one, two, other)]
        *codes, code_of_other = [process.returncode for process in (one, two, other)]
    assert code_of_other == 0, said[-1]
    assert sorted(codes) == [0, 1], said
    refusal = said[codes.index(1)]
    assert "results/tiny: another process is making this experiment. Wait" in refusal
    assert "Traceback" not in refusal
    assert project.record("sasrec+5").is_file()
    assert project.record("popularity", "other").is_file()
    assert snapshot(project.results).items() >= before.items()
    assert project.path("data/processed/tiny/digest.json").read_bytes() == digest
    assert "Nothing to be done" in project.make("runs")
    assert "Nothing to be done" in project.make("runs", experiment="other")


SLOW = '''
"""SASRec that waits while the file `hold` exists."""

import time
from pathlib import Path

from torch import Tensor

from seqrec.models.sasrec import SASRec


class Slow(SASRec):
    def forward(self, rows: Tensor) -> Tensor:
        while Path("hold").exists():
            time.sleep(0.02)
        return super().forward(rows)
'''


def test_a_dry_run_and_preparing_disturb_no_running_experiment(project: Project) -> None:
    """A dataset's YAML that is edited meanwhile costs it nothing, once the edit is undone."""
    hold = project.path("hold")
    hold.touch()
    project.path("slow.py").write_text(SLOW)
    small = {"implementation": "slow:Slow", "hyperparameters": {"hidden_size": 8, "blocks": 1}}
    project.write("config/models/slow.yaml", {**small, "loss": {"kind": "cross-entropy"}})
    project.write("config/tiny.yaml", {**TINY, "models": [*MODELS, "slow"], "seeds": [0, 1]})
    dataset = project.path("config/datasets/tiny.yaml").read_text()
    with started(project, "runs") as process:
        progress = "runs/tiny/slow/*/progress.json"
        wait_for(lambda: any(project.results.glob(progress)), "its first slow training")
        project.append("config/datasets/tiny.yaml", "filter: {duplicates: first}\n")
        assert "preprocess tiny" in project.plan("runs")
        (line,) = project.prepare()
        assert "Nothing was repaired. results/tiny: another process is making this" in line
        project.path("config/datasets/tiny.yaml").write_text(dataset)
        project.make("tables")
        assert "slow" in (project.results / "tables/missing.md").read_text()
        hold.unlink()
        said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert len(list(project.results.glob("runs/tiny/slow/*/metrics.json"))) == 2


@pytest.mark.slow
def test_tables_are_made_while_a_first_training_is_under_way(tmp_path: Path) -> None:
    project = Project.new(tmp_path / "project").with_make()
    project.write("config/tiny.yaml", training_of(5000))
    with started(project, "runs"):
        wait_for((project.record("sasrec+").parent / "progress.json").exists, "its training")
        done = project.call("make", "tables", "EXPERIMENT=tiny")
        assert done.returncode == 0, done.stderr
    assert "SASRec+" in (project.results / "tables/results/tiny.md").read_text()


def said_in(log: Path) -> str:
    """What a log says; nothing before there is one."""
    return log.read_text() if log.exists() else ""


def processes_in(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").resolve() == folder.resolve():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("number", "whole_group"),
    [
        (signal.SIGTERM, False),
        (signal.SIGKILL, False),
        (signal.SIGHUP, True),
        (signal.SIGINT, True),
    ],
    ids=["kill of make", "kill -9 of make", "closed terminal", "Ctrl-C"],
)
def test_make_told_to_stop_leaves_no_process_and_goes_on_from_there(
    project: Project, number: signal.Signals, whole_group: bool
) -> None:
    project.with_make().write("config/tiny.yaml", training_of(5000))
    log = project.path("results/tiny/logs/tiny/sasrec+/seed-0.log")

    def make() -> subprocess.Popen[bytes]:
        command = ["make", "experiment", "EXPERIMENT=tiny", "CORES=1"]
        return subprocess.Popen(
            command,
            cwd=project.folder,
            env=project.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    epochs = []
    for _ in range(2):
        earlier = said_in(log)
        process = make()
        wait_for(lambda so_far=earlier: " loss " in said_in(log)[len(so_far) :], "an epoch")
        (os.killpg if whole_group else os.kill)(process.pid, number)
        process.wait(timeout=60)
        wait_for(lambda: not processes_in(project.folder), "an end of all its processes")
        assert said_in(log).startswith(earlier), "a log tells of every attempt"
        said = said_in(log)[len(earlier) :]
        epochs.append(re.findall(r"epoch +(\d+)", said))
        assert "stopped; the same command goes on from here" in said
        assert (project.record("sasrec+").parent / "resume.pt").is_file()
    assert int(epochs[1][0]) == int(epochs[0][-1]) + 1


@pytest.mark.slow
def test_after_a_power_cut_it_goes_on_from_the_checkpoint(project: Project) -> None:
    popularity = project.record("popularity").read_bytes()
    project.write("config/tiny.yaml", training_of(5000))
    sidecar = project.record("sasrec+").parent / "resume.previous.pt"
    log = project.path("results/tiny/logs/tiny/sasrec+/seed-0.log")
    with started(project, "runs") as process:
        wait_for(sidecar.exists, "its second checkpoint")
        os.killpg(process.pid, signal.SIGKILL)
    first_life = said_in(log)
    with started(project, "runs") as process:
        wait_for(lambda: " loss " in said_in(log)[len(first_life) :], "an epoch")
        epoch = re.search(r"epoch +(\d+)", said_in(log)[len(first_life) :])
        assert epoch and int(epoch[1]) > 1
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in said
    assert "the same command goes on from here" in log.read_text()
    assert project.record("popularity").read_bytes() == popularity


# Clocks


@pytest.mark.slow
def test_a_clock_that_is_set_back_repeats_nothing_and_loses_nothing(project: Project) -> None:
    """What there is seems to be of the future; what is new is made as ever."""
    before = snapshot(project.results)
    for path in [*project.path("data").rglob("*"), *project.path("results").rglob("*")]:
        moment = path.stat().st_mtime + 400 * 86_400
        os.utime(path, (moment, moment))
    project.write("config/tiny.yaml", {**TINY, "models": [*MODELS, "sasrec+N"]})
    project.prepare()

    done = jobs(project.make("runs", "tables"))

    assert done == {*trainings("sasrec+5"), *("runs", "write_grid", "write_tables", "tables")}
    assert project.record("sasrec+5").is_file()
    assert snapshot(project.results).items() >= before.items()
    assert project.plan("runs") == set()


@pytest.mark.slow
def test_a_clock_that_is_set_back_during_a_training_does_not_cost_it(project: Project) -> None:
    project.write("config/tiny.yaml", training_of(100))
    sidecar = project.record("sasrec+").parent / "resume.previous.pt"
    with started(project, "runs") as process:
        wait_for(sidecar.exists, "its second checkpoint")
        tomorrow = time.time() + 86_400
        os.utime(project.path("data/processed/tiny/digest.json"), (tomorrow, tomorrow))
        assert not project.record("sasrec+").read_text().count('"epochs": 100')
        said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert '"epochs": 100' in project.record("sasrec+").read_text()
    assert project.plan("runs") == set()


# Configurations


@pytest.mark.slow
def test_a_configuration_edited_in_the_middle_of_a_grid_reaches_the_next_call(
    project: Project,
) -> None:
    """What is under way ends as it was begun; the next call does what the edit has changed."""
    grid = {**TINY, "models": [*MODELS, "sasrec+N"], "negatives": [5, 6]}
    project.write("config/tiny.yaml", grid)
    new = [project.record(name) for name in ("sasrec+5", "sasrec+6")]
    with started(project, "runs") as process:
        wait_for(lambda: any(record.exists() for record in new), "its first new record")
        assert not all(record.exists() for record in new)
        changes = {"models": ["sasrec+5", "sasrec+6"], "training": {"learning_rate": 0.01}}
        edited = {**grid, "overrides": [*EXPERIMENT["overrides"], changes]}
        project.write("config/tiny.yaml", edited)
        said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    before = project.records()
    for record in new:
        assert '"learning_rate": 0.001' in record.read_text()

    assert jobs(project.make("runs")) == {
        *trainings("sasrec+5", "sasrec+6"),
        "runs",
        "write_grid",  # which names configurations
    }

    after = project.records()
    assert {name for name in after if after[name] != before[name]} == {
        str(record.relative_to(project.folder)) for record in new
    }
    for record in new:
        assert '"learning_rate": 0.01' in record.read_text()
