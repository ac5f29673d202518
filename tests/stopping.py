"""How much of a result is when early stopping ends a training: a table from committed records.

The validation curves of a model's seeds are taken as one trend (a cubic polynomial in the logarithm
of the epoch, with a level for each seed, as their validation users may differ) plus noise. From the
trend and blocks of the noise, trainings are simulated, and stopped as the protocol stops them.
Nothing else is simulated: neither another beginning nor other test users.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from tabulate import tabulate

from seqrec.experiment.naming import dataset_title, model_title
from seqrec.layout import ConfigFiles
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records import Record
from seqrec.report.evidence import read_evidence
from seqrec.report.numbers import number

MODELS = {
    "ml-1m": ("sasrec", "sasrec+", "sasrec+10", "sasrec+30", "sasrec+100", "sasrec+3000"),
    "beauty": ("sasrec",),
}
"""Models that train for so long that it matters when they stop."""

PATIENCE = 10
"""Of all of these."""
SHORTER = 7
"""What the table also tries, to see whether the paper's patience may have been less."""

MAX_EPOCHS = 100
STEADY = 8
"""The first epoch of the trend; before it, curves rise too steeply to matter."""
BLOCK = 5
"""Epochs of noise that are taken together, since neighbours are alike."""
SIMULATED = 4000


def best_epoch(curve: Sequence[float], patience: int) -> int:
    """Return the epoch whose weights a training with this validation curve keeps."""
    best, found = -1.0, 0
    for epoch, value in enumerate(curve, 1):
        if value > best:
            best, found = value, epoch
        elif epoch - found >= patience:
            break
    return found


def simulate(curves: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the best epochs of simulated trainings, and the trend there."""
    seeds = np.repeat(np.arange(len(curves)), [len(curve) for curve in curves])
    epochs = np.concatenate([np.arange(1, len(curve) + 1) for curve in curves])
    steady = epochs >= STEADY
    seeds, epochs, values = seeds[steady], epochs[steady], np.concatenate(curves)[steady]
    levels = np.equal.outer(seeds, np.arange(len(curves))).astype(float)
    design = np.hstack([_powers(epochs), levels])
    weights = np.linalg.lstsq(design, values, rcond=None)[0]
    noise = values - design @ weights
    noises = [noise[seeds == seed] for seed in range(len(curves))]
    # Beyond the longest training nothing is known: the trend stays where it is.
    reached = np.minimum(np.arange(1, MAX_EPOCHS + 1), max(map(len, curves)))
    trend = _powers(reached) @ weights[:3] + weights[3:].mean()
    rng = np.random.default_rng(0)

    def block() -> np.ndarray:
        of_seed = noises[rng.integers(len(noises))]
        first = rng.integers(len(of_seed) - BLOCK + 1)
        return of_seed[first : first + BLOCK]

    curves = (
        trend + np.concatenate([block() for _ in range(MAX_EPOCHS // BLOCK)])
        for _ in range(SIMULATED)
    )
    stops = np.array([best_epoch(curve, PATIENCE) for curve in curves])
    return stops, trend[stops - 1]


def _powers(epochs: np.ndarray) -> np.ndarray:
    logs = np.log(epochs)
    return np.stack([logs, logs**2, logs**3], axis=1)


def stopping_table(project: Path) -> str:
    """Tabulate recorded, simulated and published best epochs and test metrics."""
    headings = ["Dataset", "Model", "Best epochs", "paper", "simulated", "at most the paper's"]
    headings += ["NDCG@10", "paper", "by stopping alone", f"patience {SHORTER}"]
    return tabulate(
        list(_rows(project)), headings, tablefmt="pipe", disable_numparse=True,
        colalign=["left"] * 2 + ["right"] * 8,
    )  # fmt: skip


def _rows(project: Path) -> Iterator[list[str]]:
    evidence = read_evidence(project / "results/reference", ConfigFiles(project / "config"))
    for dataset, models in MODELS.items():
        for model in models:
            records = evidence.measured[dataset][model].records
            published = evidence.paper.results.get((dataset, model), {})
            point = evidence.paper.curve.get((dataset, model.removeprefix("sasrec+")), {})
            epoch = published.get("best_epoch")
            metric = published.get(STOPPING_METRIC, point.get(STOPPING_METRIC))
            curves = [record.history()[STOPPING_METRIC].to_numpy() for record in records]
            stops, quality = simulate(curves)
            mean = fmean(record.test[STOPPING_METRIC] for record in records)
            yield [
                dataset_title(dataset),
                model_title(model),
                ", ".join(str(record.best_epoch) for record in records),
                number(epoch) if epoch else "",
                _range(stops, 0),
                f"{(stops <= epoch).mean():.0%}" if epoch else "",
                number(mean, 4),
                number(metric, 4) if metric else "",
                _range(quality * mean / quality.mean(), 4),
                number(fmean(map(_with_shorter_patience, records)), 4),
            ]


def _with_shorter_patience(record: Record) -> float:
    """Estimate the test metric of a run that had stopped earlier, by its validation metric."""
    curve = record.history()[STOPPING_METRIC].to_numpy()
    share = curve[best_epoch(curve, SHORTER) - 1] / curve[best_epoch(curve, PATIENCE) - 1]
    return float(record.test[STOPPING_METRIC] * share)


def _range(values: np.ndarray, decimals: int) -> str:
    return "–".join(number(end, decimals) for end in np.quantile(values, [0.025, 0.975]))
