"""What brings a gain, the network or the loss? A table from committed records.

The networks have one size: `config/beyond.yaml` lists their models together.
"""

from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from seqrec.experiment.naming import dataset_title
from seqrec.layout import ConfigFiles
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.differences import leaders
from seqrec.report.evidence import read_evidence
from seqrec.report.numbers import over_seeds

LOSSES = ("Cross-entropy, all items", "Cross-entropy, 3,000 negatives", "gBCE, 256 negatives")
NETWORKS = {
    "SASRec": ("sasrec+", "sasrec+3000", "sasrec-gbce"),
    "LiGR": ("ligr", "ligr-3000", "ligr-gbce"),
    "HSTU": ("hstu-ce", "hstu-3000", "hstu-gbce"),
}
"""The models of each network, in the order of `LOSSES`."""


def factors_table(project: Path) -> str:
    """Tabulate the test NDCG@10 of each network with each loss."""
    return tabulate(
        list(_rows(project)), ["Dataset", "Network", *LOSSES], tablefmt="pipe",
        disable_numparse=True, colalign=["left"] * 2 + ["right"] * len(LOSSES),
    )  # fmt: skip


def _rows(project: Path) -> Iterator[list[str]]:
    evidence = read_evidence(project / "results/reference/beyond", ConfigFiles(project / "config"))
    for dataset, measured in evidence.comparable.items():
        best = leaders(measured, STOPPING_METRIC)
        for network, models in NETWORKS.items():
            cells = []
            for model in models:
                seeds = measured[model].scores[STOPPING_METRIC].seeds
                text = over_seeds([float(value) for value in seeds], 4)
                cells.append(f"**{text}**" if model in best else text)
            yield [dataset_title(dataset), network, *cells]
