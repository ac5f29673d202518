"""What results are compared with: published numbers, and the settings of the paper's models.

The report reads them here alone; of `config/` it reads only titles besides.
"""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from seqrec.errors import SeqrecError, explained
from seqrec.experiment.grid import resolve_cell
from seqrec.experiment.naming import is_the_papers, sampled_negatives
from seqrec.experiment.registry import Registry
from seqrec.experiment.settings import flat_settings
from seqrec.files import read_regular
from seqrec.layout import PAPER, ConfigFiles, dataset_of, task_of
from seqrec.protocol.metrics import REPORTED_METRICS, STOPPING_METRIC
from seqrec.records.record import KnownSplit, Record
from seqrec.records.survey import grouped, task_and_model
from seqrec.report.measured import LEAVE_ONE_OUT, split_of
from seqrec.report.settings import Settings
from seqrec.wording import shortened

PublishedNumbers: TypeAlias = Mapping[tuple[str, ...], Mapping[str, float]]
"""Published numbers by column, for each key of a file."""

MOST_PUBLISHED_BYTES = 1 << 20
"""Size that no file of published numbers reaches."""

OF_MODELS = (*REPORTED_METRICS, "training_seconds", "best_epoch")
"""What is published of each model."""

ELSEWHERE = ("dataset", "model", "variant", "file", "protocol", "source")
"""What each number of others comes with: none is shown without it."""

AS_HERE = "as here"
"""The variant of a model that is ours."""

FILES = ("same", "other")
"""Whether a number of others was measured on the file that is downloaded here, or on another."""

FREE_SETTINGS = {"seed", "evaluation", "split"}
"""Settings that a run may choose freely and still be the paper's model."""

FOLLOW_UP_SPLITS = {
    "leave-one-out": LEAVE_ONE_OUT,
    **{
        name: KnownSplit(kind="global-temporal", quantile=0.9, validation=validation)
        for name, validation in (
            ("temporal-by-time", "by-time"),
            ("temporal-by-user", "by-user"),
            ("temporal-last-item", "last-train-item"),
        )
    },
}
"""The splits of the follow-up study, by their names in `config/time.yaml` and in its numbers."""


class Elsewhere(NamedTuple):
    """What others have published of one model: its metrics, and how they were measured."""

    dataset: str
    model: str
    variant: str
    """How the model differs from ours; `AS_HERE` if it does not."""
    file: str
    """One of `FILES`."""
    protocol: str
    source: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Paper:
    """What the paper and its follow-up report, and how their models are trained.

    Both are by task: the paper's numbers are under leave-one-out.
    """

    results: PublishedNumbers
    """By task and model."""
    curve: PublishedNumbers
    """Quality of SASRec+ N by task and number of negatives N."""
    sizes: PublishedNumbers
    """By dataset."""
    settings: Mapping[tuple[str, str], Settings | SeqrecError]
    """By task and model: what a run by that name must have been trained with, or why this is
    unknown."""
    follow_up: PublishedNumbers
    """By task and model: what the follow-up study reports."""
    datasets: Set[str]
    """Those of the paper."""
    elsewhere: Sequence[Elsewhere]
    """What others report under leave-one-out, mostly of later models."""

    @property
    def metrics(self) -> list[str]:
        """The metrics that were published, such as `ndcg@10`."""
        rows = (*self.results.values(), *self.follow_up.values())
        return list(dict.fromkeys(column for row in rows for column in row if "@" in column))

    def of(self, task: str, model: str) -> Mapping[str, float]:
        """Return what is published of a model: by the paper, or else by its follow-up."""
        key = task, model
        return self.results.get(key) or self.follow_up.get(key) or {}


def read_paper(config: ConfigFiles, records: Sequence[Record]) -> Paper:
    """Read the published numbers, and the settings of those models that bear a paper's name.

    `records` are those of the experiment, whose tasks and models count. Raises `SeqrecError` if a
    file of published numbers is missing or damaged.
    """
    results = read_published(config.published("results"), "dataset", "model", needed=OF_MODELS)
    curve = read_published(
        config.published("num_negatives"), "dataset", "negatives", needed=[STOPPING_METRIC]
    )
    sizes = read_published(config.published("datasets"), "dataset")
    later = read_published(
        config.published("splits"), "dataset", "model", "split", needed=REPORTED_METRICS
    )
    splits = {task: split_of(some) for task, some in grouped(records, lambda r: r.task).items()}
    datasets, registry = {dataset for dataset, _ in results}, Registry(config.folder)
    follow_up, settings = _of_follow_up(later, splits), {}
    for task, model in dict.fromkeys(map(task_and_model, records)):
        dataset = dataset_of(task)
        if is_the_papers(model) and dataset in datasets:
            settings[task, model] = _settings_of(dataset, model, registry, PAPER)
        elif is_the_papers(model) and (task, model) in follow_up:
            same = task_of(dataset, _in_follow_up(splits[task]))
            settings[task, model] = _settings_of(same, model, registry, "time")
        elif is_the_papers(model):
            settings[task, model] = _settings_of(dataset, model, registry)
    return Paper(
        _under_leave_one_out(results, splits),
        _under_leave_one_out(curve, splits),
        sizes,
        settings,
        follow_up,
        datasets,
        _read_elsewhere(config.published("beyond")),
    )


def _under_leave_one_out(
    numbers: PublishedNumbers, splits: Mapping[str, KnownSplit]
) -> PublishedNumbers:
    """Put published numbers, by dataset and more, under the tasks whose split is leave-one-out."""
    tasks = grouped(splits, dataset_of)
    return {
        (task, rest): row
        for (dataset, rest), row in numbers.items()
        for task in dict.fromkeys([dataset, *tasks.get(dataset, [])])
        if splits.get(task, LEAVE_ONE_OUT) == LEAVE_ONE_OUT
    }


def _of_follow_up(numbers: PublishedNumbers, splits: Mapping[str, KnownSplit]) -> PublishedNumbers:
    """Put the follow-up's numbers, by dataset, model and split, under the tasks that have them."""
    return {
        (task, model): row
        for (dataset, model, split), row in numbers.items()
        for task, ours in splits.items()
        if (dataset, split) == (dataset_of(task), _in_follow_up(ours))
    }


def _in_follow_up(split: KnownSplit) -> str | None:
    """Return what the follow-up calls a split; None if it is none of its own."""
    return next((name for name, one in FOLLOW_UP_SPLITS.items() if one == split), None)


def _settings_of(
    task: str, model: str, registry: Registry, experiment: str = ""
) -> Settings | SeqrecError:
    """Resolve what a model of the paper is trained with.

    On the paper's datasets it is what `config/paper.yaml` resolves to, and for what the follow-up
    has published what `config/time.yaml` does; elsewhere, only the network and the loss of the
    model's entry. An entry that was edited or removed must not stop all tables, so its error is
    returned.
    """
    try:
        if experiment:
            run = resolve_cell(experiment, task, model, registry.files.folder)
            return flat_settings(run.model_dump(mode="json", exclude=FREE_SETTINGS))
        entry = registry.model(model)
        return flat_settings(entry.model_dump(mode="json", include={"implementation", "loss"}))
    except SeqrecError as error:
        return error


def _read_elsewhere(path: Path) -> list[Elsewhere]:
    """Read what others have published; raises `SeqrecError` as `read_published` does."""
    found = []
    for key, metrics in read_published(path, *ELSEWHERE, needed=[STOPPING_METRIC]).items():
        dataset, model, variant, file, protocol, source = key
        if file not in FILES:
            raise SeqrecError(
                f"{path}: file is {shortened(file)!r} for {shortened(model)}; it must be "
                f"{' or '.join(FILES)}. Restore it from git."
            )
        found.append(Elsewhere(dataset, model, variant, file, protocol, source, metrics))
    return found


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
            f"all but {', '.join(key)} ({shortened(str(error))}). Restore it from git."
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
