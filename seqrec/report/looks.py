"""How models look in every figure: colours, lines and markers."""

from collections.abc import Iterable
from itertools import cycle
from typing import Any, NamedTuple

from seqrec.experiment.naming import model_order, model_title, sampled_negatives


class Display(NamedTuple):
    """How a model is shown: the same in every table and figure."""

    title: str
    colour: str = "#767676"
    line: Any = "-"
    marker: Any = "o"
    strength: float = 1.0
    """From 0 to 1: how full its marker is, and how dark its line."""


# Colours that have a contrast of 3 with white paper, and of 2 with a dark page, and that stay
# apart for colour-blind readers, the paper's models among themselves and the spare ones too.
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


# What other models take in turn. No two of these numbers have a common divisor, so that two models
# that share one of the three differ in both others, up to thirty of them.
SPARE_COLOURS = ("#5A5FE0", "#73801F", "#861280", "#00909C", "#8C5518", "#E8452F")


SPARE_MARKERS = ("p", "*", "<", "d", ">", (4, 1, 0), "+")


LINES = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)))


NUMBERED_MARKERS = ("o", "h")


def display(model: str) -> Display:
    """How to show a model."""
    name = model if sampled_negatives(model) is None else "sasrec+N"
    return (
        Display(model_title(model), *MODELS[name])
        if name in MODELS
        else Display(model_title(model))
    )


def looks(models: Iterable[str]) -> dict[str, Display]:
    """How the models of an experiment are drawn, none like another: its own ones take the spare
    looks in turn, and of SASRec+ N the one with the most negatives is drawn strongest."""
    ordered = sorted(set(models), key=model_order)
    drawn = {model: display(model) for model in ordered}
    numbered = [model for model in reversed(ordered) if sampled_negatives(model) is not None]
    for rank, model in enumerate(numbered):
        drawn[model] = drawn[model]._replace(
            line=LINES[rank % len(LINES)],
            marker=NUMBERED_MARKERS[rank % len(NUMBERED_MARKERS)],
            strength=1 - rank / max(1, len(numbered) - 1),
        )
    own = [model for model in ordered if model not in MODELS and model not in numbered]
    spare = zip(cycle(SPARE_COLOURS), cycle(LINES), cycle(SPARE_MARKERS), strict=False)
    return drawn | {
        model: Display(drawn[model].title, *look) for model, look in zip(own, spare, strict=False)
    }
