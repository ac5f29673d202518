"""Raw files of every format, good and bad."""

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec.data import parquet, raw_bytes
from seqrec.data.bad_lines import Dropped
from seqrec.data.formats import Columns, Format
from seqrec.data.parsing import ParsedFile, parse
from seqrec.errors import SeqrecError

NAMES: dict[str, int | str] = {"user": "u", "item": "i", "timestamp": "t"}
POSITIONS: dict[str, int | str] = {"user": 0, "item": 1, "timestamp": 2}
Row = tuple[str, str, int]
ROWS: list[Row] = [("bob", "x", 3), ("ann", "y", 1), ("bob", "ü z", 2), ("ann", "x", 1)]


def form(kind: str, columns: dict[str, int | str] | None = None, **more: object) -> Format:
    return Format.model_validate(
        {"kind": kind, "columns": POSITIONS if columns is None else columns, **more}
    )


def rows_of(parsed: ParsedFile) -> list[tuple[object, ...]]:
    """Return what was read, with the ids in place of the codes."""
    events = parsed.events
    users = [parsed.user_ids[int(code)].as_py() for code in events.users]
    items = [parsed.item_ids[int(code)].as_py() for code in events.items]
    times = [column.tolist() for column in events.times]
    return list(zip(users, items, *times, strict=True))


def lines(rows: list[Row], separator: str) -> bytes:
    return "".join(separator.join(map(str, row)) + "\n" for row in rows).encode()


def jsonl(rows: list[Row]) -> bytes:
    return "".join(
        json.dumps({"t": time, "u": user, "text": 'said, "so"\n', "i": item}) + "\n"
        for user, item, time in rows
    ).encode()


def fails(path: Path, format: Format, member: str | None = None) -> str:
    with pytest.raises(SeqrecError) as error:
        parse(path, format, member)
    return str(error.value)


# --- good files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (lines(ROWS, ","), form("csv")),
        (b"u,i,t\n" + lines(ROWS, ","), form("csv", NAMES)),
        (b"x,y,z\n" + lines(ROWS, ","), form("csv", header=True)),
        (b"\xef\xbb\xbfu,i,t\r\n" + lines(ROWS, ",").replace(b"\n", b"\r\n"), form("csv", NAMES)),
        (b't,"i",u\n' + b'3,"x",bob\n1,y,ann\n2,"\xc3\xbc z","bob"\n1,x,ann', form("csv", NAMES)),
        (lines(ROWS, ";"), form("semicolon")),
        (
            b't;"i";u\n' + b'3;"x";bob\n1;y;ann\n2;"\xc3\xbc z";"bob"\n1;x;ann',
            form("semicolon", NAMES),
        ),
        (lines(ROWS, "\t"), form("tsv")),
        (lines(ROWS, "::"), form("double-colon")),
        (jsonl(ROWS), form("jsonl", NAMES)),
        (jsonl(ROWS) + b"\n\n", form("jsonl", NAMES)),
    ],
)
def test_every_format_of_lines_gives_the_same_log(
    tmp_path: Path, content: bytes, format: Format
) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    log = parse(path, format)
    assert rows_of(log) == ROWS
    assert log.user_ids.to_pylist() == ["ann", "bob"]
    assert log.item_ids.to_pylist() == ["x", "y", "ü z"]
    assert log.events.users.dtype == log.events.items.dtype == np.int32


@pytest.mark.parametrize("types", [(pa.string(), pa.int64()), (pa.large_string(), pa.float64())])
def test_parquet_gives_the_same_log(tmp_path: Path, types: tuple[pa.DataType, ...]) -> None:
    users, items, times = zip(*ROWS, strict=True)
    table = pa.table(
        {"t": pa.array(times, types[1]), "u": pa.array(users, types[0]), "i": list(items)}
    )
    pq.write_table(table, tmp_path / "log.parquet", row_group_size=3)
    assert rows_of(parse(tmp_path / "log.parquet", form("parquet", NAMES))) == ROWS
    by_position = form("parquet", {"user": 1, "item": 2, "timestamp": 0})
    assert rows_of(parse(tmp_path / "log.parquet", by_position)) == ROWS


def zipped(content: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/log.txt", content)
        archive.writestr("__MACOSX/._log.txt", b"junk")


def zstandard(content: bytes, path: Path) -> None:
    with pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd") as stream:
        stream.write(content)


COMPRESSIONS: dict[str, Callable[[bytes, Path], object]] = {
    ".gz": lambda content, path: path.write_bytes(gzip.compress(content)),
    ".bz2": lambda content, path: path.write_bytes(bz2.compress(content)),
    ".xz": lambda content, path: path.write_bytes(lzma.compress(content)),
    ".zst": zstandard,
    ".zip": zipped,
}


@pytest.mark.parametrize("suffix", COMPRESSIONS)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_compressed_file_is_read_by_its_suffix(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"log{suffix}"
    COMPRESSIONS[suffix](lines(ROWS, ",") if kind == "csv" else jsonl(ROWS), path)
    format = form("csv") if kind == "csv" else form("jsonl", NAMES)
    assert rows_of(parse(path, format)) == ROWS
    assert list(tmp_path.iterdir()) == [path]  # nothing is unpacked to disk


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_a_damaged_compressed_file_is_reported(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    content = b"".join(b"%d %d\n" % (n * 7919 % 10007, n) for n in range(20_000))
    COMPRESSIONS[suffix](content, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert f"{path}: cannot be read to its end" in fails(path, form("text", {}))
    path.write_bytes(b"1 2\n" * 100)
    assert f"{path}: cannot be read: by its name it is" in fails(path, form("text", {}))


def test_text_is_split_at_any_white_space_without_a_time(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"1 10\n 2\t\t9 \r\n3  8\n")
    log = parse(path, form("text", {}))
    assert rows_of(log) == [(1, 10), (2, 9), (3, 8)]
    assert log.events.times == ()


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["10", "9", "-1"], [-1, 9, 10]),
        (["10", "9", "a"], ["10", "9", "a"]),
        (["10", "9", "09"], ["09", "10", "9"]),
        (["7", " 7", "7 "], [7]),
        # Beyond 18 digits a number may not fit: such ids are text.
        (["999999999999999999", "-999999999999999999"], [-(10**18) + 1, 10**18 - 1]),
        (["9999999999999999999", "10"], ["10", "9999999999999999999"]),
    ],
)
def test_ids_sort_as_numbers_only_if_all_are_numbers(
    tmp_path: Path, ids: list[str], expected: list[object]
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("".join(f"{id},1\n" for id in ids))
    assert parse(path, form("csv", {})).user_ids.to_pylist() == expected


@pytest.mark.parametrize(
    ("times", "kind"),
    [
        (["3", "1", "2"], "i"),
        (["3", "1.5", "2e0"], "f"),
        (["1700000000000000002", "1700000000000000000", "1700000000000000001"], "i"),
        (["2018-07-07 22:09:11", "2017-01-01 00:00:00", "2018-07-07 22:09:10"], "M"),
        (["2018-07-09", "2018-07-07", "2018-07-08"], "M"),
        (["2018-07-07T22:00:02Z", "2018-07-07T22:00:00Z", "2018-07-07T22:00:01Z"], "M"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_times_are_numbers_or_dates(
    tmp_path: Path, times: list[str], kind: str, as_json: bool
) -> None:
    path = tmp_path / "log"
    if as_json:
        values = [time if "-" in time else json.loads(time) for time in times]
        path.write_text("".join(json.dumps({"u": 1, "i": 1, "t": v}) + "\n" for v in values))
        log = parse(path, form("jsonl", NAMES))
    else:
        path.write_text("".join(f"1,1,{time}\n" for time in times))
        log = parse(path, form("csv"))
    (found,) = log.events.times
    assert found.dtype.kind == kind
    assert np.argsort(found).tolist() == [1, 2, 0]


def test_nanoseconds_in_some_blocks_do_not_change_the_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", 64)
    path = tmp_path / "log.csv"
    days = [f"2024-01-{day:02} 10:00:00" for day in range(1, 29)]
    days[14] += ".123456789"
    path.write_text("".join(f"1,1,{day}\n" for day in reversed(days)))
    (times,) = parse(path, form("csv")).events.times
    assert (np.diff(times) < np.timedelta64(0)).all()
    assert times[13] - times[14] == np.timedelta64(86_400 * 10**6 + 123_456, "us")


def test_parquet_takes_timestamps_and_categories(tmp_path: Path) -> None:
    table = pa.table(
        {
            "u": pa.array(["b", "a", "b"]).dictionary_encode(),
            "i": pa.array([10, 9, 10], pa.int16()),
            "t": pa.array([3, 1, 2], pa.timestamp("ns")),
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    assert rows_of(parse(tmp_path / "log.parquet", form("parquet", NAMES))) == [
        ("b", 10, 3),
        ("a", 9, 1),
        ("b", 10, 2),
    ]


def test_a_quoted_field_may_hold_separators_and_line_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", 7)
    path = tmp_path / "log.csv"
    path.write_text('u,text,i\n1,"a, ""b""\nc",2\n3,"\n\n",4\n5,d,6\n')
    format = form("csv", {"user": "u", "item": "i"})
    assert rows_of(parse(path, format)) == [(1, 2), (3, 4), (5, 6)]
    path.write_text('u,text,i\n1,"a\n\nb",2\n3,c\n')
    assert f"{path}:5: 2 fields instead of 3; got '3,c'" in fails(path, format)
    path.write_text('u,text,i\n1,a,2\n1,"a,2\n1,b,2\n')
    assert f"{path}:3:" in fails(path, format)


identifier = st.text(st.characters(categories=["L", "N", "S"]), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(identifier, identifier, st.integers(-(2**62), 2**62)), min_size=1),
    block=st.integers(1, 64),
    kind=st.sampled_from(["text", "csv", "semicolon", "tsv", "double-colon", "jsonl"]),
)
def test_a_file_is_read_back_whatever_the_block_size(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], block: int, kind: str
) -> None:
    path = tmp_path_factory.mktemp("round") / "log"
    separators = {"text": " ", "csv": ",", "semicolon": ";", "tsv": "\t", "double-colon": "::"}
    separator = separators.get(kind, "")
    path.write_bytes(jsonl(rows) if kind == "jsonl" else lines(rows, separator))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_bytes, "BLOCK_BYTES", block)
        # A lone text among numbers would be taken for a header, and NA for nothing.
        more = {"missing": "keep"} | ({} if kind == "jsonl" else {"header": False})
        log = parse(path, form(kind, NAMES if kind == "jsonl" else None, **more))
    assert [tuple(map(str, row)) for row in rows_of(log)] == [tuple(map(str, r)) for r in rows]
    for ids in (log.user_ids.to_pylist(), log.item_ids.to_pylist()):
        assert ids == sorted(set(ids))


# --- bad files ------------------------------------------------------------------------------------

GOOD = {
    "text": b"1 10 5\n",
    "csv": b"1,10,5\n",
    "semicolon": b"1;10;5\n",
    "tsv": b"1\t10\t5\n",
    "double-colon": b"1::10::5\n",
    "jsonl": b'{"u": "1", "i": "10", "t": 5}\n',
}


@pytest.mark.parametrize("block", [64, 1 << 24])
@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize(
    ("kind", "bad", "what"),
    [
        ("text", b"1 10", "2 fields instead of 3"),
        ("text", b"1 10 5 9", "4 fields instead of 3"),
        ("text", b"1 10 x", "the timestamp 'x' is not a number"),
        ("text", b"1 10 nan", "the timestamp 'nan' is not a number"),
        ("text", b"1 1\xff0 5", "not UTF-8 text"),
        ("csv", b"1,10", "2 fields instead of 3"),
        ("csv", b"1,10,5,", "4 fields instead of 3"),
        ("csv", b",10,5", "the user is empty"),
        ("csv", b"1, ,5", "the item is empty"),
        ("csv", b"1,10,", "the timestamp '' is not a number"),
        ("csv", b"1,10,5\r1,10,5", "a carriage return or a quotation mark inside a field"),
        ("csv", b'1,10",5\n1,10",5', "a carriage return or a quotation mark inside a field"),
        ("csv", b"1\xe9,10,5", "not UTF-8 text (convert the file if it is in another encoding"),
        ("semicolon", b"1,10,5", "1 field instead of 3"),
        ("tsv", b"\t\t", "the user is empty"),
        ("tsv", b"1\t1\r0\t5", "a carriage return inside a field"),
        ("tsv", b"1\t\t5", "the item is empty"),
        ("tsv", b"1 10 5", "1 field instead of 3"),
        ("double-colon", b"1:10:5", "1 field instead of 3"),
        ("double-colon", b"1::10::1x", "the timestamp '1x' is not a number"),
        ("jsonl", b'{"u": "1", "i": "10"', "not valid JSON"),
        ("jsonl", b'["1", "10", 5]', "not a JSON object"),
        ("jsonl", b'{"u": "1", "t": 5}', "no key 'i' (the item)"),
        ("jsonl", b'{"u": 1, "i": "10", "t": 5}', "the user 1 is not text"),
        ("jsonl", b'{"u": "1", "i": null, "t": 5}', "the item None is not text"),
        ("jsonl", b'{"u": "", "i": "10", "t": 5}', "the user is empty"),
        ("jsonl", b'{"u": "1", "i": "10", "t": "x"}', "the timestamp 'x' is not a number"),
        ("jsonl", b'{"u": "1", "i": "10", "t": true}', "the timestamp True is not a number"),
        ("jsonl", b'{"u": "1", "i": "1\xff", "t": 5}', "not UTF-8 text"),
        ("jsonl", GOOD["jsonl"].strip() * 2, "not valid JSON"),
        # Lines that only the fast reader rejects are found as well.
        ("jsonl", b'{"u": "1", "i": "10", "t": 5, "t": 5}', "cannot be read as jsonl"),
        ("jsonl", b'{"u": "\\ud800", "i": "10", "t": 5}', "cannot be read as jsonl"),
    ],
)
def test_a_malformed_line_is_reported_with_its_number_and_a_remedy(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    bad: bytes,
    what: str,
    header: bool,
    block: int,
) -> None:
    monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", block)
    if kind == "jsonl" and header:
        return
    path = tmp_path / "log"
    good = GOOD[kind]
    path.write_bytes((b"x" + good if header else b"") + 40 * good + bad + b"\n" + 3 * good)
    format = form(kind, NAMES) if kind == "jsonl" else form(kind, header=header)
    message = fails(path, format)
    assert message.startswith(f"{path}:{41 + header}: {what}")
    shown = bad.decode("utf-8", "backslashreplace")
    assert f"got {shown!r}" in message
    assert "fix or remove the line" in message


@pytest.mark.parametrize(
    ("kind", "bad", "what"),
    [
        ("csv", b"1,10,01/31/2024\n", "the timestamp '01/31/2024' is not a number or an ISO 8601"),
        ("csv", b"1;10;5\n", "only one field when read as 'kind: csv'; is it another kind?"),
        ("csv", b"1,10\n", "no column 2 (counted from 0) for the timestamp, only 2 columns;"),
        ("csv", b"1,10,2024-W05\n", "the timestamp '2024-W05' is not a number or an ISO 8601"),
        ("jsonl", b'{"u": "1", "i": [], "t": 5}\n', "the item [] is not text"),
        ("jsonl", b'{"u": "1", "t": 5}\n', "no key 'i' (the item)"),
        ("jsonl", b'{"u": 9223372036854775808, "i": "1", "t": 5}\n', "the user 92233720368547758"),
    ],
)
def test_a_malformed_first_line_is_reported_too(
    tmp_path: Path, kind: str, bad: bytes, what: str
) -> None:
    path = tmp_path / "log"
    path.write_bytes(bad + GOOD[kind])
    format = form(kind, NAMES if kind == "jsonl" else None)
    assert fails(path, format).startswith(f"{path}:1: {what}")


@pytest.mark.parametrize("header", [b"u,i,t\n", b"u,i,t\n\n"])
@pytest.mark.parametrize(("bad", "fields"), [(b"1,10\n", "2 fields"), (b"1\n", "1 field")])
def test_a_first_line_shorter_than_the_header_is_reported(
    tmp_path: Path, header: bytes, bad: bytes, fields: str
) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(header + bad)
    line = 1 + header.count(b"\n")
    assert fails(path, form("csv", NAMES)).startswith(f"{path}:{line}: {fields} instead of 3")


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
@pytest.mark.parametrize("block", [7, 64, 1 << 24])
@pytest.mark.parametrize("kind", GOOD)
def test_blank_lines_are_skipped_but_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, block: int, ends: bytes
) -> None:
    monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", block)
    path = tmp_path / "log"
    good = GOOD[kind]
    format = form(kind, NAMES) if kind == "jsonl" else form(kind, header=True)
    head = b"\n \n" + (b"" if kind == "jsonl" else b"x" + good) + b"\n\n"
    text = head + good + b"\n   \n" + good + b"\n"
    path.write_bytes((text + b" \n").replace(b"\n", ends))
    assert rows_of(parse(path, format)) == [(1, 10, 5)] * 2
    path.write_bytes((text + b"1\n" + good).replace(b"\n", ends))
    line = text.count(b"\n") + 1
    assert fails(path, format).startswith(f"{path}:{line}: ")
    path.write_bytes((head + b" ").replace(b"\n", ends))
    assert "holds no interactions" in fails(path, format)


def test_either_all_dates_have_a_time_zone_or_none_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.csv"
    rows = [f"1,{n},2024-01-{n:02}T10:00\n" for n in range(10, 20)]
    for block in (64, 1 << 24):
        monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", block)
        path.write_text("".join(rows[:9]) + rows[9].replace("\n", "Z\n"))
        message = "10: the timestamp '2024-01-19T10:00Z' is not a date without a time zone"
        assert f"{path}:{message}" in fails(path, form("csv"))
        path.write_text(
            "".join(rows).replace("\n", "+01:00\n").replace("15T10:00+01", "15T10:00-01")
        )
        (times,) = parse(path, form("csv")).events.times
        assert (np.diff(times) // np.timedelta64(1, "h")).tolist() == [
            24,
            24,
            24,
            24,
            26,
            22,
            24,
            24,
            24,
        ]


def test_an_invalid_date_among_dates_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("1,1,2018-07-07\n1,2,2018-07-32\n")
    assert f"{path}:2: the timestamp '2018-07-32' is not a date" in fails(path, form("csv"))


def test_a_header_without_the_column_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item,t\n1,1,1\n")
    assert f"{path}:1: the header must name one column 'u'" in fails(path, form("csv", NAMES))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("user,item\n1,10\n2,020\n", "the user 'user'"),
        # Numbers in one column are enough: an ISBN may end in X.
        ("User_ID,ISBN\n268729,8501052981\n1,034545104X\n", "the user 'User_ID'"),
        ("name,item\nann,1\nbob,2\n", "the item 'item'"),
        # Files joined end to end, each with its header.
        ("user,item\n1,10\n2,20\nuser,item\n3,30\n", "the user 'user'"),
    ],
)
def test_an_undeclared_header_is_not_taken_for_an_interaction(
    tmp_path: Path, text: str, first: str
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    message = fails(path, form("csv", {}))
    assert f"{path}: the first line has {first}, all other {first.split()[1]}s are numb" in message
    assert "'header: true'" in message
    assert len(parse(path, form("csv", {}, header=False)).events) == text.count("\n")
    if text.count(text.partition("\n")[0]) == 1:
        assert len(parse(path, form("csv", {}, header=True)).events) == text.count("\n") - 1


@pytest.mark.parametrize(
    "text",
    [
        "user,item\nann,x\n",
        "ann,1\nann,2\n3,1\n",  # a header names no user of several items
        "1,10\nann,item\n",
        "ann,1\nbob,2\n3,4\n",
    ],
)
def test_ids_may_be_words_beside_numbers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    assert len(parse(path, form("csv", {})).events) == text.count("\n")


@pytest.mark.parametrize("block", [32, 1 << 24])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_header_of_a_file_joined_to_another_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, mark: str
) -> None:
    monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", block)
    path = tmp_path / "log.csv"
    part = f"{mark}u,i,t\r\nu,i,7\r\n1,2,3\r\n"
    path.write_text(part * 2, encoding="utf-8")
    what = f"{path}:4: the start of another file: were files joined end to end?"
    assert fails(path, form("csv", {"user": "u", "item": "i"})).startswith(what)
    log = parse(path, form("csv", NAMES, on_bad_line="drop"))
    assert rows_of(log) == [("u", "i", 7), ("1", "2", 3)] * 2
    assert log.dropped == Dropped(bad_lines_dropped=1)
    if mark:  # also without a header, a mark would become part of an id
        path.write_text("1,2,3\n\ufeff4,5,6\n", encoding="utf-8")
        assert fails(path, form("csv", header=False)).startswith(f"{path}:2: the start of another")


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_is_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(content)
    assert f"{path}: holds no interactions" in fails(path, form("text", {}))
    path.write_bytes(b"u i\n" + content)
    assert f"{path}: holds no interactions" in fails(path, form("text", {}, header=True))


@pytest.mark.parametrize(
    ("column", "values", "what"),
    [
        ("u", ["a", None, "b"], "row 2: the user is empty"),
        ("i", ["a", "b", " "], "row 3: the item is empty"),
        ("u", [0.5, 1.0, 2.0], "the user column holds numbers with a fraction (double); ids"),
        ("t", [1.0, float("nan"), 2.0], "row 2: the timestamp is empty, or no finite number"),
        ("t", ["1", "2", "z"], "row 3: the timestamp 'z' is not a number"),
        ("t", [True, False, True], "the timestamp column holds true and false (bool); it must"),
    ],
)
def test_a_bad_row_of_parquet_is_reported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    column: str,
    values: list[object],
    what: str,
) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 2)  # rows are counted through all batches
    path = tmp_path / "log.parquet"
    good = {"u": ["a", "b", "c"], "i": ["a", "b", "c"], "t": [1, 2, 3]}
    pq.write_table(pa.table({**good, column: values}), path)
    assert f"{path}: {what}" in fails(path, form("parquet", NAMES))
    assert "no column 'v' for the user; it has u, i, t" in fails(
        path, form("parquet", {"user": "v", "item": "i"})
    )
    path.write_bytes(b"PAR1 and no more")
    assert f"{path}: cannot be read as Parquet" in fails(path, form("parquet", NAMES))


# --- ids that are missing -----------------------------------------------------------------------


@pytest.mark.parametrize("block", [16, 1 << 24])
@pytest.mark.parametrize("kind", ["text", "csv", "semicolon", "tsv", "double-colon"])
def test_a_word_for_a_missing_value_is_no_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, block: int
) -> None:
    monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", block)
    path = tmp_path / "log"
    separator = {"text": " ", "csv": ",", "semicolon": ";", "tsv": "\t"}.get(kind, "::")
    rows = ["1,1", "NA,1", "NA,2", "1,2", "2,\\N", "2,1"]
    path.write_text("".join(row.replace(",", separator) + "\n" for row in rows))
    message = fails(path, form(kind, {}, header=False))
    assert message.startswith(f"{path}:2: the user 'NA' reads like a missing value, as in 2 more")
    assert "'missing: [NA, '\\N']' to drop" in message
    assert "'missing: keep' if it is an id" in message
    assert "'missing: ['\\N']'" in fails(path, form(kind, {}, header=False, missing=["NA"]))
    log = parse(path, form(kind, {}, header=False, missing=["NA", "\\N"]))
    assert rows_of(log) == [(1, 1), (1, 2), (2, 1)]  # and ids are numbers as before
    assert log.item_ids.to_pylist() == [1, 2]
    assert log.dropped == Dropped(missing_ids_dropped=3)
    kept = parse(path, form(kind, {}, header=False, missing="keep"))
    assert kept.user_ids.to_pylist() == ["1", "2", "NA"]


@pytest.mark.parametrize(
    "word", ["NA", "nan", "NaN", "None", "null", "NULL", "\\N", "<NA>", " NA ", "N/A", "undefined"]
)
def test_every_common_word_for_a_missing_value_is_known_in_every_format(
    tmp_path: Path, word: str
) -> None:
    path = tmp_path / "log"
    columns: dict[str, int | str] = {"user": "u", "item": "i"}
    rows = {"u": ["a", word, "b"], "i": ["x", "y", word]}
    (tmp_path / "log.csv").write_text(
        "u,i\n" + "".join(f'"{u}",{i}\n' for u, i in zip(*rows.values(), strict=True))
    )
    (tmp_path / "log.jsonl").write_text(
        "".join(json.dumps({"u": u, "i": i}) + "\n" for u, i in zip(*rows.values(), strict=True))
    )
    pq.write_table(pa.table(rows), tmp_path / "log.parquet")
    for kind, first in (("csv", ":3"), ("jsonl", ":2"), ("parquet", ": row 2")):
        path = tmp_path / f"log.{kind}"
        wanted = (
            f"{path}{first}: the user {word.strip()!r} reads like a missing value, as in 1 more"
        )
        assert fails(path, form(kind, columns)).startswith(wanted)
        log = parse(path, form(kind, columns, missing=[word]))
        assert rows_of(log) == [("a", "x")]
        assert log.dropped == Dropped(missing_ids_dropped=2)


@pytest.mark.parametrize("block", [16, 1 << 24])
def test_ids_that_are_not_there_at_all_are_dropped_with_the_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", block)
    (tmp_path / "log.csv").write_text("u,i\n,1\n5,  \n5,1\n-1,2\n")
    (tmp_path / "log.jsonl").write_text(
        '{"u": null, "i": 1}\n{"i": 1}\n{"u": 5, "i": 1}\n{"u": "-1", "i": 3}\n{"u": -1, "i": 2}\n'
    )
    table = pa.table({"u": [None, 5, -1], "i": pa.array(["1", "1", "  "]).dictionary_encode()})
    pq.write_table(table, tmp_path / "log.parquet")
    for kind, dropped in (("csv", 3), ("jsonl", 4), ("parquet", 2)):
        format = form(kind, {"user": "u", "item": "i"}, missing=[-1])
        log = parse(tmp_path / f"log.{kind}", format)
        assert rows_of(log) == [(5, 1)]
        assert log.dropped == Dropped(missing_ids_dropped=dropped)


# --- several bad lines ----------------------------------------------------------------------------


@pytest.mark.parametrize("block", [64, 1 << 24])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_the_first_ten_bad_lines_are_reported_at_once_or_all_are_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, block: int
) -> None:
    monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", block)
    path = tmp_path / "log"
    good = [(f"{n}", "1", n) for n in range(140)]
    content = lines(good, ",") if kind == "csv" else jsonl(good)
    rows = content.splitlines(keepends=True)
    for n in range(0, 120, 2):  # the very first line among them
        rows[n] = rows[n][:-2] + (b"x\n" if n % 4 == 0 else b',"t": 1, "t": 2}\n')
    path.write_bytes(b"".join(rows))
    format = form(kind, NAMES if kind == "jsonl" else {**POSITIONS})
    first, *shown, remedy = fails(path, format).splitlines()
    assert first == f"{path}: 60 malformed lines, the first ten:"
    assert [line.split(":")[1] for line in shown] == [str(n) for n in range(1, 21, 2)]
    assert remedy.startswith("Fix or remove the lines, correct 'format' in the dataset's YAML, or ")
    assert "'on_bad_line: drop'" in remedy
    log = parse(path, form(kind, NAMES if kind == "jsonl" else None, on_bad_line="drop"))
    assert log.dropped == Dropped(bad_lines_dropped=60)
    assert len(log.events) == 80
    assert log.events.times[0].tolist() == [n for n in range(140) if n % 2 or n >= 120]


def test_a_file_most_of_whose_lines_are_bad_is_not_silently_emptied(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"1,2,3\n" + b"1,2\n" * 2)
    message = fails(path, form("csv", on_bad_line="drop"))
    assert message.startswith(f"{path}: 2 of 3 lines are malformed, too many to drop.")
    assert f"{path}:2: 2 fields instead of 3" in message
    path.write_bytes(b"1,2,x\n" * 9)
    assert "9 of 9 lines are malformed" in fails(path, form("csv", on_bad_line="drop"))
    path.write_bytes(b'1,2,3\n1,"2,3\n1,2,3\n')  # nobody knows where the line ends
    assert f"{path}:2: a quotation mark is left open" in fails(
        path, form("csv", on_bad_line="drop")
    )


def test_bad_rows_of_parquet_are_dropped_and_counted_too(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    table = {"u": ["a", None, "b", "c"], "i": ["x", "y", " ", "z"], "t": [1.0, 2, 3, float("inf")]}
    pq.write_table(pa.table({**table, "u": [*"ab", None, "c"]}), path)
    first, *shown, _ = fails(path, form("parquet", NAMES)).splitlines()
    assert first == f"{path}: 2 malformed rows:"
    assert shown == [
        f"  {path}: row 3: the user is empty",
        f"  {path}: row 4: the timestamp is empty, or no finite number",
    ]
    log = parse(path, form("parquet", NAMES, on_bad_line="drop"))
    assert rows_of(log) == [("a", "x", 1.0), ("b", "y", 2.0)]
    assert log.dropped == Dropped(bad_lines_dropped=2)


# --- archives and memory --------------------------------------------------------------------------


def test_only_the_named_member_of_a_zip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.txt", b"broken")
        archive.writestr("log.txt", b"1 2\n")
    assert rows_of(parse(path, form("text", {}), "log.txt")) == [(1, 2)]
    assert list(tmp_path.rglob("*")) == [path]
    assert "Name the one to read as 'member'" in fails(path, form("text", {}))
    message = fails(path, form("text", {}), "none.txt")
    assert "no member 'none.txt'; it holds ../../evil.txt, log.txt" in message


@pytest.mark.parametrize("suffix", [".zip", ".gz"])
def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(raw_bytes, "MAX_UNPACKED_BYTES", 10_000)
    path = tmp_path / f"log{suffix}"
    COMPRESSIONS[suffix](b"1 2\n" * 10_000, path)
    assert "Is it the right file?" in fails(path, form("text", {}))


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_a_bomb_of_any_compression_is_refused_before_it_is_read_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(raw_bytes, "SMALL_UNPACKED_BYTES", 1 << 20)
    monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", 1 << 18)
    path = tmp_path / f"log{suffix}"
    COMPRESSIONS[suffix](b"1 2\n" * (1 << 20), path)
    message = fails(path, form("text", {}))
    assert "1,048,576" in message
    assert "unpack it by hand" in message


def test_an_xz_file_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.xz"
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
    path.write_bytes(lzma.compress(b"1 2\n", filters=filters))
    assert "cannot be read to its end (Memory usage limit exceeded)" in fails(
        path, form("text", {})
    )


def test_an_xz_file_of_several_streams_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log.xz"
    path.write_bytes(lzma.compress(b"1 2\n") + bytes(8) + lzma.compress(b"3 4\n") + bytes(4))
    assert rows_of(parse(path, form("text", {}))) == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("rows", "long", "what"),
    [
        (30_000_000, "", "30,000,000 rows would unpack to 240,000,000 bytes, more than the"),
        (300_000, "x" * 5000, None),  # an id of many bytes is kept once
    ],
)
def test_a_parquet_bomb_is_refused_or_read_in_little_memory(
    tmp_path: Path, rows: int, long: str, what: str | None
) -> None:
    path = tmp_path / "log.parquet"
    ids = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), [f"a{long}"])
    pq.write_table(pa.table({"u": ids, "i": ids}), path)
    assert path.stat().st_size < 200_000
    format = form("parquet", {"user": "u", "item": "i"})
    if what:
        assert what in fails(path, format)
        return
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    try:
        assert len(parse(path, format).events) == rows
    finally:
        pa.set_memory_pool(usual)
    assert 0 < pool.max_memory() < 100 << 20


def packed_twice(content: bytes) -> bytes:
    return gzip.compress(gzip.compress(content, mtime=0), mtime=0)


def tape(content: bytes, mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        member = tarfile.TarInfo("log.txt")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


TEXT = b"1 2\n3 4\n" * 50


@pytest.mark.parametrize(
    ("name", "content", "what", "remedy"),
    [
        ("log.txt.gz", packed_twice(TEXT), "holds a gzip file", "Unpack it by hand"),
        ("log.zip", zip_of("log.gz", gzip.compress(TEXT)), "holds a gzip file", "Unpack it by"),
        ("log.zip", zip_of("log.zip", zip_of("log", TEXT)), "holds a zip file", "Unpack it by"),
        ("log.tgz", tape(TEXT, "w:gz"), "holds a tar archive", "tar -xf"),
        ("log.tar", tape(TEXT, "w"), "holds a tar archive", "tar -xf"),
        ("log.csv", TEXT.decode().encode("utf-16"), "text in UTF-16", "iconv -f utf-16 -t utf-8"),
        ("log.csv", TEXT.decode().encode("utf-16-le"), "text in UTF-16", "iconv -f utf-16 -t"),
        ("log.csv", TEXT.decode().encode("utf-16-be"), "text in UTF-16", "iconv -f utf-16 -t"),
        ("log.csv.gz", gzip.compress("1,2".encode("utf-16"), mtime=0), "text in UTF-16", "iconv"),
        ("log.csv", b"PAR1" + bytes(99), "holds Parquet", "'kind: parquet'"),
        ("log.csv", b"SQLite format 3\0" + bytes(99), "holds an SQLite database", "Save the inter"),
        ("log.xlsx", zip_of("[Content_Types].xml", b"x"), "an Excel workbook", "Save it as CSV"),
        ("log.csv.gz", bz2.compress(TEXT), "by its name it is gzip, by its first bytes bzip2", ""),
        ("log.csv.gz", TEXT, "by its name it is gzip, by its first bytes not", "right name"),
    ],
)
def test_content_that_is_not_lines_of_text_is_named_with_the_remedy(
    tmp_path: Path, name: str, content: bytes, what: str, remedy: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = fails(path, form("text", {}))
    assert message.startswith(f"{path}: ")
    assert what in message
    assert remedy in message
    assert "cp1252" not in message


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_a_compressed_file_is_read_whatever_its_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "ratings.dat"
    COMPRESSIONS[suffix](lines(ROWS, ","), path)
    assert rows_of(parse(path, form("csv"))) == ROWS


def test_what_looks_like_a_kind_of_file_but_is_text_is_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    for user in ("BZh9", "PK", "ORC", "Obj"):
        path.write_text(f"{user} 1\n{user} 2\n")
        assert rows_of(parse(path, form("text", {}))) == [(user, 1), (user, 2)]


def test_names_in_an_archive_cannot_steer_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "log.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(12):
            archive.writestr(f"\x1b[2J{n}" + "x" * 100, b"1 2\n")
    message = fails(path, form("text", {}))
    assert "\x1b" not in message
    assert len(message) < 500


@pytest.mark.parametrize(
    ("type", "values"),
    [
        (pa.string_view(), ["b", "a"]),
        (pa.large_string(), ["b", "a"]),
        (pa.binary(), [b"b", b"a"]),
        (pa.large_binary(), [b"b", b"a"]),
        (pa.decimal128(20), [20, 10]),
        (pa.uint64(), [20, 10]),
    ],
)
def test_every_type_of_parquet_that_holds_text_or_whole_numbers_is_an_id(
    tmp_path: Path, type: pa.DataType, values: list[object]
) -> None:
    path = tmp_path / "log.parquet"
    ids = pa.array(values, type)
    pq.write_table(pa.table({"u": ids, "i": ids}), path)
    expected = [b"a".decode(), "b"] if values[0] not in (20,) else [10, 20]
    log = parse(path, form("parquet", {"user": "u", "item": "i"}))
    assert log.user_ids.to_pylist() == log.item_ids.to_pylist() == expected


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([[1], [2]], "several values in each row (list<"),
        ([{"a": 1}, {"a": 2}], "several values in each row (struct<"),
        ([True, False], "true and false (bool)"),
        ([None, None], "nothing (null)"),
        (pa.array([1, 2], pa.timestamp("s")), "dates or times (timestamp"),
    ],
)
def test_a_type_of_parquet_that_is_no_id_is_named_in_plain_words(
    tmp_path: Path, values: object, what: str
) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"u": values, "i": [1, 2]}), path)
    message = fails(path, form("parquet", {"user": "u", "item": "i"}))
    assert f"the user column holds {what}" in message
    assert "ids must be whole numbers or text" in message


def test_columns_of_one_name_are_refused_unless_another_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    column = pa.array([1, 2])
    pq.write_table(pa.Table.from_arrays([column] * 4, names=["u", "u", "i", "t"]), path)
    for user in ("u", 0, 1):
        message = fails(path, form("parquet", {"user": user, "item": "i"}))
        assert f"{path}: 2 columns are called 'u' (the user)" in message
    assert len(parse(path, form("parquet", {"user": "i", "item": "t"})).events) == 2


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_bytes, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", 100)
    path = tmp_path / "log.txt"
    path.write_bytes(b"1 2\n" + b"9" * 5000)
    assert f"{path}:2: a line of more than 1,000 bytes" in fails(path, form("text", {}))


def test_json_lines_like_yelps_are_read_in_bounded_memory(tmp_path: Path) -> None:
    """Reading a file of 240 MB must not raise the peak by even half of its size."""
    path = tmp_path / "yelp_academic_dataset_review.json"
    text = "It was “fine”, \\n really. " * 45
    with path.open("w", encoding="utf-8") as file:
        for n in range(200_000):
            file.write(
                f'{{"review_id":"r{n:021d}","user_id":"u{n * 7919 % 30011:021d}",'
                f'"business_id":"b{n * 104729 % 5003:021d}","stars":4.0,"useful":0,'
                f'"text":"{text}","date":"2018-07-{1 + n % 28:02d} 22:09:11"}}\n'
            )
    assert path.stat().st_size > 200_000_000
    code = (
        "import resource, sys; from pathlib import Path;"
        "from seqrec.data.formats import Format; from seqrec.data.parsing import parse;"
        "import pyarrow.json, pyarrow.compute;"
        "columns = dict(user='user_id', item='business_id', timestamp='date');"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024;"
        "base = peak(); log = parse(Path(sys.argv[1]), Format(kind='jsonl', columns=columns));"
        "print(len(log.events), len(log.user_ids), len(log.item_ids), peak() - base)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    reviews, users, businesses, megabytes = map(int, done.stdout.split())
    assert (reviews, users, businesses) == (200_000, 30_011, 5_003)
    assert megabytes < 120


def test_columns_default_to_the_first_two() -> None:
    assert Columns() == Columns(user=0, item=1)
