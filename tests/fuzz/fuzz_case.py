"""A case of the fuzzer: what it damages, and which commands it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from damages import damage
from dice import Dice

Words = list[str]


@dataclass
class Case:
    """What one try does to a project."""

    commands: list[Words]
    """Run in this order until one refuses."""
    damaged: list[Path] = field(default_factory=list)
    """The damaged files, relative to the project."""
    damages: list[str] = field(default_factory=list)

    def damage(self, project: Path, *files: Path | str, dice: Dice) -> None:
        for file in files:
            # The same may be drawn twice, and may by then be too large to be read.
            if Path(file) not in self.damaged and (project / file).is_file():
                self.damages.append(damage(project / file, dice))
                self.damaged.append(Path(file))


Make = Callable[[Path, Dice], Case]
"""Damages the project in a folder."""
