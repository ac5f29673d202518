"""What an experiment tries of its models: every combination of some values, or drawn trials.

Trials are drawn beforehand, so each is an ordinary run. They come from a scrambled Sobol sequence,
which covers the space more evenly than independent draws, and whose beginning does not depend on
how many are drawn: more trials keep the earlier ones.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import count
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, model_validator

from seqrec.typed_yaml import Strict
from seqrec.wording import counted

MOST_TRIALS = 10_000
"""Most trials, or combinations of a grid, of one model on one dataset."""
MOST_NEW_SEEDS = 1_000
"""Most seeds that a chosen setting is run with anew."""
DIGITS = 3
"""Significant digits of a number drawn from a range: what is shown is what is run."""

Range = Annotated[list[int | float], Field(min_length=2, max_length=2)]


def _each_once(values: list[Any]) -> list[Any]:
    texts = [json.dumps(value, sort_keys=True, default=str) for value in values]
    for text in texts:
        if texts.count(text) > 1:
            raise ValueError(f"{text} is listed twice")
    return values


class Tried(Strict):
    """The values of one setting that are tried; a plain list stands for `values`."""

    values: Annotated[list[Any], Field(min_length=1), AfterValidator(_each_once)] | None = None
    """Values to choose from, all equally often."""
    log: Range | None = None
    """A range `[low, high]` of numbers above 0, in which every factor is equally likely."""
    linear: Range | None = None
    """A range `[low, high]` of numbers, all equally likely."""
    models: Annotated[list[str], Field(min_length=1)] | None = None
    """Models that the setting is tried of, by names or patterns such as `sasrec*`; all by
    default."""

    @model_validator(mode="after")
    def _of_one_kind(self) -> "Tried":
        given = [each for each in (self.values, self.log, self.linear) if each is not None]
        if len(given) != 1:
            raise ValueError("write one of values: [a, b], log: [low, high], linear: [low, high]")
        for low, high in filter(None, (self.log, self.linear)):
            if not low < high:
                raise ValueError(f"write the lower end first, as in [{high}, {low}]")
            if math.isinf(float(high) - float(low)):
                raise ValueError(f"[{low}, {high}] is too wide for the numbers of a computer")
        if self.log and self.log[0] <= 0:
            raise ValueError(f"log: must begin above 0 (got {self.log[0]})")
        return self

    def applies(self, model: str) -> bool:
        """Whether the setting is tried of a model, named as the experiment's file names it."""
        return self.models is None or any(fnmatchcase(model, each) for each in self.models)

    @property
    def first(self) -> Any:
        """The first value; of a range, the middle."""
        return self.at(0.0 if self.values else 0.5, whole=True)

    def at(self, place: float, whole: bool) -> Any:
        """Return the value at a place from 0 to 1; a whole number of a range if `whole`."""
        if self.values is not None:
            return self.values[min(int(place * len(self.values)), len(self.values) - 1)]
        low, high = self.log or self.linear or (0, 0)
        if whole and isinstance(low, int) and isinstance(high, int):
            # Every whole number has its share, those at the ends too.
            return min(max(round(self._between(low - 0.5, high + 0.5, place)), low), high)
        value = self._between(low, high, place)
        scale = value if self.log else high - low
        rounded = round(value, DIGITS - 1 - math.floor(math.log10(scale)))
        return float(min(max(rounded, low), high))

    def _between(self, low: float, high: float, place: float) -> float:
        if self.linear:
            return low + place * (high - low)
        return math.exp(math.log(low) + place * (math.log(high) - math.log(low)))


def _as_values(given: Any) -> Any:
    if not isinstance(given, list | dict | Tried):
        raise ValueError("write a list of values, as in [0.1, 0.3]")
    return {"values": given} if isinstance(given, list) else given


TriedValues = Annotated[
    Tried, BeforeValidator(_as_values, json_schema_input_type=list[Any] | Tried)
]


def _all_listed(grid: dict[str, Tried]) -> dict[str, Tried]:
    for key, tried in grid.items():
        if tried.values is None:
            raise ValueError(f"{key}: a grid needs a list of values; ranges are for 'search'")
    return grid


GridSpace = Annotated[dict[str, TriedValues], AfterValidator(_all_listed)]
SearchSpace = Annotated[dict[str, TriedValues], Field(min_length=1)]


class Search(Strict):
    """Settings to choose by validation, with as many trials for every model and dataset."""

    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)]
    """How many settings to try of each model on each dataset. The first is the model's own."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """What the drawn settings come from."""
    space: SearchSpace
    """What is tried of each setting, by names such as `training.learning_rate`."""
    reseed: Annotated[PositiveInt, Field(le=MOST_NEW_SEEDS)] | None = None
    """Run the chosen setting with this many new seeds, and report those."""


def combinations(space: Mapping[str, Tried]) -> list[dict[str, Any]]:
    """List every combination of listed values, in the order of the file; the last key is the
    quickest to change. Raises `ValueError` if there are more than `MOST_TRIALS`."""
    number = math.prod(len(tried.values or ()) for tried in space.values())
    if number > MOST_TRIALS:
        raise ValueError(
            f"{number:,} combinations are more than {MOST_TRIALS:,}; list fewer values"
        )
    found: list[dict[str, Any]] = [{}]
    for key, tried in space.items():
        found = [{**one, key: value} for one in found for value in tried.values or ()]
    return found


def draw(
    search: Search, keys: Sequence[str], own: Mapping[str, Any], number: int
) -> list[dict[str, Any]]:
    """Draw `number` settings of the space's `keys`, no two of them alike.

    `own` are the model's own values: a range of whole numbers is drawn in whole numbers where the
    model's own value is one. All models of a search are drawn from one sequence, so models with
    the same keys try the same values. Raises `ValueError` if the space has fewer settings.
    """
    if not number:
        return []
    drawn: dict[str, dict[str, Any]] = {}
    for point in _places(search, number):
        setting = {
            key: tried.at(place, whole=_is_whole(own.get(key)))
            for (key, tried), place in zip(search.space.items(), point, strict=True)
            if key in keys
        }
        drawn.setdefault(json.dumps(setting, sort_keys=True), setting)
        if len(drawn) == number:
            break
    if len(drawn) < number:
        raise ValueError(
            f"the space has no more than {counted(len(drawn), 'setting')} beside the model's own, "
            f"so write 'trials: {len(drawn) + 1}', or a wider space"
        )
    return list(drawn.values())


def _is_whole(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _places(search: Search, number: int) -> Iterator[Sequence[float]]:
    """Yield places `[keys of the space]` from 0 to 1, enough to find `number` different ones.

    The sequence is drawn anew at twice its length where settings repeat; its beginning is the same.
    """
    # It takes half a second to import, which an experiment without a search need not wait for.
    from scipy.stats import qmc

    done = 0
    least = max(4, math.ceil(math.log2(max(1, number))))
    for power in count(least):
        if power > least + 6:
            return
        sequence = qmc.Sobol(len(search.space), scramble=True, rng=search.seed)
        yield from sequence.random_base2(power)[done:].tolist()
        done = 2**power
