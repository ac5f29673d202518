"""Write the tables of small experiments, and read them as their readers do."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from small_runs import ROOT

from seqrec.layout import ConfigFiles, ResultFiles
from seqrec.report.tables import write_tables

CONFIG = ConfigFiles(ROOT / "config")

USERS = 3000


def write_grid(results: Path, *runs: tuple[str, str, int]) -> None:
    """Write down which runs an experiment asks for."""
    keys = ("dataset", "model", "seed")
    grid = {"experiment": "x", "runs": [dict(zip(keys, run, strict=True)) for run in runs]}
    results.mkdir(parents=True, exist_ok=True)
    ResultFiles(results).grid.write_text(json.dumps(grid))


def write(results: Path) -> list[Path]:
    """Write the tables of an experiment beside the paper's numbers."""
    return write_tables(results, CONFIG)


def write_in_new_process(results: Path, what: str, environment: dict[str, str]) -> None:
    """Write the `tables` or `figures` of an experiment in a process of their own."""
    code = (
        f"import sys, pathlib, seqrec.layout as layout, seqrec.report.{what} as made; "
        "results, config = map(pathlib.Path, sys.argv[1:]); "
        f"made.write_{what}(results, layout.ConfigFiles(config))"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(results), str(CONFIG.folder)],
        check=True,
        env=os.environ | environment,
    )


def rows(results: Path, name: str) -> dict[str, list[str]]:
    """Read the body of a Markdown table by its first column."""
    text = (ResultFiles(results).tables / f"{name}.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {first: cells for first, *cells in [split[0], *split[2:]]}


def notes(results: Path, name: str) -> str:
    """Read the notes below a Markdown table."""
    text = (ResultFiles(results).tables / f"{name}.md").read_text()
    return "\n".join(line for line in text.splitlines() if not line.startswith(("|", "#")))


def ranks_with_hits(share: float, seed: int = 0) -> np.ndarray:
    """Draw ranks of `USERS` users of whom about `share` are hit; one seed is the same luck."""
    luck = np.random.default_rng(seed).random(USERS)
    return np.where(luck < share, 1 + (10 * luck / max(share, 1e-9)).astype(int), 500)


def decided_claims(results: Path) -> pd.DataFrame:
    """Write the tables and read the claims on one dataset, by a short name for each."""
    write(results)
    frame = pd.read_csv(ResultFiles(results).tables / "claims.csv", keep_default_na=False)
    short = {
        "SASRec+ is better than BERT4Rec": "quality",
        "SASRec+ 3000 is better than BERT4Rec": "3000",
        "SASRec, with one negative, is worse than SASRec+ and than BERT4Rec": "one negative",
        "SASRec+ N catches up as N grows: NDCG@10 rises over log N, and the largest N is above the "
        "smallest": "negatives",
        "SASRec+ needs fewer epochs than BERT4Rec to reach its best": "epochs",
        "SASRec+ reaches its best epoch in less training time than BERT4Rec": "time",
    }
    return frame.assign(claim=frame.claim.map(short)).set_index("claim")
