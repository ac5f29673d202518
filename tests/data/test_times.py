"""Times as people's files have them, and conditions on other columns, alike in every format."""

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from seqrec.data import parquet, raw_bytes
from seqrec.data.datasets import Dataset
from seqrec.data.download import download
from seqrec.data.formats import Filter, Format
from seqrec.data.interactions import Interactions
from seqrec.data.parsing import ParsedFile, parse
from seqrec.data.preprocessing import preprocess
from seqrec.data.statistics import Statistics
from seqrec.data.times import time_to_keep, unix_seconds
from seqrec.errors import SeqrecError
from seqrec.typed_yaml import check_values

KINDS = ["csv", "jsonl", "parquet"]
Columns = Mapping[str, Sequence[Any]]


def write(path: Path, columns: Columns) -> None:
    """Write columns as the file's suffix says; users and items are added."""
    count = len(next(iter(columns.values())))
    table = {"u": ["a"] * count, "i": [str(n) for n in range(count)], **columns}
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    if path.suffix == ".parquet":
        pq.write_table(pa.table(table), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        cells = [["" if value is None else str(value) for value in row.values()] for row in rows]
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([[*table], *cells])


def read(
    path: Path, timestamp: Any = None, where: dict[Any, Any] | None = None, **format: object
) -> ParsedFile:
    columns = {"user": "u", "item": "i", "timestamp": timestamp}
    form = Format.model_validate({"kind": path.suffix[1:], "columns": columns, **format})
    return parse(path, form, None, where)


def seconds(parsed: ParsedFile) -> list[int]:
    return unix_seconds(time_to_keep(parsed.events.times)).tolist()


def refusal(path: Path, **how: Any) -> str:
    with pytest.raises(SeqrecError) as error:
        read(path, **how)
    return str(error.value)


# --- dates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["2024-02-28", "2024-02-29", "2024-03-01"], None),
        (["2024-02-28T00:00", "2024-02-29 00:00:00", "2024-03-01T00:00:00.25"], None),
        (["2024-02-28T01:00+01:00", "2024-02-29T00:00Z", "2024-02-29T22:00:00-02:00"], None),
        (["28/02/24", "29/02/24", "01/03/24"], "%d/%m/%y"),
        (["Feb 28, 2024", "Feb 29, 2024", "Mar 1, 2024"], "%b %d, %Y"),
        (["02/28/24 12:00 AM", "02/29/24 12:00 AM", "03/01/24 12:00 AM"], "%m/%d/%y %I:%M %p"),
        (["28/02/24 02 +0200", "28/02/24 22 -0200", "01/03/24 00 +0000"], "%d/%m/%y %H %z"),
        (["20240228", "20240229", "20240301"], "%Y%m%d"),
        (["2024/059 00.5", "2024/060 00.000000001", "2024/061 00.25"], "%Y/%j %S.%f"),
    ],
)  # fmt: skip
def test_dates_are_read_alike_from_every_format(
    tmp_path: Path, kind: str, texts: list[str], form: str | None
) -> None:
    path = tmp_path / f"log.{kind}"
    write(path, {"t": texts})
    days = [datetime(2024, 2, 28, tzinfo=UTC) + timedelta(days=day) for day in range(3)]
    assert seconds(read(path, "t", time=form)) == [int(day.timestamp()) for day in days]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_form_of_digits_reads_whole_numbers(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"log.{kind}"
    write(path, {"t": [20240228, 20240229]})
    assert np.diff(seconds(read(path, "t", time="%Y%m%d"))).tolist() == [86_400]


DAY = date(2024, 2, 29)


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([DAY], pa.date32()),
        ([DAY], pa.date64()),
        ([datetime(2024, 2, 29)], pa.timestamp("s")),
        ([datetime(2024, 2, 29)], pa.timestamp("ns", "UTC")),
        (["2024-02-29"], pa.large_string()),
        ([b"2024-02-29"], pa.binary()),
        (["2024-02-29"], pa.dictionary(pa.int8(), pa.string())),
        ([1709164800.0], pa.float64()),
        ([1709164800], pa.uint32()),
    ],
)
def test_parquet_may_hold_times_in_any_type(
    tmp_path: Path, values: list[Any], type: pa.DataType
) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"u": ["a"], "i": ["b"], "t": pa.array(values, type)}), path)
    assert seconds(read(path, "t")) == [1709164800]


def test_a_form_does_not_read_numbers_with_a_fraction(tmp_path: Path) -> None:
    for kind in KINDS:
        path = tmp_path / f"log.{kind}"
        write(path, {"t": [20240228.0, 20240229.0]})
        assert "the timestamp" in refusal(path, timestamp="t", time="%Y%m%d")


MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))
FORMS = ["%d/%m/%Y %H:%M:%S", "%b %d, %Y %I:%M:%S %p", "%Y %j %H.%M.%S.%f", "%y%m%d%H%M%S %z"]


@settings(max_examples=25, deadline=None)
@given(st.lists(MOMENTS, min_size=1, max_size=5), st.sampled_from(FORMS), st.integers(-12, 12))
def test_a_form_reads_what_it_wrote(
    tmp_path_factory: pytest.TempPathFactory, moments: list[datetime], form: str, hours: int
) -> None:
    zone = timezone(timedelta(hours=hours if "%z" in form else 0))
    texts = [moment.replace(tzinfo=zone).strftime(form) for moment in moments]
    expected = []
    for text in texts:
        moment = datetime.strptime(text, form)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        expected.append(int((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)))
    for kind in KINDS:
        path = tmp_path_factory.mktemp("log") / f"log.{kind}"
        write(path, {"t": texts})
        assert seconds(read(path, "t", time=form)) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_bad_dates_are_listed_with_line_value_and_remedy(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 5)
    monkeypatch.setattr(raw_bytes, "BLOCK_BYTES", 64)
    path = tmp_path / f"log.{kind}"
    texts = [f"{day:02}/02/24" for day in range(1, 29)]
    for day in range(5, 18):
        texts[day] = f"30/02/{day:02}"
    write(path, {"t": texts})
    unit, first = ("row", 0) if kind == "parquet" else ("line", 1 if kind == "csv" else 0)
    message = refusal(path, timestamp="t", time="%d/%m/%y").splitlines()
    assert message[0] == f"{path}: 13 malformed {unit}s, the first ten:"
    assert len(message) == 12
    for number, line in enumerate(message[1:-1], start=6):
        place = f" row {number + first}" if unit == "row" else f"{number + first}"
        assert line.startswith(
            f"  {path}:{place}: the timestamp '30/02/{number - 1:02}' is not a date of the form "
            "'%d/%m/%y'"
        )
    assert "correct 'format' in the dataset's YAML" in message[-1]
    kept = read(path, "t", time="%d/%m/%y", on_bad_line="drop")
    assert len(kept.events) == 15
    assert kept.dropped.bad_lines_dropped == 13


@pytest.mark.parametrize("kind", KINDS)
def test_dates_of_another_form_are_refused_with_the_key_that_reads_them(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"log.{kind}"
    write(path, {"t": ["31/12/20", "01/01/21"]})
    message = refusal(path, timestamp="t")
    assert "2 malformed" in message
    assert "the timestamp '31/12/20' is not a number or an ISO 8601 date" in message
    assert "by 'time' under 'format'" in message


@pytest.mark.parametrize("kind", KINDS)
def test_some_with_a_zone_and_some_without_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"log.{kind}"
    write(path, {"t": ["2024-01-31T12:00Z", "2024-01-31T12:00", "2024-01-31T12:00+01:00"]})
    message = refusal(path, timestamp="t")
    assert "'2024-01-31T12:00' is not a date with a time zone" in message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [1e30, -1e30, 2**63])
def test_numbers_too_large_for_a_time_are_refused(tmp_path: Path, kind: str, number: float) -> None:
    path = tmp_path / f"log.{kind}"
    write(path, {"t": [1.0, float(number), 2.0]})
    assert "the timestamp" in refusal(path, timestamp="t")


# --- several columns ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("columns", "how", "order", "kept"),
    [
        ({"d": ["01/21", "366/20", "01/21"], "h": [9, 9, 8]}, {"time": "%j/%y"}, [1, 2, 0], "d"),
        ({"d": ["2021-01-01", "2020-12-31", "2021-01-01"], "h": [9, 9, 8]}, {}, [1, 2, 0], "d"),
        ({"s": [2, 1, 2], "t": [1609459201, 1609459202, 1609459200]}, {}, [1, 2, 0], "t"),
        ({"s": [2, 1, 2], "t": ["2021-01-02", "2021-01-03", "2021-01-01"]}, {}, [1, 2, 0], "t"),
        ({"s": [2, 1, 2], "t": [5, 6, 4]}, {}, [1, 2, 0], "s"),
        ({"a": [1, 1, 1], "b": [2, 2, 2], "c": [3, 2, 1]}, {}, [2, 1, 0], "a"),
    ],
)  # fmt: skip
def test_columns_of_times_sort_in_order_of_importance_and_the_first_time_is_kept(
    tmp_path: Path, kind: str, columns: Columns, how: Any, order: list[int], kept: str
) -> None:
    write(tmp_path / f"log.{kind}", columns)
    format = {"kind": kind, "columns": {"user": "u", "item": "i", "timestamp": [*columns]}, **how}
    statistics, log = made(tmp_path, f"log.{kind}", format=format)
    assert log.item_ids()[log.items - 1].tolist() == order
    alone = read(tmp_path / f"log.{kind}", kept, **how)
    assert log.times is not None
    assert log.times.tolist() == [seconds(alone)[place] for place in order]
    assert statistics.tied_targets == 0


def made(folder: Path, file: str, **more: Any) -> tuple[Statistics, Interactions]:
    """Preprocess a file of the folder."""
    entry = {"title": "Own", "max_length": 9, "sources": [{"file": file}], **more}
    dataset = Dataset.model_validate(entry)
    manifest = download("own", dataset, folder, mirror="")
    statistics = preprocess("own", dataset, manifest, folder / "processed")
    return statistics, Interactions.load(folder / "processed")


# --- conditions -----------------------------------------------------------------------------------

EVENTS = ["purchase", "cart", "view", "purchase", "view", "cart"]
RATINGS = [5, 4.0, 4, 3.5, 5, None]
CONDITIONS: list[tuple[dict[str, Any], list[int], dict[str, int]]] = [
    ({"rating": ">= 4"}, [0, 1, 2, 4], {"rating >= 4": 2}),
    ({"rating": "<4.5"}, [1, 2, 3], {"rating < 4.5": 3}),
    ({"rating": 4}, [1, 2], {"rating 4": 4}),
    ({"rating": [4, 3.5]}, [1, 2, 3], {"rating 4 or 3.5": 3}),
    ({"rating": "!= 4"}, [0, 3, 4, 5], {"rating != 4": 2}),
    ({"event": "purchase"}, [0, 3], {"event purchase": 4}),
    ({"event": ["purchase", "cart"]}, [0, 1, 3, 5], {"event purchase or cart": 2}),
    (
        {"rating": ">= 4", "event": "!= view"},
        [0, 1],
        {"rating >= 4": 2, "event != view": 2},
    ),
    ({"i": [0, "2"]}, [0, 2], {"i 0 or 2": 4}),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("where", "kept", "unmet"), CONDITIONS)
def test_conditions_keep_rows_alike_in_every_format_and_count_the_others(
    tmp_path: Path, kind: str, where: dict[str, Any], kept: list[int], unmet: dict[str, int]
) -> None:
    path = tmp_path / f"log.{kind}"
    write(path, {"event": EVENTS, "rating": RATINGS})
    where = Dataset.model_validate(
        {
            "title": "Own",
            "max_length": 9,
            "sources": [{"file": "log"}],
            "format": {"kind": "parquet"},
            "filter": {"where": where},
        }
    ).filter.where
    parsed = read(path, where=where)
    assert [int(item.as_py()) for item in parsed.item_ids] == kept
    assert parsed.unmet == unmet


VALUES = st.one_of(
    st.integers(-9, 9), st.sampled_from([0.5, 2.5]), st.sampled_from(["", "a", "b", "4", "true"])
)


@settings(max_examples=40, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=12), st.lists(VALUES, min_size=1, max_size=3))
def test_a_list_keeps_exactly_what_equals_one_of_its_values(
    tmp_path_factory: pytest.TempPathFactory, cells: list[Any], wanted: list[Any]
) -> None:
    def equal(cell: Any, value: Any) -> bool:
        if isinstance(value, str) and isinstance(cell, str):
            return cell == value
        return (
            str(value).strip("-").replace(".", "").isdigit()
            and (not isinstance(cell, str) or str(cell).strip("-").replace(".", "").isdigit())
            and float(cell) == float(value)
        )

    for kind in ("jsonl", "csv"):  # mixed types, which a column of Parquet cannot have
        if kind == "csv":
            cells = list(map(str, cells))
        kept = [n for n, cell in enumerate(cells) if any(equal(cell, value) for value in wanted)]
        path = tmp_path_factory.mktemp("log") / f"log.{kind}"
        write(path, {"x": cells})
        if kept:
            found = read(path, where={"x": tuple(wanted)})
            assert sorted(int(item.as_py()) for item in found.item_ids) == kept
            assert sum(found.unmet.values()) == len(cells) - len(kept)
        else:
            assert "meets 'where'" in refusal(path, where={"x": tuple(wanted)})


@pytest.mark.parametrize("written", [[">= 2", "<= 4"], ["view", "!= cart"]])
def test_a_comparison_in_a_list_is_refused_and_not_looked_for_as_a_word(written: list[str]) -> None:
    with pytest.raises(ValidationError, match="is a comparison, which stands alone, in no list"):
        Filter.model_validate({"where": {"x": written}})
    assert Filter.model_validate({"where": {"x": ["a", "<none>"]}}).where["x"] == ("a", "<none>")


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        (
            *("filter", {"where": {"x": ["a", ["b"]]}}),
            "filter.where.x.1: must be true or false or a whole number or a number or text (got a "
            "list)",
        ),
        (
            *("format", {"columns": {"timestamp": [2, -1]}}),
            "format.columns.timestamp.1: must be at least 0 (got -1)",
        ),
    ],
)
def test_a_wrong_value_within_a_list_is_told_in_one_line(
    section: str, values: dict[str, Any], said: str
) -> None:
    content = {"title": "Own", "max_length": 9, "sources": [{"file": "log"}], section: values}
    with pytest.raises(SeqrecError) as caught:
        check_values(Dataset, content, "own.yaml")
    assert str(caught.value) == f"own.yaml: {said}"


def test_truth_values_are_those_of_the_format(tmp_path: Path) -> None:
    for kind in KINDS:
        path = tmp_path / f"log.{kind}"
        write(path, {"x": [True, False, True]})
        assert read(path, where={"x": True}).unmet == {"x true": 1}
        assert read(path, where={"x": False}).unmet == {"x false": 2}


def test_an_unquoted_yes_or_no_is_found_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    write(path, {"x": ["yes", "no", "Yes", "maybe"]})
    where = yaml.safe_load("{x: [yes, maybe]}")
    assert read(path, where={"x": tuple(where["x"])}).unmet == {"x true or maybe": 1}


def test_conditions_may_name_columns_by_position_where_there_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / "log.tsv"
    path.write_text("1\t7\t3\n1\t8\t4\n1\t9\t5\n")
    format = Format.model_validate({"kind": "tsv"})
    assert parse(path, format, None, {2: ">= 4"}).unmet == {"2 >= 4": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_that_cannot_be_compared_is_reported(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"log.{kind}"
    write(path, {"x": ["5", "4", "four", "3"]})
    message = refusal(path, where={"x": ">= 4"})
    assert "the value of x 'four' is not a number, which '>= 4' under 'where' needs" in message
    dropped = read(path, where={"x": ">= 4"}, on_bad_line="drop")
    assert len(dropped.events) == 2
    assert dropped.dropped.bad_lines_dropped == 1
    assert dropped.unmet == {"x >= 4": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_that_is_not_there_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"log.{kind}"
    write(path, {"rating": [1, 2]})
    message = refusal(path, where={"raing": "!= 4"})
    assert "'raing', which 'where' tests" in message


def test_what_conditions_dropped_is_in_the_statistics_and_shown(tmp_path: Path) -> None:
    write(tmp_path / "log.csv", {"event": EVENTS * 2, "rating": [*RATINGS, *RATINGS]})
    statistics, log = made(
        tmp_path,
        "log.csv",
        format={"kind": "csv", "columns": {"user": "u", "item": "i"}},
        filter={"where": {"rating": ">= 4", "event": ["purchase", "cart"]}},
    )
    assert statistics.interactions_read == 12
    assert statistics.where_removed == {"rating >= 4": 4, "event purchase or cart": 4}
    assert statistics.account() == (
        "4 of 12 interactions kept; dropped: 4 without rating >= 4, "
        "4 without event purchase or cart"
    )
    assert Statistics.read(tmp_path / "processed/statistics.json") == log.statistics == statistics
    with pytest.raises(SeqrecError, match="that meet rating >= 5; at least one user"):
        made(
            tmp_path,
            "log.csv",
            format={"kind": "csv", "columns": {"user": "u", "item": "i"}},
            filter={"where": {"rating": ">= 5"}, "min_interactions_per_user": 5},
        )


def test_the_period_tells_what_times_were_read_as(tmp_path: Path) -> None:
    write(tmp_path / "log.csv", {"t": [1704067200_000, 1704153600_000, 1735689599_999]})
    format = {"kind": "csv", "columns": {"user": "u", "item": "i", "timestamp": "t"}}
    statistics, _ = made(tmp_path, "log.csv", format=format)
    assert statistics.period() == "from 2024-01-01 to 2024-12-31"


# --- mistakes in the YAML -------------------------------------------------------------------------

CSV = "{kind: csv, columns: {user: u, item: i, timestamp: t}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format: {time: '%d/%m/%Y'}", "give it as 'timestamp'"),
        ("format: {columns: {timestamp: 2}, time: '%H:%M'}", "names no day"),
        ("format: {columns: {timestamp: 2}, time: dd/mm/yy}", "names no day"),
        ("format: {columns: {timestamp: 2}, time: '%d/%m/%Q'}", "%Q is not known; there are %Y %y"),
        ("format: {columns: {timestamp: 2}, time: '%d/%m/%y %Y'}", "names the year twice"),
        ("format: {columns: {timestamp: 2}, time: '%M %d/%m/%y %M'}", "each letter"),
        ("format: {columns: {timestamp: 2}, time: '%d/%m/%y %I:%M'}", "%I, hours up to 12, and"),
        ("format: {columns: {timestamp: 2}, time: 5}", "format.time: must be text"),
        ("format: {columns: {timestamp: []}}", "format.columns.timestamp: must not be empty"),
        ("format: {columns: {timestamp: [2, 2]}}", "must be different columns"),
        ("format: {columns: {timestamp: [2, 1]}}", "must be different columns"),
        (f"format: {CSV}\nfilter: {{where: {{r: '>='}}}}", "filter.where.r: >= needs a value"),
        (f"format: {CSV}\nfilter: {{where: {{r: '> x'}}}}", "compares with a number"),
        (f"format: {CSV}\nfilter: {{where: {{r: []}}}}", "filter.where.r: must not be empty"),
        (f"format: {CSV}\nfilter: {{where: {{r: null}}}}", "filter.where.r: must be"),
        (f"format: {CSV}\nfilter: {{where: [r]}}", "filter.where: must be a mapping"),
        (f"format: {CSV}\nfilter: {{where: {{-1: 4}}}}", "filter.where.-1: must be at least 0"),
        ("filter: {where: {rating: 4}}", "names the column 'rating', but no header line does"),
        ("format: {kind: jsonl, columns: {user: u, item: i}}\nfilter: {where: {2: 4}}", "are keys"),
    ],
)
def test_mistakes_are_explained(text: str, message: str) -> None:
    entry = yaml.safe_load(f"title: T\nmax_length: 9\nsources: [{{file: log.csv}}]\n{text}\n")
    with pytest.raises(SeqrecError) as error:
        check_values(Dataset, entry, "own.yaml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
