"""What reads records takes time in proportion to their number."""

import sys
import time
from pathlib import Path

from record_factory import ROOT

sys.path.append(str(ROOT / "tests/benchmarks"))

from records_growth import make_experiment

from seqrec.layout import ConfigFiles
from seqrec.records.survey import survey
from seqrec.report import contents
from seqrec.report.evidence import Evidence
from seqrec.report.paper import read_paper
from seqrec.report.tables.runs import runs_table


def seconds_of_cpu(results: Path) -> float:
    """Seconds to survey an experiment, and to list its runs with their marks."""
    start = time.process_time()
    found = survey(results)
    paper = read_paper(ConfigFiles(ROOT / "config"), [])
    marked = Evidence(found, paper, {one.run: [] for one in found.records}, {}, {})
    runs_table(marked, contents.find(contents.TABLES, "runs"))
    return time.process_time() - start


def test_four_times_the_records_take_four_times_as_long(tmp_path: Path) -> None:
    make_experiment(tmp_path / "few", 50)
    make_experiment(tmp_path / "many", 200)
    seconds_of_cpu(tmp_path / "few")
    few, many = (min(seconds_of_cpu(tmp_path / name) for _ in range(3)) for name in ("few", "many"))
    assert many < 8 * few
    assert many < 200 * 0.02
