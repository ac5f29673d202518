"""Errors that users see, and how to recognise that memory ran out."""

import errno


class SeqrecError(Exception):
    """A problem that the user can solve; its message names file, place, value and remedy.

    The command line prints the message without a traceback and exits with status 1. What it quotes
    may come from anybody, so it holds no characters that would steer a terminal.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Write out what a terminal would not show but act on, as `\\x1b`; line breaks stay."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


class Stopped(Exception):
    """A training was told to stop by a signal; its saved state holds all it needs to go on."""


def explained(error: OSError) -> SeqrecError:
    """Say what the operating system refused, of which file, and what to do about it."""
    remedies = {
        errno.EACCES: "Change its permissions, or those of its folder, then run again.",
        errno.EPERM: "Change its permissions, or those of its folder, then run again.",
        errno.EROFS: "Make the disk writable, or choose another folder, then run again.",
        errno.ENOSPC: "Free some disk space, then run again.",
        errno.EDQUOT: "Free some disk space, then run again.",
        errno.ENOENT: "Run from the project's folder, and check the name.",
    }
    place = next((str(name) for name in (error.filename, error.filename2) if name), "a file")
    remedy = remedies.get(error.errno or 0, "Fix that, then run again.")
    return SeqrecError(f"{place}: cannot be used ({error.strerror or error}). {remedy}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; torch, CUDA and its libraries sometimes say so only in a message."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "out of memory" in text
        or "alloc_failed" in text
        or ("memory" in text and "alloc" in text)
    )
