"""Models can be told apart in every figure, in print and on screen, with and without colour."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from seqrec.experiment.naming import model_order, model_title
from seqrec.report.figures.strokes import MARKERS
from seqrec.report.looks import (
    FAINTEST,
    INK,
    MODELS,
    MOST_FILLED,
    SPARE_COLOURS,
    TILE,
    Look,
    look_of,
    looks,
)

NUMBERED = [f"sasrec+{n}" for n in (10, 30, 100, 300, 1000, 3000)]
PAPER = [*MODELS.keys() - {"sasrec+N"}, *NUMBERED]
OWN = [f"model-{n}-of-somebodys-own" for n in range(30)]

PAGES = {"white paper": 1.0, "a dark page": 0.1176}
"""Grey of the pages that figures are seen on, from 0 to 1; browsers' dark is #121212 to #1e1e1e."""

SIGHT = {
    "full": np.eye(3),
    "without red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "without green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "without blue cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""What linear RGB looks like to colour-blind people (Machado, Oliveira and Fernandes, 2009)."""


def linear(channels: Iterable[float]) -> np.ndarray:
    c = np.asarray(list(channels))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def luminance(channels: Iterable[float]) -> float:
    return float(linear(channels) @ np.array([0.2126, 0.7152, 0.0722]))


def contrast(colour: str, opacity: float, paper: float) -> float:
    """Contrast of a colour with a grey page by WCAG 2.1."""
    seen = [opacity * c + (1 - opacity) * paper for c in to_rgb(colour)]
    dark, light = sorted(map(luminance, (seen, [paper] * 3)))
    return (light + 0.05) / (dark + 0.05)


def distance(one: str, other: str, sight: Sequence[Sequence[float]]) -> float:
    """Perceived difference of two colours in OKLab (Ottosson, 2020), in hundredths."""
    places = []
    for colour in (one, other):
        seen = np.clip(np.asarray(sight) @ linear(to_rgb(colour)), 0, 1)
        cones = np.cbrt(
            np.array(
                [
                    [0.4122214708, 0.5363325363, 0.0514459929],
                    [0.2119034982, 0.6806995451, 0.1073969566],
                    [0.0883024619, 0.2817188376, 0.6299787005],
                ]
            )
            @ seen
        )
        places.append(
            np.array(
                [
                    [0.2104542553, 0.7936177850, -0.0040720468],
                    [1.9779984951, -2.4285922050, 0.4505937099],
                    [0.0259040371, 0.7827717662, -0.8086757660],
                ]
            )
            @ cones
        )
    return 100 * float(np.linalg.norm(places[0] - places[1]))


def told_apart(looks: Iterable[Look], *features: str) -> bool:
    found = [tuple(getattr(look, feature) for feature in features) for look in looks]
    return len(set(found)) == len(found)


@pytest.mark.parametrize("page", PAGES)
def test_every_colour_has_a_contrast_of_three_on_light_and_dark(page: str) -> None:
    for model, look in looks([*PAPER, *OWN]).items():
        if look.colour != INK:  # a page draws it in the colour of its own text
            assert contrast(look.colour, 1, PAGES[page]) >= 3, model


def test_the_faintest_line_of_ink_still_stands_out() -> None:
    assert contrast(INK, FAINTEST, PAGES["white paper"]) >= 3
    assert contrast("#ffffff", FAINTEST, PAGES["a dark page"]) >= 3


@pytest.mark.parametrize(("page", "ink"), [("white paper", INK), ("a dark page", "#ffffff")])
def test_text_can_be_read_on_the_strongest_tile(page: str, ink: str) -> None:
    tile = [MOST_FILLED * c + (1 - MOST_FILLED) * PAGES[page] for c in to_rgb(TILE)]
    dark, light = sorted(map(luminance, (tile, to_rgb(ink))))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_are_told_apart_by_colour_blind_readers(sight: str) -> None:
    papers = [look.colour for look in MODELS.values()]
    for palette in (papers, SPARE_COLOURS):
        for one, other in itertools.combinations(palette, 2):
            assert distance(one, other, SIGHT[sight]) > 10, (one, other)  # type: ignore[arg-type]


def test_models_come_in_the_papers_order_with_more_negatives_later_and_own_ones_last() -> None:
    names = ["zeta", "sasrec+3000", "Alpha", "sasrec+30", "sasrec+", "sasrec", "gpt4rec"]
    names += ["bert4rec", "gru4rec", "bpr-mf", "popularity", "sasrec+0", "mine-10", "mine-2", "5"]
    ordered = sorted(names, key=model_order)
    assert [model_title(name) for name in ordered] == [
        *("Popularity", "BPR-MF", "GRU4Rec", "BERT4Rec", "GPT4Rec", "SASRec", "SASRec+"),
        *("SASRec+ 30", "SASRec+ 3000", "5", "Alpha", "mine-2", "mine-10", "sasrec+0", "zeta"),
    ]


def test_the_papers_models_are_told_apart_without_colour() -> None:
    assert told_apart(MODELS.values(), "marker")
    assert told_apart((look_of(model) for model in ("sasrec", "sasrec+", "bert4rec")), "dash")


def test_thirty_own_models_are_told_apart_by_any_two_of_colour_dash_and_marker() -> None:
    drawn = looks([*PAPER, *OWN])
    own = [drawn[model] for model in OWN]
    assert told_apart(own, "colour", "marker")
    assert told_apart(own, "colour", "dash")
    assert told_apart(own, "dash", "marker"), "in print without colour"
    assert told_apart(drawn.values(), "colour", "marker", "strength")
    assert not {look.marker for look in own} & {drawn[model].marker for model in PAPER}


def test_the_family_of_negatives_grows_darker_and_neighbours_differ_in_more() -> None:
    drawn = looks(NUMBERED)
    strengths = [drawn[model].strength for model in NUMBERED]
    assert strengths == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    for one, other in itertools.pairwise(NUMBERED):
        assert drawn[one].marker != drawn[other].marker
        assert drawn[one].dash != drawn[other].dash
    assert drawn["sasrec+3000"] == look_of("sasrec+3000")


def test_every_marker_can_be_drawn() -> None:
    drawn = looks([*PAPER, *OWN])
    assert {look.marker for look in drawn.values()} <= MARKERS.keys()
