"""Measurements as tables for people."""

from statistics import median
from typing import Any

from tabulate import tabulate


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
        "outside": ".1%",
        "first step after, s": ".1f",
        "peak, GB": ".2f",
        "textbook peak, GB": ".2f",
    }
    rows = [
        {"case": name, **{key: format(case["summary"][key], form) for key, form in columns.items()}}
        for name, case in result["cases"].items()
    ]
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


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
    return "\n\n".join(
        tabulate(table, headers="keys", tablefmt="github", disable_numparse=True)
        for table in (logs, whole)
    )
