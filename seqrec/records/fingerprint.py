"""Fingerprints of the code that decides a result: they tell which records today's code has made."""

import hashlib
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from pathlib import Path

from seqrec.experiment.custom import custom_module
from seqrec.layout import PACKAGE
from seqrec.records.record import Record

DECISIVE_ROOMS = ("protocol", "models", "training")
"""The rooms of the package that decide what a training results in."""

SAME_RESULTS = {
    # Drawing negatives for sequences that fill most of a small pool: raised, now draws.
    "b0c0f7707314547f08b95ba55b0b7ce9787ba48798510840dd40cc82b42af1c4": (
        "d494b05688444eca0225523ea0cf7399c5dc02386eed2250cae02efaa794050a"
    ),
    # Ranks are read back once per evaluation; the largest logit is found by its bits.
    "d494b05688444eca0225523ea0cf7399c5dc02386eed2250cae02efaa794050a": (
        "abc3dda3830b2046943c1206558aa0b40bcb5041f0f966848d4094a34a92f6f7"
    ),
    # Evaluation sums up attention in another order. The weights are the same bits; at most 1 of the
    # 6,040 ranks of ml-1m and 49 of the 40,226 of beauty moved, each by one.
    "abc3dda3830b2046943c1206558aa0b40bcb5041f0f966848d4094a34a92f6f7": (
        "5e57c0a60f8e6c3f4033827ac12c9b31c1c637c500b937ae5e9e7df936049566"
    ),
    # The package in rooms, and a fingerprint of all three that decide a result. One run of every
    # model on the demo and two epochs of ml-1m SASRec, SASRec+, SASRec+ 3000, BERT4Rec and GRU4Rec
    # gave the same weights, ranks and history. Optional sampled metrics, which no committed record
    # has, are now drawn from train items.
    "5e57c0a60f8e6c3f4033827ac12c9b31c1c637c500b937ae5e9e7df936049566": (
        "d6d793c59632ba8a1e17dcca6d6f91252dea27e21af0555dfeb1934c783aa091"
    ),
    # A run begins in training; evaluation also counts the recommended items, and takes less memory.
    # One run of every model of the demo, its networks also in bfloat16, and two epochs of ml-1m
    # SASRec, SASRec+, SASRec+ 3000, BERT4Rec and GRU4Rec, of SASRec+ and BERT4Rec also in bfloat16,
    # gave the same weights, ranks, metrics and history.
    "d6d793c59632ba8a1e17dcca6d6f91252dea27e21af0555dfeb1934c783aa091": (
        "d66a1ab40995be7b4186f744d0b680f586ae4197e8c5d1a9b729042bc573d620"
    ),
    # Splits by time, any loss, networks that read times. The same 25 runs as for the pair above
    # gave the same weights, ranks, metrics and history.
    "d66a1ab40995be7b4186f744d0b680f586ae4197e8c5d1a9b729042bc573d620": (
        "972091f6841843e2edca791b7f9160ac76a69348056afa8d6d072649363bd740"
    ),
    # A correction of shared negatives that no run had could be lost. Two epochs of BERT4Rec on
    # MovieLens-100K, split by time, gave the same weights and ranks.
    "e346452eb7db88262e493d002688c6015ad8da75d8c222038bd4956a01f2afd9": (
        "972091f6841843e2edca791b7f9160ac76a69348056afa8d6d072649363bd740"
    ),
    # Batches and histories are gathered on the device, by the same code everywhere. The 25 runs
    # gave the same bits. Losses with many negatives of each position add up in another order; no
    # committed record has one.
    "eccae77541075558915c4234b993a2328a6f1ce3155a2f97944c82b3f7a44cc6": (
        "7d3b528ddc47046be74eeff40eb90c641ae7491ca7a48ab74dd2cccd75953c64"
    ),
    "972091f6841843e2edca791b7f9160ac76a69348056afa8d6d072649363bd740": (
        "7d3b528ddc47046be74eeff40eb90c641ae7491ca7a48ab74dd2cccd75953c64"
    ),
    # Where a log lives is decided once. Ten models of the demo, and two epochs of SASRec and
    # SASRec+ on ml-1m, gave the same bits.
    "7d3b528ddc47046be74eeff40eb90c641ae7491ca7a48ab74dd2cccd75953c64": (
        "fcccc7574732329b0be3c74b357c1f641f2ffc6f77e3e14854457414a9a8f0a2"
    ),
    # Many negatives of each position are found in a list, not by a search. The whole training of
    # SASRec+ 3000 on MovieLens-100K, split by time and validated by user, which draws them so, gave
    # the same weights and ranks. So did SASRec and SASRec+ 10 on the demo, and two epochs of SASRec
    # and SASRec+ 3000 on ml-1m, which draw few.
    "fcccc7574732329b0be3c74b357c1f641f2ffc6f77e3e14854457414a9a8f0a2": (
        "69ea234e8f3712f553e2b714bc09582cda9e059919701fc24c58c0ea75e2712a"
    ),
}
"""Training code whose results the next version reproduces: its fingerprint, and the next one's.

The records of the first version stay current. Add a pair only when it has been shown that both
versions give the same bits, or differ by no more than two kinds of CPU do; for example by training
some epochs of committed records again."""


def is_stale(record: Record, training_code: str) -> bool:
    """Tell whether training again might give another record.

    That is so unless training code with this fingerprint, or with the same results, made the
    record, and the code in the files of its custom model and loss has not changed or is not here.
    What another library predicted is not trained here, and so never stale.
    """
    if record.predictions is not None:
        return False
    made_by = record.seqrec.training_code
    while made_by != training_code and made_by in SAME_RESULTS:
        made_by = SAME_RESULTS[made_by]
    if made_by != training_code:
        return True
    config, code = record.known_config, record.seqrec
    return _has_changed(config.implementation, code.model_code) or _has_changed(
        config.loss_kind or "", code.loss_code
    )


def _has_changed(custom: str, recorded: str | None) -> bool:
    path = custom_module(custom)
    return path is not None and recorded not in (_code_digest(path), _file_digest(path))


def training_code_fingerprint(package: Path = PACKAGE) -> str:
    """Return the SHA-256 of the training code without comments, docstrings and blank lines."""
    digest = hashlib.sha256()
    paths = [path for room in DECISIVE_ROOMS for path in (package / room).rglob("*.py")]
    for name, path in sorted((path.relative_to(package).as_posix(), path) for path in paths):
        code = code_that_runs(path.read_text(encoding="utf-8")).encode()
        digest.update(f"{name}\0{len(code)}\0".encode() + code)
    return digest.hexdigest()


def model_code(implementation: str) -> str | None:
    """Return the SHA-256 of the file of a custom model or loss, `package.module:Class`, as code
    alone.

    Comments, docstrings and modules that the file imports do not count. None for the package's
    own, and if there is no such file.
    """
    path = custom_module(implementation)
    return None if path is None else _code_digest(path)


def _code_digest(path: Path) -> str:
    source = path.read_text(encoding="utf-8", errors="surrogateescape")
    code = code_that_runs(source).encode(errors="surrogateescape")
    return hashlib.sha256(code).hexdigest()


def _file_digest(path: Path) -> str:
    """Return the SHA-256 of a whole file, which older records hold."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


@cache
def code_that_runs(source: str) -> str:
    """Remove comments, docstrings, blank lines and trailing blanks from a Python source.

    The result is cut out of the source, so it does not depend on the version of Python. A source
    that is not valid Python is returned as it is.
    """
    try:
        return "".join(f"{line}\n" for line in _lines_that_run(source))
    except (SyntaxError, tokenize.TokenError):
        return source


def _lines_that_run(source: str) -> Iterator[str]:
    """Yield the lines; a string that spans several of them stays as it is, in one piece."""
    starts = list(accumulate(map(len, io.StringIO(source)), initial=0))
    lines: list[str] = []
    kinds: set[int] = set()
    begin = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE):
            start, end = (starts[row - 1] + column for row, column in (token.start, token.end))
            if line := source[begin:start].rstrip():
                lines.append(line)
            begin = end
        elif token.type not in (tokenize.INDENT, tokenize.DEDENT):
            kinds.add(token.type)
        if token.type == tokenize.NEWLINE:
            if kinds != {tokenize.STRING}:  # a statement that is only a string does nothing
                yield from lines
            lines, kinds = [], set()
