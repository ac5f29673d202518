"""Describe a log by numbers: its size, what was removed, and how many targets are special."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from seqrec.data.bad_lines import Dropped
from seqrec.data.filtering import Removed, distinct, repeats
from seqrec.data.sequences import Sequences
from seqrec.json_files import read_json
from seqrec.typed_yaml import check_values


class Statistics(BaseModel):
    """The numbers of `statistics.json`. A user's last item is the test target, the one before it
    the validation target, and all others are the training part."""

    model_config = ConfigDict(frozen=True, strict=True)

    users: int
    items: int
    interactions: int
    mean_length: float
    min_length: int
    max_length: int
    density: float
    """Interactions per cell of the user-item matrix."""
    repeated_interactions: int
    """Interactions with an item that the user has interacted with before."""
    repeated_validation_targets: int
    """Users whose validation target is in their history already. These count as misses, because
    seen items are never ranked."""
    repeated_test_targets: int
    """The same for the test target."""
    unseen_validation_targets: int
    """Users whose validation target is in nobody's training part."""
    unseen_test_targets: int
    """The same for the test target."""
    tied_targets: int | None = None
    """Users with a target that shares its time with another item, so that not time but the order of
    the file, or of ids, decided between the two; None if the file has no times."""
    first_time: int | None = None
    """When the earliest interaction happened, in unix seconds; None if the file has no times."""
    last_time: int | None = None
    """The same of the latest."""
    interactions_read: int
    """Interactions in the raw file, without dropped lines."""
    where_removed: dict[str, int] = {}
    """Interactions dropped by each of the filter's conditions. The conditions come in order: an
    interaction that fails several counts for the first."""
    duplicates_removed: int
    """Interactions dropped by the rule for repeated pairs."""
    interactions_filtered: int
    """Interactions dropped by the minimum counts."""
    users_filtered: int
    """Users dropped by the minimum counts."""
    items_filtered: int
    """Items dropped by the minimum counts."""
    users_left_out: int
    """Users dropped because fewer than three interactions remained, too few to split."""
    bad_lines_dropped: int = 0
    """Malformed lines of the raw file, dropped as the dataset's format allows."""
    missing_ids_dropped: int = 0
    """Lines of the raw file without a user or an item, dropped as the format allows."""

    @classmethod
    def read(cls, path: Path) -> "Statistics":
        """Read `statistics.json`.

        Raises `SeqrecError` if it is malformed, and errors of the operating system as they are.
        """
        return check_values(cls, read_json(path), str(path))

    def written(self) -> dict[str, Any]:
        """Return the content of `statistics.json`, which has optional keys only if they tell
        something."""
        return {key: value for key, value in self if value != OPTIONAL.get(key, ...)}

    def account(self) -> str:
        """Say how many interactions were kept, and why the others were not; empty if all were."""
        dropped = [f"{count:,} without {what}" for what, count in self.where_removed.items()]
        if self.duplicates_removed:
            dropped.append(f"{self.duplicates_removed:,} repeated")
        if self.interactions_filtered:
            users, items = self.users_filtered, self.items_filtered
            dropped.append(
                f"{self.interactions_filtered:,} by the minimum counts ({users:,} "
                f"{_plural(users, 'user')} and {items:,} {_plural(items, 'item')})"
            )
        if self.users_left_out:
            left_out = self.interactions_read - self.interactions - self.interactions_filtered
            left_out -= self.duplicates_removed + sum(self.where_removed.values())
            users = self.users_left_out
            dropped.append(
                f"{left_out:,} of {users:,} {_plural(users, 'user')} with fewer than three"
            )
        if not dropped:
            return ""
        kept = f"{self.interactions:,} of {self.interactions_read:,} interactions kept"
        return f"{kept}; dropped: {', '.join(dropped)}"

    def period(self) -> str:
        """Say from which day to which the interactions are; empty if the file has no times."""
        if self.first_time is None or self.last_time is None:
            return ""
        first, last = np.array([self.first_time, self.last_time], "datetime64[s]")
        return f"from {first.astype('datetime64[D]')} to {last.astype('datetime64[D]')}"

    def warnings(self) -> list[str]:
        """Return a line for each thing that somebody who uses the log should know."""
        found = []
        if lines := self.bad_lines_dropped:
            found.append(
                f"{lines:,} malformed {_plural(lines, 'line')} dropped (on_bad_line: drop)"
            )
        if lines := self.missing_ids_dropped:
            found.append(f"{lines:,} {_plural(lines, 'line')} without a user or an item dropped")
        if users := self.repeated_test_targets:
            found.append(
                f"{self._share(users)} test targets are already in the user's history, where no "
                "model may recommend them: each is a certain miss (filter: {duplicates: first} "
                "avoids this)"
            )
        if tied := self.tied_targets:
            found.append(
                f"{self._share(tied)} users have a target at the same time as another item: not "
                "time but the order of the file (of ids, with `ties: item`) decided which of the "
                "two is held out"
            )
        return found

    def _share(self, users: int) -> str:
        return f"{users:,} of {self.users:,} ({100 * users / self.users:.1f}%)"


OPTIONAL = {
    key: field.default
    for key, field in Statistics.model_fields.items()
    if key != "tied_targets" and not field.is_required()
}
"""Keys that are left out of the file where they have these values."""


def describe(
    log: Sequences,
    times: tuple[np.ndarray, ...],
    removed: Removed,
    dropped: Dropped,
    unmet: dict[str, int],
) -> Statistics:
    """Compute the statistics of `log`.

    `times` are those that it was sorted by, [interactions] each; `unmet` are the numbers of
    interactions that were dropped by the filter's conditions.
    """
    items, offsets = log.items, log.offsets
    lengths = np.diff(offsets)
    trained = np.zeros(log.num_items + 1, bool)
    found: Counter[str] = Counter()
    for place, part in log.parts():
        targets = _Targets(part)
        trained[part.items[targets.before_end > 2]] = True
        again = repeats(targets.owner, part.items, keep="first")
        found["repeated"] += int(again.sum())
        found["repeated validation"] += targets.repeated(2)
        found["repeated test"] += targets.repeated(1)
        if times:
            found["tied"] += targets.tied(tuple(column[place] for column in times))
    return Statistics(
        users=log.num_users,
        items=log.num_items,
        interactions=len(items),
        mean_length=round(len(items) / log.num_users, 4),
        min_length=int(lengths.min()),
        max_length=int(lengths.max()),
        density=float(f"{len(items) / (log.num_users * log.num_items):.6g}"),
        repeated_interactions=found["repeated"],
        repeated_validation_targets=found["repeated validation"],
        repeated_test_targets=found["repeated test"],
        unseen_validation_targets=int((~trained[items[offsets[1:] - 2]]).sum()),
        unseen_test_targets=int((~trained[items[offsets[1:] - 1]]).sum()),
        tied_targets=found["tied"] if times else None,
        first_time=None if log.times is None else int(log.times.min()),
        last_time=None if log.times is None else int(log.times.max()),
        where_removed=unmet,
        **asdict(removed) | {"interactions_read": removed.interactions_read + sum(unmet.values())},
        **asdict(dropped),
    )


class _Targets:
    """The targets of some users, beside all of their interactions."""

    def __init__(self, part: Sequences) -> None:
        self.items, self.ends = part.items, part.offsets[1:]
        self.lengths = np.diff(part.offsets)
        self.owner = part.owners()
        self.before_end = np.repeat(self.ends, self.lengths) - np.arange(len(self.items))
        """1 at a user's last interaction, 2 at the one before it, int64 [interactions]."""

    def repeated(self, place: int) -> int:
        """Count users whose item at `place` from the end is among those before it."""
        targets = self.items[self.ends - place]
        again = self.items == np.repeat(targets, self.lengths)
        return distinct(self.owner[again & (self.before_end > place)])

    def tied(self, times: tuple[np.ndarray, ...]) -> int:
        """Count users with another item at the time of one of their two targets.

        `times` are [interactions] each.
        """
        tied = np.zeros(len(self.items), bool)
        for at in (self.ends - 1, self.ends - 2):
            found = self.items != np.repeat(self.items[at], self.lengths)
            for column in times:
                found &= column == np.repeat(column[at], self.lengths)
            tied |= found
        return distinct(self.owner[tied])


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
