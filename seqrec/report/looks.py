"""How models look in every figure: colours, lines and markers."""

from collections.abc import Iterable
from itertools import cycle
from typing import Any, NamedTuple

from seqrec.experiment.naming import in_order, model_title, sampled_negatives


class Look(NamedTuple):
    """The look of a model, the same in every figure."""

    colour: str = "#746669"
    dash: tuple[float, ...] = ()
    """Lengths of strokes and gaps in turn, in widths of the line; empty: solid."""
    marker: str = "circle"
    strength: float = 1.0
    """From 0 to 1: how solid its marker is, and how dark its line."""


class Display(NamedTuple):
    """Title and look of a model, the same in every table and figure."""

    title: str
    colour: str = "#767676"
    line: Any = "-"
    marker: Any = "o"
    strength: float = 1.0
    """From 0 to 1: how solid its marker is, and how dark its line."""


MODELS = {
    "popularity": ("#5A5A5A", ":", "x"),
    "bpr-mf": ("#0A98D6", ":", "v"),
    "gru4rec": ("#2E8562", "-.", "^"),
    "bert4rec": ("#B8860B", "--", "s"),
    "gpt4rec": ("#E0529C", "-.", "P"),
    "sasrec": ("#A81400", ":", "X"),
    "sasrec+": ("#1F45B8", "-", "D"),
    "sasrec+N": ("#000000", "-", "o"),
}
"""Colour, line and marker of the paper's models.

All colours, the spare ones below too, have a contrast of 3 with white paper and of 2 with a dark
page. Colour-blind readers can tell the paper's models apart, and the spare colours likewise.
"""

# Other models take these in turn. No two of the three lengths have a common divisor, so two models
# that share a colour, line or marker differ in the two others, up to thirty models.
SPARE_COLOURS = ("#5A5FE0", "#73801F", "#861280", "#00909C", "#8C5518", "#E8452F")
LINES = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)))
SPARE_MARKERS = ("p", "*", "<", "d", ">", (4, 1, 0), "+")

NUMBERED_MARKERS = ("o", "h")
"""Markers of SASRec+ N, taken in turn."""


def display(model: str) -> Display:
    """Return how to show a model that is drawn without others of its kind."""
    name = model if sampled_negatives(model) is None else "sasrec+N"
    return Display(model_title(model), *MODELS.get(name, ()))


def looks(models: Iterable[str]) -> dict[str, Display]:
    """Assign the models of an experiment looks that are all different.

    Models that are not of the paper take the spare looks in turn. Of the models SASRec+ N, the one
    with the most negatives is drawn strongest.
    """
    ordered = in_order(models)
    drawn = {model: display(model) for model in ordered}
    numbered = [model for model in reversed(ordered) if sampled_negatives(model) is not None]
    for rank, model in enumerate(numbered):
        drawn[model] = drawn[model]._replace(
            line=LINES[rank % len(LINES)],
            marker=NUMBERED_MARKERS[rank % len(NUMBERED_MARKERS)],
            strength=1 - rank / max(1, len(numbered) - 1),
        )
    others = [model for model in ordered if model not in MODELS and model not in numbered]
    spare = zip(cycle(SPARE_COLOURS), cycle(LINES), cycle(SPARE_MARKERS), strict=False)
    return drawn | {
        model: Display(drawn[model].title, *look)
        for model, look in zip(others, spare, strict=False)
    }
