"""Hyperparameters: the constructor of a model is their schema, and the home of their defaults.

So is the function of a loss for its parameters."""

import inspect
import json
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError

from seqrec.errors import SeqrecError
from seqrec.experiment.custom import is_custom
from seqrec.experiment.parameters import Divides
from seqrec.wording import Keys, Problem, explain, listed, nearest, quoted

GIVEN_BY_THE_RUN = ("num_items", "max_length")
BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
OPEN_ENDED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Arguments:
    """The arguments that a configuration gives to a constructor or function, by its signature."""

    def __init__(
        self, owner: str, signature: inspect.Signature, section: str, given: Collection[str]
    ) -> None:
        """Read the signature of `owner`; a run gives those arguments that `given` names, and the
        `section` of a configuration the others."""
        self._owner, self._section = owner, section
        self._parameters = {
            name: parameter
            for name, parameter in signature.parameters.items()
            if name not in given and parameter.kind not in OPEN_ENDED
        }
        self._takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
        self.types: dict[str, TypeAdapter[Any]] = {}
        for name, parameter in self._parameters.items():
            if parameter.annotation is not parameter.empty:
                # A custom model's annotation may be anything; one that is not a type is ignored.
                with suppress(Exception):
                    self.types[name] = TypeAdapter(parameter.annotation)
        self.defaults = {
            name: parameter.default
            for name, parameter in self._parameters.items()
            if parameter.default is not parameter.empty
        }

    def resolve(self, values: dict[str, Any], where: str) -> dict[str, Any]:
        """Check `values` and fill in the defaults.

        A built-in model gets values converted to its types, so that `dropout: 0` and `dropout: 0.0`
        are one configuration; a custom model gets them as they are written. Raises `SeqrecError`
        with a line for every mistake; `where` names the values' origin.
        """
        resolved = self.defaults | values
        problems = [*self._wrong_names(values)]
        for name, value in resolved.items():
            try:
                text = _json(value)
                if name in values and name in self.types:
                    resolved[name] = self._checked(name, value, text)
            except ValueError as error:
                problems.append(f"{name}: {error}.")
        problems = problems or [*self._not_divided(resolved)]
        if problems:
            lines = (f"{where}: {self._section}: {text}" for text in problems)
            raise SeqrecError("\n".join(lines))
        return resolved

    def _wrong_names(self, values: dict[str, Any]) -> Iterator[str]:
        for name in values:
            if name not in self._parameters and not self._takes_any:
                hint = nearest(name, self._parameters)
                yield f"{self._owner} takes no {quoted(name)}; {hint}"
        for name in self._parameters:
            if name not in self.defaults and name not in values:
                yield f"{self._owner} needs {quoted(name)}."

    def _checked(self, name: str, value: Any, text: str) -> Any:
        """Return the value to give the constructor. Raises `ValueError` for a wrong type."""
        custom = is_custom(self._owner)
        try:
            # As JSON, where a list may stand for a tuple and a text for a path even in strict mode.
            converted = self.types[name].validate_json(text, strict=custom)
        except ValidationError as error:
            problems = explain(error, value)
            raise ValueError("; ".join(listed(_line(*each) for each in problems))) from None
        return value if custom else self.types[name].dump_python(converted, mode="json")

    def _not_divided(self, values: dict[str, Any]) -> Iterator[str]:
        for name, parameter in self._parameters.items():
            for mark in getattr(parameter.annotation, "__metadata__", ()):
                if isinstance(mark, Divides):
                    multiple, part = values.get(mark.multiple), values[name]
                    if not mark.holds(part, multiple):
                        yield f"{mark.multiple} {multiple} is not a multiple of {name} {part}."


class Hyperparameters(Arguments):
    """The hyperparameters that an implementation takes, by the signature of its constructor.

    Raises `SeqrecError` if the constructor does not take `num_items` and `max_length` first.
    """

    def __init__(self, implementation: str, signature: inspect.Signature) -> None:
        _require_given(implementation, signature)
        super().__init__(implementation, signature, "hyperparameters", GIVEN_BY_THE_RUN)


class LossParameters(Arguments):
    """The parameters that a loss takes after logits, by the signature of its function.

    Raises `SeqrecError` if it does not take two arguments by their place: the logits of target and
    negatives where `samples`, else all logits and the target.
    """

    def __init__(self, kind: str, signature: inspect.Signature, samples: bool) -> None:
        by_place = [p.name for p in signature.parameters.values() if p.kind in BY_PLACE]
        wanted = ("target", "negatives") if samples else ("logits", "target")
        others = {"logits", "negatives"} - {*wanted}
        swapped = by_place[:1] == [wanted[1]] or by_place[1:2] == [wanted[0]]
        if len(by_place) < 2 or swapped or {*by_place[:2]} & others:
            raise SeqrecError(
                f"loss.kind {quoted(kind)}: it takes ({', '.join(signature.parameters)}). Give "
                "'negatives: N' for a loss that takes (target, negatives) and leave it out for one "
                "that takes (logits, target), in this order and before the parameters."
            )
        super().__init__(kind, signature, "loss.parameters", (*by_place[:2], "num_items"))


def _require_given(implementation: str, signature: inspect.Signature) -> None:
    parameters = signature.parameters.values()
    by_place = [parameter.name for parameter in parameters if parameter.kind in BY_PLACE][:2]
    takes_more = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    wanted = GIVEN_BY_THE_RUN[: len(by_place)] if takes_more else GIVEN_BY_THE_RUN
    if parameters and tuple(by_place) != wanted:
        raise SeqrecError(
            f"implementation {quoted(implementation)}: its constructor takes "
            f"({', '.join(signature.parameters)}); it must take num_items and max_length first, "
            "then the hyperparameters by their names."
        )


def _line(path: Keys, text: str) -> str:
    return str(Problem(path, text)) if path else text


def _json(value: Any) -> str:
    """Write the value as JSON. Raises `ValueError` if JSON cannot hold it."""
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ValueError(
            f"a record cannot hold {quoted(value)}; write a finite number, a text, a list or a "
            "mapping"
        ) from None
