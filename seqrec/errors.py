"""Errors that are meant for the user, and how a lack of memory is recognised."""


class SeqrecError(Exception):
    """A mistake that the user can mend: its text names the file, the place, the value and the remedy.

    The command line prints the text alone, without a traceback, and exits with 1.
    """


def is_out_of_memory(error: Exception) -> bool:
    """Recognise a lack of memory, also where torch, CUDA and its libraries only say so in a text."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "out of memory" in text
        or "alloc_failed" in text
        or ("memory" in text and "alloc" in text)
    )
