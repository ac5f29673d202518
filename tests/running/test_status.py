"""`seqrec status` shows what the experiment's folder holds, and runs a command beside it."""

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from record_factory import folder_of, make_failure, make_record, write_grid
from rich.console import Console
from small_runs import small_config
from small_searches import make_search

from seqrec.cli.main import main
from seqrec.errors import Stopped
from seqrec.layout import ResultFiles, Run, RunFiles
from seqrec.protocol.epoch import Epoch
from seqrec.running.display import news, show, view
from seqrec.running.progress import Progress, reported
from seqrec.running.status import Status, read_status
from seqrec.running.watch import watch, watch_during
from seqrec.signals import ENDS_WITH

SEEDS = {"bpr-mf": [0, 1, 2]}
MODELS = ["popularity", "bpr-mf", "gru4rec", "bert4rec", "sasrec", "sasrec+"]


def epoch_with(number: int, ndcg: float) -> Epoch:
    return Epoch(number, 30.0 * number, 1.0, {"ndcg@10": ndcg})


def fail(results: Path, model: str, error: str) -> None:
    """Note that the model's run on ml-1m has failed."""
    make_failure(folder_of(results, "ml-1m", model), error, "Lower it.")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An experiment with runs in each of the states."""
    folder = tmp_path / "paper"
    runs = [
        {"dataset": dataset, "model": model, "seed": seed}
        for dataset in ("ml-1m", "yelp")
        for model in MODELS
        for seed in SEEDS.get(model, [0])
    ]
    folder.mkdir()
    files = ResultFiles(folder)
    files.grid.write_text(json.dumps({"experiment": "paper", "runs": runs}))
    make_record(folder, "ml-1m", "popularity", ndcg=0.031, epochs=None, best_epoch=None)
    make_record(folder, "ml-1m", "bpr-mf", 0, ndcg=0.06)
    make_record(folder, "ml-1m", "bpr-mf", 2, ndcg=0.07)
    failure = {"dataset": "yelp", "error": "yelp.txt cannot be had", "remedy": "Put it there."}
    files.data_failures.mkdir()
    files.data_failure("yelp").write_text(json.dumps(failure))
    config = small_config(training={"max_epochs": 100, "patience": 10})
    stopped = folder_of(folder, "ml-1m", "bert4rec")
    stopped.mkdir(parents=True)
    with pytest.raises(Stopped), reported(config, stopped) as reporter:
        reporter.epoch(epoch_with(1, 0.1234))
        raise Stopped
    fail(folder, "sasrec", "the training loss is nan in epoch 3")
    running = folder_of(folder, "ml-1m", "sasrec+")
    running.mkdir(parents=True)
    progress = RunFiles(running).progress
    with reported(config, running) as reporter:
        reporter.epoch(epoch_with(1, 0.15))
        reporter.epoch(epoch_with(2, 0.1412))
        alive = progress.read_text()
    progress.write_text(alive)  # as if the run went on: the process that it names is alive
    return folder


def shown(results: Path) -> str:
    return as_text(read_status(results), results)


def as_text(statuses: Sequence[Status], results: Path = Path("results/any")) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(view(results, statuses))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_run_has_one_state(results: Path) -> None:
    states = {tuple(status.run): status.state for status in read_status(results)}
    assert len(states) == 16
    assert {run[1:]: state for run, state in states.items() if run[0] == "ml-1m"} == {
        ("popularity", 0): "done",
        ("bpr-mf", 0): "done",
        ("bpr-mf", 1): "waiting",
        ("bpr-mf", 2): "done",
        ("gru4rec", 0): "waiting",
        ("bert4rec", 0): "stopped",
        ("sasrec", 0): "failed",
        ("sasrec+", 0): "running",
    }
    assert {state for run, state in states.items() if run[0] == "yelp"} == {"no data"}


def test_the_grid_has_a_line_a_model_and_a_column_a_dataset(results: Path) -> None:
    lines = shown(results).splitlines()
    assert (
        lines[0] == f"{results}: 3 of 16 runs done, 1 running, 1 stopped, 1 failed, "
        "8 no data, 2 waiting"
    )
    grid = {line.split()[0]: line.split()[1:] for line in lines[3:9]}
    assert lines[2].split() == ["ml-1m", "yelp"]
    assert grid == {
        "popularity": ["0.0310", "no", "data"],
        "bpr-mf": ["0.0650", "2/3", "0/3", "no", "data"],  # the mean of the seeds there are
        "gru4rec": ["waiting", "no", "data"],
        "bert4rec": ["stopped", "no", "data"],
        "sasrec": ["failed", "no", "data"],
        "sasrec+": ["epoch", "2", "no", "data"],
    }


def test_a_running_training_shows_its_metrics_and_between_what_its_end_is_expected(
    results: Path,
) -> None:
    (line,) = [line for line in shown(results).splitlines() if " 2/100 " in line]
    assert line.startswith("ml-1m sasrec+ seed 0")
    assert "0.1412" in line
    assert "0.1500 (1)" in line
    # Nine more epochs of 30 s until patience runs out, or all that are left.
    assert line.split("30 s")[1].strip() == "4 min to 49 min"


def test_numbers_are_of_the_metric_that_stops_a_training() -> None:
    run = Run("ml-1m", "sasrec", 0)
    start = Progress(config_hash="a", host="b", pid=1, max_epochs=9, patience=2)
    found = []
    for metric in ("hit_rate@20", "ndcg@10"):
        progress = start.after(Epoch(1, 30.0, 1.0, {metric: 0.25}, metric))
        found.append(Status(run, "running", progress=progress))
    assert "HitRate@20" in as_text([found[0]])
    assert "NDCG@10" in as_text([found[1]])
    # Not under the heading of either, where they differ.
    assert "HitRate@20" not in as_text(found)
    stopped = replace(found[0], state="stopped")
    assert "after epoch 1, validation HitRate@20 0.2500" in as_text([stopped])


def test_what_stopped_or_failed_is_told_with_what_to_do_and_a_common_reason_once(
    results: Path,
) -> None:
    text = shown(results)
    assert (
        "ml-1m bert4rec seed 0: stopped after epoch 1, validation NDCG@10 0.1234; start the "
        "experiment again to continue from there." in text
    )
    assert "ml-1m sasrec (seed 0): the training loss is nan in epoch 3. Lower it." in text
    assert text.count("yelp.txt cannot be had") == 1
    assert "yelp (all 8 runs): yelp.txt cannot be had. Put it there." in text


def test_a_run_outside_of_the_grid_is_shown_while_it_is_under_way(results: Path) -> None:
    folder = folder_of(results, "ml-1m", "sasrec+slow", 7)
    folder.mkdir(parents=True)
    with reported(small_config(), folder):
        assert "ml-1m sasrec+slow seed 7  0/" in shown(results)


def test_a_finished_run_that_is_repeated_is_running(results: Path) -> None:
    folder = folder_of(results, "ml-1m", "popularity")
    with reported(small_config("popularity"), folder):
        states = {tuple(status.run): status.state for status in read_status(results)}
        assert states["ml-1m", "popularity", 0] == "running"


def test_a_finished_run_that_fails_when_it_is_repeated_has_failed(results: Path) -> None:
    fail(results, "popularity", "out of memory")
    assert (
        "ml-1m popularity (seed 0): out of memory. Lower it. The earlier record is kept."
        in shown(results)
    )


def test_the_command_shows_it_and_reads_only(results: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    result = CliRunner().invoke(main, ["status", str(results)], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "3 of 16 runs done" in result.output
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before


def test_a_copy_of_a_stopped_run_is_no_run(results: Path) -> None:
    before = read_status(results)
    (progress, *_) = results.glob("runs/*/*/*/progress.json")
    shutil.copytree(progress.parent, progress.parent.with_suffix(".old"))
    assert read_status(results) == before


def test_a_folder_that_is_no_experiment_is_one_message(results: Path) -> None:
    for command in (["status"], ["missing"], ["tables"]):
        result = CliRunner().invoke(main, [*command, str(results.parent)])
        assert result.exit_code == 1
        assert "holds no experiment" in result.output
        assert "Traceback" not in result.output
    assert not (results.parent / "tables").exists()


def test_a_command_ends_though_nobody_reads_what_it_says(results: Path) -> None:
    many = "import sys; [print('x' * 99, flush=True) for _ in range(2000)]; open(sys.argv[1], 'w')"
    shell = 'python="$0"; "$python" -m seqrec status "$1" -- "$python" -c "$2" "$1/ended" | head -1'
    words = ["bash", "-c", shell, sys.executable, str(results), many]
    subprocess.run(words, capture_output=True, timeout=60)
    assert (results / "ended").is_file()


def test_a_command_that_does_not_exist_is_one_message(results: Path) -> None:
    result = CliRunner().invoke(main, ["status", str(results), "--", "snakmake"])
    assert (result.exit_code, result.output) == (
        2,
        "Error: snakmake: cannot be started (No such file or directory).\n",
    )


def test_a_folder_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["status", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "no such folder" in result.stderr


def finished_experiment(results: Path) -> Path:
    results.mkdir()
    grid = {"runs": [{"dataset": "ml-1m", "model": "sasrec", "seed": 0}]}
    ResultFiles(results).grid.write_text(json.dumps(grid))
    make_record(results, "ml-1m", "sasrec")
    return results


@pytest.mark.parametrize("terminal", [True, False])
def test_watching_ends_when_all_is_done(tmp_path: Path, terminal: bool) -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=terminal)
    watch(finished_experiment(tmp_path / "demo"), console)
    assert isinstance(console.file, io.StringIO)
    assert ("1 of 1 run done" in console.file.getvalue()) == terminal


SLOWLY = """
import sys, time
sys.path[:0] = {path!r}
from pathlib import Path
from record_factory import make_record
print("to the terminal", flush=True)
print("bar 50%\\rbar 100%", flush=True)
make_record(Path({results!r}), "ml-1m", "sasrec", ndcg=0.123)
sys.exit(3)
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_while_a_command_runs_its_words_and_a_line_for_each_ended_run_are_shown(
    tmp_path: Path, terminal: bool
) -> None:
    results = tmp_path / "demo"
    results.mkdir()
    grid = {"runs": [{"dataset": "ml-1m", "model": name, "seed": 0} for name in ("sasrec", "x")]}
    ResultFiles(results).grid.write_text(json.dumps(grid))
    program = SLOWLY.format(path=[str(Path(__file__).parents[1])], results=str(results))
    console = Console(file=io.StringIO(), width=200, force_terminal=terminal)
    status = watch_during(results, [sys.executable, "-c", program], console)
    assert status == 3
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "to the terminal" in text
    assert "bar 100%" in text
    assert "bar 50%" not in text
    if terminal:
        assert re.search(r"^sasrec +\x1b\[32m0\.1230", text, re.MULTILINE)  # the grid has it
    line = "ml-1m sasrec seed 0: test NDCG@10 0.1230, HitRate@10 0.1230, 12 epochs in 9 min"
    assert text.count(f"1 of 2 done. {line}") == (not terminal)


OF_SNAKEMAKE = """
import sys
print("Building DAG of jobs...", "Select jobs to execute...", "Execute 2 jobs...", sep="\\n")
print("Error in rule torn:", "    log: a.log", sep="\\n")
print("Complete log(s): .snakemake/log/1.log", flush=True)
sys.exit(1)
"""


def test_what_snakemake_always_says_is_in_its_log_which_is_named_where_nothing_else_helps(
    tmp_path: Path,
) -> None:
    console = Console(file=io.StringIO(), width=80)
    assert watch_during(tmp_path, [sys.executable, "-c", OF_SNAKEMAKE], console) == 2
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == [
        "Error in rule torn:",
        "    log: a.log",
        "More is in Snakemake's log, .snakemake/log/1.log",
    ]


def test_the_status_fits_a_terminal_of_80_columns_and_is_plain_text_elsewhere(
    results: Path,
) -> None:
    for terminal in (True, False):
        console = Console(file=io.StringIO(), width=80, force_terminal=terminal, no_color=True)
        show(results, console)
        assert isinstance(console.file, io.StringIO)
        text = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())
        running = [line for line in text.splitlines() if "2/100" in line]
        assert re.fullmatch(
            r"ml-1m sasrec\+ seed 0 +2/100 +0\.1412 +0\.1500 \(1\) +30 s +4 min to 49 min *",
            running[0],
        )
        assert text.isascii() == (not terminal)  # the bar


def test_the_lines_of_runs_that_ended_together_count_them_one_by_one(results: Path) -> None:
    before = read_status(results)
    make_record(results, "ml-1m", "bpr-mf", 1)
    make_record(results, "ml-1m", "gru4rec", epochs=1, best_epoch=1)
    first, second = news(before, read_status(results))
    assert first.startswith("4 of 16 done. ml-1m bpr-mf seed 1: ")
    assert second.startswith("5 of 16 done. ml-1m gru4rec seed 0: ")
    assert " 1 epoch in " in second


PATIENT = """
import signal, sys, time
def stop(number, frame):
    print("told to stop", flush=True)
    sys.exit(75)
signal.signal(signal.SIGINT, stop)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_stop_reaches_the_command_and_its_exit_status_comes_back(
    tmp_path: Path, number: signal.Signals
) -> None:
    words = [sys.executable, "-m", "seqrec", "status", str(tmp_path), "--"]
    process = subprocess.Popen(
        [*words, sys.executable, "-c", PATIENT], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    said = process.communicate(timeout=30)[0].splitlines()
    assert said == ["told to stop", f"{tmp_path}: stopped. The same command goes on from here."]
    assert process.returncode == 75


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("sys.exit(1)", 2),
        ("Path(sys.argv[1], 'data-failures/ml-1m.json').write_text('{}'); sys.exit(1)", 1),
        ("Path(sys.argv[1], 'runs/ml-1m/x/seed-0/failure.json').write_text('{}'); sys.exit(1)", 1),
    ],
    ids=["before any run", "data could not be obtained", "a run failed"],
)
def test_the_exit_status_tells_whether_runs_failed_or_the_command_did(
    tmp_path: Path, code: str, status: int
) -> None:
    for folder in ("data-failures", "runs/ml-1m/x/seed-0"):
        (tmp_path / folder).mkdir(parents=True)
    program = f"import sys; from pathlib import Path; {code}"
    words = [sys.executable, "-c", program, str(tmp_path)]
    assert watch_during(tmp_path, words, Console(file=io.StringIO())) == status


def test_a_command_ends_when_the_process_that_it_shall_end_with_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(["sleep", "60"])
    words = [sys.executable, "-m", "seqrec", "status", str(tmp_path), "--"]
    process = subprocess.Popen(
        [*words, sys.executable, "-c", PATIENT],
        env={**os.environ, ENDS_WITH: str(parent.pid)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    parent.kill()
    parent.wait()
    assert process.communicate(timeout=30)[0].startswith("told to stop\n")


def test_a_command_outlives_its_terminal_under_nohup(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "seqrec", "status", str(tmp_path), "--"]
    process = subprocess.Popen(
        ["nohup", *words, sys.executable, "-c", "print('ready', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    assert process.communicate("go on\n", timeout=30) == ("", None)
    assert process.returncode == 0


def test_a_second_command_for_the_same_results_is_refused(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "seqrec", "status", str(tmp_path), "--"]
    with subprocess.Popen(
        [*words, sys.executable, "-c", PATIENT], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        refused = subprocess.run([*words, "echo", "begun"], capture_output=True, text=True)
        assert refused.returncode == 2
        assert refused.stdout == ""
        assert f"{tmp_path}: another process is making this experiment. Wait" in refused.stderr
        process.terminate()


def test_a_command_ends_with_the_shell_of_make_that_it_was_started_by(tmp_path: Path) -> None:
    (tmp_path / "patient.py").write_text(PATIENT)
    python = shlex.quote(sys.executable)
    (tmp_path / "Makefile").write_text(
        f"all:\n\t@{python} -m seqrec status . -- {python} patient.py; exit $$?\n"
    )
    of_another_make = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # as of `make test`
    environment = {name: text for name, text in os.environ.items() if name not in of_another_make}
    process = subprocess.Popen(
        ["make"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.communicate(timeout=30)[0].startswith("told to stop\n")


def test_a_watch_ends_quietly_with_ctrl_c(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seqrec.running.watch.time.sleep", interrupt)
    result = CliRunner().invoke(main, ["status", str(results), "--watch"])
    assert (result.exit_code, result.stderr) == (0, "")


def test_the_splits_of_a_dataset_stand_below_its_name(tmp_path: Path) -> None:
    splits = ("leave-one-out", "temporal-by-time", "temporal-by-user", "temporal-last-item")
    tasks = [f"{dataset}@{split}" for dataset in ("books", "shop") for split in splits]
    write_grid(tmp_path, *((task, "sasrec", 0) for task in tasks))
    make_record(tmp_path, "shop@temporal-by-time", "sasrec", ndcg=0.25)
    done = CliRunner().invoke(main, ["status", str(tmp_path)], env={"COLUMNS": "80"})
    lines = [line.split() for line in done.output.splitlines()]
    assert [*["temporal-by-"] * 2, "temporal-"] in lines
    assert ["shop", "leave-one-out", "time", "user", "last-item"] in lines
    assert ["sasrec", "waiting", "0.2500", *["waiting"] * 2] in lines


def test_the_trials_of_a_search_are_counted_and_their_tests_are_not_shown(tmp_path: Path) -> None:
    results = make_search(tmp_path, reseed=True, left_out="gru4rec.t01")
    text = CliRunner().invoke(main, ["status", str(results)], env={"COLUMNS": "80"}).output
    rows = [line.rstrip().split("  ") for line in text.splitlines()]
    shown = {row[0].strip(): row[-1].strip() for row in rows}
    assert shown["sasrec+, trials"] == "3/3"
    assert shown["gru4rec, trials"] == "2/3"
    assert shown["sasrec+.tuned"] == "0.2000", "the mean of its seeds"
    assert "0.3000" not in text
    assert "0.1230" not in text
    (line,) = [one for one in news([], read_status(results)) if "sasrec+.t00" in one]
    assert "validation NDCG@10 0.1000" in line
    assert "test" not in line
