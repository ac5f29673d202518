"""Planning reads the configuration and tells rules what they depend on, without Snakemake."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from tiny_project import EXPERIMENT, Project

from seqrec.data.statistics import Statistics
from seqrec.errors import SeqrecError
from seqrec.layout import PACKAGE
from seqrec.records.grid_file import GridFile
from seqrec.running import planning
from seqrec.running.planning import Plan


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project.new(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    return project


def config(**changes: Any) -> dict[str, Any]:
    """The workflow's configuration as Snakemake hands it over."""
    written = yaml.safe_load(Path("config/workflow.yaml").read_text(encoding="utf-8"))
    return {**written, "experiment": "tiny", **changes}


@pytest.mark.parametrize(
    "changes, settings, message",
    [
        (
            {"training": {"max_epoch": 1}},
            {},
            r"config/tiny\.yaml: training: unknown key 'max_epoch'; did you mean 'max_epochs'\?",
        ),
        ({"models": ["sasrek+"]}, {}, r"'sasrek\+'.* did you mean '.*sasrec\+.*'\?"),
        (
            {},
            {"devise": "cpu"},
            r"--config: top level: unknown key 'devise'; did you mean 'device'\?",
        ),
        ({}, {"track": "tensorbord"}, "track"),
        ({}, {"set": "training.max_epochs=1"}, r"config/tiny\.yaml: .*name=<new name>"),
        ({}, {"name": "new", "set": "seeds='0"}, r"--config set: seeds='0: No closing quotation"),
        ({}, {"name": "reference", "set": "seeds=[0]"}, "reserved for promoted records"),
    ],
    ids=[
        "key",
        "model",
        "option",
        "tracker",
        "settings without a name",
        "quotation",
        "promoted records",
    ],
)
def test_a_mistake_in_the_configuration_is_one_clear_message(
    project: Project, changes: dict[str, Any], settings: dict[str, str], message: str
) -> None:
    project.write("config/tiny.yaml", {**EXPERIMENT, **changes})
    with pytest.raises(SeqrecError, match=message):
        planning.read(config(**settings))
    assert not project.path("results").exists()


def test_a_path_with_braces_is_refused(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = config()
    (tmp_path / "{mine}").mkdir()
    monkeypatch.chdir(tmp_path / "{mine}")
    with pytest.raises(SeqrecError, match=r"\{mine\}: Snakemake takes braces"):
        planning.read(values)


def test_a_named_experiment_is_not_widened_by_leaving_its_settings_out(project: Project) -> None:
    settings = ["models=popularity"]
    narrow = Plan.load("tiny", settings, "narrow")
    assert narrow.grid is not None
    GridFile.of(narrow.grid).write(narrow.results.grid)
    with pytest.raises(SeqrecError, match=r"was begun with SET='?models=popularity") as refused:
        Plan.load("tiny", [], "narrow")
    assert "seqrec tables results/narrow" in str(refused.value)
    assert Plan.load("tiny", settings, "narrow").datasets == ["tiny"]
    with pytest.raises(SeqrecError, match="seqrec tables results/narrow"):
        Plan.load("narrow", [])


@pytest.mark.parametrize("content", [b"\xff", b"", None])
def test_a_damaged_list_of_runs_holds_up_no_plan(project: Project, content: bytes | None) -> None:
    grid = Plan.load("tiny", []).results.grid
    grid.parent.mkdir(parents=True)
    if content is None:
        os.mkfifo(grid)
    else:
        grid.write_bytes(content)
    _, plan = planning.read(config())
    assert plan.has_new_grid


def begun(plan: Plan, *models: str) -> None:
    """Write the grid of a plan and records, as far as planning looks at them, of some runs."""
    assert plan.grid is not None
    GridFile.of(plan.grid).write(plan.results.grid)
    for run in plan.runs:
        if run.model in models:
            metrics = plan.results.run(*run.run).metrics
            metrics.parent.mkdir(parents=True)
            metrics.write_text(json.dumps({"config_hash": run.hash()}))


def test_a_variant_takes_the_results_of_no_other_experiment(project: Project) -> None:
    begun(Plan.load("tiny", [], "mine"))
    assert Plan.load("tiny", [], "mine").name == "mine"
    with pytest.raises(SeqrecError, match=r"results/mine: holds a variant of tiny, not of paper"):
        Plan.load("paper", [], "mine")


def test_a_variant_replaces_no_finished_run_by_other_settings(project: Project) -> None:
    two, three = (["models=popularity", f"evaluation.batch_size={size}"] for size in (2, 3))
    begun(Plan.load("tiny", two, "mine"))
    assert Plan.load("tiny", three, "mine").runs, "nothing is lost yet"
    begun(Plan.load("tiny", two, "mine"), "popularity")
    with pytest.raises(
        SeqrecError, match=r"was begun with SET='models=popularity evaluation\.batc"
    ):
        Plan.load("tiny", three, "mine")
    wider = ["models=[popularity, sasrec+]", two[1]]
    assert len(Plan.load("tiny", wider, "mine").runs) == 2


def test_an_experiment_does_not_enter_results_of_other_commands(project: Project) -> None:
    plan = Plan.load("tiny", [], "mine")
    begun(plan, "popularity")
    plan.results.grid.unlink()
    assert Plan.load("tiny", [], "mine").runs, "its own, whose grid was lost"
    with pytest.raises(
        SeqrecError, match=r"does not ask for \(tiny popularity seed 0\)"
    ) as refused:
        Plan.load("paper", [], "mine")
    assert "`seqrec tables results/mine`" in str(refused.value)
    with pytest.raises(SeqrecError, match="does not ask for"):
        Plan.load("tiny", ["evaluation.batch_size=7"], "mine")


def test_names_that_snakemake_has_changed_are_refused_with_what_to_write(project: Project) -> None:
    for key in ("name", "experiment"):
        for value in (20240115, 1000.0, True):
            with pytest.raises(SeqrecError, match=f"{key}: .*put a letter first|{key} must not be"):
                planning.read(config(**{key: value}))
    with pytest.raises(SeqrecError, match="device: write auto, cpu, cuda or cuda:<number> "):
        planning.read(config(device=0))
    with pytest.raises(SeqrecError, match="setting '5': write key=value"):
        planning.read(config(set=5, name="new"))


def test_the_arguments_of_a_plan_lead_to_the_same_plan(project: Project) -> None:
    plan = Plan.load("tiny", ["training.max_epochs=2", "models=[sasrec+, popularity]"], "quick")
    done = project.call(
        "sh", "-c", f"{shlex.quote(sys.executable)} -m seqrec check --json {plan.arguments}"
    )
    assert done.stdout.splitlines() == [run.json() for run in plan.runs]


@pytest.mark.parametrize("module", ["tables", "figures"])
def test_tables_and_figures_depend_on_every_module_that_they_import(
    project: Project, module: str
) -> None:
    plan = Plan.load("tiny", [])
    code = f"import json, sys, seqrec.report.{module}; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = [name.replace(".", "/") for name in json.loads(done.stdout) if "seqrec." in name]
    places = [PACKAGE.parent / name for name in loaded]
    files = [path for place in places for path in (Path(f"{place}.py"), place / "__init__.py")]
    needed = {path for path in files if path.is_file()}
    assert any(path.is_relative_to(PACKAGE / "report") for path in needed)
    depends_on = set(plan.tables_code if module == "tables" else plan.figures_code)
    assert needed <= depends_on
    for room in ("running", "cli"):
        assert not any(path.is_relative_to(PACKAGE / room) for path in depends_on)


def test_tables_depend_on_what_makes_a_record_stale(project: Project) -> None:
    project.path("mine.py").write_text("from seqrec.models.sasrec import SASRec as Mine\n")
    project.write(
        "config/models/mine.yaml",
        {"implementation": "mine:Mine", "loss": {"kind": "cross-entropy"}},
    )
    project.write("config/tiny.yaml", {"datasets": ["tiny"], "models": ["mine"]})
    code = set(Plan.load("tiny", []).tables_code)
    assert {Path("mine.py"), PACKAGE / "training/losses/full.py"} <= code


def test_requests_wait_for_the_data_and_grow_with_them(project: Project) -> None:
    plan = Plan.load("tiny", [])
    runs = plan.candidates(SimpleNamespace(task="tiny", model="sasrec+", seed="0"))
    assert [run.model for run in runs] == ["sasrec+"]
    digest = "data/processed/tiny/digest.json"
    with pytest.raises(FileNotFoundError) as missing:
        planning.memory_mb(runs, digest, "auto")
    assert missing.value.filename == digest  # by which Snakemake knows that it must ask again
    found = []
    Path(digest).parent.mkdir(parents=True)
    Path(digest).symlink_to("digest.json")
    with pytest.raises(FileNotFoundError) as missing:
        planning.memory_mb(runs, digest, "auto")
    assert missing.value.filename == digest
    Path(digest).unlink()
    Path(digest).write_text("{}")
    for size in (10**5, 10**7):
        sizes = dict.fromkeys(Statistics.model_fields, size // 10)
        sizes |= {"interactions": size, "where_removed": {}}
        Path(digest).with_name("statistics.json").write_text(json.dumps(sizes))
        found.append(
            (planning.memory_mb(runs, digest, "auto"), planning.minutes(runs, digest, "auto", 1))
        )
    assert found[0][0] < found[1][0]
    assert found[0][1] < found[1][1]
    assert planning.memory_mb(runs, digest, "cpu") < found[1][0]
    Path(digest).with_name("statistics.json").write_text("{}")
    assert planning.memory_mb(runs, digest, "auto") < found[0][0], "a damaged log stops no planning"
    Path(digest).unlink()
    Path(digest).mkdir()
    assert planning.memory_mb(runs, digest, "auto") < found[0][0]


def test_each_dataset_under_each_split_is_a_task_of_its_own(project: Project) -> None:
    splits = {"loo": {"kind": "leave-one-out"}, "time": {"kind": "global-temporal"}}
    project.write("config/tiny.yaml", {**EXPERIMENT, "splits": splits})
    plan = Plan.load("tiny", [])
    assert (plan.datasets, plan.tasks) == (["tiny"], ["tiny@loo", "tiny@time"])
    folders = {success.parent.relative_to(plan.results.runs) for success in plan.successes}
    assert len(folders) == len(plan.runs) == 6
    assert Path("tiny@time/sasrec+/seed-0") in folders
    (run,) = plan.candidates(SimpleNamespace(task="tiny@time", model="sasrec+", seed="0"))
    assert (run.dataset, run.split.kind) == ("tiny", "global-temporal")
