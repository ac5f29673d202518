"""The paper that results are compared with: its published numbers and the settings of its models.

The report reads them here alone; of `config/` it reads only titles besides.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from seqrec.errors import SeqrecError, explained
from seqrec.experiment.grid import resolve_cell
from seqrec.experiment.naming import is_the_papers, sampled_negatives
from seqrec.experiment.registry import Registry
from seqrec.experiment.settings import flat_settings
from seqrec.files import read_regular
from seqrec.layout import ConfigFiles
from seqrec.protocol.metrics import REPORTED_METRICS, STOPPING_METRIC
from seqrec.records.record import Record
from seqrec.report.settings import Settings
from seqrec.wording import shortened

PublishedNumbers: TypeAlias = Mapping[tuple[str, ...], Mapping[str, float]]
"""Published numbers by column, for each key of a file."""

MOST_PUBLISHED_BYTES = 1 << 20
"""Size that no file of published numbers reaches."""

OF_MODELS = (*REPORTED_METRICS, "training_seconds", "best_epoch")
"""What is published of each model."""

FREE_SETTINGS = {"seed", "evaluation"}
"""Settings that a run may choose freely and still be the paper's model."""


@dataclass(frozen=True)
class Paper:
    """What the paper reports, and how its models are trained."""

    results: PublishedNumbers
    """By dataset and model."""
    curve: PublishedNumbers
    """Quality of SASRec+ N by dataset and number of negatives N."""
    sizes: PublishedNumbers
    """By dataset."""
    settings: Mapping[tuple[str, str], Settings | SeqrecError]
    """By dataset and model: what a run by that name must have been trained with, or why this is
    unknown."""

    @property
    def metrics(self) -> list[str]:
        """The metrics that were published, such as `ndcg@10`."""
        return list(dict.fromkeys(c for row in self.results.values() for c in row if "@" in c))


def read_paper(config: ConfigFiles, models: Iterable[tuple[str, str]]) -> Paper:
    """Read the published numbers, and the settings of those `models` that bear a paper's name.

    `models` are pairs of dataset and model.

    Raises `SeqrecError` if a file of published numbers is missing or damaged.
    """
    results = read_published(config.published("results"), "dataset", "model", needed=OF_MODELS)
    curve = read_published(
        config.published("num_negatives"), "dataset", "negatives", needed=[STOPPING_METRIC]
    )
    sizes = read_published(config.published("datasets"), "dataset")
    datasets, registry = {dataset for dataset, _ in results}, Registry(config.folder)
    settings = {
        (dataset, model): _settings_of(dataset, model, registry, dataset in datasets)
        for dataset, model in dict.fromkeys(models)
        if is_the_papers(model)
    }
    return Paper(results, curve, sizes, settings)


def _settings_of(
    dataset: str, model: str, registry: Registry, papers: bool
) -> Settings | SeqrecError:
    """Resolve what a model of the paper is trained with.

    On the paper's datasets it is what `config/paper.yaml` resolves to; on others, only the network
    and the loss of the model's entry. An entry that was edited or removed must not stop all tables,
    so its error is returned.
    """
    try:
        if papers:
            run = resolve_cell("paper", dataset, model, registry.files.folder)
            return flat_settings(run.model_dump(mode="json", exclude=FREE_SETTINGS))
        entry = registry.model(model)
        return flat_settings(entry.model_dump(mode="json", include={"implementation", "loss"}))
    except SeqrecError as error:
        return error


def read_published(
    path: Path, *key: str, needed: Sequence[str] = ()
) -> dict[tuple[str, ...], dict[str, float]]:
    """Read published numbers, by the texts in the columns `key`; the columns `needed` are full.

    Raises `SeqrecError` if the file is missing, or holds other columns or texts.
    """
    try:
        text = read_regular(path, MOST_PUBLISHED_BYTES, follow=True).decode("utf-8")
        lines = csv.DictReader(io.StringIO(text, newline=""))
        if lacking := {*key, *needed} - {*(lines.fieldnames or ())}:
            raise ValueError(f"no {' and no '.join(sorted(lacking))}")
        return {_key_of(line, key, needed): _numbers_in(line, key) for line in lines}
    except FileNotFoundError:
        raise SeqrecError(
            f"{path}: no such file; it holds the published numbers. Run from the project's folder."
        ) from None
    except OSError as error:
        raise explained(error) from None
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise SeqrecError(
            f"{path}: must hold the columns {', '.join([*key, *needed])} and numbers above 0 in "
            f"all but {' and '.join(key)} ({shortened(str(error))}). Restore it from git."
        ) from None


def _key_of(line: dict[str, str], key: Sequence[str], needed: Sequence[str]) -> tuple[str, ...]:
    if lacking := [name for name in (*key, *needed) if not line[name]]:
        raise ValueError(f"a line without {lacking[0]}")
    if not re.fullmatch("[1-9][0-9]{0,8}", line.get("negatives", "1")):
        raise ValueError(f"negatives is {line['negatives']}")
    return tuple(line[name] for name in key)


def _numbers_in(line: dict[str, str], key: Sequence[str]) -> dict[str, float]:
    numbers = {name: float(text) for name, text in line.items() if text and name not in key}
    for name, number in numbers.items():
        if not 0 < number < math.inf:
            raise ValueError(f"{name} is {line[name]}")
    return numbers


def curve_negatives(record: Record) -> int | None:
    """Return N of a run that is SASRec+ N by its network and loss, not by its name alone."""
    number = sampled_negatives(record.model)
    sasrec = record.known_config.implementation in ("", "sasrec")
    return number if sasrec and number == record.negatives else None
