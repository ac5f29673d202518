"""Tables in the paper's form and of the evidence, made from run records and published numbers and
nothing else."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from seqrec.experiment.naming import dataset_title, model_order, run_order
from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.records.record import Record, Run
from seqrec.records.survey import Missing, Survey, grouped, survey
from seqrec.report.comparison import Choice, Comparison, differing_settings
from seqrec.report.differences import by_target, leaders, pairs
from seqrec.report.inference import Difference, mean_and_deviation
from seqrec.report.looks import display
from seqrec.report.measured import (
    METRICS,
    QUALITY,
    Measured,
    comparable,
    datasets_of,
    device,
    measure_dataset,
    seconds_to_best,
    without_misfits,
)
from seqrec.report.paper import (
    BETTER,
    PUBLISHED,
    REPRODUCED,
    WORSE,
    Claim,
    Published,
    Verdict,
    claims,
    other_settings,
    read_published,
    verdicts,
)
from seqrec.report.rendering import (
    NOT_FINISHED,
    OTHER_SETTINGS,
    OUTDATED,
    STALE,
    Cell,
    Table,
    between,
    number,
    p_value,
    percent,
    signed,
    write_csv,
    write_table,
)

TIDY_METRICS = [f"{name}@{k}" for k in (10, 100) for name in ("hit_rate", "ndcg", "mrr")]


SIZES = {
    "users": "Users",
    "items": "Items",
    "interactions": "Interactions",
    "mean_length": "Mean length",
    "density": "Density",
}


COUNTED = {
    "users_left_out": ("Users left out", "fewer than three interactions, which cannot be split"),
    "repeated_test_targets": (
        "Repeated test targets",
        "already in the user's history, so a miss by the protocol",
    ),
    "unseen_test_targets": ("Unseen test targets", "items that occur in no train part"),
    "tied_targets": (
        "Tied targets",
        "users one of whose two targets has the time of another item; the file's order decided",
    ),
}
"""Statistics that are shown, and explained, where a dataset has any."""


def write_tables(results: Path, published: Path = PUBLISHED) -> list[Path]:
    """Write `results.csv` and `tables/` of an experiment; returns what was written."""
    found = without_misfits(survey(results))
    paper = read_published(published / "results.csv", "dataset", "model")
    others = other_settings(found.records, {dataset for dataset, _ in paper}, published.parent)
    found = replace(found, other_settings=others)
    sizes = read_published(published / "datasets.csv", "dataset")
    curve = read_published(published / "num_negatives.csv", "dataset", "negatives")
    write_csv(results / "results.csv", results_table(found.records))
    written = [results / "results.csv"]

    def write(table: Table, name: str) -> None:
        written.extend(write_table(table, results / "tables", name))

    finished = {(record.dataset, record.model) for record in found.records}
    unlike = {(run.dataset, run.model) for run in others}
    measured = {dataset: measure_dataset(found.records, dataset) for dataset in datasets_of(found)}
    datasets = {dataset: comparable(models) for dataset, models in measured.items()}
    for dataset, models in datasets.items():
        write(dataset_table(found, dataset, models, paper), dataset)
        write(pairs_table(dataset, models), f"pairs/{dataset}")
        write(targets_table(dataset, models), f"targets/{dataset}")
    write(verdicts_table(found, verdicts(measured, finished, paper, unlike)), "verdicts")
    said = [
        claim
        for dataset, models in datasets.items()
        for claim in claims(
            dataset,
            models,
            finished,
            {run.model for run in found.runs if run.dataset == dataset},
            paper,
            curve,
            title=lambda model, dataset=dataset: _title(found, dataset, model),  # type: ignore[misc]
            unlike=unlike,
        )
    ]
    write(claims_table(said), "claims")
    write(sizes_table(found, sizes), "datasets")
    write(runs_table(found, paper), "runs")
    write(missing_table(found.missing), "missing")
    return written


def _decimals(count: int) -> Callable[[float], int]:
    return lambda value: count


def _second_decimals(value: float) -> int:
    return 0 if value >= 10 else 1 if value >= 1 else 2


QUANTITIES: dict[str, tuple[str, Callable[[float], int]]] = {
    "hit_rate@10": ("HitRate@10", _decimals(4)),
    "ndcg@10": ("NDCG@10", _decimals(4)),
    "training_seconds": ("Time, s", _second_decimals),
    "best_epoch": ("Best epoch", _decimals(0)),
}
"""The columns of a dataset's table, and with how many decimals each value is shown."""


def _seeds(finished: int, wanted: int) -> str:
    return str(finished) if finished == wanted else f"{finished}/{wanted}"


SIZE_FORMS: dict[str, Callable[[float], str]] = {
    "mean_length": lambda value: number(value, 1),
    "density": lambda value: f"{100 * value:.3g}%",
}


def results_table(records: Iterable[Record]) -> pd.DataFrame:
    """A line a finished run, with its test metrics, the validation that its settings may be chosen
    by, and the settings that differ among the runs."""
    records = _sorted(records)
    others = {name for record in records for name in record.test} - set(TIDY_METRICS)
    metrics = [*TIDY_METRICS, *sorted(others, key=lambda n: (int(n.partition("@")[2] or 0), n))]
    settings = pd.DataFrame(differing_settings(records), dtype=object)
    frame = pd.DataFrame(
        [
            [r.dataset, r.model, r.negatives, r.seed]
            + [r.test.get(name) for name in metrics]
            + [r.validation.get(QUALITY), r.training_seconds, r.epochs, r.best_epoch, r.device]
            for r in records
        ],
        columns=[
            *("dataset", "model", "negatives", "seed", *metrics),
            *(f"validation_{QUALITY}", "training_seconds", "epochs", "best_epoch", "device"),
        ],
    )
    whole = ["negatives", "seed", "epochs", "best_epoch"]
    return frame.astype(dict.fromkeys(whole, "Int64")).join(settings)


def metrics_table(records: Iterable[Record], cutoffs: Iterable[int]) -> pd.DataFrame:
    """A line a finished run, with its test metrics at any cutoffs, from its ranks."""
    cutoffs = sorted(set(cutoffs))
    return pd.DataFrame(
        {
            "dataset": record.dataset,
            "model": record.model,
            "seed": record.seed,
            **metrics_from_ranks(record.ranks(), cutoffs),
        }
        for record in _sorted(records)
    )


def dataset_table(
    found: Survey, dataset: str, models: Mapping[str, Measured], published: Published
) -> Table:
    """The paper's results table for one dataset, with intervals."""
    records = [record for record in found.records if record.dataset == dataset]
    missing = [line for line in found.missing if line.run.dataset == dataset]
    wanted = Counter(run.model for run in found.runs if run.dataset == dataset)
    finished = grouped(records, lambda record: record.model)
    lines = [
        _summary(
            model,
            finished.get(model, []),
            wanted[model],
            STALE in _marks(found, dataset, model),
            models.get(model),
            published.get((dataset, model), {}),
        )
        for model in sorted(wanted, key=model_order)
    ]
    several = any(line["seeds_wanted"] > 1 for line in lines)
    compared = any((dataset, model) in published for model in wanted)

    headings = ["Model", *(["Seeds"] if several else [])]
    cells = [
        [Cell(_title(found, dataset, line["model"]))]
        + ([Cell(_seeds(line["seeds"], line["seeds_wanted"]))] if several else [])
        for line in lines
    ]
    for name, (title, decimals) in QUANTITIES.items():
        best = leaders(models, name) if name in METRICS else set()
        columns = [(title, [_measured(line, name, decimals, best) for line in lines])]
        if name in METRICS and models:
            columns.append(("95% interval", [_interval(line, name) for line in lines]))
        if compared:
            theirs = [line[f"{name}_published"] for line in lines]
            shown = ["" if t is None else number(t, decimals(t)) for t in theirs]
            columns.append(("paper", [Cell(text) for text in shown]))
        if compared and name in METRICS:
            differences = [line[f"{name}_difference"] for line in lines]
            shown = ["" if d is None else percent(d) for d in differences]
            columns.append(("diff.", [Cell(text) for text in shown]))
        for heading, column in columns:
            headings.append(heading)
            for row, cell in zip(cells, column, strict=True):
                row.append(cell)

    notes = [_reading_note(compared, bool(models), any(line["seeds"] > 1 for line in lines))]
    notes += _device_notes(records)
    notes += _mark_notes(row[0].text for row in cells)
    if _differing_data(records):
        notes.append("Its runs were not all trained on the same data: compare them with care.")
    notes += _missing_notes(missing)
    title = f"{dataset_title(dataset)}: test metrics"
    return Table(title, headings, cells, pd.DataFrame(lines), notes)


def _summary(
    model: str,
    records: list[Record],
    wanted: int,
    stale: bool,
    measured: Measured | None,
    published: Mapping[str, float],
) -> dict[str, Any]:
    """One model on one dataset, over the seeds that have finished."""
    line: dict[str, Any] = {
        "model": model,
        "title": display(model).title,
        "seeds": len(records),
        "seeds_wanted": wanted,
        "stale": stale,
    }
    for name in QUANTITIES:
        mean, deviation = mean_and_deviation(
            record.test.get(name) if name in METRICS else getattr(record, name)
            for record in records
        )
        theirs = published.get(name)
        line |= {f"{name}_mean": mean, f"{name}_sd": deviation, f"{name}_published": theirs}
        if name in METRICS:
            low, high = measured.intervals[name] if measured else (None, None)
            line |= {f"{name}_low": low, f"{name}_high": high}
            known = None if mean is None or theirs is None else mean / theirs - 1
            line[f"{name}_difference"] = known
    return line


def _measured(
    line: dict[str, Any], name: str, decimals: Callable[[float], int], best: set[str]
) -> Cell:
    mean, deviation = line[f"{name}_mean"], line[f"{name}_sd"]
    if mean is None:
        # A blank where nothing applies, such as the best epoch of a model without epochs.
        return Cell("" if line["seeds"] else NOT_FINISHED)
    text = number(mean, decimals(mean))
    spread = "" if deviation is None else f" ± {number(deviation, decimals(mean))}"
    return Cell(text + spread, bold=line["model"] in best)


def _interval(line: dict[str, Any], name: str) -> Cell:
    low, high = line[f"{name}_low"], line[f"{name}_high"]
    return Cell("" if low is None else f"{number(low, 4)}–{number(high, 4)}")


def pairs_table(dataset: str, models: Mapping[str, Measured]) -> Table:
    """Every two models of a dataset, and whether they can be told apart."""
    tested = [pair for metric in METRICS for pair in pairs(models, metric)]
    cells = [
        [
            Cell(QUANTITIES[pair.metric][0]),
            Cell(display(pair.one).title),
            Cell(display(pair.other).title),
            Cell("yes" if pair.distinguishable else "no", bold=not pair.distinguishable),
            *_difference_cells(pair.difference, pair.p),
        ]
        for pair in tested
    ]
    data = pd.DataFrame(
        [
            [
                pair.metric,
                pair.one,
                pair.other,
                *_difference_values(pair.difference, pair.p),
                pair.distinguishable,
            ]
            for pair in tested
        ],
        columns=["metric", "model", "other", *DIFFERENCE_DATA, "distinguishable"],
    )
    headings = ["Metric", "Model", "minus", "told apart", *DIFFERENCE]
    correction = (
        "p, Holm: corrected for all pairs in the same metric; told apart below 0.05. Intervals are "
        "of each pair alone, so that one without zero is not always told apart."
    )
    notes = (
        [f"{TEST_NOTE} {correction}"]
        if tested
        else ["No two finished models on the same data to compare."]
    )
    title = f"{dataset_title(dataset)}: which models differ"
    return Table(title, headings, cells, data, notes, "llll" + "r" * len(DIFFERENCE))


DIFFERENCE = ("Difference", "95% interval", "Effect", "p", "p, Holm")


TEST_NOTE = (
    "Paired t-test over users, each user's metric averaged over seeds. Where networks have several "
    "seeds, their scatter, pooled, is part of every network's error, also of one with a single "
    "seed; that of another model's own seeds is part of its own. Effect: Cohen's d, the difference "
    "in standard deviations over users."
)


def _difference_cells(found: Difference, adjusted: float) -> list[Cell]:
    texts = [
        signed(found.value, 4),
        between(found.interval, lambda value: signed(value, 4)),
        signed(found.effect, 3),
        p_value(found.p),
        p_value(adjusted),
    ]
    return [Cell(text) for text in texts]


DIFFERENCE_DATA = (
    *("difference", "low", "high", "effect"),
    *("p", "p_holm", "p_users", "p_seeds"),
)


def _difference_values(found: Difference, adjusted: float) -> list[float]:
    values = [found.value, *found.interval, found.effect]
    return [*values, found.p, adjusted, found.p_users, found.p_seeds]


def targets_table(dataset: str, models: Mapping[str, Measured]) -> Table:
    """Targets that occur in training, and the others, of which no model can have learnt."""
    found = by_target(models)
    groups = sorted({one.occurs for one in found}, reverse=True)
    shown = {(one.model, one.occurs, one.metric): one for one in found}
    names = {True: "trained on", False: "never seen"}
    headings = ["Model"]
    for occurs in groups:
        for metric in METRICS:
            headings += [f"{names[occurs]}: {QUANTITIES[metric][0]}", "95% interval"]
        headings.append("median rank")
    cells = []
    for model in models:
        row = [Cell(display(model).title)]
        for occurs in groups:
            for metric in METRICS:
                one = shown[model, occurs, metric]
                low, high = one.interval
                row += [Cell(number(one.value, 4)), Cell(f"{number(low, 4)}–{number(high, 4)}")]
            row.append(Cell(number(one.median_rank)))
        cells.append(row)
    data = pd.DataFrame(
        [[*one[:5], *one.interval, one.median_rank] for one in found],
        columns=[
            *("model", "occurs_in_training", "users", "metric", "value", "low", "high"),
            "median_rank",
        ],
    )
    notes = ["No finished models on the same data."]
    if found:
        users = {
            occurs: next(one.users for one in found if one.occurs == occurs) for occurs in groups
        }
        unseen, everyone = users.get(False, 0), sum(users.values())
        notes = [
            f"{number(unseen)} of {number(everyone)} test targets ({unseen / everyone:.2%}) are "
            "items that occur in no train part."
        ]
        if unseen:
            notes.append(
                "A loss over all items pushes the scores of these down with each step, a sampled "
                "one never touches them; no network can learn what they are. Models that fit "
                "themselves are fitted on validation items too, among which some of them may be."
            )
        notes.append(
            "Intervals: bootstrap over the users of the group. Median rank: of the target among "
            "all items."
        )
    title = f"{dataset_title(dataset)}: targets that occur in training, and others"
    return Table(title, headings, cells, data, notes)


def verdicts_table(found: Survey, said: Sequence[Verdict]) -> Table:
    """Each published metric beside ours, with a verdict."""
    ordered = sorted(said, key=lambda one: (*run_order(one.dataset, one.model), one.metric))
    cells = []
    for one in ordered:
        row = [
            dataset_title(one.dataset),
            _title(found, one.dataset, one.model),
            QUANTITIES[one.metric][0],
        ]
        verdict = Cell(one.verdict, bold=one.verdict in (REPRODUCED, BETTER, WORSE))
        numbers = [number(one.published, 4)]
        if one.ours is None or one.interval is None:
            numbers += [NOT_FINISHED, "", "", ""]
        else:
            low, high = (end / one.published - 1 for end in one.interval)
            numbers += [
                number(one.ours, 4),
                f"{number(one.interval.low, 4)}–{number(one.interval.high, 4)}",
                percent(one.ours / one.published - 1),
                between((low, high), percent),
            ]
        cells.append([*map(Cell, row), verdict, *map(Cell, numbers)])
    data = pd.DataFrame(
        [[*one[:5], *(one.interval or (None, None)), one.verdict] for one in ordered],
        columns=["dataset", "model", "metric", "published", "ours", "low", "high", "verdict"],
    )
    counts = Counter(one.verdict for one in ordered)
    notes = ["The paper has none of these datasets."]
    if ordered:
        notes = [
            f"Of {len(ordered)} published values: "
            f"{', '.join(f'{count} {verdict}' for verdict, count in counts.items())}.",
            "Reproduced: the published value lies in our 95% interval or ours is within 5% of it; "
            "else better or worse. The interval is a bootstrap over users, each user's metric "
            "averaged over the seeds that have finished; what other seeds would change is no part "
            "of it. diff.: ours relative to the published value, and the interval likewise.",
        ]
    notes += _mark_notes(row[1].text for row in cells)
    notes += _other_settings_notes(found)
    headings = ["Dataset", "Model", "Metric", "Verdict", "paper", "ours", "95% interval"]
    headings += ["diff.", "95% interval"]
    return Table("Against the paper", headings, cells, data, notes, "llllrrrrr")


def claims_table(said: Sequence[Claim]) -> Table:
    """What the paper claims, and what the records say to it."""
    cells = [
        [
            Cell(dataset_title(one.dataset)),
            Cell(one.claim),
            Cell(one.published),
            Cell(one.verdict, bold=True),
            Cell(one.evidence),
        ]
        for one in said
    ]
    notes = ["None of the paper's claims is about these models."]
    if said:
        notes = [
            "Quality is test NDCG@10, decided by a paired t-test over users (and over seeds, where "
            "there are several) at the 5% level: a claim holds if its difference is there, does "
            "not hold if the opposite is, and is undecided otherwise. A claim of two differences "
            "needs both. Shown are the differences with 95% intervals.",
            "The claim on time is decided only among runs that had one kind of device to "
            "themselves or, on a CPU, where the sooner one shared it with at least as many others; "
            "by the training time up to the best epoch, with its validations. It holds if every "
            "such run of SASRec+ was sooner there than every one of BERT4Rec; on a shared CPU, "
            "even than it would have been had all its epochs been as quick as its quickest. Its "
            "published column is about the whole training.",
            "paper: what the paper's own numbers say, without a test.",
        ]
    notes += _mark_notes(one.evidence for one in said)
    headings = ["Dataset", "Claim", "paper", "Verdict", "Evidence"]
    data = pd.DataFrame(said, columns=list(Claim._fields))
    return Table("The paper's claims", headings, cells, data, notes, "lslls")


def runs_table(found: Survey, published: Published) -> Table:
    """How long and on what every run took, and which code and data it had."""
    records = _sorted(found.records)
    cells, lines = [], []
    for record in records:
        best = None if record.best_epoch is None else seconds_to_best(record)
        epoch = None if record.epochs is None else record.training_seconds / record.epochs
        theirs = _published_epoch(record, published.get((record.dataset, record.model), {}))
        lines.append(
            [
                record.dataset,
                record.model,
                record.seed,
                record.training_seconds,
                best,
                record.epochs,
                record.best_epoch,
                epoch,
                theirs,
                record.peak_memory_bytes,
                record.device,
                record.threads,
                record.runs_sharing_device,
                record.precision,
                record.seqrec.version,
                record.seqrec.commit,
                record.seqrec.training_code,
                record.config_hash,
                record.data.sha256,
            ]
        )
        shared = record.runs_sharing_device
        used = _trained_on(record) + (f", shared by {shared} runs" if shared > 1 else "")
        texts = [
            dataset_title(record.dataset),
            _title(found, record.dataset, record.model),
            str(record.seed),
            _seconds(record.training_seconds),
            _seconds(best),
            "" if record.epochs is None else f"{record.best_epoch} of {record.epochs}",
            _seconds(epoch),
            _seconds(theirs),
            number(record.peak_memory_bytes / 1e9, 2),
            used,
            (record.seqrec.commit or "")[:7],
        ]
        cells.append([Cell(text) for text in texts])
    notes = ["No run has finished."]
    if records:
        total = sum(record.training_seconds for record in records)
        notes = [
            f"{len(records)} finished runs, {number(total / 3600, 1)} hours of training in all. "
            "To best: training time up to the end of the best epoch. Epoch: the mean, with its "
            "validation; paper: the published training time over the published best epoch and the "
            "patience after it, on the authors' hardware. Memory: the peak, of the device for a "
            "GPU and of the process for a CPU. The CSV has the hashes of configuration, data and "
            "code."
        ]
    notes += _mark_notes(row[1].text for row in cells)
    headings = ["Dataset", "Model", "Seed", "Time, s", "To best, s", "Best epoch", "Epoch, s"]
    headings += ["paper", "Memory, GB", "Device", "Commit"]
    data = pd.DataFrame(
        lines,
        columns=[
            *("dataset", "model", "seed", "training_seconds", "seconds_to_best"),
            *("epochs", "best_epoch", "seconds_per_epoch", "seconds_per_epoch_published"),
            *("peak_memory_bytes", "device"),
            *("threads", "runs_sharing_device", "precision"),
            *("version", "commit", "training_code", "config_hash", "data_sha256"),
        ],
    ).astype({"epochs": "Int64", "best_epoch": "Int64"})
    return Table("Runs", headings, cells, data, notes, "llrrrrrrrll")


def _seconds(value: float | None) -> str:
    return "" if value is None else number(value, _second_decimals(value))


def _published_epoch(record: Record, published: Mapping[str, float]) -> float | None:
    """Seconds an epoch of the paper's run, which stopped as early stopping of this one would."""
    training = record.config.get("training")
    if not training or "training_seconds" not in published:
        return None
    epochs = min(published["best_epoch"] + training["patience"], training["max_epochs"])
    return published["training_seconds"] / epochs


def comparison_table(title: str, compared: Sequence[Comparison]) -> Table:
    """What `seqrec compare` prints."""
    cells, lines = [], []
    for row in compared:
        sides = row.one, row.other
        records = [side.records[0] for side in sides]
        means = [side.mean(row.metric) for side in sides]
        names = [display(record.model).title for record in records]
        shown = [
            number(mean, 4)
            + (f" ± {number(deviation, 4)}" if deviation is not None else "")
            + f" ({number(side.intervals[row.metric].low, 4)}–"
            f"{number(side.intervals[row.metric].high, 4)})"
            for side, mean in zip(sides, means, strict=True)
            for deviation in [mean_and_deviation(side.scores[row.metric].seeds)[1]]
        ]
        texts = [dataset_title(records[0].dataset)]
        texts += [names[0] if names[0] == names[1] else f"{names[0]} and {names[1]}"]
        texts += [QUANTITIES[row.metric][0], *shown]
        cells.append([*map(Cell, texts), *_difference_cells(row.difference, row.p)])
        lines.append(
            [
                records[0].dataset,
                row.metric,
                *(record.model for record in records),
                *means,
                *_difference_values(row.difference, row.p),
            ]
        )
    headings = ["Dataset", "Model", "Metric", "A", "B", *DIFFERENCE]
    notes = [
        "A and B: mean over seeds, ± their standard deviation, with a 95% bootstrap interval over "
        "users. Difference: A minus B.",
        f"{TEST_NOTE} p, Holm: corrected for all lines of this table.",
    ]
    for row in compared[:: len(METRICS)]:
        if settings := row.settings_that_differ():
            record = row.one.records[0]
            name = f"{dataset_title(record.dataset)}, {display(record.model).title}"
            notes.append(f"{name}: A and B differ in {'; '.join(settings)}.")
    columns = ["dataset", "metric", "model_a", "model_b", "a", "b", *DIFFERENCE_DATA]
    data = pd.DataFrame(lines, columns=columns)
    return Table(title, headings, cells, data, notes, "lll" + "r" * 7)


def choice_table(title: str, chosen: Sequence[Choice]) -> Table:
    """What `seqrec best` prints."""
    cells = []
    for one in chosen:
        first = one.records[0]
        texts = [dataset_title(first.dataset), display(first.model).title]
        texts += [str(one.models), str(len(one.records))]
        texts.append(", ".join(f"{name} {value}" for name, value in one.settings.items()))
        for values in (
            [record.validation[QUALITY] for record in one.records],
            *([record.test[metric] for record in one.records] for metric in METRICS),
        ):
            mean, deviation = mean_and_deviation(values)
            spread = "" if deviation is None else f" ± {number(deviation, 4)}"
            texts.append(number(mean or 0.0, 4) + spread)
        cells.append([Cell(text) for text in texts])
    headings = ["Dataset", "Model", "of", "Seeds", "Settings", "Validation NDCG@10"]
    headings += [f"Test {QUANTITIES[metric][0]}" for metric in METRICS]
    notes = ["No run has finished."]
    if chosen:
        notes = [
            "Of all models of one network and kind of loss, the one with the best validation "
            "NDCG@10, the mean over its seeds; the test had no say. Of: how many these are. "
            "Settings: its own in what they differ."
        ]
    return Table(title, headings, cells, pd.DataFrame(), notes, "llrrlrrr")


def sizes_table(found: Survey, published: Published) -> Table:
    """The paper's table of datasets."""
    lines: list[dict[str, Any]] = []
    notes = []
    confirmed = []
    unknown = []
    for dataset in datasets_of(found):
        records = [record for record in found.records if record.dataset == dataset]
        ours = records[0].data.statistics if records else {}
        theirs = published.get((dataset,), {})
        title = dataset_title(dataset)
        lines.append({"dataset": dataset, "title": title} | ours)
        if _differing_data(records):
            notes.append(f"{title}: its runs were not all trained on the same data; one is shown.")
        if not ours:
            unknown.append(title)
        elif theirs:
            other = [
                f"{number(theirs[name])} {name}"
                for name in ("users", "items", "interactions")
                if theirs[name] != ours.get(name)
            ]
            if other:
                notes.append(f"{title}: the paper has {' and '.join(other)}.")
            else:
                confirmed.append(title)
    if confirmed:
        notes.append(f"Users, items and interactions as in the paper: {', '.join(confirmed)}.")
    if unknown:
        notes.append(
            f"{NOT_FINISHED} No finished run to take the sizes from: {', '.join(unknown)}."
        )
    columns = dict(SIZES)
    for name, (title, meaning) in COUNTED.items():
        if any(line.get(name) for line in lines):
            columns[name] = title
            notes.append(f"{title}: {meaning}.")
    cells = [
        [Cell(line["title"])]
        + [
            Cell(NOT_FINISHED if line.get(n) is None else SIZE_FORMS.get(n, number)(line[n]))
            for n in columns
        ]
        for line in lines
    ]
    first = ["dataset", "title", *SIZES]
    others = sorted({name for line in lines for name in line} - set(first))
    data = pd.DataFrame(lines, columns=[*first, *others], dtype=object)
    return Table("Datasets", ["Dataset", *columns.values()], cells, data, notes)


def missing_table(missing: Iterable[Missing]) -> Table:
    """The runs that have no finished record, why, and what to do."""
    missing = _sorted(missing)
    cells = [
        [Cell(t) for t in (dataset_title(run.dataset), display(run.model).title, str(run.seed))]
        + [Cell(reason), Cell(remedy)]
        for run, reason, remedy in missing
    ]
    notes = [] if missing else ["Nothing is missing: every run has finished."]
    lines = [(*run, reason, remedy) for run, reason, remedy in missing]
    data = pd.DataFrame(lines, columns=[*Run._fields, "reason", "remedy"])
    headings = ["Dataset", "Model", "Seed", "Reason", "What to do"]
    return Table("Runs without a finished record", headings, cells, data, notes, columns="llrss")


def _reading_note(compared: bool, tested: bool, several: bool) -> str:
    sentences = []
    if tested:
        sentences = [
            "Bold: the best, and whatever a paired test over users"
            + (" and seeds" if several else "")
            + " cannot tell from it (5% level, Holm's correction for all pairs). "
            + (
                "How seeds scatter is known from the networks that have several; the fewer these "
                "are, the less can be told. "
                if several
                else ""
            )
            + "95% interval: bootstrap over users"
            + (", each user's metric averaged over seeds." if several else ".")
        ]
    if several:
        sentences.append("Mean ± standard deviation over the seeds that have finished.")
    if compared:
        sentences.append(
            "paper: published values; diff.: ours relative to them. Published times are from the "
            "authors' hardware."
        )
    return " ".join(sentences)


def _marks(found: Survey, dataset: str, model: str) -> str:
    """What to know before a model's numbers on a dataset are believed."""

    def among(runs: Collection[Run]) -> bool:
        return any((run.dataset, run.model) == (dataset, model) for run in runs)

    marks = {STALE: found.stale, OUTDATED: found.outdated, OTHER_SETTINGS: found.other_settings}
    return "".join(mark for mark, runs in marks.items() if among(runs))


def _title(found: Survey, dataset: str, model: str) -> str:
    return display(model).title + _marks(found, dataset, model)


def _mark_notes(titles: Iterable[str]) -> list[str]:
    meanings = {
        STALE: "Trained by another version of the training code than this one; RETRAIN=stale "
        "trains such runs again.",
        OUTDATED: "Has runs of another configuration than the experiment's present one, or than "
        "its other seeds have; run the experiment again to replace them, or remove them.",
        OTHER_SETTINGS: "Trained by other settings than config/paper.yaml has for this model, or "
        "by another network or loss: takes no verdict and no claim. The table of verdicts says "
        "which.",
    }
    marked = "".join(titles)
    return [f"{mark} {meaning}" for mark, meaning in meanings.items() if mark in marked]


def _other_settings_notes(found: Survey) -> list[str]:
    """One note for all models and datasets that differ from the paper alike."""
    alike = grouped(found.other_settings, lambda run: tuple(found.other_settings[run]))
    notes = []
    for settings, runs in alike.items():
        names = dict.fromkeys(
            f"{display(run.model).title} on {dataset_title(run.dataset)}"
            for run in sorted(runs, key=lambda run: run_order(*run))
        )
        notes.append(f"{OTHER_SETTINGS} {', '.join(names)}: {', '.join(settings)}.")
    return notes


def _differing_data(records: Iterable[Record]) -> bool:
    return len({record.data.sha256 for record in records}) > 1


def _device_notes(records: Iterable[Record]) -> list[str]:
    """Training times mean something only with the device they were taken on."""
    shared: dict[str, int] = defaultdict(int)
    for record in records:
        name = _trained_on(record)
        shared[name] = max(shared[name], record.runs_sharing_device)
    devices = [
        name + (f", shared by up to {runs} runs" if runs > 1 else "")
        for name, runs in sorted(shared.items())
    ]
    if not devices:
        return []
    times = "Times compare only on one of these, with as many runs." if len(devices) > 1 else ""
    return [f"Trained on {'; '.join(devices)}. {times}".rstrip()]


def _trained_on(record: Record) -> str:
    return f"{device(record)}, {record.precision}"


def _missing_notes(missing: Iterable[Missing]) -> list[str]:
    """One note a reason, however many runs share it."""
    notes = []
    for (reason, remedy), lines in grouped(missing, lambda m: (m.reason, m.remedy)).items():
        seeds = grouped((line.run for line in lines), lambda run: run.model)
        names = [
            f"{display(model).title} (seed {', '.join(str(run.seed) for run in seeds[model])})"
            for model in sorted(seeds, key=model_order)
        ]
        notes.append(f"{NOT_FINISHED} {', '.join(names)}: {reason} {remedy}")
    return notes


Line = TypeVar("Line", Record, Missing)


def _sorted(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: run_order(*line.run))
