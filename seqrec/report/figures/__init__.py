"""Figures of an experiment, made from its run records and the paper's numbers alone.

A figure is a `Chart` first, in plain numbers; `draw` draws it for print.
"""

from seqrec.report.figures.drawing import draw
from seqrec.report.figures.writing import make_charts, print_chart, write_figures

__all__ = ["draw", "make_charts", "print_chart", "write_figures"]
