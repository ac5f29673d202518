"""Tries a case, and says which of the promises to users it broke."""

import os
import re
import shutil
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

import numpy as np
from dice import Dice
from fuzz_case import Case, Words
from fuzz_cases import KINDS
from fuzz_projects import RESULTS
from nursery import MOST_BYTES, Nursery, Outcome

from seqrec.data.interactions import Interactions
from seqrec.layout import Run

MOST_LINES = 14
"""A message has at most ten lines of problems, and some around them."""
MOST_LINE = 2500
"""Characters of a line, with the full paths that it names."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f]")
"""What a terminal would act on."""

WRITES: dict[str, list[str]] = {
    "download": ["data/raw/*", "data/processed/*"],
    "preprocess": ["data/processed/*"],
    "audit": ["data/processed/*"],
    "prepare": ["results/*/.success", "data/*/digest.json", "data/raw/*.json", "results/*/*.json"],
    "schema": ["config/schema/*"],
    "train": ["results/*", "data/*"],
    "tables": [f"{RESULTS}/tables/*", f"{RESULTS}/results.csv"],
    "figures": [f"{RESULTS}/figures/*"],
    "report": [f"{RESULTS}/report.html"],
    "promote": ["results/reference/*"],
    "score": ["results/*"],
    "snakemake": [".snakemake/*"],
}
"""What each command may write in a project, beside what its options name."""
NAMES_OUTPUT = ("--output", "--raw", "--results", "--write", "init")


@dataclass(frozen=True)
class Trial:
    """How a case went."""

    name: str
    case: Case
    outcomes: list[Outcome]
    broken: list[str]
    """The promises that were broken."""

    @property
    def refused(self) -> bool:
        return self.outcomes[-1].code != 0

    def __str__(self) -> str:
        last = self.case.commands[len(self.outcomes) - 1]
        return "\n".join(
            [
                f"case {self.name}: {'; '.join(self.broken) or 'all promises kept'}",
                f"  damaged: {', '.join(self.case.damages) or 'nothing'}",
                f"  command: {last}",
                f"  exit code {self.outcomes[-1].code}, {self.outcomes[-1].seconds:.1f} s, said:",
                *(f"  | {line[:300]}" for line in self.outcomes[-1].said.splitlines()[-30:]),
                f"  repeat it by: python tests/fuzz {self.name}",
            ]
        )


def attempt(
    kind: str, seed: int, number: int, projects: dict[str, Path], place: Path, parent: Nursery
) -> Trial:
    """Make a case in a copy of its project at `place`, run its commands, and look what they did."""
    start, make = KINDS[kind]
    shutil.copytree(projects[start], place, symlinks=True)
    project = place / "project"
    name = f"{kind} {seed} {number}"
    case = make(project, Dice(name))
    outcomes, broken = [], []
    for words in case.commands:
        before = snapshot(place)
        outcome = parent.run(project, words)
        outcomes.append(outcome)
        broken += _ended_badly(outcome, words, case)
        broken += _touched(before, snapshot(place), words)
        if outcome.code:
            break
    else:
        broken += _misread(kind, case, project)
    if kind == "results" and case.commands[0][0] in ("metrics", "missing"):
        whole = parent.run(projects[start] / "project", words)
        broken += _hidden(words, whole, outcomes[0], case)
    return Trial(name, case, outcomes, broken)


# Promises


def _ended_badly(outcome: Outcome, words: Words, case: Case) -> Iterator[str]:
    """Every end is a success or one message, in time and within memory."""
    said = outcome.said
    if outcome.code in (-signal.SIGXCPU, -signal.SIGKILL):
        yield "hangs"
    elif outcome.code not in (0, 1, 2):
        yield f"ends with {outcome.code}"
    if outcome.bytes > MOST_BYTES:
        yield f"takes {outcome.bytes >> 20} MB"
    if "Traceback" in said:
        yield "traceback"
    if re.search(r"\.py:\d+: \w*Warning|Exception ignored", said):
        yield "a warning meant for programmers"
    if found := CONTROL.search(said):
        yield f"control character {found[0]!r}"
    if outcome.code == 0:
        return
    message = outcome.err.decode("utf-8", "replace").splitlines()
    if not message:
        yield "no message"
    if len(message) > MOST_LINES and words[0] != "snakemake":
        yield f"a message of {len(message)} lines"
    if any(len(line) > MOST_LINE + 3 * len("".join(words)) for line in message):
        yield "a message of endless lines"
    if (
        case.damaged
        and words[0] != "missing"
        and "out of memory" not in said  # of a network that was asked for
        and not any(path.stem in said or str(path.parent) in said for path in case.damaged)
    ):
        yield "the message does not name the file"


def _touched(before: dict[str, object], after: dict[str, object], words: Words) -> Iterator[str]:
    """Files stay as they were but for the command's outputs, and none is left half-written."""
    allowed = [f"project/{pattern}" for pattern in WRITES.get(words[0], [])]
    for option, value in pairwise(words):
        if option in NAMES_OUTPUT:
            output = os.path.normpath(f"project/{value}")
            allowed += [output, f"{output}/*"]
    for path in sorted(before.keys() | after.keys()):
        if ".part" in path and path in after:
            yield f"half-written file {path}"
        if before.get(path) == after.get(path) or (path.endswith(".lock") and path not in before):
            continue
        new_folder = path not in before and after[path] == "folder"
        if not new_folder and not any(fnmatchcase(path, pattern) for pattern in allowed):
            yield f"{'changed' if path in after else 'removed'} {path}"


def snapshot(folder: Path) -> dict[str, object]:
    """What lies at every path below a folder: the content of files, the kind of all others."""
    found: dict[str, object] = {}
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            status = path.lstat()
            content: object = stat.filemode(status.st_mode)
            if stat.S_ISLNK(status.st_mode):
                content = str(path.readlink())
            elif stat.S_ISDIR(status.st_mode):
                content = "folder"
            elif stat.S_ISREG(status.st_mode) and status.st_size < 1 << 24:
                content = path.read_bytes()
            elif stat.S_ISREG(status.st_mode):
                content = status.st_size
            found[path.relative_to(folder).as_posix()] = content
    return found


def _misread(kind: str, case: Case, project: Path) -> Iterator[str]:
    """What is accepted is read as what it is, and shown so that a terminal can bear it."""
    for path in (project / RESULTS / "tables").rglob("*.*"):
        if found := CONTROL.search(path.read_text(encoding="utf-8")):
            yield f"control character {found[0]!r} in {path.name}"
    if kind == "data":
        log = Interactions.load(project / "data/processed" / case.commands[0][1])
        sizes = (len(log.item_ids()), len(log.user_ids()))
        if sizes != (log.num_items, log.num_users):
            yield f"a log of other sizes than {sizes}"
        if not np.all(np.diff(log.offsets) >= 3):
            yield "a user that cannot be split"


def _hidden(words: Words, whole: Outcome, found: Outcome, case: Case) -> Iterator[str]:
    """A damaged run hides no other from `metrics`, and `missing` calls no other missing."""
    if not all(path.match(f"{RESULTS}/runs/*/*/seed-*/*") for path in case.damaged):
        return
    damaged = [Run.of(path.parent) for path in case.damaged]
    if words[0] == "metrics":
        lost = {*whole.said.splitlines()} - {*found.said.splitlines()}
        theirs = tuple(f"{run.dataset},{run.model},{run.seed}," for run in damaged)
    else:
        name = re.compile(r"[^\s,]+ [^\s,]+ \(seed")
        lost = {*name.findall(found.said)} - {*name.findall(whole.said)}
        theirs = tuple(f"{run.dataset} {run.model} " for run in damaged)
    yield from (f"another run: {one}" for one in lost if not one.startswith(theirs))
