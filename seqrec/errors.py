"""Errors that users see, and how to recognise that memory ran out."""


class SeqrecError(Exception):
    """A problem that the user can solve; its message names file, place, value and remedy.

    The command line prints the message without a traceback and exits with status 1.
    """


class Stopped(Exception):
    """A training was told to stop by a signal; its saved state holds all it needs to go on."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; torch, CUDA and its libraries sometimes say so only in a message."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "out of memory" in text
        or "alloc_failed" in text
        or ("memory" in text and "alloc" in text)
    )
