"""The numbers in the prose of both READMEs are those of the committed records."""

import re
from functools import cache
from statistics import fmean, stdev

import numpy as np
import pytest
from small_runs import ROOT

from seqrec.layout import ConfigFiles
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records import Record, read_records
from seqrec.records.survey import grouped, task_and_model
from seqrec.report.evidence import read_evidence
from seqrec.report.paper import read_published
from seqrec.report.verdicts import KINDS, Outcome, counts, verdicts

REFERENCE = ROOT / "results/reference"

PROSE = " ".join(
    re.sub(
        r"<!--.*?<!-- end -->", "", (ROOT / "results/README.md").read_text(), flags=re.DOTALL
    ).split()
)
"""The README without the tables that `make readme` writes, on one line."""


README = " ".join((ROOT / "README.md").read_text().split())


def test_the_counts_on_the_front_page() -> None:
    metrics, *_ = KINDS
    found = counts(verdicts(read_evidence(REFERENCE, ConfigFiles(ROOT / "config"))))[metrics]
    reproduced, plausible = found[Outcome.REPRODUCED], found[Outcome.PLAUSIBLE]
    assert reproduced + plausible == found.total()
    assert (
        f"Of the {found.total()} metrics in the paper's table that were run, {reproduced} are "
        f"within 5% of the published value, and {plausible} are plausible for another seed."
    ) in README


@cache
def models() -> dict[tuple[str, str], list[Record]]:
    return grouped(read_records(REFERENCE), task_and_model)


def ndcg(dataset: str, model: str) -> list[float]:
    """Test NDCG@10 of each seed, in their order."""
    return [record.test[STOPPING_METRIC] for record in models()[dataset, model]]


def published(dataset: str, model: str) -> float:
    paper = read_published(ROOT / "config/published/results.csv", "dataset", "model")
    return paper[dataset, model][STOPPING_METRIC]


def off_the_figure(dataset: str, negatives: int, seeds: slice = slice(None)) -> float:
    """How far the mean of some seeds is above a point of the paper's figure, as a share of it."""
    curve = read_published(ROOT / "config/published/num_negatives.csv", "dataset", "negatives")
    ours = fmean(ndcg(dataset, f"sasrec+{negatives}")[seeds])
    return ours / curve[dataset, str(negatives)][STOPPING_METRIC] - 1


@pytest.mark.parametrize("model", ["sasrec", "bert4rec", "sasrec+", "sasrec+3000"])
def test_the_papers_values_lie_among_ours_or_just_above(model: str) -> None:
    assert "lie among ours or less than half a percent above the best of three" in PROSE
    ours = ndcg("ml-1m", model)
    assert len(ours) == 3
    assert min(ours) < published("ml-1m", model) < 1.005 * max(ours)


def test_which_models_scatter() -> None:
    assert (
        "varies most of the networks on beauty, and SASRec+ 3000 least of those on ml-1m" in PROSE
    )
    variation = {
        key: stdev(ndcg(*key)) / fmean(ndcg(*key))
        for key, records in models().items()
        if len(records) > 2 and records[0].epochs
    }
    most = max((one, key) for key, one in variation.items() if key[0] == "beauty")
    least = min((one, key) for key, one in variation.items() if key[0] == "ml-1m")
    assert (most[1][1], least[1][1]) == ("sasrec", "sasrec+3000")


def test_first_seeds_that_were_off_the_figure() -> None:
    assert "first seeds were 5% above and below the points" in PROSE
    assert round(100 * off_the_figure("ml-1m", 10, slice(1))) == 5
    assert round(100 * off_the_figure("ml-1m", 100, slice(1))) == -5
    for negatives in (10, 100):
        assert abs(off_the_figure("ml-1m", negatives)) < 0.05, "three show that this is chance"


def test_the_curve_on_beauty() -> None:
    assert "up to 5% below the points of the figure from N = 10 to 1,000" in PROSE
    off = [off_the_figure("beauty", negatives) for negatives in (10, 30, 100, 300, 1000)]
    assert all(-0.05 < one < 0 for one in off)
    assert "at 3,000 it is within 1%" in PROSE
    assert abs(off_the_figure("beauty", 3000)) < 0.01


def test_sasrec_on_beauty_is_above_the_paper_in_quality_and_epochs() -> None:
    assert "above the published value with each of three seeds" in PROSE
    assert min(ndcg("beauty", "sasrec")) > published("beauty", "sasrec")
    assert "our best epochs are all later than the paper's. In that epoch our first run" in PROSE
    paper = read_published(ROOT / "config/published/results.csv", "dataset", "model")
    epoch = int(paper["beauty", "sasrec"]["best_epoch"])
    assert min(record.best_epoch or 0 for record in models()["beauty", "sasrec"]) > epoch
    history = models()["beauty", "sasrec"][0].history().set_index("epoch")[STOPPING_METRIC]
    assert f"NDCG@10 of {history[epoch]:.4f}, against {history.max():.4f} at its best" in PROSE


def test_peaks_of_validation() -> None:
    for dataset, decimals, order in (
        ("ml-1m", 3, ("sasrec+3000", "sasrec+", "gru4rec", "bert4rec")),
        ("beauty", 4, ("sasrec+3000", "sasrec+", "gru4rec", "bert4rec")),
    ):
        peaks = [models()[dataset, name][0].history()[STOPPING_METRIC].max() for name in order]
        shown = [f"{peak:.{decimals}f}" for peak in peaks]
        assert f"our first runs peak at {', '.join(shown[:3])} and {shown[3]}" in PROSE.replace(
            "our first runs at", "our first runs peak at"
        )


def test_ranks_of_targets_that_training_never_saw() -> None:
    def median(model: str) -> float:
        return float(np.median(np.stack([r.ranks() for r in models()["beauty", model]])[:, unseen]))

    unseen = models()["beauty", "popularity"][0].target_counts() == 0
    items = models()["beauty", "popularity"][0].data.statistics["items"]
    assert "to the last tenth of the 54,542 items" in PROSE
    assert items == 54_542
    assert all(median(model) > 0.9 * items for model in ("sasrec+", "bert4rec", "gru4rec"))
    assert "in about the first third of the items, and mostly higher with more negatives" in PROSE
    assert median("sasrec+3000") < median("sasrec+10") < 0.36 * items
    found = {int((r.ranks()[unseen] <= 10).sum()) for r in models()["beauty", "bpr-mf"]}
    assert (min(found), max(found)) == (5, 7)
    assert "each BPR-MF finds five to seven" in PROSE
    networks = [r for (name, _), of in models().items() if name == "beauty" for r in of if r.epochs]
    assert not any((r.ranks()[unseen] <= 10).any() for r in networks)


def test_precision_and_memory_of_the_machines() -> None:
    records = [record for of_model in models().values() for record in of_model]
    float32 = {record.device for record in records if record.precision == "float32"}
    assert float32 == {"AMD EPYC (family 25, model 1)"}
    assert "of family 25, model 1, computed them in float32" in PROSE
    peaks = sorted((record.peak_memory_bytes / 1e9, record.run) for record in records)[-3:]
    assert {(run.dataset, run.model) for _, run in peaks} == {("ml-1m", "bert4rec")}
    assert f"{peaks[0][0]:.1f} to {peaks[-1][0]:.1f} GB" in PROSE


def shares_of_the_best(model: str, dataset: str, epoch: int) -> list[float]:
    """Validation in an epoch as a share of its best, for each seed."""
    curves = [r.history().set_index("epoch")[STOPPING_METRIC] for r in models()[dataset, model]]
    return [curve[epoch] / curve.max() for curve in curves]


def test_what_stopping_explains() -> None:
    shares = shares_of_the_best("sasrec", "beauty", 26)
    assert f"between {min(shares):.0%} and {max(shares):.0%} of their best validation" in PROSE
    share = published("beauty", "sasrec") / fmean(ndcg("beauty", "sasrec"))
    assert f"the paper's value is {share:.0%} of our mean" in PROSE
    runs = models()["ml-1m", "sasrec+100"]
    ratios = [run.test[STOPPING_METRIC] / run.validation[STOPPING_METRIC] for run in runs]
    assert f"between {min(ratios):.0%} and {max(ratios):.0%} of that of validation" in PROSE
    fourth = [
        record.history().set_index("epoch")[STOPPING_METRIC][4]
        for record in models()["ml-1m", "sasrec+10"]
    ]
    assert f"against {min(fourth):.4f} to {max(fourth):.4f} of our runs" in PROSE


def test_the_papers_values_beside_what_stopping_alone_gives() -> None:
    table = (ROOT / "results/README.md").read_text().split("<!-- stopping -->")[1]
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()[3:10]]
    beyond = {}
    for _, dataset, model, *_, ours, paper, by_stopping, shorter, _ in rows:
        low, high = map(float, by_stopping.split("–"))
        assert low < float(paper) < 1.015 * high
        if float(paper) > high:
            beyond[model] = dataset
        closer = abs(float(shorter) - float(paper)) < abs(float(ours) - float(paper))
        assert closer == (
            (dataset, model) in (("MovieLens-1M", "SASRec+ 10"), ("Amazon Beauty", "SASRec"))
        )
    assert beyond.keys() == {"SASRec+", "SASRec+ 100"}
