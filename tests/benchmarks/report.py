"""Measurements as tables for people."""

from collections.abc import Collection, Mapping, Sequence
from math import sqrt
from pathlib import Path
from statistics import mean, median, variance
from typing import Any

from tabulate import tabulate

from seqrec.records import read_records
from seqrec.report.timing import Timing

PRECISION_CASE = ("ml-1m", "sasrec+")
"""The model whose trainings in either precision are set side by side."""


def markdown_table(rows: Sequence[Mapping[str, object]], words: Collection[str]) -> str:
    """Write rows as Markdown; numbers stand on the right, all columns but those of `words`."""
    sides = ["left" if name in words else "right" for name in rows[0]]
    return tabulate(rows, "keys", "pipe", disable_numparse=True, colalign=sides)


def readme_table(result: dict[str, Any]) -> str:
    """The figures that the README shows, as Markdown."""
    columns = {
        "step, s": ".3f",
        "textbook, s": ".2f",
        "ratio": ".1f",
        "of floor": ".1f",
        "validation, s": ".2f",
        "textbook validation, s": ".1f",
        "validation ratio": ".0f",
        "validation of floor": ".1f",
        "outside": ".1%",
        "first step after, s": ".1f",
        "peak, GB": ".2f",
        "textbook peak, GB": ".2f",
    }
    rows = [
        {"case": name, **{key: format(case["summary"][key], form) for key, form in columns.items()}}
        for name, case in result["cases"].items()
    ]
    return markdown_table(rows, {"case"})


def whole_table(result: dict[str, Any]) -> str:
    """The logs, then every model of the paper on every one of them, and the sum, as Markdown."""
    logs = [
        {
            "log": name,
            **{key: f"{one[key]:,}" for key in ("users", "items", "interactions")},
            "preprocess, s": format(one["preprocess"]["seconds"], ".1f"),
            "peak, GB": format(one["preprocess"]["peak bytes"] / 1e9, ".2f"),
        }
        for name, one in result["data"].items()
    ]
    rows = []
    total = {"run, s": 0.0, "steps": 0, "h200 floor, s": 0.0}
    for name, cell in result["cells"].items():
        run = cell["run"]
        total = {key: value + run.get(key, 0) for key, value in total.items()}
        row = {"log": name.split()[0], "model": name.split()[1]}
        if "steps" in run:
            row |= {
                "step, s": format(median(cell["steps"]), ".3f"),
                "epoch, s": format(run["epoch, s"], ",.0f"),
                "epochs": str(run["epochs"]),
                "of": "" if run["epochs of"] == row["model"] else run["epochs of"],
                "steps": f"{run['steps']:,}",
                "H200 at its peak, s": format(run["h200 floor, s"], ",.1f"),
            }
        peak = format(cell["facts"]["peak bytes"] / 1e9, ".1f")
        rows.append(row | {"run, h": format(run["run, s"] / 3600, ".2f"), "part's peak, GB": peak})
    rows.append(
        {
            "log": "all, one seed",
            "steps": f"{total['steps']:,}",
            "H200 at its peak, s": format(total["h200 floor, s"], ",.0f"),
            "run, h": format(total["run, s"] / 3600, ".0f"),
        }
    )
    columns = ("log", "model", "step, s", "epoch, s", "epochs", "of", "steps")
    columns += ("run, h", "part's peak, GB", "H200 at its peak, s")
    whole = [{column: row.get(column, "") for column in columns} for row in rows]
    return "\n\n".join(markdown_table(table, {"log", "model"}) for table in (logs, whole))


def timing(result: dict[str, Any]) -> Timing:
    """The seconds of an epoch of each model on the paper's datasets that were really there."""
    seconds: dict[str, dict[str, float]] = {}
    for name, cell in result["cells"].items():
        dataset, model = name.split()
        if "epoch, s" in cell["run"] and not dataset.startswith("like-"):
            seconds.setdefault(dataset, {})[model] = round(cell["run"]["epoch, s"], 3)
    machine = f"{result['device']}, {result['threads']} threads"
    return Timing(machine=machine, seconds_per_epoch=seconds)


def precision_table(results: Mapping[str, Path]) -> str:
    """Test NDCG@10 of one model, trained with the same seeds in either precision, as Markdown.

    `results` names the folder of each precision's records. The sentence below the table has the
    difference of the means and its standard error (of two independent samples).
    """
    scores = {
        precision: {
            record.seed: record.test["ndcg@10"]
            for record in read_records(folder)
            if (record.dataset, record.model) == PRECISION_CASE and record.precision == precision
        }
        for precision, folder in results.items()
    }
    one, other = scores
    seeds = sorted(scores[one].keys() & scores[other].keys())
    rows: list[dict[str, object]] = [
        {"seed": seed, **{name: f"{found[seed]:.4f}" for name, found in scores.items()}}
        for seed in seeds
    ]
    of_seeds = {name: [found[seed] for seed in seeds] for name, found in scores.items()}
    means = {name: mean(found) for name, found in of_seeds.items()}
    rows.append({"seed": "mean", **{name: f"{value:.4f}" for name, value in means.items()}})
    error = sqrt(sum(variance(found) / len(seeds) for found in of_seeds.values()))
    difference = means[other] - means[one]
    return (
        f"{markdown_table(rows, {'seed'})}\n\n{other} less {one}: {difference:+.4f}, "
        f"{abs(difference) / error:.1f} standard errors (of {error:.4f})."
    )
