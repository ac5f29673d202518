"""Note a failed run in its folder, and explain a lack of memory or disk space."""

import errno
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seqrec.errors import SeqrecError, Stopped, is_out_of_memory
from seqrec.experiment.schema import RunConfig
from seqrec.layout import RunFiles
from seqrec.records.failure import Reason, write_failure


@contextmanager
def failure_noted(config: RunConfig, data: Path, folder: Path) -> Iterator[None]:
    """Write `failure.json` into `folder` if the block fails; being stopped is not a failure."""
    try:
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            raise _explained_memory(error, config) from error
        except OSError as error:
            raise _explained_disk(error, folder) from error
    except Stopped:
        raise  # it goes on when it is started again
    except Exception as error:
        with suppress(SeqrecError):  # on a full disk, the first error is the one to report
            place = f"{data}, on {platform.node()}"
            write_failure(
                RunFiles(folder).failure, _reason(error), **config.run._asdict(), where=place
            )
        raise


def _reason(error: Exception) -> Reason:
    if isinstance(error, SeqrecError):
        remedy = "Fix what the error names and run the same command again; finished runs are kept."
        return Reason(str(error), remedy)
    return Reason(
        f"{type(error).__name__}: {error}",
        "This is a fault of the program: see the run's log for the traceback.",
    )


def _explained_memory(error: Exception, config: RunConfig) -> Exception:
    """Return a message with the remedy if `error` is about memory, else `error` itself."""
    if not is_out_of_memory(error):
        return error
    size = config.training.batch_size if config.training else config.evaluation.batch_size
    return SeqrecError(
        f"out of memory ({str(error).splitlines()[0] if str(error) else 'host'}). Lower "
        f"training.batch_size (it is {size}) or evaluation.batch_size (it is "
        f"{config.evaluation.batch_size}), or use a device with more memory."
    )


def _explained_disk(error: OSError, folder: Path) -> Exception:
    """Return a message with the remedy if `error` is about space, else `error` itself."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return SeqrecError(
        f"{folder}: {error.strerror}. Free some disk space, then run again; "
        "nothing that was there is lost."
    )
