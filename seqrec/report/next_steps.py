"""Commands that lead on from an experiment's results, filled in so that they can be pasted."""

import csv
import io
import shlex
from contextlib import suppress
from pathlib import Path

from seqrec.data.interactions import Interactions
from seqrec.errors import SeqrecError
from seqrec.layout import PAPER, LogFiles
from seqrec.report.evidence import Evidence
from seqrec.report.metrics import main_metric

HISTORY_LENGTH = 3
"""Items in the history of an example."""


def next_steps(results: Path, evidence: Evidence) -> list[str]:
    """Choose commands: compare the two best models, recommend by the best network, and go on.

    They are about the first dataset with models that compare; without any there are none.
    """
    for name in evidence.datasets:
        if models := evidence.comparable[name]:
            break
    else:
        return []
    metric = main_metric(evidence.metrics)
    best = sorted(models.values(), key=lambda one: one.mean(metric), reverse=True)
    commands: list[list[str]] = []
    if len(best) > 1:
        folders = [one.records[0].folder.parent for one in best[:2]]
        commands.append(["seqrec", "compare", *map(str, folders)])
    for record in (one.records[0] for one in best):
        is_network = record.epochs is not None
        if is_network and record.files.weights.is_file() and (ids := _history(record.dataset)):
            commands.append(["seqrec", "recommend", str(record.folder), "--history", ids])
            break
    papers = {dataset for dataset, _ in evidence.paper.results}
    if evidence.found.missing or papers.intersection(evidence.datasets):
        commands.append(["seqrec", "metrics", str(results), "1", "5", "20"])
    else:
        commands.append(["seqrec", "check", PAPER])
    return [shlex.join(words) for words in commands]


def _history(dataset: str) -> str:
    """Return the first items of the dataset's first user as a line of CSV; blank without a log."""
    with suppress(OSError, SeqrecError):
        log = Interactions.load(LogFiles.of(dataset).folder)
        ids = log.item_ids()[log.items[:HISTORY_LENGTH] - 1]
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(ids)
        return line.getvalue()
    return ""
