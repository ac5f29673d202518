"""Copy finished records into results/reference."""

import json
from collections.abc import Iterable, Mapping, Set
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

from seqrec.errors import SeqrecError
from seqrec.experiment.settings import require_results_name
from seqrec.files import replacing
from seqrec.json_files import as_json
from seqrec.layout import PAPER, REFERENCE, REFERENCE_RESULTS, ResultFiles, Run, RunFiles
from seqrec.records.choice import best_by_validation, validation
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

    Only plain runs of the paper's experiment join the records there. Every other experiment, and
    every search or comparison of splits, gets a folder of its own, with its grid: the grid says
    which trials compete, and the tables of others stay what they are. Of a trial that was not
    chosen, only what its choice and its curves need is kept.

    Returns the `metrics.json` of each record that is new there. Raises `SeqrecError`, before
    anything is copied, if a record would replace a different one and `replace` is false, or if it
    differs in more than the seed from the records of its model that stay.
    """
    if source.resolve().is_relative_to(reference.resolve()):
        raise SeqrecError(
            f"{source}: is the reference itself, or a part of it. Name the experiment to promote."
        )
    found, grid = survey(source), GridFile.read(source)
    if not found.records:
        raise SeqrecError(f"{source}: holds no finished record. Run the experiment first.")
    study = _study(source, grid, found)
    files = ResultFiles(reference).study(study) if study else ResultFiles(reference)
    promoted = {record.run for record in found.records}
    before = read_records(files.folder) if holds_experiment(files.folder) else []
    kept = [record for record in before if record.run not in promoted]
    given_up = _given_up([*found.records, *kept], found.trials)
    copies: dict[RunFiles, Content] = {}
    for record in found.records:
        target = files.run(*record.run)
        require_replaceable(target.folder)
        content = _content_of(record, with_all=record.run not in given_up)
        if not _holds(target, content):
            copies[target] = content
    taken = [target.folder for target, content in copies.items() if _differs(target, content)]
    if taken and not replace:
        raise SeqrecError(
            "\n".join(f"{folder}: holds a different record already." for folder in taken)
            + f"\nNothing was copied. Add --replace to put the records of {source} in their place."
        )
    _require_like_seeds([*found.records, *kept])
    if study:
        staying = {one.task for one in before if files.run(*one.run) not in copies}
        copies = _share_targets(copies, staying)
    _copy(copies)
    _ask_for(found, grid, study, files)
    _explain(found, ResultFiles(source), files)
    return [target.metrics for target in copies]


def _study(source: Path, grid: GridFile, found: Survey) -> str:
    """Name the folder in the reference of an experiment that has one; empty for others."""
    asked = grid.variant_of or grid.experiment.removeprefix(f"{REFERENCE}/")
    name = asked or source.resolve().name
    is_plain = not found.trials and all(run.split is None for run in found.runs)
    if is_plain and name in (PAPER, REFERENCE):
        return ""
    require_results_name(name)
    if name in (taken := [folder.name for folder in ResultFiles(REFERENCE_RESULTS).folders]):
        raise SeqrecError(
            f"{source}: no promoted experiment may be called {name}, as the reference has a folder "
            f"of that name (also {', '.join(taken)}). Rename the experiment."
        )
    return name


def _given_up(records: Iterable[Record], trials: Mapping[str, str]) -> set[Run]:
    """Select the trials that were not chosen; of those with equally good validation, none."""
    of_searches = grouped(
        (record for record in records if record.model in trials),
        lambda record: (record.task, trials[record.model]),
    )
    found: set[Run] = set()
    for some in of_searches.values():
        settings = grouped(some, lambda record: record.model).values()
        best = validation(best_by_validation(settings))
        found |= {one.run for seeds in settings if validation(seeds) < best for one in seeds}
    return found


Content: TypeAlias = Mapping[str, bytes]
"""The files of a record that are kept for good, by name."""


def _content_of(record: Record, with_all: bool) -> Content:
    """Read the files of a record: regular files, and those that were written with it.

    Without `with_all` those that only the report on a chosen setting needs are left out, and their
    digests with them. Older records have no digests, so nothing tells what they may lack.
    """
    files = record.files
    found = {path.name: record.read(path) for path in files.promoted}
    if not with_all and record.digests:
        left_out = [path.name for path in (files.config, files.history, files.recommended_counts)]
        digests = {name: one for name, one in record.digests.items() if name not in left_out}
        kept = record.model_copy(update={"digests": digests})
        found = {name: content for name, content in found.items() if name not in left_out}
        found[files.metrics.name] = as_json(kept.content()).encode()
    return {name: content for name, content in found.items() if content is not None}


def _content_in(files: RunFiles) -> Content:
    """Read what a folder holds of a record, and what it shares with others of its task."""
    if not files.metrics.is_file():
        return {}
    shared = [files.shared(path) for path in files.of_targets]
    return {path.name: path.read_bytes() for path in (*shared, *files.promoted) if path.is_file()}


def _holds(target: RunFiles, content: Content) -> bool:
    """Tell whether a folder holds all of a record already."""
    before = _content_in(target)
    return before.keys() >= content.keys() and not _differs(target, content)


def _differs(target: RunFiles, content: Content) -> bool:
    """Tell whether a folder holds another record than `content`, more or less of which is kept."""
    before = _content_in(target)
    metrics = target.metrics.name
    both = (before.keys() & content.keys()) - {metrics}
    if any(before[name] != content[name] for name in both):
        return True
    return bool(before) and _without_digests(before[metrics]) != _without_digests(content[metrics])


def _without_digests(metrics: bytes) -> object:
    try:
        return {**json.loads(metrics), "digests": None}
    except (TypeError, ValueError):
        return metrics  # it is damaged, and no record is like it


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


def _share_targets(
    copies: Mapping[RunFiles, Content], staying: Set[str]
) -> dict[RunFiles, Content]:
    """Write what all records of a task say of its targets once, and return what is left to copy.

    What is there for records that stay, on the tasks `staying`, is kept.
    """
    written: set[Path] = set()
    left: dict[RunFiles, Content] = {}
    for target, content in copies.items():
        own = dict(content)
        digests = json.loads(content[target.metrics.name]).get("digests") or {}
        for path in target.of_targets:
            if path.name not in digests or path.name not in own:
                continue
            shared = target.shared(path)
            is_kept = shared in written or shared.parent.name in staying
            if not (is_kept and shared.is_file()):
                with replacing(shared) as file:
                    file.write_bytes(own[path.name])
                written.add(shared)
            if shared.read_bytes() == own[path.name]:
                del own[path.name]
        left[target] = own
    return left


def _explain(found: Survey, source: ResultFiles, reference: ResultFiles) -> None:
    """Leave a reason for datasets that could not be fetched; none for those that have records."""
    for dataset in {run.dataset for run in found.runs}:
        path = reference.data_failure(dataset)
        if any(record.dataset == dataset for record in found.records):
            path.unlink(missing_ok=True)
        elif source.data_failure(dataset).is_file():
            write_failure(path, NOT_FETCHED, dataset=dataset)


def _ask_for(found: Survey, grid: GridFile, study: str, files: ResultFiles) -> None:
    """Add runs to those that the grid of the promoted records asks for."""
    before = GridFile.read(files.folder)
    if study:
        grid.promoted(study, found.runs, before).write(files.grid)
    else:
        wanted = sorted({*before.wanted(), *found.runs})
        GridFile.of_reference(wanted, before.titles | grid.titles).write(files.grid)
