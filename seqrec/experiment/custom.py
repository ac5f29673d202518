"""Custom models and losses, `package.module:Class` or `...:function`: find them, import them,
explain their mistakes."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from seqrec.errors import SeqrecError, is_out_of_memory
from seqrec.wording import quoted

if TYPE_CHECKING:
    from seqrec.experiment.schema import RunConfig


class Role(NamedTuple):
    """What custom code is in a configuration, for messages."""

    key: str
    """The key that names it."""
    kind: str
    """What it has to be: a class or a function."""


MODEL = Role("implementation", "class")
LOSS = Role("loss.kind", "function")


def is_custom(implementation: str) -> bool:
    """Whether an implementation is an import path, rather than the name of a built-in model.

    The same goes for the kind of a loss, here and below.
    """
    return ":" in implementation


def import_custom(implementation: str, role: Role = MODEL) -> Any:
    """Import a custom model's class or a custom loss's function, from the current folder or
    wherever Python finds it.

    Raises `SeqrecError` if it cannot be found, or with the line that fails.
    """
    module_name, _, class_name = implementation.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module_name), class_name)
        if not (inspect.isclass(found) if role is MODEL else callable(found)):
            raise TypeError(f"{class_name} is not a {role.kind}")
    except (Exception, SystemExit) as error:  # a file may raise anything while it is imported
        not_found = isinstance(error, ImportError | AttributeError | TypeError | ValueError)
        if not_found and not custom_lines(error, implementation):
            raise SeqrecError(
                f"{role.key} {quoted(implementation)} cannot be imported ({error}). Write "
                f"package.module:{role.kind.capitalize() if role is MODEL else role.kind} of a "
                "module that Python finds from the project's folder."
            ) from error
        raise mistake(error, implementation, "while it is imported", role) from error
    return found


def custom_signature(implementation: str, role: Role = MODEL) -> inspect.Signature:
    """Return the signature of a custom model's constructor or of a loss, with its annotations
    evaluated.

    If one of them cannot be evaluated, all are left out.
    """
    found = import_custom(implementation, role)
    signature = inspect.signature(found)
    types: dict[str, Any] = {}
    with suppress(Exception):  # an annotation may be anything, or name what does not exist
        types = get_type_hints(found.__init__ if role is MODEL else found, include_extras=True)
    empty = inspect.Parameter.empty
    return signature.replace(
        parameters=[
            parameter.replace(annotation=types.get(name, empty))
            for name, parameter in signature.parameters.items()
        ]
    )


def custom_module(implementation: str) -> Path | None:
    """Find the file of a custom model without importing it, which takes seconds.

    It looks where Python would, starting in the current folder. None for a built-in model, and if
    there is no such file.
    """
    module, colon, _ = implementation.partition(":")
    parts = module.split(".")
    if not colon or not all(parts):  # a relative import leads nowhere
        return None
    for folder in (Path(), *map(Path, sys.path)):
        for place in (Path(*parts, "__init__.py"), Path(*parts[:-1], f"{parts[-1]}.py")):
            with suppress(OSError):  # names that are too long
                if (folder / place).is_file():
                    return folder / place
    return None


def custom_lines(error: BaseException, implementation: str) -> list[str]:
    """List the places `file:line` in a custom model's package that `error` passed through.

    The innermost comes last. There are none for a built-in model.
    """
    module, colon, _ = implementation.partition(":")
    package = module.rpartition(".")[0] or module
    return [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if colon and f"{frame.f_globals.get('__name__')}.".startswith(f"{package}.")
    ]


@contextmanager
def custom_code(
    implementation: str, doing: str, all_of_it: bool = False, role: Role = MODEL
) -> Iterator[None]:
    """Turn what a custom model's or loss's code raises into one message with its line.

    With `all_of_it`, every error counts as its own, not only one that passes through its code.
    Out-of-memory errors and those of built-in models are raised unchanged.
    """
    try:
        yield
    except SeqrecError:
        raise
    except (Exception, SystemExit) as error:
        lines = custom_lines(error, implementation)
        if is_out_of_memory(error) or not (lines or (all_of_it and is_custom(implementation))):
            raise
        raise mistake(error, implementation, doing, role) from error


def mistake(
    error: BaseException, implementation: str, doing: str, role: Role = MODEL
) -> SeqrecError:
    """Build the message for an error that custom code raised, with the line of its file."""
    lines = custom_lines(error, implementation)
    where = f" in {lines[-1]}" if lines else ""
    return SeqrecError(
        f"{role.key} {quoted(implementation)} fails {doing}{where} "
        f"({f'{type(error).__name__}: {error}'.removesuffix(': ')}). Fix its file."
    )


def refusal(config: "RunConfig", found: str) -> SeqrecError:
    """Build the message for a custom model that breaks a rule; `found` says how."""
    file = custom_module(config.implementation)
    return SeqrecError(
        f"implementation {quoted(config.implementation)}{f' in {file}' if file else ''}: {found}"
    )
