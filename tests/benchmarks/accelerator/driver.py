"""Measure what is planned within a time, and write each result as soon as it is there."""

import hashlib
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from accelerator import bare
from accelerator.plan import Case, Part
from accelerator.prepared import SMALL, Prepared
from accelerator.process import PROGRAM, Ended, Failed, Process

from seqrec.files import write_text
from seqrec.json_files import read_json
from seqrec.layout import PACKAGE
from seqrec.running.device import product_name
from seqrec.running.engine import default_threads

PATIENCE = 4
"""A case is given up after so many times its cost, and not before `LEAST_SECONDS`."""
LEAST_SECONDS, LEAST_TINY_SECONDS = 30.0, 240.0
ROOMS = ("protocol", "models", "training")
"""Rooms of the package whose code decides how fast a step is."""


class Results:
    """The file of what has been found, which is replaced as a whole after each case."""

    def __init__(self, path: Path, prepared: Prepared, anew: bool) -> None:
        self.path, self.code = path, code_digest()
        self.content: dict[str, Any] = {
            **conditions(),
            "tiny": prepared.tiny,
            "published": prepared.published_seconds,
            "parts": {},
        }
        if path.is_file() and not anew:
            before = read_json(path)
            same = all(before.get(key) == value for key, value in self._fixed().items())
            self.content["parts"] = before["parts"] if same else {}
            if not same:
                fixed = ", ".join(f"{key} {before.get(key)}" for key in self._fixed())
                print(f"{path}: of {fixed}; all is measured anew.", file=sys.stderr)

    def _fixed(self) -> dict[str, Any]:
        """Return what must be the same for results to be kept."""
        return {key: self.content[key] for key in ("device", "torch", "threads", "tiny")}

    def has(self, part: Part, case: Case) -> bool:
        """Whether a result of today's code is there."""
        found = self.content["parts"].get(part.name, {}).get(case.name, {})
        failed = "error" in found or "not reached" in found or not found
        return not failed and found.get("code") == self.code

    def put(self, part: Part, case: Case, found: dict[str, Any]) -> None:
        when = datetime.now(UTC).isoformat(timespec="seconds")
        self.content["parts"].setdefault(part.name, {})[case.name] = {
            **case.arguments,
            **found,
            "code": self.code,
            "when": when,
        }
        self.save()

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, json.dumps(self.content, indent=1) + "\n")

    def of_plan(self, parts: list[Part]) -> None:
        """Bring the results into the order of the plan; what is missing was not reached."""
        before = self.content["parts"]
        self.content["parts"] = {
            part.name: {
                case.name: before[part.name][case.name]
                if self.has(part, case)
                else {**case.arguments, "not reached": True}
                for case in part.cases
            }
            for part in parts
        }
        self.save()


def conditions() -> dict[str, Any]:
    """Describe the machine and its libraries."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {
        "what": "accelerator",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": product_name(device),
        "kind": device.type,
        "cpu": product_name(torch.device("cpu")),
        "threads": default_threads(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
    }


def code_digest() -> str:
    """Return a digest of the code that is measured: results of other code are measured anew."""
    digest = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Measurement:
    """A measurement under way: one process that measures, and the time that is left."""

    def __init__(self, prepared: Prepared, results: Results, seconds: float) -> None:
        self.prepared, self.results = prepared, results
        self.deadline = time.monotonic() + seconds
        self.process: Process | None = None
        self.tried: set[tuple[str, str]] = set()
        self.simulation: subprocess.Popen[bytes] | None = None
        if prepared.missing():
            command = [sys.executable, str(PROGRAM), "--simulate", str(prepared.folder)]
            command += ["--bare"] if bare.hidden() else []
            self.simulation = subprocess.Popen(command)

    def run(self, parts: list[Part], tell: Callable[[str], None]) -> None:
        """Give each part its share of the time, then what is left to all that remains."""
        self.results.of_plan(parts)
        whole = self.deadline - time.monotonic()
        shares = sum(part.seconds for part in parts)
        for in_shares in (True, False):
            for part in parts:
                share = whole * part.seconds / shares
                end = min(self.deadline, time.monotonic() + share) if in_shares else self.deadline
                for case in part.cases:
                    self._measure_in_time(part, case, end, tell)

    def _measure_in_time(
        self, part: Part, case: Case, end: float, tell: Callable[[str], None]
    ) -> None:
        key = (part.name, case.name)
        if key in self.tried or self.results.has(part, case):
            return
        if time.monotonic() + case.cost > end:
            return
        self.tried.add(key)
        start = time.monotonic()
        found = self._measured(part, case)
        seconds = time.monotonic() - start
        self.results.put(part, case, {**found, "wall, s": seconds})
        said = found.get("error", "not reached" if "not reached" in found else "done")
        tell(f"{part.name}: {case.name}: {said} ({seconds:.1f} s)")

    def _measured(self, part: Part, case: Case) -> dict[str, Any]:
        """Return what was found, with an `error` if the case failed; parts of it are written.

        What the end of the time cuts short was not reached.
        """
        found: dict[str, Any] = {}
        try:
            self._await_log(case)
            if self.process is None:
                self.process = Process(self.prepared.folder)
                self.process.await_start(self._left())
            end = time.monotonic() + min(self._limit(case), self._left())
            self.process.send({"kind": case.kind, "arguments": case.arguments})
            while (more := self.process.answer(max(0.0, end - time.monotonic()))) is not None:
                found = more
                self.results.put(part, case, {**found, "error": "did not end"})
        except Failed as error:
            if isinstance(error, Ended):
                self.process = None
            return {**found, **({"error": str(error)} if self._left() else {"not reached": True})}
        return found

    def _left(self) -> float:
        """Return the seconds that are left for all of it."""
        return max(0.0, self.deadline - time.monotonic())

    def _limit(self, case: Case) -> float:
        """Return the seconds after which a case is given up."""
        least = LEAST_TINY_SECONDS if self.prepared.tiny else LEAST_SECONDS
        return max(least, PATIENCE * case.cost)

    def _await_log(self, case: Case) -> None:
        """Wait for the log that the case needs, if it is still being simulated."""
        needed = SMALL if case.kind == "learns" else case.arguments.get("log")
        while needed in self.prepared.missing():
            if self.simulation is None or self.simulation.poll() is not None:
                raise Failed(f"{needed} has not been simulated")
            if not self._left():
                raise Failed(f"{needed} is still being simulated")
            time.sleep(0.1)

    def close(self) -> None:
        """End the processes that are still there."""
        if self.process is not None:
            self.process.end()
        if self.simulation is not None:
            self.simulation.kill()
            self.simulation.wait()
