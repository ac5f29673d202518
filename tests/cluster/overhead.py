"""What a run costs beside its training: through Snakemake here, as a job on Slurm, and grouped.

    sudo python tests/cluster/overhead.py       (on a quiet machine; needs slurm.sh install)

Sixteen runs of one epoch on sixty users, two at a time here and one job at a time on Slurm; printed
are seconds a run.
"""

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from test_slurm import (  # noqa: E402
    GROUPING,
    SCRIPT,
    Driver,
    settings_of_the_profile,
    slurm_jobs,
)
from tiny_project import Project  # noqa: E402

RUNS = 16


def new_experiment(project: Project, name: str) -> None:
    content = {"datasets": ["tiny"], "models": ["sasrec+"], "seeds": list(range(RUNS))}
    project.write(f"config/{name}.yaml", {**content, "training": {"max_epochs": 1}})


def training_seconds(project: Project, name: str) -> float:
    records = project.path(f"results/{name}").glob("runs/*/*/*/metrics.json")
    return sum(json.loads(path.read_text())["training_seconds"] for path in records) / RUNS


def seconds_in_jobs(project: Project, name: str) -> float:
    """Seconds a run that Slurm counts, of jobs that have the machine to themselves."""
    new_experiment(project, name)
    before = {job["JobId"] for job in slurm_jobs()}
    driver = Driver(project, name, "--jobs", "1", pause="0")
    if driver.wait() != 0:
        raise SystemExit(driver.said())
    jobs = [job for job in slurm_jobs() if job["JobId"] not in before]
    times = [[datetime.fromisoformat(job[key]) for key in ("StartTime", "EndTime")] for job in jobs]
    return sum((end - start).total_seconds() for start, end in times) / RUNS


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Project.new(Path(folder) / "project")
        new_experiment(project, "local")
        project.make("data", experiment="local")
        start = time.perf_counter()
        project.make("runs", experiment="local")  # two at a time
        print(f"here, of a core          {2 * (time.perf_counter() - start) / RUNS:5.1f} s a run")
        print(f"of which training        {training_seconds(project, 'local'):5.1f} s")
        subprocess.run([SCRIPT, "start"], check=True)
        try:
            print(f"a Slurm job each         {seconds_in_jobs(project, 'jobs'):5.1f} s a run")
            with settings_of_the_profile(project, *GROUPING, runs=8):
                print(f"Slurm jobs of eight      {seconds_in_jobs(project, 'eights'):5.1f} s a run")
        finally:
            subprocess.run([SCRIPT, "stop"], check=True)


if __name__ == "__main__":
    main()
