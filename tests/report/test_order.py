"""Models are listed as the experiment's file lists them, everywhere."""

from pathlib import Path

import pytest
from record_factory import make_failure, make_record, write_grid
from small_runs import ROOT

from seqrec.layout import REFERENCE, ConfigFiles, run_folder
from seqrec.records.survey import survey
from seqrec.report import contents
from seqrec.report.evidence import Evidence
from seqrec.report.figures.learning import learning_chart
from seqrec.report.paper import read_paper
from seqrec.report.tables.missing import missing_table
from seqrec.report.tables.results import dataset_table
from seqrec.report.tables.tidy import results_table
from seqrec.running.status import read_status

MODELS = ["rate-3e-4", "sasrec+", "rate-1e-4", "popularity", "rate-3e-3", "failed"]
BY_NAME = ["popularity", "sasrec+", "failed", "rate-1e-4", "rate-3e-3", "rate-3e-4"]


def make_results(folder: Path) -> Path:
    for model in MODELS[:-1]:
        for seed in (0, 1):
            make_record(folder, model=model, seed=seed)
    make_failure(folder / run_folder("ml-1m", "failed", 0), "out of memory.", "Use less.")
    return folder


@pytest.mark.parametrize("grid", ["", "mine", REFERENCE])
def test_models_keep_the_order_of_the_file(tmp_path: Path, grid: str) -> None:
    results = make_results(tmp_path / (grid or "none"))
    if grid:
        write_grid(results, *(("ml-1m", model, 0) for model in MODELS))
    expected = MODELS if grid == "mine" else BY_NAME
    found = survey(results)
    assert [*dict.fromkeys(run.model for run in found.runs)] == expected
    statuses = read_status(results)
    assert [*dict.fromkeys(status.run.model for status in statuses)] == expected
    lines = results_table(found.records)
    assert [*dict.fromkeys(lines["model"])] == [model for model in expected if model != "failed"]
    assert lines["seed"].tolist() == [0, 1] * 5


def test_tables_and_learning_curves_list_models_as_the_file_does(tmp_path: Path) -> None:
    results = make_results(tmp_path / "mine")
    write_grid(results, *(("ml-1m", model, 0) for model in MODELS))
    evidence = Evidence.of(survey(results), read_paper(ConfigFiles(ROOT / "config"), []))
    item = contents.find(contents.TABLES, "results", "ml-1m")
    assert dataset_table(evidence, item).data["model"].tolist() == MODELS
    assert [*evidence.measured["ml-1m"]] == MODELS[:-1]
    assert missing_table(evidence, item).data["model"].tolist() == ["failed"]
    curves = learning_chart(evidence, "ml-1m")
    assert [*dict.fromkeys(one.label for one in curves.panels[0].series)] == [
        evidence.title("ml-1m", model).text for model in MODELS[:-1]
    ]
