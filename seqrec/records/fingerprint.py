"""Which code made a record: fingerprints of the training code and of custom models."""

import hashlib
from pathlib import Path

from seqrec.experiment.custom import custom_module
from seqrec.records.record import Record

PACKAGE = Path(__file__).parents[1]

DECISIVE_ROOMS = ("protocol", "models", "training")
"""The rooms of the package that decide what a training results in, all of it."""


SAME_RESULTS = {
    # Drawing negatives for sequences that fill most of a small pool: raised, now draws.
    "b0c0f7707314547f08b95ba55b0b7ce9787ba48798510840dd40cc82b42af1c4": (
        "d494b05688444eca0225523ea0cf7399c5dc02386eed2250cae02efaa794050a"
    ),
    # Ranks are read back once an evaluation; the largest logit is found by its bits.
    "d494b05688444eca0225523ea0cf7399c5dc02386eed2250cae02efaa794050a": (
        "abc3dda3830b2046943c1206558aa0b40bcb5041f0f966848d4094a34a92f6f7"
    ),
    # Evaluation sums up attention in another order. Weights are the same bits; of ml-1m's ranks at
    # most 1 in 6,040 moved, of beauty's 49 in 40,226, each to a neighbouring one.
    "abc3dda3830b2046943c1206558aa0b40bcb5041f0f966848d4094a34a92f6f7": (
        "5e57c0a60f8e6c3f4033827ac12c9b31c1c637c500b937ae5e9e7df936049566"
    ),
}
"""Fingerprints of training code, and of the next one, which gives every record of theirs bit for
bit, or but for the rounding by which two kinds of CPU differ, too. Only for changes of which that
was shown, as by doing epochs of committed records again."""


def is_current(record: Record, code: str) -> bool:
    """Whether this training code has made it, or one of the same results, and its own model's file,
    if any, is as it was."""
    own, made_by = model_code(str(record.config.get("implementation"))), record.seqrec.training_code
    while made_by != code and made_by in SAME_RESULTS:
        made_by = SAME_RESULTS[made_by]
    return made_by == code and own in (None, record.seqrec.model_code)


def training_code_fingerprint(package: Path = PACKAGE) -> str:
    """SHA-256 over the training code, the same whatever line ends a checkout gives its files."""
    digest = hashlib.sha256()
    paths = [path for room in DECISIVE_ROOMS for path in (package / room).rglob("*.py")]
    for name, path in sorted((path.relative_to(package).as_posix(), path) for path in paths):
        source = _source(path)
        digest.update(f"{name}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()


def model_code(implementation: str) -> str | None:
    """SHA-256 of the file of an own model, `package.module:Class`; not of what that imports.

    None for the package's models, and where no such file is found.
    """
    path = custom_module(implementation)
    return None if path is None else hashlib.sha256(_source(path)).hexdigest()


def _source(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")
