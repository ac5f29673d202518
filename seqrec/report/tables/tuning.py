"""What searches chose, from how many trials, and what it is worth."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from seqrec.experiment.naming import dataset_title
from seqrec.experiment.variants import setting_words
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.report.cells import NOT_FINISHED, Cell, Table
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence
from seqrec.report.measured import measure
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number, over_seeds, percent
from seqrec.report.searches import ModelSearch, Trial
from seqrec.report.tables.notes import mark_notes


def tuning_table(evidence: Evidence, item: Item) -> Table:
    """Tabulate the chosen setting of each model, with its validation and its test."""
    metric = main_metric(evidence.metrics)
    title = metric_title(metric)
    lines = [_line(evidence, one, metric) for one in evidence.searches]
    validation = f"Validation {metric_title(STOPPING_METRIC)}"
    headings = ["Dataset", "Model", "Trials", "Hours", "Chosen", "Setting", validation]
    table = Table(
        item.title,
        [*headings, f"Test {title}", "Optimism"],
        [_cells(evidence, one, line) for one, line in zip(evidence.searches, lines, strict=True)],
        pd.DataFrame([_data(line) for line in lines], dtype=object),
        [
            "Trials: those that have finished, all of which count for the choice. Hours: of "
            "training in all trials. Setting: the values that were tried. Validation: of the "
            "chosen trial, the best of all, so it flatters the setting. Test: "
            + _of_which_runs(evidence),
            f"Optimism: by how much the trial with the best test {title} is above the chosen one. "
            "Choosing by the test would have claimed this much more; it is no result.",
        ],
        "llrrllrrr",
        grouped=True,
    )
    table.notes.extend(mark_notes(table.marks))
    return table


def _of_which_runs(evidence: Evidence) -> str:
    if any(one.is_reseeded for one in evidence.searches):
        return "of the chosen setting, trained again with new seeds."
    return "of the chosen trial."


def _line(evidence: Evidence, one: ModelSearch, metric: str) -> Mapping[str, Any]:
    """Collect what is known of a search."""
    best = one.chosen
    reported = [*one.reported]
    return {
        "dataset": one.task,
        "model": one.base,
        "trials": len(one.trials),
        "trials_wanted": one.asked,
        "training_seconds": sum(trial.seconds for trial in one.trials),
        "chosen": best.name if best else None,
        "setting": dict(one.settings[best.name]) if best else {},
        "validation": best.validation if best else None,
        "seeds": [float(s) for s in measure(reported, [metric]).scores[metric].seeds]
        if reported
        else [],
        "optimism": _optimism(one, best, metric) if best else None,
    }


def _optimism(one: ModelSearch, best: Trial, metric: str) -> float:
    """Return by how much the best test is above that of the chosen trial, relative to it."""
    chosen = best.test(metric)
    return max(trial.test(metric) for trial in one.trials) / chosen - 1 if chosen else float("nan")


def _data(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of the table for programs."""
    seeds = pd.Series(line["seeds"], dtype=float)
    plain = {key: value for key, value in line.items() if key not in ("seeds", "setting")}
    return {**plain, "test_mean": seeds.mean(), "test_sd": seeds.std(), **line["setting"]}


def _cells(evidence: Evidence, one: ModelSearch, line: Mapping[str, Any]) -> list[Cell]:
    best, finished = one.chosen, line["trials"]
    count = str(finished) if finished == one.asked else f"{finished}/{one.asked}"
    model = one.reported[0].model if one.reported else one.base
    title = evidence.title(one.task, model)._replace(text=evidence.found.title(one.base))
    return [
        Cell(dataset_title(one.task)),
        Cell((title,)),
        Cell(count),
        Cell(number(line["training_seconds"] / 3600, 1) if best else ""),
        Cell(best.number if best else ""),
        Cell(_in_words(line["setting"])),
        Cell(number(best.validation, 4)) if best else NOT_FINISHED,
        Cell(over_seeds(line["seeds"], 4)) if line["seeds"] else NOT_FINISHED,
        Cell(percent(line["optimism"])) if best else Cell(""),
    ]


def _in_words(setting: Mapping[str, Any]) -> str:
    words = setting_words(setting)
    return ", ".join(f"{words[name]} {value}" for name, value in setting.items())
