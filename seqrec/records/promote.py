"""Copy finished records into results/reference."""

from collections.abc import Sequence
from pathlib import Path

from seqrec.errors import SeqrecError
from seqrec.files import replacing, write_text
from seqrec.records.json_files import as_json
from seqrec.records.record import place_of
from seqrec.records.survey import (
    dataset_and_model,
    grouped,
    holds_experiment,
    read_grid,
    read_records,
    survey,
)

PROMOTED = ("config.yaml", "history.csv", "ranks.npy", "target_counts.npy", "metrics.json")
"""The files of a record that are kept for good, `metrics.json` last; checkpoints are not."""


def promote(
    source: Path, reference: Path = Path("results/reference"), *, replace: bool = False
) -> list[Path]:
    """Copy the finished records of `source` into `reference`, without checkpoints.

    Returns the `metrics.json` of each record that is new there. A record that would take the place
    of a different one is refused, before anything is copied, unless `replace`; so is one that
    differs in more than the seed from the records of its model that stay.
    """
    if source.resolve() == reference.resolve():
        raise SeqrecError(f"{source}: is the reference itself. Name the experiment to promote.")
    found = survey(source)
    if not found.records:
        raise SeqrecError(f"{source}: holds no finished record. Run the experiment first.")
    copies = [
        (record.folder, target)
        for record in found.records
        if _contents(record.folder)
        != _contents(target := reference / "runs" / place_of(record.run))
    ]
    taken = [target for _, target in copies if _contents(target)]
    if taken and not replace:
        raise SeqrecError(
            "\n".join(f"{target}: holds a different record already." for target in taken)
            + f"\nNothing was copied. Add --replace to put the records of {source} in their place."
        )
    promoted = {record.run for record in found.records}
    kept = read_records(reference) if holds_experiment(reference) else []
    kept = [record for record in kept if record.run not in promoted]
    for group in grouped([*found.records, *kept], dataset_and_model).values():
        first = group[0]
        for record in group[1:]:
            if record.settings != first.settings:
                raise SeqrecError(
                    f"{record.folder}: differs in more than the seed from {first.folder}, so the "
                    "two are not seeds of one model. Nothing was copied. `seqrec compare` of the "
                    "two says in which settings; train all seeds alike and promote them together."
                )
    for folder, target in copies:
        (target / "metrics.json").unlink(missing_ok=True)
        for name in PROMOTED:
            if (folder / name).is_file():
                with replacing(target / name) as part:
                    part.write_bytes((folder / name).read_bytes())
            else:
                (target / name).unlink(missing_ok=True)
    wanted = read_grid(reference / "grid.json").keys() | set(found.runs)
    grid = {"experiment": "reference", "runs": [run._asdict() for run in sorted(wanted)]}
    write_text(reference / "grid.json", as_json(grid))
    return [target / "metrics.json" for _, target in copies]


def _contents(folder: Path) -> Sequence[tuple[str, bytes]]:
    paths = [folder / name for name in PROMOTED]
    return [(path.name, path.read_bytes()) for path in paths if path.is_file()]
