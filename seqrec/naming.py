"""How models and datasets are called, ordered and coloured, in every table and figure."""

import re
from collections.abc import Iterable
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from seqrec.datasets import FOLDER, load_dataset
from seqrec.errors import SeqrecError
from seqrec.strict import load_yaml

TABLES = ("claims", "datasets", "missing", "runs", "verdicts")
"""Names of an experiment's tables, which no dataset may have."""

ENTRIES = Path("config/models")


class Display(NamedTuple):
    """How a model is shown: the same in every table and figure."""

    title: str
    colour: str = "#767676"
    line: Any = "-"
    marker: Any = "o"
    strength: float = 1.0
    """From 0 to 1: how full its marker is, and how dark its line."""


# Colours that have a contrast of 3 with white paper, and of 2 with a dark page, and that stay
# apart for colour-blind readers, the paper's models among themselves and the spare ones too.
MODELS = {
    "popularity": Display("Popularity", "#5A5A5A", ":", "x"),
    "bpr-mf": Display("BPR-MF", "#0A98D6", ":", "v"),
    "gru4rec": Display("GRU4Rec", "#2E8562", "-.", "^"),
    "bert4rec": Display("BERT4Rec", "#B8860B", "--", "s"),
    "gpt4rec": Display("GPT4Rec", "#E0529C", "-.", "P"),
    "sasrec": Display("SASRec", "#A81400", ":", "X"),
    "sasrec+": Display("SASRec+", "#1F45B8", "-", "D"),
    "sasrec+N": Display("SASRec+ {negatives}", "#000000", "-", "o"),
}

# What other models take in turn. No two of these numbers have a common divisor, so that two models
# that share one of the three differ in both others, up to thirty of them.
SPARE_COLOURS = ("#5A5FE0", "#73801F", "#861280", "#00909C", "#8C5518", "#E8452F")
SPARE_MARKERS = ("p", "*", "<", "d", ">", (4, 1, 0), "+")
LINES = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)))
NUMBERED_MARKERS = ("o", "h")

DATASETS = {
    "ml-1m": "MovieLens-1M",
    "ml-20m": "MovieLens-20M",
    "steam": "Steam",
    "beauty": "Amazon Beauty",
    "yelp": "Yelp",
    "demo": "Demo (simulated)",
}


def sampled_negatives(model: str) -> int | None:
    """N of `sasrec+N`, the paper's models with N shared negatives; None for any other model."""
    match = re.fullmatch(r"sasrec\+([1-9]\d*)", model)
    return int(match[1]) if match else None


def display(model: str) -> Display:
    """How to show a model. One that the paper does not know goes by its YAML's title, or by its
    name where none is at hand, as for a model of one experiment."""
    negatives = sampled_negatives(model)
    if negatives is None:
        return MODELS.get(model) or Display(_model_title_in(ENTRIES.absolute(), model))
    shown = MODELS["sasrec+N"]
    return shown._replace(title=shown.title.format(negatives=negatives))


def looks(models: Iterable[str]) -> dict[str, Display]:
    """How the models of an experiment are drawn, none like another: its own ones take the spare
    looks in turn, and of SASRec+ N the one with the most negatives is drawn strongest."""
    ordered = sorted(set(models), key=model_order)
    drawn = {model: display(model) for model in ordered}
    numbered = [model for model in reversed(ordered) if sampled_negatives(model) is not None]
    for rank, model in enumerate(numbered):
        drawn[model] = drawn[model]._replace(
            line=LINES[rank % len(LINES)],
            marker=NUMBERED_MARKERS[rank % len(NUMBERED_MARKERS)],
            strength=1 - rank / max(1, len(numbered) - 1),
        )
    own = [model for model in ordered if model not in MODELS and model not in numbered]
    spare = zip(cycle(SPARE_COLOURS), cycle(LINES), cycle(SPARE_MARKERS), strict=False)
    return drawn | {
        model: Display(drawn[model].title, *look) for model, look in zip(own, spare, strict=False)
    }


def model_order(model: str) -> tuple[int, int, tuple[str | int, ...]]:
    """Sort key: the paper's order, more negatives later, and other models after them by name, with
    numbers in it by their size."""
    negatives = sampled_negatives(model) or 0
    names = list(MODELS)
    name = "sasrec+N" if negatives else model
    # Text and numbers take turns, text first, so that like is compared with like.
    parts = tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", model))
    return names.index(name) if name in names else len(names), negatives, parts


def run_order(dataset: str, model: str, seed: int = 0) -> tuple[Any, ...]:
    """Sort key of runs: by dataset, then by model, then by seed."""
    return *dataset_order(dataset), *model_order(model), seed


def dataset_order(dataset: str) -> tuple[int, str]:
    names = list(DATASETS)
    return names.index(dataset) if dataset in names else len(names), dataset


def dataset_title(dataset: str) -> str:
    """By its YAML, for a dataset that the paper does not know; by its name where none is at hand,
    as among a colleague's results."""
    return DATASETS.get(dataset) or _title_in(FOLDER.absolute(), dataset)


@cache
def _model_title_in(folder: Path, model: str) -> str:
    try:
        return str(load_yaml(folder / f"{model}.yaml").get("title") or model)
    except SeqrecError:
        return model


@cache
def _title_in(folder: Path, dataset: str) -> str:
    try:
        return load_dataset(dataset, folder).title
    except SeqrecError:
        return dataset
