"""Write the record of a finished run: all of its files, or none."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack

import yaml

from seqrec.errors import SeqrecError
from seqrec.files import replacing, sha256
from seqrec.json_files import as_json, not_finite
from seqrec.protocol.epoch import Epoch
from seqrec.records.arrays import Arrays, as_array
from seqrec.records.history import as_csv
from seqrec.records.reading import require_replaceable
from seqrec.records.record import Record


def write_record(
    record: Record,
    arrays: Arrays,
    history: Sequence[Epoch] | None = None,
    weights: bytes | None = None,
) -> Record:
    """Write `record` and its files into its folder, and return it with their digests.

    `weights` is the content of the file of weights. Where it or the history is None, the file that
    is there stays; of an array that is None there is no file. The digests in `metrics.json` bind
    the files together, so that no reader takes files of two runs for one record. The failure of an
    earlier attempt is removed.

    Raises `SeqrecError` and leaves the folder as it was if a number of the record is not finite, if
    the files cannot be written, or if a record of a later format is there.
    """
    files = record.files
    for place, value in not_finite(record.content()):
        raise SeqrecError(
            f"{files.metrics}: not written, {place} is {value}. The training has probably "
            "diverged: try a smaller learning rate."
        )
    require_replaceable(record.folder)
    with ExitStack() as stack:
        # The parts take their names in the reverse of this order, once all of them are whole.
        metrics = stack.enter_context(replacing(files.metrics))
        given = {getattr(files, name): values for name, values in arrays._asdict().items()}
        contents = {
            **{path: as_array(values) for path, values in given.items() if values is not None},
            files.history: None if history is None else as_csv(history),
            files.config: yaml.safe_dump(record.config, sort_keys=True).encode(),
            files.weights: weights,
        }
        digests = {}
        for path, content in contents.items():
            if content is not None:
                stack.enter_context(replacing(path)).write_bytes(content)
                digests[path.name] = hashlib.sha256(content).hexdigest()
            elif path.is_file():
                digests[path.name] = sha256(path)
        renewed = record.model_copy(update={"digests": digests})
        metrics.write_text(as_json(renewed.content()), encoding="utf-8", newline="")
        # From here to the end there is no record, rather than one of old and new files.
        files.metrics.unlink(missing_ok=True)
        for path in given.keys() - contents.keys():
            path.unlink(missing_ok=True)
    files.failure.unlink(missing_ok=True)
    return renewed
