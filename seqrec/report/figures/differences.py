"""Which models differ: a matrix of differences for each dataset, marked by the test."""

import math
from collections.abc import Mapping, Sequence

from seqrec.experiment.naming import dataset_title
from seqrec.report.differences import Pair, pairs
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Chart, Panel, Tick, Tile
from seqrec.report.figures.shown import NO_PAIR, panels_of
from seqrec.report.metrics import main_metric, metric_title
from seqrec.report.numbers import number, percent

MOST_ROWS = 20
"""How many models a matrix has room for; the best are shown."""

FULL, FAINT = 1.0, 0.1
"""Relative difference that fills a tile with the strongest colour, and strength of the weakest."""

NAMED = 6
"""Pairs without a significant difference that the text names."""


def differences_chart(evidence: Evidence) -> Chart:
    """Show the relative difference of every two models, and whether the test finds it."""
    metric = main_metric(evidence.metrics)
    panels = panels_of(evidence, lambda dataset: _panel(evidence, dataset, metric))
    title = metric_title(metric)
    return Chart(
        f"By how many percent the test {title} of a row's model is above a column's",
        panels,
        _in_words(title, panels),
        columns=1,
    )


def _panel(evidence: Evidence, dataset: str, metric: str) -> Panel:
    models = evidence.comparable[dataset]
    best = sorted(models, key=lambda name: -models[name].mean(metric))[:MOST_ROWS]
    tested = pairs({name: models[name] for name in best}, metric)
    order = list(dict.fromkeys([*(pair.one for pair in tested), *(pair.other for pair in tested)]))
    titles = {name: evidence.title(dataset, name).text for name in order}
    places = {name: place for place, name in enumerate(order)}
    tiles = [_tile(pair, places, titles) for pair in tested]
    return Panel(
        dataset_title(dataset),
        Axis(
            "in brackets: no significant difference",
            ticks=[Tick(places[name] - 1, titles[name]) for name in order[1:]],
        ),
        Axis("", ticks=[Tick(-places[name], titles[name]) for name in order[:-1]]),
        tiles=tiles,
        note="" if tiles else NO_PAIR,
    )


def _tile(pair: Pair, places: Mapping[str, int], titles: Mapping[str, str]) -> Tile:
    """Show by how much the better model, that of the row, is above the other."""
    one, other = titles[pair.one], titles[pair.other]
    x, y = places[pair.other] - 1, -places[pair.one]
    text = _short(pair.relative)
    if not pair.distinguishable:
        name = f"{one} and {other}: {percent(pair.relative)}, not significant"
        return Tile(x, y, f"({text})", 0.0, name)
    share = 1.0 if math.isnan(pair.relative) else min(1.0, pair.relative / FULL)
    name = f"{one} and {other}: {percent(pair.relative)}"
    return Tile(x, y, text, FAINT + (1 - FAINT) * share, name)


def _short(relative: float) -> str:
    """Write a relative difference in percent, in few characters."""
    if math.isnan(relative):
        return "–"
    return number(100 * relative, 0 if relative >= 0.0995 else 1)


def _in_words(title: str, panels: Sequence[Panel]) -> str:
    parts = [
        f"A matrix for each dataset: by how many percent the test {title} of the model of a row is "
        "above that of the model of a column, the best models first."
    ]
    for panel in panels:
        same = [tile.name.partition(":")[0] for tile in panel.tiles if not tile.strength]
        text = f"{panel.title}: {len(panel.tiles) - len(same)} of {len(panel.tiles)} pairs differ"
        if panel.empty:
            text = f"{panel.title}: {panel.note_in_line}"
        elif same:
            more = f"; and {len(same) - NAMED} more" if len(same) > NAMED else ""
            text += f" significantly, but not {'; '.join(same[:NAMED])}{more}"
        else:
            text += " significantly"
        parts.append(f"{text}.")
    return " ".join(parts)
