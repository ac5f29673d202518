"""Types by which a model's constructor annotates its hyperparameters, and a loss its parameters.

They say which values a YAML file may give. Any other annotation that pydantic knows works too.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

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
    "Share",
]

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]
"""At least 0 and below 1, as for dropout."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""From 0 to 1, both included."""

OpenProbability = Annotated[float, Field(gt=0.0, lt=1.0)]
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
