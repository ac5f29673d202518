"""What records say about the paper: which values were reproduced, and which claims hold."""

import csv
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import product
from math import log10
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqrec.errors import SeqrecError
from seqrec.experiment.grid import resolve_cell
from seqrec.experiment.naming import sampled_negatives
from seqrec.experiment.registry import load_model_entry
from seqrec.experiment.schema import CONFIG
from seqrec.records.record import Record, Run
from seqrec.records.survey import dataset_and_model, grouped
from seqrec.report.comparison import flat_settings
from seqrec.report.differences import scatters
from seqrec.report.inference import ALPHA, Difference, Interval, difference, trend
from seqrec.report.looks import MODELS, display
from seqrec.report.measured import METRICS, QUALITY, Measured, device, seconds_to_best
from seqrec.report.rendering import between, number, p_value, signed

TOLERANCE = 0.05
"""Relative difference up to which a published value counts as reproduced."""


REPRODUCED, BETTER, WORSE, NOT_RUN = "reproduced", "better", "worse", "not run"


MIXED = "seeds differ in data"


OTHER_SETTINGS = "other settings"


HOLDS, DOES_NOT_HOLD, UNDECIDED = "holds", "does not hold", "undecided"


PUBLISHED = Path("config/published")


Published = Mapping[tuple[str, ...], Mapping[str, float]]


def read_published(path: Path, *key: str) -> dict[tuple[str, ...], dict[str, float]]:
    """Published numbers by the texts in the columns `key`."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {
                tuple(line.pop(name) for name in key): {
                    name: float(value) for name, value in line.items() if value
                }
                for line in csv.DictReader(file)
            }
    except FileNotFoundError:
        raise SeqrecError(
            f"{path}: no such file; it holds the published numbers. Run from the project's folder."
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise SeqrecError(
            f"{path}: must hold the columns {', '.join(key)} and numbers in all others ({error}). "
            "Restore it from git."
        ) from None


FREE_SETTINGS = ("seed", "evaluation")
"""Of a configuration, what a run may have as it likes: the metrics at 10 are always there."""


def other_settings(
    records: Iterable[Record], datasets: Collection[str], config: Path = CONFIG
) -> dict[Run, list[str]]:
    """Runs by a name of the paper that are not what it stands for, each with the settings that
    differ.

    On `datasets`, the paper's, they are to be as `config/paper.yaml` resolves them; on others, to
    have the network and the loss of the name's entry. A setting that a record does not name is
    none that it could have had otherwise.
    """
    named = (r for r in records if r.model in MODELS or sampled_negatives(r.model) is not None)
    found: dict[Run, list[str]] = {}
    for (dataset, model), runs in grouped(named, dataset_and_model).items():
        try:
            if dataset in datasets:
                run = resolve_cell("paper", dataset, model, config)
                asked = run.model_dump(mode="json", exclude=set(FREE_SETTINGS))
            else:
                entry = load_model_entry(model, config)
                asked = entry.model_dump(mode="json", include={"implementation", "loss"})
        except SeqrecError as error:  # an edited or removed entry, which must not stop all tables
            found |= {record.run: [str(error)] for record in runs}
            continue
        wanted = flat_settings(asked)
        for record in runs:
            ours = flat_settings(record.config)
            differing = [key for key in wanted if ours.get(key, wanted[key]) != wanted[key]]
            if differing:
                found[record.run] = [f"{k} {ours[k]} instead of {wanted[k]}" for k in differing]
    return found


def curve_negatives(record: Record) -> int | None:
    """N of a run that is SASRec+ N by its network and loss, and not by its name alone."""
    number = sampled_negatives(record.model)
    sasrec = record.config.get("implementation", "sasrec") == "sasrec"
    return number if sasrec and number == record.negatives else None


class Verdict(NamedTuple):
    """One published value and ours."""

    dataset: str
    model: str
    metric: str
    published: float
    ours: float | None
    interval: Interval | None
    verdict: str


def verdict(ours: float, interval: Interval, published: float) -> str:
    """*Reproduced* if `published` lies in our 95% interval over users or ours is within 5% of it,
    else *better* or *worse*.

    The paper's users are ours, so the interval is a yardstick for how much a metric of so many
    users can be trusted, not a test of whether the two trainings are alike.
    """
    if published in interval or abs(ours - published) <= TOLERANCE * published:
        return REPRODUCED
    return BETTER if ours > published else WORSE


def verdicts(
    datasets: Mapping[str, Mapping[str, Measured]],
    finished: set[tuple[str, str]],
    published: Published,
    unlike: Collection[tuple[str, str]] = (),
) -> list[Verdict]:
    """A verdict on every published metric of `datasets`; `finished`: (dataset, model) with records,
    also such as cannot be measured together; `unlike`: those of `other_settings`."""
    found = []
    for (dataset, model), metrics in published.items():
        for metric in METRICS:
            if dataset not in datasets or metric not in metrics:
                continue
            theirs, ours = metrics[metric], datasets[dataset].get(model)
            if ours is None:
                said = MIXED if (dataset, model) in finished else NOT_RUN
                found.append(Verdict(dataset, model, metric, theirs, None, None, said))
            else:
                mean, interval = ours.mean(metric), ours.intervals[metric]
                said = verdict(mean, interval, theirs)
                if (dataset, model) in unlike:
                    said = OTHER_SETTINGS
                found.append(Verdict(dataset, model, metric, theirs, mean, interval, said))
    return found


class Claim(NamedTuple):
    """What the paper claims, and what the records say to it on one dataset."""

    dataset: str
    claim: str
    published: str
    """What the paper's own numbers say on this dataset, where it has any."""
    verdict: str
    evidence: str


def claims(
    dataset: str,
    models: Mapping[str, Measured],
    finished: set[tuple[str, str]],
    wanted: Iterable[str],
    results: Published,
    curve: Published,
    title: Callable[[str], str] = lambda model: display(model).title,
    unlike: Collection[tuple[str, str]] = (),
) -> list[Claim]:
    """The paper's claims on one dataset, those about models of the experiment (`wanted`).

    Quality is decided by NDCG@10 and the paired test of `statistics.contrast` at the 5% level: a
    claim *holds* if its difference is there and *does not hold* if the opposite is; otherwise, and
    where a run is missing, it is *undecided*. A claim of two differences needs both, which needs no
    correction (the intersection-union test: Berger, 1982). `models` are `comparable`; `finished`
    and `unlike` as for `verdicts`.
    """
    wanted = set(wanted)
    numbers = sorted(n for m in wanted if (n := sampled_negatives(m)) is not None)
    theirs = {m: values for (d, m), values in results.items() if d == dataset}
    points = {int(n): values[QUALITY] for (d, n), values in curve.items() if d == dataset}
    scores = {name: measured.scores[QUALITY] for name, measured in models.items()}
    scatter = scatters(models, QUALITY)

    def minus(one: str, other: str) -> tuple[str, Difference]:
        label = f"{title(one)} minus {title(other)}"
        return label, difference(scores[one], scores[other], [scatter[one], scatter[other]])

    def per_tenfold() -> tuple[str, Difference]:
        line = [f"sasrec+{n}" for n in numbers]
        tested = trend(
            [scores[name] for name in line],
            [log10(n) for n in numbers],
            [scatter[name] for name in line],
        )
        return "For ten times the negatives", tested

    questions: list[tuple[str, list[str], Callable[[], bool], Callable[[], tuple[str, str]]]] = [
        (
            "SASRec+ is better than BERT4Rec",
            ["sasrec+", "bert4rec"],
            lambda: theirs["sasrec+"][QUALITY] > theirs["bert4rec"][QUALITY],
            lambda: _decided([minus("sasrec+", "bert4rec")]),
        ),
        (
            "SASRec, with one negative, is worse than both",
            ["sasrec", "sasrec+", "bert4rec"],
            lambda: (
                theirs["sasrec"][QUALITY]
                < min(theirs["sasrec+"][QUALITY], theirs["bert4rec"][QUALITY])
            ),
            lambda: _decided([minus("sasrec+", "sasrec"), minus("bert4rec", "sasrec")]),
        ),
        (
            "SASRec+ N is the better, the more negatives it has",
            [f"sasrec+{n}" for n in numbers],
            lambda: _slope(points) > 0 and points[max(points)] > points[min(points)],
            lambda: _decided(
                [per_tenfold(), minus(f"sasrec+{numbers[-1]}", f"sasrec+{numbers[0]}")]
            ),
        ),
        (
            "SASRec+ is at its best after less training time than BERT4Rec",
            ["sasrec+", "bert4rec"],
            lambda: theirs["sasrec+"]["training_seconds"] < theirs["bert4rec"]["training_seconds"],
            lambda: _sooner(models["sasrec+"], models["bert4rec"], title),
        ),
    ]
    found = []
    for claim, needed, published, decide in questions:
        if len(needed) < 2 or not wanted.issuperset(needed):
            continue
        lacking = [model for model in needed if (dataset, model) not in finished]
        others = [model for model in needed if (dataset, model) in unlike]
        if lacking:
            said = UNDECIDED, f"Not finished: {', '.join(map(title, lacking))}."
        elif others:
            said = (
                UNDECIDED,
                f"Of other settings than the paper's: {', '.join(map(title, others))}.",
            )
        elif not models.keys() >= set(needed):
            said = UNDECIDED, "The records were trained on different data."
        else:
            said = decide()
        found.append(Claim(dataset, claim, _published(published), *said))
    return found


def _published(says: Callable[[], bool]) -> str:
    """What published numbers say; nothing where there are none."""
    try:
        return HOLDS if says() else DOES_NOT_HOLD
    except KeyError:
        return ""


def _slope(points: Mapping[int, float]) -> float:
    """Of published points over log N."""
    if len(points) < 2:
        raise KeyError("no published points")
    return float(np.polyfit(np.log10(list(points)), list(points.values()), 1)[0])


def _decided(tested: Sequence[tuple[str, Difference]]) -> tuple[str, str]:
    """The verdict on a claim that all of these differences are positive, and its evidence."""
    said = UNDECIDED
    if all(found.p < ALPHA and found.value > 0 for _, found in tested):
        said = HOLDS
    elif any(found.p < ALPHA and found.value < 0 for _, found in tested):
        said = DOES_NOT_HOLD
    sentences = []
    for label, found in tested:
        interval = between(found.interval, lambda value: signed(value, 4))
        p = p_value(found.p)
        p = f"p {p}" if p.startswith("<") else f"p = {p}"
        sentences.append(f"{label}: {signed(found.value, 4)} {interval}, {p}.")
    return said, " ".join(sentences)


def _sooner(one: Measured, other: Measured, title: Callable[[str], str]) -> tuple[str, str]:
    """Every pair of runs under comparable conditions, and all must agree.

    Sharing a device only makes slower, so on a shared one the later side must have been later even
    if each of its epochs had been as quick as its quickest.
    """
    compared = [
        (ours, theirs)
        for ours, theirs in product(one.records, other.records)
        if ours.best_epoch and theirs.best_epoch and _comparable_times(ours, theirs)
    ]
    if not compared:
        return UNDECIDED, "No two runs had one kind of device under comparable conditions."
    seconds = [(seconds_to_best(ours), seconds_to_best(theirs)) for ours, theirs in compared]
    sooner = [seconds_to_best(ours) < _least_seconds(theirs) for ours, theirs in compared]
    later = [seconds_to_best(theirs) <= _least_seconds(ours) for ours, theirs in compared]
    said = HOLDS if all(sooner) else DOES_NOT_HOLD if all(later) else UNDECIDED
    sides = [
        f"{title(measured.records[0].model)} {_range(values)} s"
        for measured, values in zip((one, other), zip(*seconds, strict=True), strict=True)
    ]
    places = ", ".join(sorted({device(ours) for ours, _ in compared}))
    shared = [
        max(record.runs_sharing_device for record in side) for side in zip(*compared, strict=True)
    ]
    if max(shared) > 1:
        places += f", with up to {shared[0]} and {shared[1]} runs on it at a time"
    return said, f"{' and '.join(sides)}, on {places}."


def _comparable_times(ours: Record, theirs: Record) -> bool:
    """One kind of device to themselves, as precise. On a CPU, where runs have threads of their own,
    it is enough that at least as many others ran beside the one that was sooner.
    """
    if (device(ours), ours.precision) != (device(theirs), theirs.precision):
        return False
    sooner, later = sorted((ours, theirs), key=seconds_to_best)
    if ours.device_kind != "cpu":
        return ours.runs_sharing_device == theirs.runs_sharing_device == 1
    return sooner.runs_sharing_device >= later.runs_sharing_device


def _least_seconds(record: Record) -> float:
    """Training time up to the end of the best epoch, had the device been the run's alone."""
    if record.runs_sharing_device == 1:
        return seconds_to_best(record)
    epochs = np.diff(record.history()["seconds"].to_numpy(), prepend=0.0)
    return float(record.best_epoch or 0) * float(epochs.min())


def _range(values: Sequence[float]) -> str:
    shown = [number(value) for value in (min(values), max(values))]
    return shown[0] if shown[0] == shown[1] else "–".join(shown)
