"""How models look in every figure: colours, dashes and markers, in plain words and numbers."""

from collections.abc import Iterable
from itertools import cycle
from typing import NamedTuple

from seqrec.experiment.naming import in_order, sampled_negatives

INK = "#010203"
"""The colour of text and axes, which the page replaces by its own."""

FAINTEST = 0.45
"""Opacity of the weakest line of ink: a contrast of 3 with the page."""

BAND = 0.15
"""Opacity of intervals that form a band."""

TILE = "#269BE6"
"""The colour of the tiles of a matrix."""

MOST_FILLED = 0.6
"""Opacity of the strongest tile, on which ink can still be read."""


class Look(NamedTuple):
    """The look of a model, the same in every figure."""

    colour: str = "#746669"
    dash: tuple[float, ...] = ()
    """Lengths of strokes and gaps in turn, in widths of the line; empty: solid."""
    marker: str = "circle"
    strength: float = 1.0
    """From 0 to 1: how solid its marker is, and how dark its line."""


SOLID: tuple[float, ...] = ()
LONG = (9.0, 2.5)
DASHED = (5.0, 2.0)
SHORT = (2.0, 1.5)
DOTTED = (1.0, 1.7)
DASH_DOT = (6.0, 2.0, 1.0, 2.0)
DASH_DOTS = (6.0, 1.5, 1.0, 1.5, 1.0, 1.5)

MODELS = {
    "popularity": Look("#746669", DOTTED, "pentagon"),
    "bpr-mf": Look("#A681E4", DASH_DOTS, "triangle-down"),
    "gru4rec": Look("#1BA68E", DASH_DOT, "triangle-up"),
    "bert4rec": Look("#D18301", DASHED, "square"),
    "gpt4rec": Look("#B717B7", DASH_DOT, "plus"),
    "sasrec": Look("#D60604", SHORT, "cross"),
    "sasrec+": Look("#3E54FD", LONG, "diamond"),
    "sasrec+N": Look(INK, SOLID, "circle"),
}
"""The paper's models.

All colours, the spare ones below too, have a contrast of 3 with white paper and with a dark page;
ink is black on the one and white on the other. Colour-blind readers can tell the colours of the
paper's models apart, and the spare ones among themselves.
"""

# Other models take these in turn. No two of the three lengths have a common divisor, so two models
# that share a colour, dash or marker differ in the two others, up to thirty models.
SPARE_COLOURS = ("#269BE6", "#906300", "#8937F3", "#088475", "#BD8721", "#FF00A6")
DASHES = (SOLID, DASHED, DASH_DOT, SHORT, DASH_DOTS)
SPARE_MARKERS = (
    *("octagon", "star", "triangle-left", "thin-diamond", "triangle-right"),
    *("star-of-four", "star-of-six"),
)

NUMBERED_MARKERS = ("circle", "hexagon")
"""Markers of SASRec+ N, taken in turn."""


def look_of(model: str) -> Look:
    """Return the look of a model that is drawn without others of its kind."""
    return MODELS.get(model if sampled_negatives(model) is None else "sasrec+N", Look())


def looks(models: Iterable[str]) -> dict[str, Look]:
    """Assign the models of an experiment looks that are all different.

    Models that are not of the paper take the spare looks in turn. Of the models SASRec+ N, the one
    with the most negatives is drawn strongest.
    """
    ordered = in_order(models)
    drawn = {model: look_of(model) for model in ordered}
    numbered = [model for model in reversed(ordered) if sampled_negatives(model) is not None]
    for rank, model in enumerate(numbered):
        drawn[model] = drawn[model]._replace(
            dash=DASHES[rank % len(DASHES)],
            marker=NUMBERED_MARKERS[rank % len(NUMBERED_MARKERS)],
            strength=1 - rank / max(1, len(numbered) - 1),
        )
    others = [model for model in ordered if model not in MODELS and model not in numbered]
    spare = zip(cycle(SPARE_COLOURS), cycle(DASHES), cycle(SPARE_MARKERS), strict=False)
    return drawn | {model: Look(*look) for model, look in zip(others, spare, strict=False)}
