"""Write all tables of an experiment."""

from collections.abc import Callable, Iterator
from pathlib import Path

from seqrec.files import require_inside
from seqrec.layout import CONFIG_FILES, ConfigFiles, ResultFiles
from seqrec.report import contents
from seqrec.report.cells import Table
from seqrec.report.contents import Item
from seqrec.report.evidence import Evidence, read_evidence
from seqrec.report.rendering import write_csv, write_table
from seqrec.report.splits import with_splits
from seqrec.report.tables.by_split import by_split_table
from seqrec.report.tables.claims import claims_table
from seqrec.report.tables.intervals import intervals_table
from seqrec.report.tables.missing import missing_table
from seqrec.report.tables.newcomers import newcomers_table
from seqrec.report.tables.pairs import pairs_table
from seqrec.report.tables.published import published_table
from seqrec.report.tables.recommended import recommended_table
from seqrec.report.tables.results import dataset_table, paper_table
from seqrec.report.tables.runs import runs_table
from seqrec.report.tables.seeds import seeds_table
from seqrec.report.tables.sizes import sizes_table
from seqrec.report.tables.survival import survival_table
from seqrec.report.tables.targets import targets_table
from seqrec.report.tables.tidy import results_table
from seqrec.report.tables.times import times_table
from seqrec.report.tables.tuning import tuning_table
from seqrec.report.tables.verdicts import verdicts_table


def write_tables(results: Path, config: ConfigFiles = CONFIG_FILES) -> list[Path]:
    """Write `results.csv` and `tables/` of an experiment, and return what was written.

    Published numbers and the settings of the paper's models are read from `config`.
    """
    evidence = read_evidence(results, config)
    files = ResultFiles(results)
    write_csv(files.csv, results_table(evidence.everything.records))
    written = [files.csv]
    for item, table in make_tables(evidence):
        require_inside((files.tables / item.name).parent, results)
        written += write_table(table, files.tables, item)
    return written


def make_tables(evidence: Evidence) -> Iterator[tuple[Item, Table]]:
    """Make all tables of an experiment, in the order of the report."""
    for item in contents.items(contents.TABLES, *evidence.contents):
        yield item, with_splits(MAKERS[item.entry.name](evidence, item), evidence, item)


MAKERS: dict[str, Callable[[Evidence, Item], Table]] = {
    "results": dataset_table,
    "paper": paper_table,
    "newcomers": newcomers_table,
    "by_split": by_split_table,
    "intervals": intervals_table,
    "tuning": tuning_table,
    "seeds": seeds_table,
    "pairs": pairs_table,
    "recommended": recommended_table,
    "elsewhere": published_table,
    "verdicts": verdicts_table,
    "claims": claims_table,
    "claims_by_split": survival_table,
    "times": times_table,
    "runs": runs_table,
    "missing": missing_table,
    "datasets": sizes_table,
    "targets": targets_table,
}
"""What makes each table of `contents.TABLES`, by its name."""
