"""Valid files of every kind that users write, to be damaged, and values that damage them."""

import bz2
import gzip
import json
import lzma
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = [
    (f"u{user}", f"i{(user * 7 + step * step) % 23}", 1_000_000_000 + 50 * step + user)
    for user in range(12)
    for step in range(6)
]

NUMBERS = "".join(f"{user[1:]} {int(item[1:]) + 1}\n" for user, item, _ in ROWS).encode()
MOVIELENS = "".join(f"{u[1:]}::{i[1:]}::5::{t}\n" for u, i, t in ROWS).encode()
CSV = (
    'user,"item, named",time\n' + "".join(f'{u},"{i} ""the, best""",{t}\n' for u, i, t in ROWS)
).encode()
DATES = "".join(f"{u}\t{i}\t2024-01-{t % 28 + 1:02d}T10:00:00\n" for u, i, t in ROWS).encode()
JSON = "".join(
    json.dumps({"user_id": u, "stars": 4.0, "business_id": i, "date": t}) + "\n" for u, i, t in ROWS
).encode()
SHOP = [
    {
        "who": u,
        "what": i,
        "day": f"{t % 28 + 1:02d}/02/24",
        "hour": t % 24,
        "event": ("purchase", "view", "cart")[t % 3],
        "stars": t % 5 + 0.5,
    }
    for u, i, t in ROWS
]
SHOP_CSV = "\n".join(
    [",".join(SHOP[0]), *(",".join(map(str, row.values())) for row in SHOP), ""]
).encode()
SHOP_JSON = "".join(json.dumps(row) + "\n" for row in SHOP).encode()


def zipped(content: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("readme.txt", b"Be kind."), ("log.txt", content)):
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)  # without a date


def parquet(_: bytes, path: Path) -> None:
    users, items, times = zip(*ROWS, strict=True)
    pq.write_table(pa.table({"user": users, "item": items, "time": times}), path)


def shop_parquet(_: bytes, path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(SHOP), path)


def compressed(compress: Callable[[bytes], bytes]) -> Callable[[bytes, Path], None]:
    return lambda content, path: path.write_bytes(compress(content)) and None


def plain(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def columns(user: Any, item: Any, time: Any = None) -> dict[str, Any]:
    return {"user": user, "item": item} | ({} if time is None else {"timestamp": time})


NAMED = columns("user", "item, named", "time")
KEYS = columns("user_id", "business_id", "date")
DATED = {"columns": columns("who", "what", ["day", "hour"]), "time": "%d/%m/%y"}
DROPPING = {"missing": ["NA", -1], "on_bad_line": "drop"}
RAW_FILES: dict[str, tuple[bytes, Callable[[bytes, Path], None], dict[str, Any]]] = {
    "log.txt": (NUMBERS, plain, {"kind": "text"}),
    "ratings.dat": (MOVIELENS, plain, {"kind": "double-colon", "columns": columns(0, 1, 3)}),
    "log.csv": (CSV, plain, {"kind": "csv", "columns": NAMED}),
    "log.tsv": (DATES, plain, {"kind": "tsv", "columns": columns(0, 1, 2)}),
    "reviews.json": (JSON, plain, {"kind": "jsonl", "columns": KEYS}),
    "dropping.csv": (CSV, plain, {"kind": "csv", "columns": NAMED, **DROPPING}),
    "dropping.json": (JSON, plain, {"kind": "jsonl", "columns": KEYS, **DROPPING}),
    "log.parquet": (b"", parquet, {"kind": "parquet", "columns": columns("user", "item", "time")}),
    "shop.csv": (SHOP_CSV, plain, {"kind": "csv", **DATED}),
    "shop.json": (SHOP_JSON, plain, {"kind": "jsonl", **DATED}),
    "shop.parquet": (b"", shop_parquet, {"kind": "parquet", **DATED}),
    "log.zip": (NUMBERS, zipped, {"kind": "text"}),
    "log.csv.gz": (
        CSV,
        compressed(partial(gzip.compress, mtime=0)),
        {"kind": "csv", "columns": NAMED},
    ),
    "log.txt.bz2": (NUMBERS, compressed(bz2.compress), {"kind": "text"}),
    "log.txt.xz": (NUMBERS, compressed(lzma.compress), {"kind": "text"}),
}
FILTERS: dict[str, dict[str, Any]] = {
    f"shop.{kind}": {
        "where": {"stars": ">= 1", "event": ["purchase", "cart"], "hour": "!= 25"},
        "duplicates": "consecutive",
    }
    for kind in ("csv", "json", "parquet")
}
"""Filters of the datasets of these raw files."""

EXPERIMENT = {
    "description": "small",
    "datasets": ["plain"],
    "models": [
        "popularity",
        "sasrec+",
        "sasrec+N",
        {"name": "gru+3", "like": "gru4rec", "loss": {"kind": "sampled-cross-entropy"}},
    ],
    "negatives": [5, 7],
    "seeds": [0, 1],
    "training": {"max_epochs": 1, "learning_rate": 0.001},
    "evaluation": {"cutoffs": [10, 20]},
    "overrides": [
        {"models": ["sasrec*"], "hyperparameters": {"hidden_size": 8, "dropout": 0.5}},
        {"datasets": ["plain"], "models": ["gru+3"], "max_length": 7, "seeds": [3]},
    ],
}
EXPERIMENT["models"][3]["loss"]["negatives"] = 4  # type: ignore[index]
DATASET = {
    "title": "Small",
    "max_length": 10,
    "sources": [{"file": "own.csv"}],
    "format": {"kind": "csv", "columns": NAMED, "header": True, "missing": ["NA"]},
    "filter": {"min_interactions_per_user": 2, "mode": "k-core", "duplicates": "last"},
    "expected": {"users": 12, "items": 23, "interactions": 72, "min_length": 6},
    "manual": "Ask us.",
}
SIMULATED = {
    "title": "Simulated",
    "max_length": 10,
    "simulate": {"users": 20, "items": 12, "mean_length": 6, "max_length": 9, "genres": 3},
}
MODEL = {
    "implementation": "sasrec",
    "hyperparameters": {"hidden_size": 8, "blocks": 1, "heads": 2, "dropout": 0.1},
    "loss": {"kind": "sampled-cross-entropy", "negatives": 5, "sharing": "position"},
    "training": {"batch_size": 8, "patience": 3},
}
CONFIGURATIONS = {
    "config/small.yaml": EXPERIMENT,
    "config/datasets/own.yaml": DATASET,
    "config/datasets/simulated.yaml": SIMULATED,
    "config/models/mine.yaml": MODEL,
}

WORDS = [None, True, -1, 0, 1, 2.5, 10**30, float("nan"), float("inf"), "", "x", "10", "sasrec+"]
VALUES = [
    *WORDS,
    [],
    {},
    [1],
    [[]],
    ["x", "x"],
    {"x": 1},
    {1: 2},
    {None: None},
    [None],
    "a\0b/../c",
]
FRAGMENTS = [
    *("2024-99-99", "9" * 5000, "!!int x", "!!binary '*'", "!!python/name:os.system", "*nobody"),
    *("&a [*a]", "&a {a: *a}", "[" * 3000, "{a: 1, a: 2}", "{[1]: 2}", "? {a: 1}", "'open", "%"),
    *("\t- a", "0x", "1_0", "12:30:45", "<<: 1", "{<<: [1]}", "!!set {a}", "\ud7ff\x85", "\x07"),
    *("!!timestamp x", "!!float ''", "!!omap 3", "!!pairs x", "2001-01-01 00:00:99", "1e99999"),
]
