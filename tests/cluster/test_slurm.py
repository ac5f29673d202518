"""The workflow on a real Slurm: what happens on clusters costs time and never a result.

`slurm.sh` beside this file starts three emulated nodes with two pretended GPUs each. Where Slurm is
not installed the tests are skipped, unless SEQREC_TEST_SLURM says that they may not be.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from small_runs import outcome
from tiny_project import Project

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

SCRIPT = Path(__file__).with_name("slurm.sh")

SLOW = '''
"""SASRec that takes PAUSE seconds longer, though no processor's, and waits while `hold` exists."""

import os
import time
from pathlib import Path

from torch import Tensor

from seqrec.models.sasrec import SASRec


class Slow(SASRec):
    def forward(self, rows: Tensor) -> Tensor:
        time.sleep(float(os.environ.get("PAUSE", "0")))
        while Path("hold").exists():
            time.sleep(0.1)
        return super().forward(rows)
'''
EPOCHS = 48
PAUSE = "0.4"
"""Seconds of each of the three passes of an epoch."""

WAITING = "another process is training this run; waiting."
GROUPING = ("groups", "group-components", "resources", "set-resource-scopes")
"""The profile's commented settings that put several runs into a job."""

KEPT = "finished before with this configuration and data."


@pytest.fixture(scope="module", autouse=True)
def slurm() -> Iterator[None]:
    if shutil.which("slurmctld") is None or os.getuid() != 0:
        reason = f"needs root and Slurm: {SCRIPT} install"
        if os.environ.get("SEQREC_TEST_SLURM"):
            pytest.fail(reason)
        pytest.skip(reason)
    subprocess.run([SCRIPT, "start"], check=True)
    yield
    for driver in Driver.started:  # of tests that failed
        driver.process.kill()
    subprocess.run([SCRIPT, "stop"], check=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.new(tmp_path_factory.mktemp("slurm") / "a project")
    (project.folder / "slow.py").write_text(SLOW)
    project.write(
        "config/models/slow.yaml",
        {
            "implementation": "slow:Slow",
            "hyperparameters": {"hidden_size": 8, "blocks": 1},
            "loss": {"kind": "cross-entropy"},
            "training": {"max_epochs": EPOCHS, "patience": EPOCHS, "batch_size": 32},
        },
    )
    return project


class Driver:
    """Snakemake under way with the profile for Slurm, at a test's pace."""

    started: ClassVar[list["Driver"]] = []

    def __init__(
        self, project: Project, experiment: str, *options: str, pause: str = PAUSE
    ) -> None:
        command = [sys.executable, "-m", "snakemake", "runs", "--nocolor"]
        command += ["--workflow-profile", "profiles/slurm", "--latency-wait", "5"]
        command += ["--slurm-init-seconds-before-status-checks", "2"]
        # Not what is faster at the moment: results are compared.
        command += [*options, "--config", f"experiment={experiment}", "precision=float32"]
        self.log = project.path(f"{experiment}-driver.log")
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command,
                cwd=project.folder,
                env={**project.environment(), "PAUSE": pause},
                stdout=log,
                stderr=subprocess.STDOUT,
                # A test that runs in the background of a shell has no Ctrl-C to hand on.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        Driver.started.append(self)

    def wait(self) -> int:
        return self.process.wait(timeout=900)

    def said(self) -> str:
        return self.log.read_text()


def slurm_jobs() -> list[dict[str, str]]:
    """What Slurm remembers of every job, by its own names, oldest first."""
    said = subprocess.run(
        ["scontrol", "--oneliner", "show", "job"], capture_output=True, text=True, check=True
    ).stdout
    found = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in said.splitlines()]
    return sorted((job for job in found if "JobId" in job), key=lambda job: int(job["JobId"]))


def jobs_of(run: str) -> list[dict[str, str]]:
    """The jobs of one training, as in `tiny_slow_0`."""
    return [job for job in slurm_jobs() if job.get("Comment", "").endswith(run)]


def control(*words: str) -> None:
    subprocess.run(["scontrol", *words], check=True)


def eventually(condition: Callable[[], object], driver: Driver, seconds: float = 900) -> None:
    start = time.monotonic()
    while not condition():
        assert driver.process.poll() is None, driver.said()
        assert time.monotonic() - start < seconds, driver.said()
        time.sleep(0.2)


def folder_of(project: Project, experiment: str, seed: int) -> Path:
    return project.path(f"results/{experiment}/runs/tiny/slow/seed-{seed}")


def log_of(project: Project, experiment: str, seed: int) -> Path:
    return project.path(f"results/{experiment}/logs/tiny/slow/seed-{seed}.log")


def attempts(project: Project, experiment: str, seed: int) -> list[str]:
    """What the log of a run tells of each job that trained it."""
    log = log_of(project, experiment, seed)
    text = log.read_text() if log.exists() else ""
    return re.split(r"^[0-9-]+ [0-9:]+ tiny slow seed \d+$", text, flags=re.MULTILINE)[1:]


def epochs_told(project: Project, experiment: str, seed: int) -> list[int]:
    """The epochs that the log tells of the last job that trained a run."""
    last = attempts(project, experiment, seed)[-1:]
    return [int(epoch) for text in last for epoch in re.findall(r"(?m)^epoch +(\d+) ", text)]


def job_ids(project: Project, experiment: str) -> dict[str, str]:
    """The Slurm job that made each record."""
    found = {}
    for path in sorted(project.path(f"results/{experiment}").glob("runs/*/*/*/metrics.json")):
        found[path.parts[-3]] = json.loads(path.read_text())["job"]["slurm_job_id"]
    return found


@pytest.fixture(scope="module")
def undisturbed(project: Project) -> Project:
    """The project with the trainings of four seeds, done on this machine without a disturbance."""
    content = {"datasets": ["tiny"], "models": ["slow"], "seeds": [0, 1, 2, 3]}
    project.write("config/local.yaml", content)
    project.make("runs", "precision=float32", experiment="local")
    return project


def experiment(project: Project, name: str, seeds: list[int], *models: dict) -> None:
    """Write an experiment with some of those trainings, and further models of one seed."""
    overrides = [{"models": [model["name"]], "seeds": [0]} for model in models]
    models = ("slow", *models)
    content = {"datasets": ["tiny"], "models": list(models), "seeds": seeds}
    project.write(f"config/{name}.yaml", {**content, "overrides": overrides})


def assert_undisturbed(project: Project, name: str, seeds: list[int]) -> None:
    """Metrics, history, ranks and weights are those of the trainings that nothing disturbed."""
    for seed in seeds:
        found = outcome(folder_of(project, name, seed))
        assert found == outcome(folder_of(project, "local", seed)), seed


def test_the_demo_runs_as_jobs_side_by_side_and_only_once(project: Project) -> None:
    shutil.copy(project.path("config/demo.yaml"), project.path("config/shown.yaml"))
    with project.path("config/shown.yaml").open("a") as file:
        file.write("  - {models: ['*'], training: {max_epochs: 1}}\n")
    driver = Driver(project, "shown")
    assert driver.wait() == 0, driver.said()
    made_by = job_ids(project, "shown")
    assert len(made_by) == len(set(made_by.values())) == 10

    done = {job["JobId"]: job for job in slurm_jobs()}
    trainings = [done[number] for number in made_by.values()]
    networks = [done[made_by[name]] for name in made_by if name not in ("popularity", "bpr-mf")]
    assert all(job["TresPerJob"] == "gres:gpu:1" for job in networks)
    starts = sorted(job["StartTime"] for job in networks)
    first_end = min(job["EndTime"] for job in networks)
    assert sum(start <= first_end for start in starts) >= 6  # as many as there are GPUs
    assert {job["NodeList"] for job in trainings} == {"c1", "c2", "c3"}

    again = Driver(project, "shown")
    assert again.wait() == 0
    assert "Nothing to be done" in again.said()
    shutil.rmtree(project.path("results/shown/runs/demo/sasrec/seed-0"))
    once_more = Driver(project, "shown")
    assert once_more.wait() == 0, once_more.said()
    after = job_ids(project, "shown")
    assert {name for name in after if after[name] != made_by[name]} == {"sasrec"}


def test_a_training_that_is_cancelled_requeued_out_of_time_or_on_a_lost_node_goes_on(
    undisturbed: Project,
) -> None:
    cancelled, requeued, out_of_time, lost = seeds = [0, 1, 2, 3]
    # A failure that no second attempt mends: there are fewer items than negatives.
    loss = {"kind": "sampled-cross-entropy", "negatives": 5000}
    experiment(undisturbed, "shaken", seeds, {"name": "hopeless", "like": "slow", "loss": loss})
    driver = Driver(undisturbed, "shaken")

    def first_job(seed: int) -> dict[str, str]:
        return jobs_of(f"tiny_slow_{seed}")[0]

    def under_way(seed: int) -> Callable[[], bool]:
        return lambda: max(epochs_told(undisturbed, "shaken", seed), default=0) >= 2

    eventually(under_way(out_of_time), driver)
    # Less than the two minutes are left at which the profile asks for a signal.
    hours, minutes, _ = map(int, first_job(out_of_time)["RunTime"].split(":"))
    limit = f"TimeLimit={60 * hours + minutes + 2}"
    control("update", f"JobId={first_job(out_of_time)['JobId']}", limit)
    eventually(under_way(cancelled), driver)
    subprocess.run(["scancel", first_job(cancelled)["JobId"]], check=True)
    eventually(under_way(requeued), driver)
    control("requeue", first_job(requeued)["JobId"])
    eventually(under_way(lost), driver)
    eventually(lambda: first_job(out_of_time)["JobState"] == "FAILED", driver)
    assert first_job(lost)["JobState"] == "RUNNING"
    node = first_job(lost)["NodeList"]
    control("update", f"NodeName={node}", "State=DOWN", "Reason=test")
    try:
        assert driver.wait() != 0
    finally:
        control("update", f"NodeName={node}", "State=RESUME")

    said = driver.said()
    assert_undisturbed(undisturbed, "shaken", seeds)
    for seed in seeds:
        # A node that Slurm takes for lost may work: then the job in its place finds the result.
        if seed == lost and KEPT in log_of(undisturbed, "shaken", lost).read_text():
            continue
        first, *_, last = epochs_told(undisturbed, "shaken", seed)
        assert first > 1, f"seed {seed} began anew"
        assert last == EPOCHS

    def states(seed: int) -> list[str]:
        return [job["JobState"] for job in jobs_of(f"tiny_slow_{seed}")]

    assert states(cancelled) == ["CANCELLED", "COMPLETED"]
    assert states(out_of_time) == ["FAILED", "COMPLETED"]
    for seed in (requeued, lost):  # the same job again
        assert states(seed) == ["COMPLETED"]
        assert int(first_job(seed)["Restarts"]) >= 1
    assert first_job(lost)["NodeList"] != node

    # What failed was tried three times, each with more memory and time, and its log is shown.
    attempts = jobs_of("tiny_hopeless_0")
    assert [job["JobState"] for job in attempts] == ["FAILED"] * 3
    memory = [job["MinMemoryNode"] for job in attempts]
    assert len(set(memory)) == len({job["TimeLimit"] for job in attempts}) == 3, memory
    assert re.search("Logfile .*hopeless.*\n=+\n(.*\n)*.*5000 distinct negatives", said), said
    missing = undisturbed.seqrec("missing", "results/shaken")
    assert "tiny hopeless (seed 0): " in missing.stderr
    assert missing.stderr.count("seed") == 1


def test_a_workflow_that_is_stopped_or_killed_leaves_no_run_to_two_trainings(
    undisturbed: Project,
) -> None:
    seeds = [0, 1]
    experiment(undisturbed, "deserted", seeds)

    def told(epoch: int) -> Callable[[], bool]:
        return lambda: all(
            max(epochs_told(undisturbed, "deserted", seed), default=0) >= epoch for seed in seeds
        )

    # Ctrl-C cancels the jobs.
    driver = Driver(undisturbed, "deserted")
    eventually(told(2), driver)
    driver.process.send_signal(signal.SIGINT)
    assert driver.wait() != 0
    running = [job["JobState"] for seed in seeds for job in jobs_of(f"tiny_slow_{seed}")]
    assert not {"RUNNING", "PENDING"} & set(running), running

    # Killed, it leaves them behind, and the next one's jobs wait for them.
    before = {job["JobId"] for job in slurm_jobs()}
    driver = Driver(undisturbed, "deserted")
    eventually(told(8), driver)
    hold = undisturbed.path("hold")
    hold.touch()
    driver.process.kill()
    driver.wait()
    orphans = {job["JobId"] for job in slurm_jobs()} - before
    driver = Driver(undisturbed, "deserted")
    logs = [log_of(undisturbed, "deserted", seed) for seed in seeds]
    eventually(lambda: all(log.exists() and WAITING in log.read_text() for log in logs), driver)
    hold.unlink()
    assert driver.wait() == 0, driver.said()

    assert_undisturbed(undisturbed, "deserted", seeds)
    for seed in seeds:
        assert KEPT in logs[seed].read_text()
        assert len(attempts(undisturbed, "deserted", seed)) == 2, "none by the third workflow"
        record = json.loads((folder_of(undisturbed, "deserted", seed) / "metrics.json").read_text())
        assert record["job"]["slurm_job_id"] in orphans


@contextmanager
def settings_of_the_profile(project: Project, *keys: str, runs: int = 2) -> Iterator[None]:
    """Some of the profile's commented settings in force, with so many runs in a group."""
    profile = project.path("profiles/slurm/config.yaml")
    before = text = profile.read_text()
    for key in keys:
        text, found = re.subn(rf"^# ({key}: [^#\n]*).*$", r"\1", text, flags=re.MULTILINE)
        assert found == 1, f"the profile shows {key}"
    profile.write_text(text.replace("runs=8", f"runs={runs}"))
    yield
    profile.write_text(before)


def submitted(project: Project, name: str) -> list[dict[str, str]]:
    """The jobs of an experiment of four tiny runs, which end as they would anywhere."""
    experiment(project, name, [0, 1, 2, 3])
    before = {job["JobId"] for job in slurm_jobs()}
    driver = Driver(project, name, pause="0")
    assert driver.wait() == 0, driver.said()
    assert_undisturbed(project, name, [0, 1, 2, 3])
    return [job for job in slurm_jobs() if job["JobId"] not in before]


def test_many_tiny_runs_go_into_few_jobs(undisturbed: Project) -> None:
    with settings_of_the_profile(undisturbed, *GROUPING):
        jobs = submitted(undisturbed, "grouped")
    assert len(jobs) == 2
    assert all(job["TresPerJob"] == "gres:gpu:1" for job in jobs)  # one after another


def test_runs_that_are_ready_together_go_as_one_array(undisturbed: Project) -> None:
    with settings_of_the_profile(undisturbed, "slurm-array-jobs"):
        jobs = submitted(undisturbed, "arrayed")
    assert len(jobs) == 4
    assert len({job["ArrayJobId"] for job in jobs}) == 1
