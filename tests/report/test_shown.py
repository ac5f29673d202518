"""An experiment decides which metrics its tables show and what its models are called."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from reading_tables import rows, write
from record_factory import make_record
from small_runs import ROOT

from seqrec.cli.main import main
from seqrec.errors import SeqrecError
from seqrec.experiment.grid import load_experiment
from seqrec.layout import ResultFiles
from seqrec.protocol.metrics import SET_METRICS
from seqrec.records.grid_file import GridFile
from seqrec.records.survey import survey
from seqrec.report.metrics import main_metric, metric_title

METRICS = ["ndcg@20", "hit_rate@5", "mrr@10"]

EXPERIMENT = """
datasets: [ml-1m]
models:
  - sasrec+
  - {name: mine, like: sasrec, title: "My SASRec"}
  - sasrec
"""


def begun(folder: Path, report: str = "") -> Path:
    """The results of an experiment of that file, with a record of each of its models."""
    config = folder / "config"
    config.mkdir()
    for name in ("models", "datasets"):
        (config / name).symlink_to(ROOT / "config" / name)
    (config / "mine.yaml").write_text(EXPERIMENT + report)
    results = folder / "results"
    grid = load_experiment("mine", config=config)
    GridFile.of(grid).write(ResultFiles(results).grid)
    for run in grid.runs:
        make_record(results, *run.run, ranks=[1, 3, 7, 15], config_hash=run.hash())
    write(results)
    return results


def test_tables_show_the_metrics_that_are_asked_for(tmp_path: Path) -> None:
    results = begun(tmp_path, f"report: {{metrics: {METRICS}}}")
    titles = ["NDCG@20", "HitRate@5", "MRR@10"]
    assert rows(results, "results/ml-1m")["Model"] == [*titles, "Best epoch", "paper"]
    assert rows(results, "results/ml-1m")["SASRec+"][1] == "**0.5000**"
    mrr = (1 + 1 / 3 + 1 / 7) / 4
    assert rows(results, "results/ml-1m")["SASRec+"][2] == f"**{mrr:.4f}**"
    assert rows(results, "intervals/ml-1m")["Model"][1::2] == titles
    assert set(pd.read_csv(results / "tables/pairs/ml-1m.csv").metric) == set(METRICS)
    verdicts = pd.read_csv(results / "tables/verdicts.csv").query("verdict != 'not run'")
    assert set(verdicts.metric) == {"hit_rate@10", "ndcg@10", "best_epoch"}, "all that is published"


def test_published_values_stand_beside_the_published_metrics_alone(tmp_path: Path) -> None:
    results = begun(tmp_path, "report: {metrics: [hit_rate@5, ndcg@10]}")
    heading = rows(results, "results/ml-1m")["Model"]
    assert heading == ["HitRate@5", "NDCG@10", "paper", "Best epoch", "paper"]


def test_commands_show_the_metrics_of_the_experiment(tmp_path: Path) -> None:
    results = begun(tmp_path, "report: {metrics: [mrr@10]}")
    for command in (["best", str(results)], ["compare", *[str(results / "runs/ml-1m/mine")] * 2]):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
        assert "MRR@10" in done.output
        assert "HitRate" not in done.output
    assert "My SASRec" in done.output


def test_models_have_the_titles_and_the_order_of_the_file(tmp_path: Path) -> None:
    results = begun(tmp_path)
    assert [*rows(results, "results/ml-1m")][1:] == ["SASRec+", "My SASRec", "SASRec"]
    assert [*rows(results, "intervals/ml-1m")][1:] == ["SASRec+", "My SASRec", "SASRec"]
    assert "My SASRec" in (results / "tables/pairs/ml-1m.md").read_text()
    assert survey(results).title("mine") == "My SASRec"


def test_what_is_shown_changes_no_run(tmp_path: Path) -> None:
    grids = []
    for number, report in enumerate(("", "report: {metrics: [mrr@3]}")):
        (tmp_path / str(number)).mkdir()
        results = begun(tmp_path / str(number), report)
        assert not survey(results).outdated
        grids.append(GridFile.read(results).wanted())
    assert grids[0] == grids[1]


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("[ndcg]", "write hit_rate@k, ndcg@k, mrr@k, recall@k, precision@k or map@k with a number"),
        ("[auc@10]", "write hit_rate@k, ndcg@k, mrr@k, recall@k"),
        ("[ndcg@0]", "write hit_rate@k, ndcg@k, mrr@k, recall@k"),
        ("[]", "must not be empty"),
        ("[mrr@5, mrr@5]", "mrr@5 is listed twice"),
    ],
)
def test_a_metric_that_there_is_not_is_one_message(tmp_path: Path, metrics: str, said: str) -> None:
    with pytest.raises(SeqrecError) as caught:
        begun(tmp_path, f"report: {{metrics: {metrics}}}")
    assert said in str(caught.value)
    assert "mine.yaml: report.metrics" in str(caught.value)


@pytest.mark.parametrize("name", SET_METRICS)
def test_every_metric_that_follows_from_ranks_can_be_shown(tmp_path: Path, name: str) -> None:
    results = begun(tmp_path, f"report: {{metrics: [{name}@7]}}")
    assert metric_title(f"{name}@7") in rows(results, "results/ml-1m")["Model"]


def test_figures_with_room_for_one_metric_show_ndcg_or_the_first() -> None:
    assert main_metric(["hit_rate@10", "ndcg@10"]) == "ndcg@10"
    assert main_metric(METRICS) == "ndcg@20"
