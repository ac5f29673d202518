"""What models and datasets are called, and the order in which they are listed."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from seqrec.data.datasets import FOLDER, load_dataset
from seqrec.errors import SeqrecError
from seqrec.typed_yaml import load_yaml

ENTRIES = Path("config/models")

MODELS = {
    "popularity": "Popularity",
    "bpr-mf": "BPR-MF",
    "gru4rec": "GRU4Rec",
    "bert4rec": "BERT4Rec",
    "gpt4rec": "GPT4Rec",
    "sasrec": "SASRec",
    "sasrec+": "SASRec+",
    "sasrec+N": "SASRec+ {negatives}",
}
"""Titles of the paper's models, in the order in which they are listed."""


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


def model_title(model: str) -> str:
    """What a model is called. One that the paper does not know goes by its YAML's title, or by its
    name where none is at hand, as for a model of one experiment."""
    negatives = sampled_negatives(model)
    if negatives is not None:
        return MODELS["sasrec+N"].format(negatives=negatives)
    return MODELS.get(model) or _model_title_in(ENTRIES.absolute(), model)


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
