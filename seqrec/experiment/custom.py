"""Custom models, written `package.module:Class`: find, import, and explain what they raise."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqrec.errors import SeqrecError, is_out_of_memory
from seqrec.experiment.schema import RunConfig


def custom_lines(error: Exception, implementation: str) -> list[str]:
    """Where `error` passed through the code of an own model or beside it, as `file:line`, the
    innermost last; nothing for a model of the package."""
    module, colon, _ = implementation.partition(":")
    package = module.rpartition(".")[0] or module
    return [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if colon and f"{frame.f_globals.get('__name__')}.".startswith(f"{package}.")
    ]


def mistake(error: Exception, implementation: str, doing: str) -> SeqrecError:
    """What an own model's code raised, as one message with the line of its file."""
    lines = custom_lines(error, implementation)
    where = f" in {lines[-1]}" if lines else ""
    return SeqrecError(
        f"implementation {implementation!r} fails {doing}{where} "
        f"({f'{type(error).__name__}: {error}'.removesuffix(': ')}). Mend its file."
    )


def custom_module(implementation: str) -> Path | None:
    """The file of an own model, looked for as Python does, from the folder that one is in; without
    importing it, which takes seconds."""
    module, colon, _ = implementation.partition(":")
    for folder in (Path(), *map(Path, sys.path)) if colon else ():
        place = folder.joinpath(*module.split("."))
        for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if path.is_file():
                return path
    return None


def is_custom(implementation: str) -> bool:
    """Whether it is written `package.module:Class`, rather than one of the package's names."""
    return ":" in implementation


@contextmanager
def custom_code(implementation: str, doing: str, all_of_it: bool = False) -> Iterator[None]:
    """Tell what an own model's code raises as one message with its line, for its author.

    With `all_of_it` whatever is raised is the model's doing, not just what passes through its code.
    A lack of memory is nobody's mistake and stays what it is, as does all of the package's models.
    """
    try:
        yield
    except SeqrecError:
        raise
    except Exception as error:
        lines = custom_lines(error, implementation)
        if is_out_of_memory(error) or not (lines or (all_of_it and is_custom(implementation))):
            raise
        raise mistake(error, implementation, doing) from error


def refusal(config: RunConfig, found: str) -> SeqrecError:
    file = custom_module(config.implementation)
    return SeqrecError(
        f"implementation {config.implementation!r}{f' in {file}' if file else ''}: {found}"
    )
