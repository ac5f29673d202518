"""Export vectors of a trained model, for a search for neighbours or a service of one's own."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from seqrec.errors import SeqrecError
from seqrec.files import replacing, require_inside, write_text
from seqrec.running.onnx_encoder import longest_history, onnx_encoder
from seqrec.running.recommend import Recommender
from seqrec.running.vectors import item_vectors, user_vectors

CONTENTS = "export.json"
"""Says what the other files are; written last, so that they are complete where it is."""
ENCODER = "encoder.onnx"


def export(
    recommender: Recommender,
    folder: Path,
    users: pd.DataFrame | None = None,
    where: str = "users",
    strict: bool = False,
    onnx: bool = False,
) -> list[Path]:
    """Write item vectors, and those of `users`, into `folder`; returns the paths of the files.

    `item_vectors.npy` is float32 `[items, width]`, in the order of `item_vectors.parquet`, whose
    columns are `item`, the original id, and `vector`. The products of a user's vector with those of
    the items are the model's scores. `users` is a table as for `Recommender.recommend_users`;
    without it there are no vectors of users. With `onnx`, `encoder.onnx` computes the vectors of
    users from their histories, as `onnx_encoder` says. Files of an earlier export are replaced,
    each in one step, or removed.

    Raises `SeqrecError` as `item_vectors`, `user_vectors` and `onnx_encoder` do, and if a file
    cannot be written or is a link that leads out of `folder`.
    """
    parts = {"item": (recommender.log.item_ids(), item_vectors(recommender))}
    if users is not None:
        known, vectors = user_vectors(recommender, users, where, strict)
        parts["user"] = (known.to_numpy(), vectors)
    for kind, (_, vectors) in parts.items():
        if not np.isfinite(vectors).all():
            raise SeqrecError(
                f"{recommender.config.model}: vectors of {kind}s hold numbers that are not finite; "
                "train it again."
            )
    encoder = onnx_encoder(recommender) if onnx else None
    contents = folder / CONTENTS
    files: dict[Path, Callable[[Path], object]] = {}
    for kind, (ids, vectors) in parts.items():
        files[_path(folder, kind, "npy")] = _array_writer(vectors)
        files[_path(folder, kind, "parquet")] = _table_writer(kind, ids, vectors)
    if encoder is not None:
        files[folder / ENCODER] = _bytes_writer(encoder)
    for path in (*files, contents):
        require_inside(path, folder)
    if contents.is_file():
        contents.unlink()
        for form in ("npy", "parquet"):
            _path(folder, "user", form).unlink(missing_ok=True)
        (folder / ENCODER).unlink(missing_ok=True)
    for path, write in files.items():
        with replacing(path) as part:
            write(part)
    about = _contents(recommender, parts)
    if onnx:
        about["longest_history"] = longest_history(recommender)
    write_text(contents, json.dumps(about, indent=2) + "\n")
    return [*files, contents]


def _path(folder: Path, kind: str, form: str) -> Path:
    return folder / f"{kind}_vectors.{form}"


def _array_writer(vectors: np.ndarray) -> Callable[[Path], None]:
    return lambda path: np.save(path, vectors, allow_pickle=False)


def _bytes_writer(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _table_writer(kind: str, ids: np.ndarray, vectors: np.ndarray) -> Callable[[Path], None]:
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    table = pa.table({kind: pa.array(ids), "vector": flat})
    return lambda path: pq.write_table(table, path)


def _contents(recommender: Recommender, parts: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict:
    config = recommender.config
    return {
        "dataset": config.dataset,
        "model": config.model,
        "seed": config.seed,
        "config_hash": config.hash(),
        "data_sha256": recommender.log.digest,
        "score": "dot product",
        "width": parts["item"][1].shape[1],
        **{f"{kind}s": len(ids) for kind, (ids, _) in parts.items()},
    }
