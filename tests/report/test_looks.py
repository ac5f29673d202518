"""Models are listed in the paper's order, and can be told apart in every figure."""

import itertools
from collections.abc import Iterable

import pytest
from matplotlib.colors import to_rgba

from seqrec.experiment.naming import model_order
from seqrec.report.figures.lines import FAINTEST
from seqrec.report.looks import MODELS, Display, display, looks

NUMBERED = [f"sasrec+{n}" for n in (10, 30, 100, 300, 1000, 3000)]
PAPER = [*MODELS.keys() - {"sasrec+N"}, *NUMBERED]
OWN = [f"model-{n}-of-somebodys-own" for n in range(30)]


def test_models_come_in_the_papers_order_with_more_negatives_later_and_own_ones_last() -> None:
    names = ["zeta", "sasrec+3000", "Alpha", "sasrec+30", "sasrec+", "sasrec", "gpt4rec"]
    names += ["bert4rec", "gru4rec", "bpr-mf", "popularity", "sasrec+0", "mine-10", "mine-2", "5"]
    ordered = sorted(names, key=model_order)
    assert [display(name).title for name in ordered] == [
        *("Popularity", "BPR-MF", "GRU4Rec", "BERT4Rec", "GPT4Rec", "SASRec", "SASRec+"),
        *("SASRec+ 30", "SASRec+ 3000", "5", "Alpha", "mine-2", "mine-10", "sasrec+0", "zeta"),
    ]


def test_known_models_have_colours_of_their_own() -> None:
    colours = [display(model).colour for model in PAPER]
    assert len(set(colours)) == len(MODELS)


def told_apart(looks: Iterable[Display], *features: str) -> bool:
    found = [tuple(getattr(look, feature) for feature in features) for look in looks]
    return len(set(found)) == len(found)


def test_thirty_own_models_are_told_apart_by_any_two_of_colour_dash_and_marker() -> None:
    drawn = looks([*PAPER, *OWN])
    own = [drawn[model] for model in OWN]
    assert told_apart(own, "colour", "marker")
    assert told_apart(own, "colour", "line")
    assert told_apart(own, "line", "marker"), "in print without colour"
    assert told_apart(drawn.values(), "colour", "marker", "strength")
    assert not {look.marker for look in own} & {drawn[model].marker for model in PAPER}


def test_the_family_of_negatives_grows_darker_and_neighbours_differ_in_more() -> None:
    drawn = looks(NUMBERED)
    strengths = [drawn[model].strength for model in NUMBERED]
    assert strengths == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    for one, other in itertools.pairwise(NUMBERED):
        assert drawn[one].marker != drawn[other].marker
        assert drawn[one].line != drawn[other].line
    assert drawn["sasrec+3000"] == display("sasrec+3000")


def contrast(colour: str, opacity: float, paper: float) -> float:
    """Contrast of a colour with a grey page by WCAG 2.1; `paper` is its grey, from 0 to 1."""

    def luminance(channels: Iterable[float]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    seen = [opacity * c + (1 - opacity) * paper for c in to_rgba(colour)[:3]]
    dark, light = sorted((luminance(seen), luminance([paper] * 3)))
    return (light + 0.05) / (dark + 0.05)


def test_every_line_stands_out_from_white_paper_and_from_a_dark_page() -> None:
    for model, look in looks([*PAPER, *OWN]).items():
        assert contrast(look.colour, 1, paper=1) >= 3, model
        if look.colour != "#000000":  # a page draws it in its own text's colour
            assert contrast(look.colour, 1, paper=0.07) >= 2, model
    assert contrast("#000000", FAINTEST, paper=1) >= 3
