"""Figures of an experiment, drawn from its run records and the paper's published curve alone."""

from seqrec.report.figures.convergence import convergence_figure
from seqrec.report.figures.learning import learning_figure
from seqrec.report.figures.negatives import negatives_figure
from seqrec.report.figures.quality import quality_figure
from seqrec.report.figures.writing import write_figures

__all__ = [
    "convergence_figure",
    "learning_figure",
    "negatives_figure",
    "quality_figure",
    "write_figures",
]
