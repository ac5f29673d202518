"""Types by which a model's constructor annotates its hyperparameters, and a loss its parameters.

They say which values a YAML file may give. Any other annotation that pydantic knows works too.
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

__all__ = [
    "Annotated",
    "Divides",
    "Literal",
    "NonNegativeFloat",
    "OpenProbability",
    "PositiveFloat",
    "PositiveInt",
    "Probability",
    "Share",
]


@dataclass(frozen=True)
class Range:
    """Marks a number that lies within bounds; pydantic checks it, and models train without."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return handler(source) | {
            key: bound for key, bound in asdict(self).items() if bound is not None
        }


PositiveInt = Annotated[int, Range(gt=0)]
"""A whole number from 1."""

PositiveFloat = Annotated[float, Range(gt=0)]
"""Above 0."""

NonNegativeFloat = Annotated[float, Range(ge=0)]
"""At least 0."""

Probability = Annotated[float, Range(ge=0.0, lt=1.0)]
"""At least 0 and below 1, as for dropout."""

Share = Annotated[float, Range(ge=0.0, le=1.0)]
"""From 0 to 1, both included."""

OpenProbability = Annotated[float, Range(gt=0.0, lt=1.0)]
"""Above 0 and below 1."""


@dataclass(frozen=True)
class Divides:
    """Marks a whole number that must divide another hyperparameter.

    Example: `heads: Annotated[PositiveInt, Divides("hidden_size")] = 1`
    """

    multiple: str
    """Name of the hyperparameter that must be a multiple of this one."""

    def holds(self, part: Any, multiple: Any) -> bool:
        """Whether `part` divides `multiple` without a remainder."""
        whole = isinstance(part, int) and isinstance(multiple, int)
        return whole and part != 0 and multiple % part == 0
