"""Reproducible choices: the same name gives the same ones, whatever they are made among."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Draws one number for each choice, so that a file's length does not shift later ones."""

    def __init__(self, name: str) -> None:
        self._random = random.Random(name)

    def below(self, count: int) -> int:
        return int(self._random.random() * count)

    def among(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def some(self, choices: Sequence[T], most: int) -> list[T]:
        """Draw one to `most` of the choices, which may repeat."""
        return [self.among(choices) for _ in range(1 + self.below(most))]
