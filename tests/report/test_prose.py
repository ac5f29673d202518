"""The numbers in the prose of `results/README.md` are those of the committed records."""

import re
from functools import cache
from itertools import product
from statistics import fmean

import numpy as np
import pytest
from small_runs import ROOT

from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records import Record, read_records
from seqrec.records.survey import dataset_and_model, grouped
from seqrec.report.measured import measure
from seqrec.report.paper import read_published

REFERENCE = ROOT / "results/reference"

PROSE = " ".join(
    re.sub(
        r"<!--.*?<!-- end -->", "", (ROOT / "results/README.md").read_text(), flags=re.DOTALL
    ).split()
)
"""The README without the tables that `make readme` writes, on one line."""


@cache
def models() -> dict[tuple[str, str], list[Record]]:
    return grouped(read_records(REFERENCE), dataset_and_model)


def ndcg(dataset: str, model: str) -> list[str]:
    return sorted(f"{record.test[STOPPING_METRIC]:.4f}" for record in models()[dataset, model])


def epochs(dataset: str, model: str) -> list[int]:
    return sorted(record.best_epoch or 0 for record in models()[dataset, model])


@pytest.mark.parametrize(
    "title, model",
    [
        ("SASRec", "sasrec"),
        ("BERT4Rec", "bert4rec"),
        ("SASRec+", "sasrec+"),
        ("SASRec+ 3000", "sasrec+3000"),
    ],
)
def test_the_values_of_every_seed(title: str, model: str) -> None:
    assert f"| {title} | {' | '.join(ndcg('ml-1m', model))} |" in PROSE


def test_best_epochs() -> None:
    least, _, most = epochs("ml-1m", "bert4rec")
    plus = epochs("ml-1m", "sasrec+")
    assert f"range from {least} to {most} (BERT4Rec) and from {plus[0]} to {plus[-1]} (" in PROSE
    assert f"those of SASRec+ on ml-1m are {plus[0]}, {plus[1]} and {plus[2]}" in PROSE
    paper = read_published(ROOT / "config/published/results.csv", "dataset", "model")
    off = [
        abs(fmean(epochs(*key)) / paper[key]["best_epoch"] - 1)
        for key in product(("ml-1m", "beauty"), ("sasrec", "sasrec+"))
    ]
    assert f"differ by {100 * min(off):.0f} to {100 * max(off):.0f}% between" in PROSE
    one = epochs("beauty", "sasrec")
    assert f"those of SASRec on beauty {one[0]}, {one[1]} and {one[2]}" in PROSE
    assert (
        " and ".join([", ".join(ndcg("beauty", "sasrec")[:2]), ndcg("beauty", "sasrec")[2]])
        in PROSE
    )


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


def test_scatter_between_seeds() -> None:
    for model, said in (
        ("sasrec", "varies by {} between its three"),
        ("sasrec+3000", "by {}, less"),
    ):
        seeds = measure(models()["beauty", model], ["hit_rate@10"]).scores["hit_rate@10"].seeds
        assert said.format(f"{seeds.std(ddof=1) / seeds.mean():.1%}") in PROSE


def test_ranks_of_targets_that_training_never_saw() -> None:
    def median(model: str) -> float:
        return float(np.median(np.stack([r.ranks() for r in models()["beauty", model]])[:, unseen]))

    unseen = models()["beauty", "popularity"][0].target_counts() == 0
    full = [int(median(model)) for model in ("sasrec+", "bert4rec", "gru4rec")]
    assert f"median ranks from {min(full):,} to {max(full):,}." in PROSE
    ends = median("sasrec+10"), median("sasrec+3000")
    assert f"from {ends[0]:,.0f} with 10 to {ends[1]:,.0f} with 3,000." in PROSE
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
