"""Write all tables of an experiment."""

from collections.abc import Iterator
from pathlib import Path

from seqrec.files import require_inside
from seqrec.layout import ConfigFiles, ResultFiles
from seqrec.records.survey import dataset_and_model, survey
from seqrec.report.cells import Table
from seqrec.report.claims import claims
from seqrec.report.evidence import Evidence
from seqrec.report.paper import read_paper
from seqrec.report.rendering import write_csv, write_table
from seqrec.report.tables.claims import claims_table
from seqrec.report.tables.missing import missing_table
from seqrec.report.tables.pairs import pairs_table
from seqrec.report.tables.results import dataset_table
from seqrec.report.tables.runs import runs_table
from seqrec.report.tables.sizes import sizes_table
from seqrec.report.tables.targets import targets_table
from seqrec.report.tables.tidy import results_table
from seqrec.report.tables.verdicts import verdicts_table
from seqrec.report.verdicts import verdicts

CONFIG = ConfigFiles()


def write_tables(results: Path, config: ConfigFiles = CONFIG) -> list[Path]:
    """Write `results.csv` and `tables/` of an experiment, and return what was written.

    Published numbers and the settings of the paper's models are read from `config`.
    """
    found = survey(results)
    paper = read_paper(config, map(dataset_and_model, found.records))
    evidence = Evidence.of(found, paper)
    files = ResultFiles(results)
    write_csv(files.csv, results_table(evidence.found.records))
    written = [files.csv]
    for name, table in _tables(evidence):
        require_inside((files.tables / name).parent, results)
        written += write_table(table, files.tables, name)
    return written


def _tables(evidence: Evidence) -> Iterator[tuple[str, Table]]:
    """Make every table with its name."""
    for dataset in evidence.datasets:
        models = evidence.comparable[dataset]
        yield dataset, dataset_table(evidence, dataset)
        yield f"pairs/{dataset}", pairs_table(dataset, models)
        yield f"targets/{dataset}", targets_table(dataset, models)
    yield "verdicts", verdicts_table(evidence, verdicts(evidence))
    decided = [claim for dataset in evidence.datasets for claim in claims(evidence, dataset)]
    yield "claims", claims_table(evidence, decided)
    yield "datasets", sizes_table(evidence)
    yield "runs", runs_table(evidence)
    yield "missing", missing_table(evidence.found.missing)
