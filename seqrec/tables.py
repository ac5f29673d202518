"""Tables in the paper's form, made from run records and published numbers and nothing else.

How models and datasets are called, ordered and coloured, in figures too, is set here.
"""

import csv
import html
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd
import tabulate

from seqrec.errors import SeqrecError
from seqrec.files import write_text
from seqrec.records import Missing, Record, Survey, survey, training_code_fingerprint

PUBLISHED = Path("config/published")


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

DATASETS = {
    "ml-1m": "MovieLens-1M",
    "ml-20m": "MovieLens-20M",
    "steam": "Steam",
    "beauty": "Amazon Beauty",
    "yelp": "Yelp",
    "demo": "Demo (simulated)",
}

METRICS = ("hit_rate@10", "ndcg@10")
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
}
"""Statistics that are shown, and explained, where a dataset has any."""

NOT_FINISHED = "—"
STALE = "†"
OUTDATED = "‡"


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
    return DATASETS.get(dataset, dataset)


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


def write_tables(results: Path, published: Path = PUBLISHED) -> list[Path]:
    """Write `results.csv` and `tables/` of an experiment; returns what was written."""
    found = survey(results)
    paper = read_published(published / "results.csv", "dataset", "model")
    sizes = read_published(published / "datasets.csv", "dataset")
    path = results / "results.csv"
    _write_csv(path, results_table(found.records))
    written = [path]
    for dataset in _datasets(found):
        written += _write(dataset_table(found, dataset, paper), results / "tables" / dataset)
    written += _write(sizes_table(found, sizes), results / "tables" / "datasets")
    written += _write(missing_table(found.missing), results / "tables" / "missing")
    return written


# Numbers for people


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


def _number(value: float, decimals: int = 0) -> str:
    return f"{value:,.{decimals}f}"


def _seeds(finished: int, wanted: int) -> str:
    return str(finished) if finished == wanted else f"{finished}/{wanted}"


def _percent(difference: float) -> str:
    return f"{100 * difference:+z.1f}%".replace("-", "−")


SIZE_FORMS: dict[str, Callable[[float], str]] = {
    "mean_length": lambda value: _number(value, 1),
    "density": lambda value: f"{100 * value:.3g}%",
}


# What the tables hold


@dataclass(frozen=True)
class Cell:
    """Text to show, as plain Unicode."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Table:
    """A table for people (title, headings, cells, notes) and, in full precision, for programs."""

    title: str
    headings: list[str]
    cells: list[list[Cell]]
    data: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    text_columns: int = 1


def results_table(records: Iterable[Record]) -> pd.DataFrame:
    """A line a finished run."""
    records = sorted(
        records, key=lambda r: (dataset_order(r.dataset), model_order(r.model), r.seed)
    )
    others = {name for record in records for name in record.test} - set(TIDY_METRICS)
    metrics = [*TIDY_METRICS, *sorted(others, key=lambda n: (int(n.partition("@")[2] or 0), n))]
    frame = pd.DataFrame(
        [
            [r.dataset, r.model, r.negatives, r.seed]
            + [r.test.get(name) for name in metrics]
            + [r.training_seconds, r.epochs, r.best_epoch, r.device]
            for r in records
        ],
        columns=[
            *("dataset", "model", "negatives", "seed", *metrics),
            *("training_seconds", "epochs", "best_epoch", "device"),
        ],
    )
    whole = ["negatives", "seed", "epochs", "best_epoch"]
    return frame.astype(dict.fromkeys(whole, "Int64"))


Published = dict[tuple[str, ...], dict[str, float]]


def dataset_table(found: Survey, dataset: str, published: Published) -> Table:
    """The paper's results table for one dataset."""
    records = [record for record in found.records if record.dataset == dataset]
    missing = [run for run in found.missing if run.dataset == dataset]
    wanted = Counter(run.model for run in found.runs if run.dataset == dataset)
    finished = _group(records, lambda record: record.model)
    lines = [
        _summary(model, finished.get(model, []), wanted[model], published.get((dataset, model), {}))
        for model in sorted(wanted, key=model_order)
    ]
    several = any(line["seeds_wanted"] > 1 for line in lines)
    compared = any((dataset, model) in published for model in wanted)

    outdated = {run.model for run in found.outdated if run.dataset == dataset}

    headings = ["Model", *(["Seeds"] if several else [])]
    cells = [
        [
            Cell(
                line["title"]
                + (STALE if line["stale"] else "")
                + (OUTDATED if line["model"] in outdated else "")
            )
        ]
        + ([Cell(_seeds(line["seeds"], line["seeds_wanted"]))] if several else [])
        for line in lines
    ]
    for name, (title, decimals) in QUANTITIES.items():
        means = [line[f"{name}_mean"] for line in lines if line[f"{name}_mean"] is not None]
        # Compared as shown, so that what looks equal is equally bold.
        best = _number(max(means), decimals(max(means))) if means and name in METRICS else None
        columns = [(title, [_measured(line, name, decimals, best) for line in lines])]
        if compared:
            theirs = [line[f"{name}_published"] for line in lines]
            shown = ["" if t is None else _number(t, decimals(t)) for t in theirs]
            columns.append(("paper", [Cell(text) for text in shown]))
        if compared and name in METRICS:
            differences = [line[f"{name}_difference"] for line in lines]
            shown = ["" if d is None else _percent(d) for d in differences]
            columns.append(("diff.", [Cell(text) for text in shown]))
        for heading, column in columns:
            headings.append(heading)
            for row, cell in zip(cells, column, strict=True):
                row.append(cell)

    notes = [_reading_note(compared, any(line["seeds"] > 1 for line in lines))]
    notes += _device_notes(records)
    if any(line["stale"] for line in lines):
        notes.append(
            f"{STALE} Trained by another version of the training code than this one; "
            "RETRAIN=stale trains such runs again."
        )
    if outdated:
        notes.append(
            f"{OUTDATED} Has runs of an earlier configuration than the experiment's present one; "
            "run the experiment again to replace them."
        )
    if _differing_data(records):
        notes.append("Its runs were not all trained on the same data: compare them with care.")
    notes += _missing_notes(missing)
    return Table(dataset_title(dataset), headings, cells, pd.DataFrame(lines), notes)


def _summary(
    model: str, records: list[Record], wanted: int, published: dict[str, float]
) -> dict[str, Any]:
    """One model on one dataset, over the seeds that have finished."""
    current = training_code_fingerprint()
    line: dict[str, Any] = {
        "model": model,
        "title": display(model).title,
        "seeds": len(records),
        "seeds_wanted": wanted,
        "stale": any(record.seqrec.training_code != current for record in records),
    }
    for name in QUANTITIES:
        mean, deviation = mean_and_deviation(
            record.test.get(name) if name in METRICS else getattr(record, name)
            for record in records
        )
        theirs = published.get(name)
        line |= {f"{name}_mean": mean, f"{name}_sd": deviation, f"{name}_published": theirs}
        if name in METRICS:
            known = None if mean is None or theirs is None else mean / theirs - 1
            line[f"{name}_difference"] = known
    return line


def _measured(
    line: dict[str, Any], name: str, decimals: Callable[[float], int], best: str | None
) -> Cell:
    mean, deviation = line[f"{name}_mean"], line[f"{name}_sd"]
    if mean is None:
        # A blank where nothing applies, such as the best epoch of a model without epochs.
        return Cell("" if line["seeds"] else NOT_FINISHED)
    text = _number(mean, decimals(mean))
    spread = "" if deviation is None else f" ± {_number(deviation, decimals(mean))}"
    return Cell(text + spread, bold=text == best)


def sizes_table(found: Survey, published: Published) -> Table:
    """The paper's table of datasets."""
    lines: list[dict[str, Any]] = []
    notes = []
    confirmed = []
    unknown = []
    for dataset in _datasets(found):
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
                f"{_number(theirs[name])} {name}"
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
            Cell(SIZE_FORMS.get(n, _number)(line[n]) if n in line else NOT_FINISHED)
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
    missing = sorted(
        missing, key=lambda m: (dataset_order(m.dataset), model_order(m.model), m.seed)
    )
    cells = [
        [Cell(t) for t in (dataset_title(run.dataset), display(run.model).title, str(run.seed))]
        + [Cell(run.reason), Cell(run.remedy)]
        for run in missing
    ]
    notes = [] if missing else ["Nothing is missing: every run has finished."]
    data = pd.DataFrame(missing, columns=list(Missing._fields))
    headings = ["Dataset", "Model", "Seed", "Reason", "What to do"]
    return Table("Runs without a finished record", headings, cells, data, notes, text_columns=5)


def mean_and_deviation(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation of what is known; no deviation of fewer than two."""
    known = [float(value) for value in values if value is not None]
    return (
        statistics.fmean(known) if known else None,
        statistics.stdev(known) if len(known) > 1 else None,
    )


# Notes


def _reading_note(compared: bool, several: bool) -> str:
    sentences = ["Bold: best, to the digits shown."]
    if several:
        sentences.append("Mean ± standard deviation over the seeds that have finished.")
    if compared:
        sentences.append(
            "paper: published values; diff.: ours relative to them. Published times are from the "
            "authors' hardware."
        )
    return " ".join(sentences)


def _differing_data(records: Iterable[Record]) -> bool:
    return len({record.data.sha256 for record in records}) > 1


def _device_notes(records: Iterable[Record]) -> list[str]:
    """Training times mean something only with the device they were taken on."""
    shared: dict[str, int] = defaultdict(int)
    for record in records:
        shared[record.device] = max(shared[record.device], record.runs_sharing_device)
    devices = [
        device + (f" (shared by up to {runs} runs)" if runs > 1 else "")
        for device, runs in sorted(shared.items())
    ]
    return [f"Trained on {'; '.join(devices)}."] if devices else []


def _missing_notes(missing: Iterable[Missing]) -> list[str]:
    """One note a reason, however many runs share it."""
    notes = []
    for (reason, remedy), runs in _group(missing, lambda run: (run.reason, run.remedy)).items():
        seeds = _group(runs, lambda run: run.model)
        names = [
            f"{display(model).title} (seed {', '.join(str(run.seed) for run in seeds[model])})"
            for model in sorted(seeds, key=model_order)
        ]
        notes.append(f"{NOT_FINISHED} {', '.join(names)}: {reason} {remedy}")
    return notes


# Forms


def markdown(table: Table) -> str:
    rows = [
        [f"**{_markdown(cell.text)}**" if cell.bold else _markdown(cell.text) for cell in row]
        for row in table.cells
    ]
    parts = [f"## {_markdown(table.title)}"]
    if rows:
        alignment = ["left" if left else "right" for left in _left(table)]
        parts.append(
            tabulate.tabulate(
                rows, table.headings, "pipe", disable_numparse=True, colalign=alignment
            )
        )
    parts += [_markdown(note) for note in table.notes]
    return "\n\n".join(parts) + "\n"


def latex(table: Table) -> str:
    """A float for `\\usepackage{booktabs}`, over both columns where a paper has two."""
    lines = [r"\begin{table*}", r"\centering", r"\small", r"\setlength{\tabcolsep}{4pt}"]
    lines.append(rf"\caption{{{_latex(table.title)}}}")
    if table.cells:
        # A column of sentences must break into lines; those of names and numbers need not.
        kinds = "".join("l" if left else "r" for left in _left(table))
        kinds = re.sub("ll$", r"p{0.3\\linewidth}p{0.25\\linewidth}", kinds)
        lines += [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule"]
        lines.append(" & ".join(_latex(heading) for heading in table.headings) + r" \\")
        lines.append(r"\midrule")
        for row in table.cells:
            texts = [rf"\textbf{{{_latex(c.text)}}}" if c.bold else _latex(c.text) for c in row]
            lines.append(" & ".join(texts) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}"]
    if table.notes:
        lines += ["", r"\smallskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright"]
        lines += [rf"{_latex(note)}\par" for note in table.notes]
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table*}"]) + "\n"


def web_page(table: Table) -> str:
    """A page that needs no other file and follows the reader's light or dark mode."""
    title = html.escape(table.title)
    lines = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}</title>\n<style>{_CSS}</style>\n</head>\n<body>",
        f"<h1>{title}</h1>",
    ]
    left = _left(table)
    if table.cells:
        lines.append('<div class="wide"><table>\n<thead>')
        lines.append(_html_row("th", [html.escape(h) for h in table.headings], left))
        lines.append("</thead>\n<tbody>")
        for row in table.cells:
            texts = [html.escape(cell.text) for cell in row]
            texts = [f"<b>{t}</b>" if c.bold else t for t, c in zip(texts, row, strict=True)]
            lines.append(_html_row("td", texts, left))
        lines.append("</tbody>\n</table></div>")
    lines += [f"<p>{html.escape(note)}</p>" for note in table.notes]
    return "\n".join([*lines, "</body>\n</html>"]) + "\n"


_CSS = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { max-width: 75em; margin: 1em auto; padding: 0 1em; }
h1 { font-size: 1.2em; }
p { font-size: 0.85em; margin: 0.4em 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; border-block: 2px solid; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2em 0.7em; text-align: right; }
th { border-bottom: 1px solid; }
td:not(.left), td:first-child { white-space: nowrap; }
.left { text-align: left; }
"""


def _html_row(tag: str, texts: Sequence[str], left: Sequence[bool]) -> str:
    cells = [
        f'<{tag} class="left">{text}</{tag}>' if is_left else f"<{tag}>{text}</{tag}>"
        for text, is_left in zip(texts, left, strict=True)
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]&~$])", r"\\\1", text)


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "±": r"$\pm$", "−": "$-$", NOT_FINISHED: r"\textemdash{}", STALE: r"\textsuperscript{\dag}",
    OUTDATED: r"\textsuperscript{\ddag}",
} | {character: "\\" + character for character in "&%$#_{}"}  # fmt: skip


def _latex(text: str) -> str:
    # Two hyphens of an option would become a dash.
    return "".join(_LATEX.get(character, character) for character in text).replace("--", "-{}-")


def _left(table: Table) -> list[bool]:
    return [column < table.text_columns for column in range(len(table.headings))]


def _write(table: Table, stem: Path) -> list[Path]:
    forms = {".md": markdown(table), ".tex": latex(table), ".html": web_page(table)}
    # Not `with_suffix`, which would cut a dataset's name at its last dot.
    for suffix, text in forms.items():
        write_text(stem.with_name(stem.name + suffix), text)
    _write_csv(stem.with_name(stem.name + ".csv"), table.data)
    return [stem.with_name(stem.name + suffix) for suffix in (*forms, ".csv")]


def _write_csv(path: Path, frame: pd.DataFrame) -> None:
    write_text(path, frame.to_csv(index=False, lineterminator="\n"))


# Details

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


def _group(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _datasets(found: Survey) -> list[str]:
    return sorted({run.dataset for run in found.runs}, key=dataset_order)
