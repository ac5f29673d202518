"""Models that are not the paper's: how far they are above its models, and what others say."""

import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from reading_tables import CONFIG, notes, ranks_with_hits, rows, write, write_grid
from record_factory import make_record

from seqrec.errors import SeqrecError
from seqrec.layout import ConfigFiles, ResultFiles
from seqrec.report.evidence import read_evidence
from seqrec.report.figures.chart import Shape
from seqrec.report.figures.quality import TOLD, quality_by_cost_chart
from seqrec.report.tables import write_tables

COUNTED = {
    "implementation": "sasrec",
    "max_length": 50,
    "hyperparameters": {"hidden_size": 64, "blocks": 2},
    "loss": {"kind": "cross-entropy"},
}
"""A configuration whose operations can be counted."""


def make_compared(results: Path, dataset: str = "demo") -> None:
    """Two baselines and two other models: one clearly better than both, and one between them."""
    shares = {"sasrec+": 0.30, "bert4rec": 0.20, "mine": 0.40, "yours": 0.2003}
    for model, share in shares.items():
        for seed in range(3):
            make_record(results, dataset, model, seed, ranks=ranks_with_hits(share, seed))


def table(results: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(ResultFiles(results).tables / f"{name}.csv")


def test_each_model_is_set_against_each_baseline_in_percent_of_it(tmp_path: Path) -> None:
    make_compared(tmp_path)
    make_record(tmp_path, "demo", "popularity", epochs=None, best_epoch=None)
    write(tmp_path)
    found = table(tmp_path, "newcomers/demo").set_index(["model", "baseline"])
    results = table(tmp_path, "results/demo").set_index("model")["ndcg@10_mean"]
    assert [*found.index] == [
        *(("sasrec+", "bert4rec"), ("bert4rec", "sasrec+")),
        *((model, base) for model in ("mine", "yours") for base in ("sasrec+", "bert4rec")),
    ]
    for (model, baseline), line in found.iterrows():
        assert line.relative == pytest.approx(results[model] / results[baseline] - 1)
        assert line.low < line.relative < line.high
    shown = rows(tmp_path, "newcomers/demo")
    assert shown["Model"] == ["NDCG@10", "Cost", "above SASRec+", "above BERT4Rec"]
    assert shown["mine"][2].startswith("**+") and shown["mine"][3].startswith("**+")
    assert re.match(r"\*\*\+\d\d% \[", shown["mine"][2]), "decimals of large shares take space"
    assert shown["yours"][2].startswith("**−"), "significantly below"
    assert not shown["yours"][3].startswith("**"), "too close to tell"


def test_its_tests_are_those_of_the_table_of_pairs(tmp_path: Path) -> None:
    make_compared(tmp_path)
    write(tmp_path)
    found = table(tmp_path, "newcomers/demo").set_index(["model", "baseline"])
    pairs = table(tmp_path, "pairs/demo").query("metric == 'ndcg@10'")
    compared = 0
    for pair in pairs.itertuples():
        for one, other, sign in ((pair.model, pair.other, 1), (pair.other, pair.model, -1)):
            if (one, other) in found.index:
                line = found.loc[(one, other)]
                assert line.p_holm == pair.p_holm > 0
                assert (line.relative > 0) == (sign * pair.difference > 0)
                compared += 1
    assert compared == len(found)


def test_experiments_of_the_papers_models_alone_or_of_others_alone_have_no_such_table(
    tmp_path: Path,
) -> None:
    for name, models in (("paper", ("sasrec+", "bert4rec")), ("own", ("mine", "yours"))):
        for model in models:
            make_record(tmp_path / name, "demo", model)
        write(tmp_path / name)
        assert not (tmp_path / name / "tables/newcomers").exists()
        assert not (tmp_path / name / "tables/elsewhere.md").exists()


def test_a_model_that_has_not_finished_and_other_data_are_said(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+")
    statistics = {"users": 1, "items": 2, "interactions": 3, "mean_length": 3.0, "density": 0.5}
    make_record(tmp_path, "demo", "mine", data={"sha256": "e" * 64, "statistics": statistics})
    write(tmp_path)
    assert "Not all finished models" in notes(tmp_path, "newcomers/demo")
    make_record(tmp_path, "demo", "mine")
    write_grid(tmp_path, *(("demo", model, 0) for model in ("sasrec+", "mine", "yours")))
    write(tmp_path)
    assert rows(tmp_path, "newcomers/demo")["yours"][0] == "—"
    assert "yours (seed 0): not run" in notes(tmp_path, "newcomers/demo")


def test_a_baseline_that_hits_nothing_leaves_its_column_blank(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+", ndcg=0.0)
    make_record(tmp_path, "demo", "mine", ndcg=0.1)
    write(tmp_path)
    assert rows(tmp_path, "newcomers/demo")["mine"][2] == ""


def test_tuned_models_are_set_against_tuned_baselines(tmp_path: Path) -> None:
    for model in ("sasrec+.tuned", "bert4rec.tuned", "mine.tuned"):
        make_record(tmp_path, "demo", model)
    write(tmp_path)
    found = table(tmp_path, "newcomers/demo")
    assert {*found.baseline} == {"sasrec+.tuned", "bert4rec.tuned"}
    assert {*found.model} == {"sasrec+.tuned", "bert4rec.tuned", "mine.tuned"}


def test_trials_of_the_papers_models_are_no_other_models(tmp_path: Path) -> None:
    for model in ("sasrec+.tuned", "sasrec+.t00", "bert4rec.t01"):
        make_record(tmp_path, "demo", model)
    write(tmp_path)
    assert not (tmp_path / "tables/newcomers").exists()


def test_numbers_of_others_never_stand_without_their_protocol_and_source(tmp_path: Path) -> None:
    for model, ndcg in (("hstu", 0.17), ("sasrec+", 0.18)):
        make_record(tmp_path, "ml-1m", model, ndcg=ndcg)
    write(tmp_path)
    found = table(tmp_path, "elsewhere")
    assert [*dict.fromkeys(found.model)] == ["sasrec+", "hstu"], "those of the experiment, in order"
    text = (tmp_path / "tables/elsewhere.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    for line, one in zip(lines, found.itertuples(), strict=True):
        measured_by, number = re.findall(r"\| (\w+ file, .*) \[(\d+)\] *\|$", line)[0]
        assert measured_by == f"{one.file} file, {one.protocol}"
        assert f"[{number}] {one.source}." in text


def test_only_the_same_model_is_set_beside_a_number_of_others(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+", ndcg=0.18)
    make_record(tmp_path, "ml-1m", "hstu", ndcg=0.17)
    write(tmp_path)
    found = table(tmp_path, "elsewhere").set_index(["model", "variant"]).ours
    assert found["hstu", "as here"] == pytest.approx(0.17)
    assert found.drop(("hstu", "as here")).isna().all()
    assert any("told" in variant for _, variant in found.index)


@pytest.mark.parametrize(
    ("task", "split", "shown"),
    [
        ("ml-1m@loo", {"kind": "leave-one-out"}, True),
        ("ml-1m", {"kind": "global-temporal", "quantile": 0.9}, False),
    ],
)
def test_numbers_of_others_stand_beside_leave_one_out_alone(
    tmp_path: Path, task: str, split: dict[str, Any], shown: bool
) -> None:
    for model in ("sasrec+", "hstu"):
        config = {"model": model, "hyperparameters": {}, "split": split}
        make_record(tmp_path, task, model, config=config)
    write(tmp_path)
    assert bool(len(table(tmp_path, "elsewhere"))) == shown


def test_a_number_of_others_on_an_unknown_file_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(CONFIG.folder, config)
    path = config / "published/beyond.csv"
    path.write_text(path.read_text().replace(",same,", ",some,", 1))
    make_record(tmp_path / "results")
    with pytest.raises(SeqrecError, match=r"beyond\.csv: file is 'some' for .*same or other"):
        write_tables(tmp_path / "results", ConfigFiles(config))


def test_the_rule_of_quality_by_cost_lies_a_detectable_difference_below_the_best(
    tmp_path: Path,
) -> None:
    for model, share in (("sasrec+", 0.30), ("mine", 0.32)):
        for seed in range(3):
            ranks = ranks_with_hits(share, seed)
            make_record(tmp_path, "demo", model, seed, ranks=ranks, config=COUNTED)
    (panel,) = quality_by_cost_chart(read_evidence(tmp_path, CONFIG)).panels
    (rule,) = (one for one in panel.series if one.label == TOLD)
    assert rule.shape is Shape.LEVEL
    best = max(p.y or 0.0 for one in panel.series if one is not rule for p in one.points)
    assert 0.8 * best < (rule.points[0].y or 0.0) < best


def test_a_model_far_below_the_best_is_named_beside_the_costs_and_not_drawn(tmp_path: Path) -> None:
    for model, ndcg in (("sasrec+", 0.18), ("mine", 0.1), ("stuck", 0.02)):
        make_record(tmp_path, "demo", model, ndcg=ndcg, config=COUNTED)
    (panel,) = quality_by_cost_chart(read_evidence(tmp_path, CONFIG)).panels
    assert [one.label for one in panel.series] == ["SASRec+", "mine"]
    assert panel.note == "not drawn: stuck 0.0200"
