"""Markers as paths of SVG, the shapes that matplotlib prints."""

from functools import cache

import numpy as np
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path

from seqrec.report.figures.strokes import MARKERS

SVG_COMMANDS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


@cache
def marker_path(name: str) -> str:
    """Return a marker's outline, from -1 to 1 in its longer direction."""
    style = MarkerStyle(MARKERS[name])
    path = style.get_path().transformed(style.get_transform())
    size = np.abs(path.vertices).max()
    drawn = ""
    for points, code in path.iter_segments(simplify=False):
        if code == Path.CLOSEPOLY:
            drawn += "Z"
        else:
            places = (points / size).reshape(-1, 2) * (1, -1)
            drawn += SVG_COMMANDS[code] + " ".join(f"{x:.3g},{y:.3g}" for x, y in places)
    return drawn
