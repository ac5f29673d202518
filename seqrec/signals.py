"""React to the signals that tell a process to stop, and to the end of the one that started it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDS_WITH = "SEQREC_ENDS_WITH"
"""Environment variable with the number of the process whose end is also the end of this one."""
PARENT_POLL_SECONDS = 0.5


@contextmanager
def handling(
    handler: Callable[[int, FrameType | None], object], *numbers: signal.Signals
) -> Iterator[None]:
    """Install `handler` for these signals and for SIGHUP while the block runs.

    SIGHUP, which a closing terminal sends, stays ignored where it is, as under nohup.
    """
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers = *numbers, signal.SIGHUP
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def end_with_parent(end: Callable[[], object]) -> None:
    """Call `end`, from a thread, once the process that `ENDS_WITH` names is gone.

    A process killed by `kill -9` cannot stop what it has started. Processes that this one starts
    do not inherit the variable.
    """
    number = os.environ.pop(ENDS_WITH, "")
    if number.isdecimal():
        threading.Thread(target=_wait_for, args=(int(number), end), daemon=True).start()


def _wait_for(process: int, end: Callable[[], object]) -> None:
    while is_alive(process):
        time.sleep(PARENT_POLL_SECONDS)
    end()


def is_alive(process: int) -> bool:
    """Tell whether the process with this number is running on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False  # the system has no such number, or nobody has it
    except PermissionError:
        return True  # it is somebody else's
    return True
