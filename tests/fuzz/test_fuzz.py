"""Thousands of damaged files and odd command lines: each ends in a success or in one message.

None ends in a traceback, a hang or much memory, none changes or loses a file that it should not,
and none leaves half a file behind. `python tests/fuzz KIND SEED NUMBER` repeats a case.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dice import Dice
from fuzz_cases import (
    KINDS,
    OF_CONFIGURATIONS,
    ON_CONFIGURATIONS,
    ON_RESULTS,
    PLAN,
    SLOW_ON_RESULTS,
    VARIANT,
)
from fuzz_projects import make_projects
from nursery import Nursery, nursery
from trial import attempt, snapshot

SEED = 6
SAMPLE = 40
"""Of so many cases, one is tried every time, and the others by the slow tests."""
CASES = {
    "results": 500,
    "configuration": 400,
    "background": 120,
    "workflow": 80,
    "data": 500,
    "users": 200,
    "command": 500,
}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_projects(tmp_path_factory.mktemp("projects"))


@pytest.fixture(scope="module")
def parent() -> Iterator[Nursery]:
    with nursery() as one:
        yield one


def attempts(
    kind: str, numbers: range, projects: dict[str, Path], place: Path, parent: Nursery
) -> tuple[int, list[str]]:
    """Try these cases; return how many were refused, and reports of those that broke a promise."""
    refused, reports = 0, []
    for number in numbers:
        tried = attempt(kind, SEED, number, projects, place, parent)
        refused += tried.refused
        reports += [str(tried)] * bool(tried.broken)
        shutil.rmtree(place)
    return refused, reports


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_whatever_is_handed_in_ends_in_a_success_or_in_one_message(
    kind: str,
    whole: bool,
    projects: dict[str, Path],
    tmp_path: Path,
    parent: Nursery,
    record_property: Callable[[str, object], None],
) -> None:
    some = CASES[kind] // SAMPLE
    numbers = range(some, CASES[kind]) if whole else range(some)
    refused, reports = attempts(kind, numbers, projects, tmp_path / "case", parent)
    record_property("tried", len(numbers))
    record_property("refused", refused)
    assert not reports, "\n\n".join(reports)
    if whole:  # cases that are all accepted, or all refused, would try little
        assert 0.05 < refused / len(numbers) < 0.97


@pytest.mark.slow
def test_nothing_is_refused_that_is_not_damaged(
    projects: dict[str, Path], tmp_path: Path, parent: Nursery
) -> None:
    """A case that would be refused anyway tries nothing."""
    alone = [*ON_RESULTS, *SLOW_ON_RESULTS, *(words for _, words in ON_CONFIGURATIONS)]
    on_results = {str(each): each for each in (*([words] for words in alone), PLAN, VARIANT)}
    chains = [("results", commands) for commands in on_results.values()]
    chains += [("inputs", commands) for _, commands in OF_CONFIGURATIONS]
    for start, commands in chains:
        shutil.copytree(projects[start], tmp_path / "case")
        for words in commands:
            outcome = parent.run(tmp_path / "case/project", words)
            assert outcome.code == (words[0] == "missing"), (words, outcome.said)
        shutil.rmtree(tmp_path / "case")


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_is_the_same_whenever_it_is_made(
    kind: str, projects: dict[str, Path], tmp_path: Path
) -> None:
    start, make = KINDS[kind]
    for number in range(5):
        made = []
        for name in ("one", "other"):
            place = shutil.copytree(projects[start], tmp_path / f"{number}-{name}")
            made.append((make(place / "project", Dice(str(number))), snapshot(place)))
        assert made[0] == made[1]
