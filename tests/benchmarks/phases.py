"""Processes that are measured phase by phase: what each phase took, and how much memory it held."""

import json
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SAMPLED_EVERY_SECONDS = 0.005
MEMORY = {"own bytes": "RssAnon:", "resident bytes": "VmRSS:"}
"""What is sampled, and how the system calls it."""


def report_phase(phase: str, **found: Any) -> None:
    """Tell `measured_process`, which started this process, that a phase has ended."""
    print(json.dumps({"phase": phase, **found}), flush=True)


def measured_process(
    command: Sequence[str], folder: Path | None = None
) -> dict[str, dict[str, Any]]:
    """Run a process, in `folder`, that reports its phases; return what each found, and its memory.

    `own bytes` are those that the process held for itself in the phase. `resident bytes` also count
    the pages of files that it had mapped, which the system takes back when it needs them. Both are
    peaks. Raises `SystemExit` if the process fails.
    """
    phases: dict[str, dict[str, Any]] = {}
    peak = dict.fromkeys(MEMORY, 0)
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0, cwd=folder) as process:
        assert process.stdout is not None
        status = Path(f"/proc/{process.pid}/status")
        while True:
            now = status.read_text(encoding="utf-8")
            for key, name in MEMORY.items():
                held = now.partition(name)[2].split(maxsplit=1)  # nothing once it has ended
                peak[key] = max(peak[key], int(held[0]) * 1024 if held else 0)
            if not select.select([process.stdout], [], [], SAMPLED_EVERY_SECONDS)[0]:
                continue
            line = process.stdout.readline()
            if not line:
                break
            found = json.loads(line)
            phases[found.pop("phase")] = {**found, **peak}
            peak = dict.fromkeys(MEMORY, 0)
    if process.returncode:
        raise SystemExit(f"a measured process failed: {' '.join(command)}")
    return phases
