"""Models that are not the paper's: how far they are above its models, and what others say."""

from pathlib import Path

import pandas as pd
import pytest
from reading_tables import CONFIG, notes, ranks_with_hits, rows, write
from record_factory import make_record

from seqrec.layout import ResultFiles
from seqrec.report.evidence import read_evidence
from seqrec.report.figures.chart import Shape
from seqrec.report.figures.quality import TOLD, quality_by_cost_chart


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
    assert shown["Model"] == ["NDCG@10", "above SASRec+", "above BERT4Rec", "Cost"]
    assert shown["mine"][1].startswith("**+") and shown["mine"][2].startswith("**+")
    assert shown["yours"][1].startswith("**−"), "significantly below"
    assert not shown["yours"][2].startswith("**"), "too close to tell"


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
                assert line.p_holm == pytest.approx(pair.p_holm)
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
    make_record(tmp_path, "demo", "mine", data={"sha256": "e" * 64, "statistics": {}})
    write(tmp_path)
    assert "No two finished models" in notes(tmp_path, "newcomers/demo")


def test_numbers_of_others_never_stand_without_their_protocol(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+", ndcg=0.18)
    make_record(tmp_path, "ml-1m", "hstu", ndcg=0.17)
    write(tmp_path)
    found = table(tmp_path, "elsewhere")
    assert set(found.model) == {"sasrec+", "hstu"}, "no model that the experiment lacks"
    assert found.set_index("model").ours.loc["sasrec+"] == pytest.approx(0.18)
    text = (tmp_path / "tables/elsewhere.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert len(lines) == len(found)
    for line, (protocol, file, source) in zip(
        lines, found[["protocol", "file", "source"]].itertuples(index=False), strict=True
    ):
        assert f"{file} file, {protocol}" in line
        assert source in text


def test_the_rule_of_quality_by_cost_lies_a_detectable_difference_below_the_best(
    tmp_path: Path,
) -> None:
    config = {
        "implementation": "sasrec",
        "max_length": 50,
        "hyperparameters": {"hidden_size": 64, "blocks": 2},
        "loss": {"kind": "cross-entropy"},
    }
    for model, share in (("sasrec+", 0.30), ("mine", 0.32)):
        for seed in range(3):
            ranks = ranks_with_hits(share, seed)
            make_record(tmp_path, "demo", model, seed, ranks=ranks, config=config)
    (panel,) = quality_by_cost_chart(read_evidence(tmp_path, CONFIG)).panels
    (rule,) = (one for one in panel.series if one.label == TOLD)
    assert rule.shape is Shape.LEVEL
    best = max(p.y or 0.0 for one in panel.series if one is not rule for p in one.points)
    assert 0.8 * best < (rule.points[0].y or 0.0) < best
