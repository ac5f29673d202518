"""The command line: one message for a mistake, and help for every command."""

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result
from forked import Forked
from record_factory import files_below
from shipped import copied_config
from small_runs import ROOT, SIZES

import seqrec
from seqrec.cli.main import main
from seqrec.experiment.schema import RunConfig
from seqrec.layout import LogFiles, ResultFiles, RunFiles, run_folder
from seqrec.running.folder_lock import alone_in


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a small dataset and experiment, in a folder whose path has spaces."""
    folder = tmp_path / "a folder with spaces"
    config = copied_config(folder)
    dataset = {"title": "Small", "max_length": 10, "simulate": SIZES}
    (config / "datasets/small.yaml").write_text(yaml.safe_dump(dataset))
    experiment = {
        "datasets": ["small"],
        "models": ["popularity", "sasrec+", "sasrec+N"],
        "negatives": [5],
        "training": {"max_epochs": 1},
        "overrides": [{"models": ["sasrec*"], "hyperparameters": {"hidden_size": 8}}],
    }
    (config / "small.yaml").write_text(yaml.safe_dump(experiment))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("SEQREC_MIRROR", raising=False)
    return folder


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception  # a mistake of a user is never a traceback
    return result


def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seqrec", *arguments], capture_output=True, text=True, check=False
    )


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


SMALL = ("--experiment", "small")
TRAIN = ("train", "small", "sasrec+", *SMALL)


@pytest.mark.parametrize("command", [None, *main.commands])
def test_every_command_explains_itself_with_an_example(command: str | None) -> None:
    result = run(*([command] if command else []), "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.output
    entry: click.Command = main.commands[command] if command else main
    assert entry.help
    # CliRunner calls the program main: what is called seqrec is an example.
    assert f"seqrec {command or 'train'}" in " ".join(result.output.split())
    for parameter in entry.params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.name


def test_help_lists_every_command_with_one_whole_line_in_the_order_of_the_work() -> None:
    *_, listed = run("--help").output.partition("-h, --help")
    lines = [line.split() for line in listed.splitlines() if line.startswith("  ")]
    names = [name for name, *_ in lines if name in main.commands]
    assert sorted(names) == sorted(main.commands)
    assert names.index("download") < names.index("train") < names.index("tables")
    assert "..." not in listed


def test_the_version_is_the_packages() -> None:
    assert seqrec.__version__ in run("--version").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "smal"), "no such experiment; did you mean 'small'?"),
        (("check", "small", "seeds=[1]"), "--name <new name>"),
        (("check", "small", "training.max_epoch=3"), "did you mean 'max_epochs'?"),
        (("check", "small", "--name", "2024_01_15"), "put a letter first, as in x2024_01_15."),
        (("check", "007"), "experiment '007': Snakemake and YAML change names that read as a num"),
        (("check", "x" * 300), "at most 200 in all"),
        (("download", "1e3"), "dataset '1e3': Snakemake and YAML change names"),
        (("train", "small", "3.10", *SMALL), "model '3.10': Snakemake and YAML change names"),
        (("check", "small", "sedes=[1]", "--name", "x"), "did you mean 'seeds'?"),
        (("check", "small", "training.patience=0", "--name", "x"), "training.patience"),
        (("check", "small", "--name", "paper"), "name of another experiment"),
        (("train", "smal", "sasrec+", *SMALL), "did you mean 'small'?"),
        (("train", "small", "sasrek", *SMALL), "sasrek"),
        (("train", "small", "sasrec+9999", *SMALL, "--name", "x"), "9999 distinct negatives"),
        ((*TRAIN, "training.learning_rate=fast", "--name", "x"), "training.learning_rate"),
        ((*TRAIN, "--device", "abacus"), "--device abacus"),
        (("download", "nothing"), "no dataset 'nothing'"),
        (("preprocess", "small"), "small.json"),
        (("simulate", "--output", "x.txt"), "give either --like DATASET or the sizes"),
        (("simulate", "--users", "3", "--output", "x.txt"), "simulate: "),
        (("execute", "--config", "{", "--data", ".", "--output", "o"), "--config: not JSON"),
        (("execute", "--config", "{}", "--data", ".", "--output", "o"), "--config: dataset: "),
        (("stale", "results/none"), "results/none: no such folder"),
    ],
)
def test_a_mistake_is_one_message_with_exit_code_1_and_no_record(
    project: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    # Progress of a run may come before it; the message is last and there is one.
    assert result.stderr.count("Error: ") == 1
    assert message in result.stderr.partition("Error: ")[2]
    assert result.stdout == ""
    assert not list(project.rglob("metrics.json"))


def test_a_mistake_on_a_real_command_line_shows_no_traceback(project: Path) -> None:
    result = shell("check", "smal")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: config/smal.yaml: no such experiment")
    assert "Traceback" not in result.stderr


def test_a_wrong_option_is_a_usage_error(project: Path) -> None:
    result = run("train", "small")
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


@pytest.mark.parametrize("experiment", ["demo", "paper", "smoke"])
def test_check_prints_one_resolved_run_per_line(project: Path, experiment: str) -> None:
    result = run("check", experiment, "--json")
    assert result.exit_code == 0
    runs = [RunConfig.model_validate_json(line) for line in result.stdout.splitlines()]
    assert [run.json() for run in runs] == result.stdout.splitlines()
    assert len({run.run for run in runs}) == len(runs) > 5
    assert result.stderr == ""


def test_check_shows_the_grid_with_what_it_may_cost(project: Path) -> None:
    unknown = {"title": "Mine", "max_length": 10, "sources": [{"file": "mine.txt"}]}
    (project / "config/datasets/mine.yaml").write_text(yaml.safe_dump(unknown))
    small = yaml.safe_load((project / "config/small.yaml").read_text())
    grid = {**small, "datasets": ["small", "ml-1m", "mine"], "seeds": [0, 1, 2, 7]}
    (project / "config/grid.yaml").write_text(yaml.safe_dump(grid))
    table, _, totals = run("check", "grid").stdout.partition("\n\n")
    lines, totals = table.splitlines(), " ".join(totals.split())  # a narrow terminal wraps it
    assert max(map(len, lines)) <= 80
    cells = [line.split() for line in lines]
    assert cells[0][:4] == ["Dataset", "Model", "Seeds", "Negatives"]
    assert cells[1][:4] == ["small", "popularity", "0-2,", "7"]  # a simulated dataset
    assert cells[2][:6] == ["sasrec+", "0-2,", "7", "all", "items", "1"]
    assert cells[3][:5] == ["sasrec+5", "0-2,", "7", "5", "1"]
    assert cells[4][0] == "ml-1m"  # the paper tells its size
    assert all(line[-1] == "GB" and float(line[-2]) > 0.5 for line in cells[1:7])
    assert [line[-2:] for line in cells[7:10]] == [["?", "?"]] * 3
    assert re.match(r"36 runs in results/grid: \S+ (min|h) on one \w+( thread)? in all", totals)
    assert "Not counted: mine," in totals
    (project / "config/grid.yaml").write_text(yaml.safe_dump({**grid, "datasets": ["mine"]}))
    lines = run("check", "grid").stdout.splitlines()
    assert "12 runs in results/grid." in lines  # and no costs of nothing


def test_execute_accepts_what_check_prints_and_keeps_what_is_finished(project: Path) -> None:
    run("download", "small")
    run("preprocess", "small")
    data = ("--data", "data/processed/small")
    lines = run("check", "small", "--json").stdout.splitlines()
    assert len(lines) == 3
    for line in lines:
        config = RunConfig.model_validate_json(line)
        folder = project / "results/small" / run_folder(*config.run)
        result = run("execute", "--config", line, *data, "--output", str(folder))
        assert result.exit_code == 0, result.stderr
        assert "test NDCG@10" in result.stdout
        before = tree(folder)
        again = run("execute", "--config", line, *data, "--output", str(folder))
        assert "finished before with this configuration and data" in again.stdout
        assert tree(folder) == before

    run("grid", "small", "--output", "results/small/grid.json")
    assert run("missing", "results/small").exit_code == 0
    assert run("stale", "results/small").stdout == ""

    # Another configuration in the same folder is another run.
    values = json.loads(lines[1]) | {"max_length": 5}
    config = RunConfig.model_validate(values)
    folder = project / "results/small" / run_folder(*config.run)
    result = run(
        "execute", "--config", json.dumps(values), *data, "--output", str(folder), "--threads", "1"
    )
    assert "test NDCG@10" in result.stdout
    assert json.loads(RunFiles(folder).metrics.read_text())["config"]["max_length"] == 5


def execution(project: Path) -> tuple[Path, tuple[str, ...]]:
    """Preprocess the data of the first run of `small`; returns its folder and its command."""
    run("download", "small")
    run("preprocess", "small")
    line = run("check", "small", "--json").stdout.splitlines()[0]
    config = RunConfig.model_validate_json(line)
    folder = project / "results/small" / run_folder(*config.run)
    data = ("--data", "data/processed/small")
    return folder, ("execute", "--config", line, *data, "--output", str(folder))


def test_a_stale_record_is_kept_unless_it_is_to_be_trained_again(project: Path) -> None:
    folder, arguments = execution(project)
    run(*arguments)
    path = RunFiles(folder).metrics
    metrics = json.loads(path.read_text())
    code = metrics["seqrec"]["training_code"]
    metrics["seqrec"]["training_code"] = "0" * 64
    path.write_text(json.dumps(metrics))
    assert run("stale", "results/small").stdout.split() == [
        str(path.relative_to(project).with_name(".success"))
    ]
    assert "finished before" in run(*arguments).stdout
    assert "test NDCG@10" in run(*arguments, "--retrain-stale").stdout
    assert json.loads(path.read_text())["seqrec"]["training_code"] == code


def test_train_obtains_the_data_itself_and_overwrites_no_record(project: Path) -> None:
    result = shell(*TRAIN, "--threads", "1")
    assert result.returncode == 0, result.stderr
    folder = project / "results/small/runs/small/sasrec+/seed-0"
    assert f"{folder.relative_to(project)}: test NDCG@10" in result.stdout
    assert "epoch   1  loss " in result.stderr
    assert "ended at training.max_epochs (1), and might have improved further" in result.stderr
    before = tree(folder)

    again = run(*TRAIN)
    assert again.exit_code == 1
    assert "already holds a finished run, which is not overwritten" in again.stderr
    assert "--name" in again.stderr
    assert tree(folder) == before

    assert run(*TRAIN, "--seed", "1").exit_code == 0
    assert run(*TRAIN, "training.batch_size=9", "--name", "other").exit_code == 0
    assert ResultFiles(project / "results/other").run("small", "sasrec+", 0).metrics.is_file()
    assert tree(folder) == before


def test_train_puts_no_run_among_results_that_do_not_ask_for_it(project: Path) -> None:
    refused = run("train", "small", "popularity", "--experiment", "paper")
    assert refused.exit_code == 1
    assert "an experiment that has no popularity on small" in refused.stderr
    assert "Give --name <new name>, or --experiment with one that has it" in refused.stderr
    other = ResultFiles(project / "results/other")
    check = run("grid", "small", "--name", "other", "--output", str(other.grid))
    assert check.exit_code == 0
    changed = ("evaluation.batch_size=9", "--name", "other")
    refused = run("train", "small", "popularity", *SMALL, *changed)
    assert refused.exit_code == 1
    assert "results/other: asks for small popularity seed 0 with other settings" in refused.stderr
    refused = run("train", "small", "gru4rec", *SMALL, "--name", "other")
    assert refused.exit_code == 1
    assert "results/other: belongs to an experiment that has no gru4rec" in refused.stderr
    assert not other.runs.exists()
    assert not (project / "results/paper").exists()


def test_train_joins_no_experiment_that_is_not_named(project: Path) -> None:
    own = ResultFiles(project / "results/train").run("small", "popularity", 0)
    assert run("train", "small", "popularity", "evaluation.batch_size=9").exit_code == 0
    assert own.metrics.is_file()
    assert [path.name for path in (project / "results").iterdir()] == ["train"]
    again = run("train", "small", "popularity")
    assert again.exit_code == 1
    assert "already holds a finished run, which is not overwritten. Give --name" in again.stderr
    assert run("train", "small", "popularity", "--name", "mine").exit_code == 0
    assert ResultFiles(project / "results/mine").run("small", "popularity", 0).metrics.is_file()


def test_train_does_a_run_of_older_code_again_if_it_is_asked_to(project: Path) -> None:
    train = ("train", "small", "popularity", *SMALL)
    files = ResultFiles(project / "results/small").run("small", "popularity", 0)
    assert run(*train).exit_code == 0
    first = files.metrics.read_text()
    again = run(*train, "--retrain-stale")
    assert (again.exit_code, files.metrics.read_text()) == (0, first)
    assert "finished before, with today's training code" in again.stdout

    older = json.loads(first)
    older["seqrec"]["training_code"] = "older"
    files.metrics.write_text(json.dumps(older))
    refused = run(*train)
    assert refused.exit_code == 1
    assert "--retrain-stale (if older training code made it)" in refused.stderr
    assert run(*train, "--retrain-stale").exit_code == 0
    code = json.loads(files.metrics.read_text())["seqrec"]["training_code"]
    assert code == json.loads(first)["seqrec"]["training_code"]
    changed = ("--retrain-stale", "evaluation.batch_size=9", "--name", "other")
    assert run(*train, *changed[1:]).exit_code == 0
    refused = run(*train, "--retrain-stale", "evaluation.batch_size=8", "--name", "other")
    assert refused.exit_code == 1
    assert "another configuration, which is not overwritten" in refused.stderr


@pytest.mark.parametrize("device", ["gpu", "cuda:", "x" * 5000])
def test_a_device_that_does_not_exist_is_told_before_anything_is_done(
    project: Path, device: str
) -> None:
    refused = run(*TRAIN, "--device", device)
    assert refused.exit_code == 1
    assert "write auto, cpu, cuda or cuda:<number>" in refused.stderr
    assert len(refused.stderr) < 600
    assert not (project / "results").exists()


def test_an_empty_path_is_not_the_current_folder(project: Path) -> None:
    """As of a shell's variable that is not set."""
    run("download", "small")
    before = tree(project)
    for words in (("preprocess", "small", "--output="), ("tables", ""), ("compare", ".", "")):
        refused = run(*words)
        assert refused.exit_code == 2
        assert "must not be empty; write . for the current folder." in refused.stderr
    assert tree(project) == before


def test_a_configuration_that_is_nested_without_end_is_refused(project: Path) -> None:
    folders = ("--data", "config", "--output", "results/x")
    for text, message in (
        ("[" * 100_000, "not JSON"),
        ('{"loss": ' + "[" * 500 + "]" * 500 + "}", "loss.0.0: is nested deeper than 30 levels"),
        ("{}", "--config: dataset: is missing"),
        ("", "--config: not JSON"),
    ):
        refused = run("execute", "--config", text, *folders)
        assert refused.exit_code == 1
        assert message in refused.stderr
        assert len(refused.stderr) < 600


def edit_dataset(project: Path, **changes: object) -> None:
    path = project / "config/datasets/small.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


def test_a_dataset_whose_yaml_has_changed_is_made_again(project: Path) -> None:
    run("train", "small", "popularity", *SMALL)
    edit_dataset(project, filter={"min_interactions_per_user": 12})
    run("train", "small", "popularity", *SMALL, "--seed", "1")
    edit_dataset(project, simulate=SIZES | {"users": SIZES["users"] + 1})
    stopped = run("preprocess", "small")
    assert stopped.exit_code == 1
    assert "another file than the YAML of small asks for now. Run `seqrec dow" in stopped.stderr
    run("train", "small", "popularity", *SMALL, "--seed", "2")
    folders = [project / f"results/small/runs/small/popularity/seed-{n}" for n in range(3)]
    users = [json.loads(RunFiles(f).metrics.read_text())["data"]["statistics"] for f in folders]
    assert users[1]["users_filtered"] > users[0]["users_filtered"] == 0
    assert users[2]["interactions_read"] > users[0]["interactions_read"]


def test_a_log_by_other_settings_than_its_yaml_has_is_not_trained_on(project: Path) -> None:
    folder, arguments = execution(project)
    edit_dataset(project, filter={"min_interactions_per_user": 12})
    refused = run(*arguments)
    assert refused.exit_code == 1
    assert "made with other settings than config/datasets/small.yaml has now" in refused.stderr
    assert not RunFiles(folder).metrics.exists()
    remedy = re.search(r"`seqrec (\w+) (\w+)`", refused.stderr)
    assert remedy
    run(*remedy.groups())
    assert run(*arguments).exit_code == 0


def test_an_own_file_that_was_replaced_is_read_again_whatever_its_date(project: Path) -> None:
    file = project / "data/raw/small.csv"
    file.parent.mkdir(parents=True)
    dataset = {"title": "Own", "max_length": 10, "sources": [{"file": file.name}]}
    dataset["format"] = {"kind": "csv", "header": False}
    (project / "config/datasets/small.yaml").write_text(yaml.safe_dump(dataset))

    def users_trained_on(count: int, seed: str) -> int:
        lines = (f"{user},{item}\n" for user in range(count) for item in range(user % 3, 12))
        file.write_text("".join(lines))
        os.utime(file, (1_600_000_000, 1_600_000_000))
        result = run("train", "small", "popularity", *SMALL, "--seed", seed)
        assert result.exit_code == 0, result.stderr
        record = project / f"results/small/runs/small/popularity/seed-{seed}/metrics.json"
        found: int = json.loads(record.read_text())["data"]["statistics"]["users"]
        return found

    assert users_trained_on(20, "0") == 20
    made = LogFiles(project / "data/processed/small").digest.stat().st_ino
    assert users_trained_on(20, "1") == 20
    assert LogFiles(project / "data/processed/small").digest.stat().st_ino == made
    assert users_trained_on(30, "2") == 30
    file.write_text("malformed\n")
    for _ in range(2):  # not trained on the log of the file before, however often it is tried
        refused = run("train", "small", "popularity", *SMALL, "--seed", "3")
        assert refused.exit_code == 1
        assert "small.csv:1: only one field" in refused.stderr
    assert run("download", "small").exit_code == 0
    assert run("train", "small", "popularity", *SMALL, "--seed", "3").exit_code == 1
    assert users_trained_on(40, "3") == 40


def test_a_log_that_another_process_is_making_is_waited_for(project: Path) -> None:
    log = project / "data/processed/small"
    with alone_in(log):
        waiting = Forked(["train", "small", "popularity", *SMALL], project / "said.txt")
        waiting.wait_for("another process is preprocessing this dataset; waiting")
        run("download", "small")
        run("preprocess", "small")
        made = LogFiles(log).digest.stat().st_ino
    assert waiting.end() == 0, waiting.said.read_text()
    assert LogFiles(log).digest.stat().st_ino == made, "it was not made a second time"


def test_a_failing_run_exits_with_1_and_is_listed_as_missing(project: Path) -> None:
    settings = ("training.learning_rate=1.0e+38", "--name", "diverged")
    result = run(*TRAIN, *settings)
    assert result.exit_code == 1
    assert "Lower training.learning_rate" in result.stderr
    run("grid", "small", "--output", "results/diverged/grid.json")
    listed = run("missing", "results/diverged")
    assert listed.exit_code == 1
    assert "small sasrec+ (seed 0): " in listed.stderr
    assert "Lower training.learning_rate" in listed.stderr
    assert "0 of 3 runs done, 3 missing" in listed.stderr


def test_a_failure_is_noted_through_no_link_that_leaves_the_results(project: Path) -> None:
    results, elsewhere = project / "results/theirs", project / "elsewhere"
    results.mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "small.json").write_text("mine")
    (results / "data-failures").symlink_to(elsewhere)
    refused = run("download", "small", "--results", "results/theirs")
    assert refused.exit_code == 1
    assert "leads through a link to" in refused.stderr
    assert files_below(elsewhere) == {"small.json": b"mine"}


def test_the_results_name_why_a_dataset_cannot_be_obtained_until_it_can(project: Path) -> None:
    missing = {"title": "M", "max_length": 9, "sources": [{"file": "m.csv"}]}
    (project / "config/datasets/m.yaml").write_text(yaml.safe_dump(missing))
    arguments = ("download", "m", "--results", "results/x")
    result = run(*arguments)
    assert result.exit_code == 1
    note = ResultFiles(project / "results/x").data_failure("m")
    assert json.loads(note.read_text())["error"] in result.stderr
    (project / "data/raw").mkdir(parents=True, exist_ok=True)
    (project / "data/raw/m.csv").write_text("user,item\n1,2\n")
    assert run(*arguments).exit_code == 0
    assert not note.exists()


def test_simulate_makes_small_logs_too(project: Path) -> None:
    sizes = ("--users", "100", "--items", "10", "--mean-length", "4", "--max-length", "8")
    assert run("simulate", *sizes, "--output", "small.txt").exit_code == 0


def test_simulate_writes_a_log_of_the_sizes_asked_for(project: Path) -> None:
    sizes = ("--users", "20", "--items", "30", "--mean-length", "6", "--max-length", "12")
    result = run("simulate", *sizes, "--output", "log.txt", "--seed", "3")
    assert result.exit_code == 0, result.stderr
    lines = (project / "log.txt").read_text().splitlines()
    assert len(lines) == 120
    assert len({line.split()[0] for line in lines}) == 20
    assert run("simulate", "--like", "demo", "--output", "demo.txt").exit_code == 0


def test_schema_writes_what_is_shipped(project: Path) -> None:
    for path in (project / "config/schema").iterdir():
        path.unlink()
    assert run("schema").exit_code == 0
    assert tree(project / "config/schema") == tree(ROOT / "config/schema")


def test_tables_and_figures_are_made_from_records(project: Path) -> None:
    run("train", "small", "popularity", *SMALL)
    for command in ("tables", "figures"):
        result = run(command, "results/small")
        assert result.exit_code == 0, result.stderr
        written = re.findall(r"(?m)^(.+)/: (.+) \((.+)\)$", result.stdout)
        assert len(written) == len(result.stdout.splitlines()) > 0
        for folder, names, forms in written:
            for name, form in itertools.product(names.split(", "), forms.split(", ")):
                assert Path(folder, f"{name}.{form}").is_file()
