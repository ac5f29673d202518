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
    """Every model of the paper on every dataset, and the sum, as Markdown."""
    rows = []
    for name, cell in result["cells"].items():
        run = cell["run"]
        trained = run["epochs"] is not None
        rows.append(
            {
                "case": name,
                "step, s": format(median(cell["steps"]), ".3f") if trained else "",
                "epoch, s": format(run["epoch, s"], ".0f") if trained else "",
                "epochs": f"{run['epochs']} ({run['epochs of']})" if trained else "",
                "run, h": format(run["run, s"] / 3600, ".2f"),
                "peak, GB": format(cell["facts"]["peak bytes"] / 1e9, ".1f"),
                "H200 at peak, h": format(run["h200 floor, s"] / 3600, ".3f") if trained else "",
            }
        )
    hours = sum(cell["run"]["run, s"] for cell in result["cells"].values()) / 3600
    floor = sum(cell["run"].get("h200 floor, s", 0) for cell in result["cells"].values()) / 3600
    rows.append(
        {"case": "all, one seed", "run, h": f"{hours:.0f}", "H200 at peak, h": f"{floor:.2f}"}
    )
    table = tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)
    data = [
        {
            "log": name,
            **{key: f"{one[key]:,}" for key in ("users", "items", "interactions")},
            "preprocess, s": format(one["preprocess"]["seconds"], ".1f"),
            "peak, GB": format(one["preprocess"]["peak bytes"] / 1e9, ".2f"),
        }
        for name, one in result["data"].items()
    ]
    return f"{tabulate(data, headers='keys', tablefmt='github', disable_numparse=True)}\n\n{table}"
