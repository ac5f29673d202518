"""From the name of an implementation, or its import path, to the class of a model."""

import importlib

from seqrec.errors import SeqrecError
from seqrec.experiment.built_in import BuiltIn, built_in_names, find_built_in
from seqrec.experiment.custom import import_custom, is_custom
from seqrec.wording import nearest, quoted


def built_in(implementation: str, where: str = "") -> BuiltIn:
    """Return the built-in model of that name. Raises `SeqrecError`, which begins with `where`."""
    found = find_built_in(implementation)
    if found is None:
        raise SeqrecError(
            f"{where}implementation: unknown {quoted(implementation)} (a custom model is written "
            f"package.module:Class); {nearest(implementation, built_in_names())}"
        )
    return found


def import_model(implementation: str) -> type:
    """Import the class behind an implementation's name or import path."""
    if is_custom(implementation):
        return import_custom(implementation)
    found = built_in(implementation)
    model: type = getattr(importlib.import_module(found.module), found.class_name)
    return model
