"""The experiments that records belong to, wherever they lie: what these show and call models."""

from collections.abc import Iterable
from pathlib import Path

from seqrec.experiment.naming import model_title
from seqrec.experiment.schema import Report
from seqrec.layout import ResultFiles, results_of
from seqrec.records.record import Record
from seqrec.records.survey import Survey, holds_experiment, survey


class Experiments:
    """Finds the experiments of records, and reads each once."""

    def __init__(self) -> None:
        self._surveys: dict[Path, Survey] = {}

    def of(self, record: Record) -> Survey | None:
        """Return the experiment that a record lies in; None if it lies elsewhere."""
        folder = record.folder.resolve()
        root = results_of(folder)
        if not (root and ResultFiles(root).run(*record.run).folder == folder):
            return None
        if not holds_experiment(root):
            return None
        if root not in self._surveys:
            self._surveys[root] = survey(root)
        return self._surveys[root]

    def shown(self, records: Iterable[Record]) -> list[str]:
        """List the metrics that the experiments of some records show."""
        found = [self.of(record) for record in records]
        shown = [(one.shown if one else Report()).metrics for one in found]
        return list(dict.fromkeys(metric for metrics in shown for metric in metrics))

    def title(self, record: Record) -> str:
        """Return what a record's experiment calls its model."""
        found = self.of(record)
        return found.title(record.model) if found else model_title(record.model)
