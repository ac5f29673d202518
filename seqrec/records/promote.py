"""Copy finished records into results/reference."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

from seqrec.errors import SeqrecError
from seqrec.files import replacing
from seqrec.layout import REFERENCE_RESULTS, ResultFiles, Run, RunFiles
from seqrec.records.failure import Reason, write_failure
from seqrec.records.grid_file import GridFile
from seqrec.records.reading import require_replaceable
from seqrec.records.record import Record
from seqrec.records.survey import (
    Survey,
    grouped,
    holds_experiment,
    read_records,
    survey,
    task_and_model,
)

NOT_FETCHED = Reason(
    "the data could not be fetched where these records were made.",
    "Where you can obtain the data, train on it in an experiment; `seqrec promote` then adds the "
    "records.",
)
"""Why promoted records lack a dataset; the reason in the source is about another place."""


def promote(
    source: Path, reference: Path = REFERENCE_RESULTS, *, replace: bool = False
) -> list[Path]:
    """Copy the finished records of `source` into `reference`, without weights.

    Returns the `metrics.json` of each record that is new there. Raises `SeqrecError`, before
    anything is copied, if a record would replace a different one and `replace` is false, or if it
    differs in more than the seed from the records of its model that stay.
    """
    if source.resolve() == reference.resolve():
        raise SeqrecError(f"{source}: is the reference itself. Name the experiment to promote.")
    found = survey(source)
    if not found.records:
        raise SeqrecError(f"{source}: holds no finished record. Run the experiment first.")
    copies = {}
    for record in found.records:
        target, content = ResultFiles(reference).run(*record.run), _content_of(record)
        require_replaceable(target.folder)
        if content != _content_in(target):
            copies[target] = content
    taken = [target.folder for target in copies if _content_in(target)]
    if taken and not replace:
        raise SeqrecError(
            "\n".join(f"{folder}: holds a different record already." for folder in taken)
            + f"\nNothing was copied. Add --replace to put the records of {source} in their place."
        )
    promoted = {record.run for record in found.records}
    kept = read_records(reference) if holds_experiment(reference) else []
    _require_like_seeds([*found.records, *(one for one in kept if one.run not in promoted)])
    _copy(copies)
    _ask_for(found.runs, reference)
    _explain(found, ResultFiles(source), ResultFiles(reference))
    return [target.metrics for target in copies]


Content: TypeAlias = Mapping[str, bytes]
"""The files of a record that are kept for good, by name."""


def _content_of(record: Record) -> Content:
    """Read the files of a record: regular files, and those that were written with it."""
    found = {path.name: record.read(path) for path in record.files.promoted}
    return {name: content for name, content in found.items() if content is not None}


def _content_in(files: RunFiles) -> Content:
    return {path.name: path.read_bytes() for path in files.promoted if path.is_file()}


def _require_like_seeds(records: Iterable[Record]) -> None:
    for first, *others in grouped(records, task_and_model).values():
        for record in others:
            if record.settings != first.settings:
                raise SeqrecError(
                    f"{record.folder}: differs in more than the seed from {first.folder}, so the "
                    "two are not seeds of one model. Nothing was copied. `seqrec compare` of the "
                    "two says in which settings; train all seeds alike and promote them together."
                )


def _copy(copies: Mapping[RunFiles, Content]) -> None:
    """Write records, each in one go; if one cannot be written, the one that was there stays."""
    for target, content in copies.items():
        with ExitStack() as stack:
            # The parts take their names in the reverse of this order, once all of them are whole.
            for path in reversed(target.promoted):
                if path.name in content:
                    stack.enter_context(replacing(path)).write_bytes(content[path.name])
            # From here to the end there is no record, rather than one of old and new files.
            target.metrics.unlink(missing_ok=True)
            for path in target.promoted:
                if path.name not in content:
                    path.unlink(missing_ok=True)


def _explain(found: Survey, source: ResultFiles, reference: ResultFiles) -> None:
    """Leave a reason for datasets that could not be fetched; none for those that have records."""
    for dataset in {run.dataset for run in found.runs}:
        path = reference.data_failure(dataset)
        if any(record.dataset == dataset for record in found.records):
            path.unlink(missing_ok=True)
        elif source.data_failure(dataset).is_file():
            write_failure(path, NOT_FETCHED, dataset=dataset)


def _ask_for(runs: Iterable[Run], reference: Path) -> None:
    """Add runs to those that the reference's grid asks for."""
    wanted = sorted({*GridFile.read(reference).wanted(), *runs})
    GridFile.of_reference(wanted).write(ResultFiles(reference).grid)
