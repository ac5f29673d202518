"""What tables, verdicts and claims are made from: an experiment's records beside the paper.

Wherever the report goes by datasets, a dataset under one of several splits counts as one of its
own, by the name of the task: `beauty@temporal`. So records of different splits never meet.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from seqrec.layout import ConfigFiles, Run, dataset_of
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.record import Record
from seqrec.records.survey import Survey, grouped, survey
from seqrec.report.cells import NO_MARK, Mark, Piece
from seqrec.report.differences import Pair, pairs
from seqrec.report.measured import (
    Measured,
    comparable,
    datasets_of,
    measure_dataset,
    without_misfits,
    without_short_lists,
)
from seqrec.report.paper import Paper, read_paper
from seqrec.report.searches import ModelSearch, searches, with_tuned_models_alone
from seqrec.report.settings import other_settings
from seqrec.report.timing import Timing, read_timing


@dataclass(frozen=True)
class Evidence:
    """An experiment's records beside the paper's numbers and settings."""

    found: Survey
    """Without records whose users do not fit the others, and without trials that a search did not
    choose."""
    paper: Paper
    other_settings: Mapping[Run, list[str]]
    """Runs that bear a name of the paper but are not its models, with the settings that differ."""
    measured: Mapping[str, Mapping[str, Measured]]
    """By dataset and model, each by itself."""
    comparable: Mapping[str, Mapping[str, Measured]]
    """The same where all of a dataset's models were trained on the same data; empty elsewhere."""
    timing: Timing | None = None
    """How long epochs take, where that has been measured."""
    searches: Sequence[ModelSearch] = ()
    """The searches of models for settings."""
    everything: Survey = field(default_factory=lambda: Survey([], [], set(), set()))
    """As `found`, with all trials."""
    _pairs: dict[tuple[str, str], list[Pair]] = field(default_factory=dict, repr=False)
    """Those that were asked for: of thousands of models they take a while."""

    @classmethod
    def of(cls, found: Survey, paper: Paper, timing: Timing | None = None) -> "Evidence":
        """Measure all that an experiment has finished, in the metrics that anything asks for."""
        metrics = list(dict.fromkeys([*found.shown.metrics, STOPPING_METRIC, *paper.metrics]))
        everything = without_short_lists(without_misfits(found), metrics)
        made = searches(everything)
        found = with_tuned_models_alone(everything, made)
        measured = {
            name: measure_dataset(found.records, name, metrics) for name in datasets_of(found)
        }
        return cls(
            found,
            paper,
            other_settings(found.records, paper.settings),
            measured,
            {name: comparable(models) for name, models in measured.items()},
            timing,
            made,
            everything,
        )

    @property
    def datasets(self) -> list[str]:
        """Datasets of the experiment, in order, each under each of its splits."""
        return list(self.measured)

    @property
    def contents(self) -> tuple[list[str], list[str], bool]:
        """What `contents.items` asks: the datasets, the models, and whether any is searched."""
        return self.datasets, [run.model for run in self.everything.runs], bool(self.searches)

    def tasks(self, dataset: str) -> list[str]:
        """List a task, or a dataset under each of its splits; all for an empty name."""
        names = [dataset_of(task) for task in self.datasets]
        pairs = zip(self.datasets, names, strict=True)
        return [task for task, name in pairs if dataset in ("", task, name)]

    @property
    def metrics(self) -> list[str]:
        """The metrics that are shown."""
        return self.found.shown.metrics

    def records(self, dataset: str) -> list[Record]:
        """Finished records of a dataset."""
        return self._records.get(dataset, [])

    def wanted(self, dataset: str) -> Counter[str]:
        """How many runs of each model the experiment has on a dataset, finished or not."""
        return Counter(run.model for run in self._runs.get(dataset, []))

    def has_finished(self, dataset: str, model: str) -> bool:
        """Whether any run of the model has finished."""
        return (dataset, model) in self._finished

    def is_the_papers(self, dataset: str, model: str) -> bool:
        """Whether no run of the model has other settings than the paper's model of its name."""
        return (dataset, model) not in self._marked[Mark.OTHER_SETTINGS]

    def marks(self, dataset: str, model: str) -> Mark:
        """Collect what a reader must know before believing a model's numbers on a dataset."""
        marks = NO_MARK
        for mark, models in self._marked.items():
            if (dataset, model) in models:
                marks |= mark
        return marks

    def pairs(self, dataset: str, metric: str) -> list[Pair]:
        """Test every pair of a dataset's models in a metric, best first."""
        key = dataset, metric
        if key not in self._pairs:
            self._pairs[key] = pairs(self.comparable[dataset], metric)
        return self._pairs[key]

    def searches_of(self, dataset: str) -> list[ModelSearch]:
        """List the searches on a dataset."""
        return [one for one in self.searches if one.task == dataset]

    def title(self, dataset: str, model: str) -> Piece:
        """Name a model, with the marks of its runs on a dataset."""
        return Piece(self.found.title(model), self.marks(dataset, model))

    # Tables ask for these once a run or a model, of which there may be thousands.

    @cached_property
    def _records(self) -> dict[str, list[Record]]:
        return grouped(self.found.records, lambda record: record.task)

    @cached_property
    def _runs(self) -> dict[str, list[Run]]:
        return grouped(self.found.runs, lambda run: run.task)

    @cached_property
    def _finished(self) -> set[tuple[str, str]]:
        return _models(record.run for record in self.found.records)

    @cached_property
    def _marked(self) -> dict[Mark, set[tuple[str, str]]]:
        return {
            Mark.STALE: _models(self.found.stale),
            Mark.OUTDATED: _models(self.found.outdated),
            Mark.OTHER_SETTINGS: _models(self.other_settings),
        }


def _models(runs: Iterable[Run]) -> set[tuple[str, str]]:
    return {(run.task, run.model) for run in runs}


def read_evidence(results: Path, config: ConfigFiles) -> Evidence:
    """Read an experiment's records beside the paper's numbers and settings in `config`."""
    found = survey(results)
    paper = read_paper(config, found.records)
    return Evidence.of(found, paper, read_timing(results))
