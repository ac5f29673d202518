"""Types by which the constructor of a model annotates its hyperparameters.

They are the schema of what its YAML may say, for built-in and custom models alike.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

__all__ = [
    "Annotated",
    "Divides",
    "Literal",
    "NonNegativeFloat",
    "OpenProbability",
    "PositiveFloat",
    "PositiveInt",
    "Probability",
]

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]
"""At least 0 and below 1, as of dropout."""

OpenProbability = Annotated[float, Field(gt=0.0, lt=1.0)]
"""Between 0 and 1, without either."""


@dataclass(frozen=True)
class Divides:
    """Marks a whole number that must divide another hyperparameter.

    Example: `heads: Annotated[PositiveInt, Divides("hidden_size")] = 1`
    """

    multiple: str
    """Name of the hyperparameter that must be a multiple of this one."""
