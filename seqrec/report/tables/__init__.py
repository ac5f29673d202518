"""Tables of an experiment, made from its run records and the paper's published numbers alone."""

from seqrec.report.tables.choice import choice_table
from seqrec.report.tables.comparison import comparison_table
from seqrec.report.tables.tidy import metrics_table, results_table
from seqrec.report.tables.writing import make_tables, write_tables

__all__ = [
    "choice_table",
    "comparison_table",
    "make_tables",
    "metrics_table",
    "results_table",
    "write_tables",
]
