"""SASRec of other libraries beside ours: seconds an epoch, peak memory, and what it has learned.

    make peers                      (or: python tests/benchmarks/peer_runs.py [--quick])

RecTools, RePlay and RecBole train on ml-1m in turn, each in the environment that `make peers` has
made of its requirements (.venv-peers/), on the same cores, with settings as equal as their
documented interfaces allow; what differs is said in the table. They hand out each user's ten best
unseen items, and our metrics judge these by the test targets of leave-one-out, which no library
gets to see. First all train for one epoch, then for ten, but for RecBole, of which an epoch takes
too long: it has a step for each interaction. `--quick` takes a small simulated log and one epoch,
to see that every adapter works. Results go to a JSON file; a second call measures what is missing
there.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import conditions
from peers.adapter import HISTORIES, LIST_LENGTH, LISTS, SETTINGS
from phases import measured_process
from report import markdown_table

from seqrec.data.interactions import Interactions
from seqrec.data.sequences import Sequences
from seqrec.data.simulation import simulate
from seqrec.files import write_text
from seqrec.layout import PROCESSED
from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.records.fingerprint import training_code_fingerprint

ADAPTERS = Path(__file__).parent / "peers"
ENVIRONMENTS = Path(".venv-peers")
OURS = "seqrec"
EPOCHS = {1: (OURS, "rectools", "replay", "recbole"), 10: (OURS, "rectools", "replay")}
"""Who trains for how long."""
QUICK_LOG: dict[str, Any] = {"users": 200, "items": 120, "mean_length": 12, "max_length": 30}
DIFFERENCES = {
    OURS: "products of the loss in bfloat16, where that is faster",
    "rectools": "evaluation: ten items for every user, by `recommend`",
    "replay": "",
    "recbole": "a training sequence of its own for each interaction; BERT's residuals; evaluation "
    "ranks seen items, too",
}
"""What differs, apart from the library."""


def known_histories(log: Sequences) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Leave out each user's test target, and number the items that are left without gaps.

    Returns the items of all users, int32 `[interactions]`, their offsets, `[users + 1]`, and the
    targets by the new numbers, `[users]`; 0 for an item that is in no history.
    """
    last = log.offsets[1:] - 1
    known, targets = np.delete(log.items, last), log.items[last]
    every, numbers = np.unique(known, return_inverse=True)
    place = np.minimum(np.searchsorted(every, targets), len(every) - 1)
    found = np.where(every[place] == targets, place + 1, 0)
    return (numbers + 1).astype(np.int32), log.offsets - np.arange(len(log.offsets)), found


def quality(lists: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Judge lists of unseen items `[users, list]`, the best first, by each user's target."""
    hits = lists == targets[:, None]
    hits &= targets[:, None] > 0
    ranks = np.where(hits.any(1), hits.argmax(1) + 1, np.iinfo(np.int32).max)
    return metrics_from_ranks(ranks, [lists.shape[1]])


def why_absent(peer: str) -> str:
    """Say why there is no environment of a library."""
    log = ENVIRONMENTS / f"{peer}.log"
    if not log.is_file():
        return "not installed; `make peers` does that"
    errors = [line for line in log.read_text().splitlines() if line.startswith("ERROR")]
    return errors[-1] if errors else f"its installation has not ended, see {log}"


def measure(peer: str, epochs: int, threads: int, log: Sequences) -> dict[str, Any]:
    """Train one library's SASRec, and judge it; or say why that is not possible."""
    python = Path(sys.executable) if peer == OURS else ENVIRONMENTS / peer / "bin/python"
    if not (peer == OURS or (ENVIRONMENTS / peer / ".ready").is_file()):
        return {"absent": why_absent(peer)}
    items, offsets, targets = known_histories(log)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / HISTORIES, items=items, offsets=offsets)
        adapter = ADAPTERS / f"{'ours' if peer == OURS else peer}_sasrec.py"
        command = [str(python.absolute()), str(adapter), folder, str(epochs), str(threads)]
        found = measured_process(command, Path(folder))["trained"]  # some write into it
        lists = np.load(Path(folder) / LISTS)
    if lists.shape != (len(targets), LIST_LENGTH):
        raise SystemExit(f"{adapter}: writes lists of shape {lists.shape}")
    seconds = found["epoch seconds"]
    if len(seconds) != epochs:
        raise SystemExit(f"{adapter}: was to train for {epochs} epochs, and did for {len(seconds)}")
    code = {"code": training_code_fingerprint()} if peer == OURS else {}
    return {**found, "quality": quality(lists, targets), "differs": DIFFERENCES[peer], **code}


def already_measured(path: Path, now: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Read what an earlier call has measured under the same conditions."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    same = all(before.get(key) == value for key, value in now.items() if key != "when")
    return before["epochs"] if same else {}


def is_measured(peer: str, found: dict[str, Any]) -> bool:
    """Tell whether a library's SASRec is among `found`; ours as this code trains it."""
    one = found.get(peer, {})
    return "quality" in one and (peer != OURS or one.get("code") == training_code_fingerprint())


def peers_table(measured: dict[str, Any]) -> str:
    """Return what was measured, as Markdown."""
    columns = ["", "epochs", "s per epoch", "peak, GB", f"test NDCG@{LIST_LENGTH}", "differs by"]
    rows = []
    for epochs, found in measured["epochs"].items():
        for peer, one in found.items():
            if "absent" in one:
                rows.append([peer, epochs, "", "", "", one["absent"]])
                continue
            seconds = sum(one["epoch seconds"]) / len(one["epoch seconds"])
            score = one["quality"][f"ndcg@{LIST_LENGTH}"]
            memory = f"{one['resident bytes'] / 1e9:.2f}"
            name = f"{peer} {one['version']}"
            rows.append([name, epochs, f"{seconds:,.1f}", memory, f"{score:.4f}", one["differs"]])
    return markdown_table(
        [dict(zip(columns, row, strict=True)) for row in rows], {"", "differs by"}
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small log, one epoch: a minute")
    parser.add_argument("--output", type=Path, default=Path("results/benchmark/peers.json"))
    parser.add_argument("--data", type=Path, default=PROCESSED / "ml-1m", help="a preprocessed log")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", nargs="+", choices=EPOCHS[1], help="some of the libraries")
    parser.add_argument("--anew", action="store_true", help="measure also what has been measured")
    given = parser.parse_args(arguments)
    if not (given.quick or given.data.is_dir()):
        raise SystemExit(
            f"{given.data}: missing. Run `seqrec download ml-1m` and `seqrec preprocess ml-1m`."
        )
    log = simulate(**QUICK_LOG) if given.quick else Interactions.load(given.data)
    plan = {1: EPOCHS[1]} if given.quick else EPOCHS
    result: dict[str, Any] = {**conditions(given.threads, given.quick), "settings": SETTINGS}
    result["epochs"] = {} if given.anew else already_measured(given.output, result)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    for epochs, peers in plan.items():
        found = result["epochs"].setdefault(str(epochs), {})
        for peer in peers:
            if (given.only and peer not in given.only) or is_measured(peer, found):
                continue
            print(f"{peer}, {epochs} epochs", flush=True)
            found[peer] = measure(peer, epochs, given.threads, log)
            # Written each time: what follows may take an hour.
            write_text(given.output, json.dumps(result, indent=1) + "\n")
    print(f"\n{peers_table(result)}\n\n{given.output}: on {result['device']}")


if __name__ == "__main__":
    main()
