"""What run records say about models: which differ, what was reproduced, and which claims hold.

The numbers come from `statistics`, the records and their users from here, and the words of every
verdict too, so that none is ever written by hand.
"""

import csv
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import combinations, product
from math import log10
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from seqrec.errors import SeqrecError
from seqrec.experiment import CONFIG, load_model_entry, resolve_cell
from seqrec.naming import (
    MODELS,
    dataset_order,
    display,
    model_order,
    run_order,
    sampled_negatives,
)
from seqrec.records import (
    Missing,
    Record,
    Run,
    Survey,
    dataset_and_model,
    grouped,
    place_of,
    read_record,
    survey,
)
from seqrec.rendering import between, number, p_value, signed
from seqrec.statistics import (
    ALPHA,
    Difference,
    Interval,
    Scatter,
    Scores,
    bootstrap_interval,
    difference,
    holm,
    seed_scatter,
    trend,
)

METRICS = ("hit_rate@10", "ndcg@10")
QUALITY = "ndcg@10"
"""The metric that claims are decided by, as training is stopped by it."""

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


def datasets_of(found: Survey) -> list[str]:
    """Those of an experiment's runs, in the paper's order."""
    return sorted({run.dataset for run in found.runs}, key=dataset_order)


@dataclass(frozen=True, eq=False)
class Measured:
    """A model on a dataset, over the seeds that have finished."""

    records: list[Record]
    scores: dict[str, Scores]
    intervals: dict[str, Interval]
    """Over users, with each user's metric averaged over these seeds: where other users like these
    would put this mean. What other seeds would change is no part of it."""

    @property
    def data(self) -> str:
        return self.records[0].data.sha256

    def mean(self, metric: str) -> float:
        return float(self.scores[metric].seeds.mean())


def measure(records: Sequence[Record]) -> Measured:
    """Records that differ in their seeds alone, on the same data."""
    ranks = [record.ranks() for record in records]
    require_same_users(records)
    scores = {metric: Scores.of(ranks, metric) for metric in METRICS}
    intervals = {metric: bootstrap_interval(one.users) for metric, one in scores.items()}
    return Measured(list(records), scores, intervals)


def measure_dataset(records: Iterable[Record], dataset: str) -> dict[str, Measured]:
    """The models of a dataset that have finished, each by itself; not one whose own records' data
    differ."""
    of_model = grouped((r for r in records if r.dataset == dataset), lambda record: record.model)
    return {
        model: measure(of_model[model])
        for model in sorted(of_model, key=model_order)
        if len({record.data.sha256 for record in of_model[model]}) == 1
    }


def comparable(models: Mapping[str, Measured]) -> dict[str, Measured]:
    """`models` of one dataset if their data are the same. Else none of them: then nothing can be
    said over the same users, and nothing is."""
    if len({measured.data for measured in models.values()}) != 1:
        return {}
    require_same_users([measured.records[0] for measured in models.values()])
    return dict(models)


def require_same_users(records: Sequence[Record]) -> None:
    """Refuse to pair users of different data. One digest is one order of the same users, with the
    same targets."""
    first = records[0]
    for record in records[1:]:
        if record.data.sha256 != first.data.sha256:
            raise SeqrecError(
                f"{record.folder}: was trained on other data than {first.folder} (the logs of "
                f"{record.dataset} have the digests {record.data.sha256[:12]} and "
                f"{first.data.sha256[:12]}), so their users cannot be compared. Train both on the "
                "same files."
            )
        if (ours := record.users) != (theirs := first.users):
            raise SeqrecError(
                f"{record.folder / 'ranks.npy'}: holds {ours:,} users, and "
                f"{first.folder / 'ranks.npy'}, on the same data, {theirs:,}. One of them is "
                "damaged: train it again."
            )
        if not np.array_equal(record.target_counts(), first.target_counts()):
            raise SeqrecError(
                f"{record.folder / 'target_counts.npy'}: differs from "
                f"{first.folder / 'target_counts.npy'}, on the same data. One of them is damaged: "
                "train it again."
            )


def without_misfits(found: Survey) -> Survey:
    """`found` with the records that have other users than most on the same data among the missing:
    a damaged one must not stop all tables."""
    kept, missing = [], [*found.missing]
    remedy = "Delete the one that is damaged and run the experiment again."
    for group in grouped(found.records, lambda r: (r.dataset, r.data.sha256)).values():
        alike = grouped(group, lambda r: sha256(r.target_counts().tobytes()).digest())
        most = max(alike.values(), key=len)
        kept += most
        for record in group:
            if record not in most:
                odd, other = (f"runs/{place_of(r.run).as_posix()}" for r in (record, most[0]))
                reason = f"{odd}/target_counts.npy: has other users than {other}, on the same data."
                missing.append(Missing(*record.run, reason, remedy))
    return replace(found, records=sorted(kept, key=lambda r: r.run), missing=sorted(missing))


# Which models differ


def scatters(models: Mapping[str, Measured], metric: str) -> dict[str, Scatter]:
    """How each of `models` of one dataset scatters between seeds.

    Networks are assumed to scatter alike: two or three seeds of one say little. A model without
    epochs, a library's fit or a count, is another kind of thing and stands for itself alone.
    """
    scores = {name: measured.scores[metric] for name, measured in models.items()}
    networks = [name for name in models if models[name].records[0].epochs is not None]
    pooled = seed_scatter(scores[name] for name in networks)
    return {name: pooled if name in networks else seed_scatter([scores[name]]) for name in models}


class Pair(NamedTuple):
    """Two models on one dataset in one metric, the better one first."""

    one: str
    other: str
    metric: str
    difference: Difference
    p: float
    """Corrected by Holm's method over all pairs of the dataset in this metric."""

    @property
    def distinguishable(self) -> bool:
        return self.p < ALPHA


def pairs(models: Mapping[str, Measured], metric: str) -> list[Pair]:
    """Every two of `models` of one dataset, best first."""
    ordered = sorted(models, key=lambda name: (-models[name].mean(metric), model_order(name)))
    names = list(combinations(ordered, 2))
    scores = {name: models[name].scores[metric] for name in ordered}
    scatter = scatters(models, metric)
    tested = [
        difference(scores[one], scores[other], [scatter[one], scatter[other]])
        for one, other in names
    ]
    adjusted = holm([found.p for found in tested])
    return [
        Pair(*two, metric, found, p) for two, found, p in zip(names, tested, adjusted, strict=True)
    ]


def leaders(models: Mapping[str, Measured], metric: str) -> set[str]:
    """The best model and every one that cannot be told from it."""
    if not models:
        return set()
    best = max(models, key=lambda name: models[name].mean(metric))
    found = pairs(models, metric)
    return {best} | {p.other for p in found if p.one == best and not p.distinguishable}


# Targets that training never saw


class OfTargets(NamedTuple):
    """A model's metric over the users whose test target occurs in training, or over the others."""

    model: str
    occurs: bool
    users: int
    metric: str
    value: float
    interval: Interval
    median_rank: float
    """Of the targets among all items, 1 the best; every seed counts."""


def by_target(models: Mapping[str, Measured]) -> list[OfTargets]:
    """Each metric of `models` of one dataset on targets that occur in training and on the others.

    A group without users has no lines.
    """
    found = []
    for name, measured in models.items():
        trained_on = measured.records[0].target_counts() > 0
        ranks = np.stack([record.ranks() for record in measured.records])
        for metric, occurs in product(METRICS, (True, False)):
            group = trained_on == occurs
            users = measured.scores[metric].users[group]
            if len(users):
                mean, interval = float(users.mean()), bootstrap_interval(users)
                rank = float(np.median(ranks[:, group]))
                found.append(OfTargets(name, occurs, len(users), metric, mean, interval, rank))
    return found


# What is the paper's


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
        wanted = _flat(asked)
        for record in runs:
            ours = _flat(record.config)
            differing = [key for key in wanted if ours.get(key, wanted[key]) != wanted[key]]
            if differing:
                found[record.run] = [f"{k} {ours[k]} instead of {wanted[k]}" for k in differing]
    return found


def curve_negatives(record: Record) -> int | None:
    """N of a run that is SASRec+ N by its network and loss, and not by its name alone."""
    number = sampled_negatives(record.model)
    sasrec = record.config.get("implementation", "sasrec") == "sasrec"
    return number if sasrec and number == record.negatives else None


# Against the paper


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


# The paper's claims


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


def seconds_to_best(record: Record) -> float:
    """Training time up to the end of the best epoch, with its validations."""
    history = record.history()
    return float(history.loc[history["epoch"] == record.best_epoch, "seconds"].iloc[0])


def device(record: Record) -> str:
    """A kind of device: its name, and on a CPU how many threads computed."""
    if record.device_kind != "cpu":
        return record.device
    return f"{record.device}, {record.threads} {'thread' if record.threads == 1 else 'threads'}"


def _range(values: Sequence[float]) -> str:
    shown = [number(value) for value in (min(values), max(values))]
    return shown[0] if shown[0] == shown[1] else "–".join(shown)


# Which settings to take


class Choice(NamedTuple):
    """Of the models of one network and loss on one dataset, the one to take."""

    records: list[Record]
    """Its seeds."""
    models: int
    """How many it was chosen from."""
    settings: dict[str, Any]
    """Its own in what these differ."""


def choose(records: Sequence[Record]) -> list[Choice]:
    """By the validation alone, averaged over seeds: the best of many on the test would be so by
    luck, too."""
    chosen = []
    for family in grouped(records, _data_network_and_loss).values():
        settings = dict(zip((r.run for r in family), differing_settings(family), strict=True))
        models = grouped(family, dataset_and_model).values()
        best = max(models, key=lambda seeds: fmean(r.validation[QUALITY] for r in seeds))
        chosen.append(Choice(best, len(models), settings[best[0].run]))
    return sorted(chosen, key=lambda one: run_order(*one.records[0].run))


def _data_network_and_loss(record: Record) -> tuple[object, ...]:
    loss = record.config.get("loss") or {}
    return record.data.sha256, record.config.get("implementation"), loss.get("kind")


def differing_settings(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Of each record, those settings that are not the same in all; nested ones as in
    `training.learning_rate`."""
    configs = [_flat(record.config) for record in records]
    names = dict.fromkeys(name for config in configs for name in config if name not in Run._fields)
    differ = [name for name in names if any(c.get(name) != configs[0].get(name) for c in configs)]
    return [{name: config.get(name) for name in differ} for config in configs]


# Two runs or experiments


@dataclass(frozen=True)
class Comparison:
    """One model on one dataset in each of two places, in one metric."""

    one: Measured
    other: Measured
    metric: str
    difference: Difference
    """`one` minus `other`."""
    p: float
    """Corrected by Holm's method over everything compared."""

    def settings_that_differ(self) -> list[str]:
        """Of the resolved configurations, where both sides are the same model."""
        ours, theirs = (_flat(side.records[0].config) for side in (self.one, self.other))
        if ours["model"] != theirs["model"]:
            return []
        keys = [key for key in {**ours, **theirs} if key != "seed"]
        return [
            f"{key} {ours.get(key, 'unset')} and {theirs.get(key, 'unset')}"
            for key in keys
            if ours.get(key) != theirs.get(key)
        ]


def compare(one: Path, other: Path) -> list[Comparison]:
    """Two runs, models or experiments, wherever they lie.

    A run is a folder with `metrics.json`, a model one of `seed-<n>` folders, an experiment one with
    `runs/`. Two runs or models of one dataset are compared whatever their models are; experiments
    are compared in what both have finished.
    """
    sides = [_models_in(one), _models_in(other)]
    if len(sides[0]) == len(sides[1]) == 1 and _datasets(sides[0]) == _datasets(sides[1]):
        matched = [(*sides[0].values(), *sides[1].values())]
    else:
        matched = [(sides[0][key], sides[1][key]) for key in sides[0] if key in sides[1]]
    if not matched:
        has = [", ".join(f"{dataset} {model}" for dataset, model in side) for side in sides]
        raise SeqrecError(
            f"{one} and {other}: have no finished run in common. The first has {has[0]}; the "
            f"second has {has[1]}."
        )
    compared = []
    for ours, theirs in matched:
        require_same_users([ours[0], *theirs])
        one_side, other_side = measure(ours), measure(theirs)
        for metric in METRICS:
            tested = difference(
                one_side.scores[metric],
                other_side.scores[metric],
                list(scatters({"one": one_side, "other": other_side}, metric).values()),
            )
            compared.append((one_side, other_side, metric, tested))
    adjusted = holm([tested.p for *_, tested in compared])
    return [Comparison(*row, p) for row, p in zip(compared, adjusted, strict=True)]


def _models_in(path: Path) -> dict[tuple[str, str], list[Record]]:
    """The finished records in a folder, by dataset and model."""
    if (path / "metrics.json").is_file():
        records = [read_record(path)]
    elif (path / "runs").is_dir():
        records = survey(path).records
    else:
        records = [read_record(file.parent) for file in sorted(path.glob("seed-*/metrics.json"))]
    if not records:
        raise SeqrecError(
            f"{path}: holds no finished run. Name a run's folder (with metrics.json), a model's "
            "(with seed-0, ...) or an experiment's (with runs/)."
        )
    found = grouped(records, dataset_and_model)
    return {key: found[key] for key in sorted(found, key=lambda key: run_order(*key))}


def _datasets(models: Mapping[tuple[str, str], object]) -> set[str]:
    return {dataset for dataset, _ in models}


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `training.learning_rate: 0.001`."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat
