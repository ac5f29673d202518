"""What is measured, in which order, and what each part may take of the time.

The costs are guesses for a large GPU, so that a part is not begun that cannot end in time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from accelerator.prepared import REAL, SMALL, STAND_INS, Prepared

FIRST = ("sasrec+", "bert4rec", "sasrec+3000", "gru4rec", "sasrec", "ligr", "hstu", "gsasrec")
"""Models that are measured before the others: one of every kind, and of every loss."""
FEW_MODELS = 4
"""How many of them a tiny measurement takes."""
COMPILED_SOON = "gru4rec"
"""The one that a CPU compiles within a second: most of it is a layer that is left as it is."""
PRECISIONS = ("bfloat16", "float32")
TRAINED = {("ml-1m", "sasrec+"): 20, ("ml-1m", "bert4rec"): 60, ("beauty", "sasrec+"): 15}
"""Trained to early stopping, in about as many seconds as is hoped for."""
LARGE_LOG, LARGE_EPOCH_SECONDS = "like-ml-20m", 8
"""The log whose epochs are measured whole, and as how many seconds are hoped for."""
LARGE_MODELS = ("sasrec+", "sasrec+3000")
MANY_ITEMS = (("sasrec+300", 1_000_000), ("sasrec+300", 10_000_000), ("sasrec+", 1_000_000))
"""A loss over all items has no sparse gradients."""
BY_TEXTBOOK = ("sasrec", "bert4rec", "gru4rec", "ligr", "hstu")
"""Implementations that the textbook has; it lacks gBCE."""
RUNS_AT_ONCE = 3
COMPILING_SECONDS = 40.0


@dataclass(frozen=True)
class Case:
    """One thing to measure."""

    name: str
    kind: str
    arguments: dict[str, Any]
    cost: float
    """Seconds that it is expected to take; it is given up after several times as many."""


@dataclass(frozen=True)
class Part:
    """Cases of one kind, the most important first."""

    name: str
    seconds: float
    """Share of the time, out of 540 seconds in all; what is left over goes to whatever remains."""
    cases: list[Case]


def plan(prepared: Prepared) -> list[Part]:
    """Return the parts in their order."""
    parts = [
        Part("checks", 75, _each_once(_checks(prepared))),
        Part("steps", 170, _each_once(_steps(prepared))),
        Part("textbook", 35, [*_textbook(prepared)]),
        Part("to early stopping", 110, [*_trainings()]),
        Part("large log", 50, [*_large()]),
        Part("many items", 40, [*_many_items(prepared)]),
        Part("sharing", 45, [*_sharing()]),
    ]
    if prepared.tiny:
        few = [Part(part.name, part.seconds, [*_few(part.cases)]) for part in parts]
        return [*few[:-1], Part(few[-1].name, few[-1].seconds, few[-1].cases[:1])]
    return parts


def _each_once(cases: Iterable[Case]) -> list[Case]:
    """Keep each case at its first place."""
    return [*{case.name: case for case in cases}.values()]


def _few(cases: list[Case]) -> Iterator[Case]:
    """Keep the cases with an argument that none before them had; compile what takes no minutes."""
    seen: set[tuple[str, Any]] = set()
    for case in cases:
        given = {*case.arguments.items()}
        if case.arguments.get("compile"):
            compiles_soon = case.arguments["model"] == COMPILED_SOON
            kept = case.kind == "package" and compiles_soon and ("compile", True) not in seen
        else:
            kept = not seen or not given <= seen
        is_of_few = case.arguments.get("model", FIRST[0]) in FIRST[:FEW_MODELS]
        if kept and (is_of_few or case.kind == "items"):
            seen |= given
            yield case


def _checks(prepared: Prepared) -> Iterator[Case]:
    yield Case("golden tensors", "golden", {}, 10)
    models = _ordered(prepared.configs[SMALL])
    plain = [(model, precision, False) for precision in PRECISIONS for model in models]
    compiled = [(model, "bfloat16", True) for model in FIRST]
    for model, precision, compile in (*plain[: len(FIRST)], *compiled[:2], *plain, *compiled):
        name = f"{model} {precision}{' compiled' if compile else ''}"
        arguments = {"model": model, "precision": precision, "compile": compile}
        yield Case(name, "learns", arguments, 2 + (COMPILING_SECONDS if compile else 0.0))


def _ordered(models: Any) -> list[str]:
    return [*FIRST, *(model for model in models if model not in FIRST)]


def _steps(prepared: Prepared) -> Iterator[Case]:
    def case(log: str, model: str, precision: str, compile: bool) -> Case:
        large = 3.0 if log in STAND_INS else 2.0
        return Case(
            _name(log, model, precision, compile),
            "package",
            {"log": log, "model": model, "precision": precision, "compile": compile},
            large + (COMPILING_SECONDS if compile else 0.0),
        )

    cases = [case(log, model, "bfloat16", False) for log in REAL for model in FIRST]
    cases += [case(*trained, "bfloat16", True) for trained in TRAINED]
    cases += [case(log, model, "bfloat16", False) for log in STAND_INS for model in FIRST]
    cases += [case(log, model, "float32", False) for log in REAL for model in FIRST]
    # All the rest: the other models, the other precision, compiled.
    for compile in (False, True):
        for precision in PRECISIONS:
            for log in (*REAL, *STAND_INS):
                models = _ordered(prepared.configs[log])
                cases += [case(log, model, precision, compile) for model in models]
    yield from cases


def _textbook(prepared: Prepared) -> Iterator[Case]:
    for log in (*REAL, *STAND_INS):
        for model in _ordered(prepared.configs[log]):
            config = prepared.config(log, model)
            if config.implementation in BY_TEXTBOOK and config.loss.kind != "gbce":
                yield Case(f"{log} {model}", "textbook", {"log": log, "model": model}, 4)


def _trainings() -> Iterator[Case]:
    for compile in (False, True):
        for (log, model), seconds in TRAINED.items():
            arguments = {"log": log, "model": model, "precision": "bfloat16", "compile": compile}
            cost = seconds + (COMPILING_SECONDS if compile else 0.0)
            yield Case(_name(log, model, "bfloat16", compile), "to early stopping", arguments, cost)


def _large() -> Iterator[Case]:
    for compile in (False, True):
        for model in LARGE_MODELS:
            arguments = {"log": LARGE_LOG, "model": model, "precision": "bfloat16"}
            cost = 2.5 * LARGE_EPOCH_SECONDS + (COMPILING_SECONDS if compile else 0.0)
            name = _name(LARGE_LOG, model, "bfloat16", compile)
            yield Case(name, "epochs", {**arguments, "compile": compile}, cost)


def _many_items(prepared: Prepared) -> Iterator[Case]:
    for compile, sparse in ((False, False), (False, True), (True, False)):
        for model, many in MANY_ITEMS[: 2 if sparse else None]:
            items = many // 1_000 if prepared.tiny else many
            arguments = {"items": items, "model": model, "precision": "bfloat16"}
            arguments |= {"compile": compile, "sparse": sparse}
            cost = 10 + (COMPILING_SECONDS if compile else 0.0)
            name = _name(f"{items:,} items", model, "bfloat16", compile)
            yield Case(f"{name}{' sparse' if sparse else ''}", "items", arguments, cost)


def _sharing() -> Iterator[Case]:
    for log, model in (("ml-1m", "sasrec+"), ("beauty", "sasrec+"), ("ml-1m", "bert4rec")):
        arguments = {"log": log, "model": model, "precision": "bfloat16", "runs": RUNS_AT_ONCE}
        yield Case(f"{log} {model}", "sharing", arguments, 30)


def _name(log: str, model: str, precision: str, compile: bool) -> str:
    return f"{log} {model} {precision}{' compiled' if compile else ''}"
