"""Titles of models and datasets, the order in which they are listed, and which are the paper's."""

import re
from collections.abc import Iterable
from functools import cache
from textwrap import wrap

from seqrec.data.datasets import load_dataset
from seqrec.errors import SeqrecError
from seqrec.experiment.variants import untuned_name
from seqrec.layout import CONFIG, SPLIT_MARK, ConfigFiles
from seqrec.typed_yaml import load_yaml

MODEL_TITLES = {
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

DATASET_TITLES = {
    "ml-1m": "MovieLens-1M",
    "ml-20m": "MovieLens-20M",
    "steam": "Steam",
    "beauty": "Amazon Beauty",
    "yelp": "Yelp",
    "demo": "Demo (simulated)",
}
"""Titles of the paper's datasets and the demo, in the order in which they are listed."""


def sampled_negatives(model: str) -> int | None:
    """Return N of `sasrec+N`, a model of the paper with N shared negatives; None for others."""
    match = re.fullmatch(r"sasrec\+([1-9]\d*)", model)
    return int(match[1]) if match else None


def is_the_papers(model: str) -> bool:
    """Whether the paper has a model of this name."""
    return model in MODEL_TITLES or sampled_negatives(model) is not None


def baselines(models: Iterable[str]) -> list[str]:
    """List those of `models` that others are measured by: SASRec+ N with the most negatives,
    SASRec+, BERT4Rec and GRU4Rec, each by itself or tuned."""
    names = {untuned_name(name): name for name in models}
    numbers = [n for name in names if (n := sampled_negatives(name)) is not None]
    most = [f"sasrec+{max(numbers)}"] if numbers else []
    return [names[one] for one in (*most, "sasrec+", "bert4rec", "gru4rec") if one in names]


def newcomers(models: Iterable[str]) -> list[str]:
    """List those of `models` that are not the paper's, nor trials of one, such as `sasrec+.t03`."""
    return [name for name in models if not is_the_papers(name.partition(".")[0])]


def model_order(model: str) -> tuple[int, int, tuple[str | int, ...]]:
    """Sort key: the paper's models in its order, by their negatives, then other models by name,
    in which numbers count by their size."""
    negatives = sampled_negatives(model) or 0
    names = list(MODEL_TITLES)
    name = "sasrec+N" if negatives else model
    # Text and numbers alternate, text first, so that text is never compared with a number.
    parts = tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", model))
    return names.index(name) if name in names else len(names), negatives, parts


def in_order(models: Iterable[str]) -> list[str]:
    """List models once each: the paper's in its order, then others as they come."""
    numbers = {model: number for number, model in enumerate(dict.fromkeys(models))}
    return sorted(numbers, key=lambda model: (*model_order(model)[:2], numbers[model]))


def dataset_order(dataset: str) -> tuple[int, str, str]:
    """Sort key: the paper's datasets in its order, then others by name; each by its splits."""
    names, (name, _, split) = list(DATASET_TITLES), dataset.partition(SPLIT_MARK)
    return names.index(name) if name in names else len(names), name, split


def dataset_title(dataset: str) -> str:
    """Return the title of a dataset, with the name of the split if it is under one of several.

    A dataset that is not the paper's gets it from its YAML file. Without one, as for a colleague's
    results, its name serves.
    """
    name, _, split = dataset.partition(SPLIT_MARK)
    title = DATASET_TITLES.get(name) or _dataset_title_in(ConfigFiles(CONFIG.absolute()), name)
    return f"{title}, {split}" if split else title


def dataset_titles(tasks: Iterable[str]) -> list[str]:
    """List the titles of datasets, each once with its splits: `Beauty (by-time, by-user)`."""
    splits: dict[str, list[str]] = {}
    for task in tasks:
        dataset, _, split = task.partition(SPLIT_MARK)
        splits.setdefault(dataset_title(dataset), []).extend([split] if split else [])
    return [f"{title} ({', '.join(some)})" if some else title for title, some in splits.items()]


LONGEST_LINE = 13
"""Characters of a split's name that stand in one line of a terminal's heading."""


def tasks_together(tasks: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Arrange tasks for a terminal: the lines of each task's heading, by dataset and task.

    The splits of a dataset stand together, their names in short lines; so do all datasets that have
    one split, under an empty name.
    """
    together: dict[str, dict[str, list[str]]] = {}
    for task in tasks:
        dataset, mark, split = task.partition(SPLIT_MARK)
        lines = wrap(split, LONGEST_LINE) if mark else [task]
        together.setdefault(dataset if mark else "", {})[task] = lines
    return together


def model_title(model: str) -> str:
    """Return the title of a model.

    A model that is not the paper's gets it from its YAML file. Without one, as for a model of one
    experiment, its name serves.
    """
    negatives = sampled_negatives(model)
    if negatives is not None:
        return MODEL_TITLES["sasrec+N"].format(negatives=negatives)
    papers = MODEL_TITLES.get(model, "").format(negatives="N")
    return papers or _model_title_in(ConfigFiles(CONFIG.absolute()), model)


@cache
def _model_title_in(config: ConfigFiles, model: str) -> str:
    try:
        return str(load_yaml(config.model(model)).get("title") or model)
    except SeqrecError:
        return model


@cache
def _dataset_title_in(config: ConfigFiles, dataset: str) -> str:
    try:
        return load_dataset(dataset, config).title
    except SeqrecError:
        return dataset
