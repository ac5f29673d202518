"""A measurement as a table for people."""

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
