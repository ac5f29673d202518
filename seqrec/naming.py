"""How models and datasets are called, ordered and coloured, in every table and figure."""

import itertools
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from seqrec.datasets import FOLDER, load_dataset
from seqrec.errors import SeqrecError

TABLES = ("claims", "datasets", "missing", "runs", "verdicts")
"""Names of an experiment's tables, which no dataset may have."""


class Display(NamedTuple):
    """How a model is shown: the same in every table and figure."""

    title: str
    colour: str = "#7f7f7f"
    line: str = "-"
    marker: str = "o"


# Okabe and Ito's palette, which colour-blind readers can tell apart.
MODELS = {
    "popularity": Display("Popularity", "#999999", ":", "x"),
    "bpr-mf": Display("BPR-MF", "#56B4E9", ":", "v"),
    "gru4rec": Display("GRU4Rec", "#009E73", "-.", "^"),
    "bert4rec": Display("BERT4Rec", "#E69F00", "--", "s"),
    "gpt4rec": Display("GPT4Rec", "#CC79A7", "-.", "P"),
    "sasrec": Display("SASRec", "#D55E00", ":", "X"),
    "sasrec+": Display("SASRec+", "#0072B2", "-", "D"),
    "sasrec+N": Display("SASRec+ {negatives}", "#000000", "-", "o"),
}

SPARE = (
    Display("", "#882255", "-", "p"),
    Display("", "#117733", "--", "*"),
    Display("", "#AA4499", "-.", "h"),
    Display("", "#44AA99", ":", "<"),
    Display("", "#999933", "-", ">"),
    Display("", "#332288", "--", "d"),
)
"""Looks of other models, from Tol's muted palette."""

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
    """How to show a model; one that the paper does not know goes by its own name."""
    negatives = sampled_negatives(model)
    if negatives is None:
        return MODELS.get(model, Display(model))
    shown = MODELS["sasrec+N"]
    return shown._replace(title=shown.title.format(negatives=negatives))


def looks(models: Iterable[str]) -> dict[str, Display]:
    """How the models of an experiment are drawn: its own ones take the spare looks in turn."""
    spare = itertools.cycle(SPARE)
    drawn = {}
    for model in sorted(set(models), key=model_order):
        own = model not in MODELS and sampled_negatives(model) is None
        drawn[model] = next(spare)._replace(title=model) if own else display(model)
    return drawn


def model_order(model: str) -> tuple[int, int, str]:
    """Sort key: the paper's order, more negatives later, and other models after them by name."""
    negatives = sampled_negatives(model) or 0
    names = list(MODELS)
    name = "sasrec+N" if negatives else model
    return names.index(name) if name in names else len(names), negatives, model


def dataset_order(dataset: str) -> tuple[int, str]:
    names = list(DATASETS)
    return names.index(dataset) if dataset in names else len(names), dataset


def dataset_title(dataset: str) -> str:
    """By its YAML, for a dataset that the paper does not know; by its name where none is at hand,
    as among a colleague's results."""
    return DATASETS.get(dataset) or _title_in(FOLDER.absolute(), dataset)


@cache
def _title_in(folder: Path, dataset: str) -> str:
    try:
        return load_dataset(dataset, folder).title
    except SeqrecError:
        return dataset
