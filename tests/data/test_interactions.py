"""The compact log: filters, numbering, statistics, digest, and what must not pass for a log."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seqrec.data import preprocessing
from seqrec.data.datasets import Dataset, load_dataset
from seqrec.data.download import download
from seqrec.data.events import Events
from seqrec.data.filtering import Removed, in_time_order, select
from seqrec.data.formats import Filter
from seqrec.data.interactions import Interactions
from seqrec.data.parsing import ParsedFile, parse
from seqrec.data.preprocessing import preprocess
from seqrec.data.sequences import Sequences
from seqrec.data.statistics import Statistics
from seqrec.errors import SeqrecError
from seqrec.layout import ConfigFiles

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT.parent / "shared" / "data"


def own(**more: Any) -> Dataset:
    return Dataset.model_validate(
        {"title": "Own", "max_length": 9, "sources": [{"file": "log.csv"}], **more}
    )


def made(folder: Path, text: str, dataset: Dataset) -> tuple[Statistics, Interactions]:
    """Preprocess a raw file that holds `text`."""
    raw = folder / "raw"
    raw.mkdir(exist_ok=True)
    (raw / dataset.sources[0].file).write_text(text, encoding="utf-8")
    manifest = download("own", dataset, raw, mirror="")
    statistics = preprocess("own", dataset, manifest, folder / "processed")
    return statistics, Interactions.load(folder / "processed")


def log_of(interactions: Interactions) -> dict[object, list[object]]:
    """Return every user's history in original ids."""
    users, items = interactions.user_ids(), interactions.item_ids()
    return {
        users[user]: [items[item - 1] for item in interactions.history(user)]
        for user in range(interactions.num_users)
    }


CSV = {"kind": "csv", "columns": {"user": 0, "item": 1, "timestamp": 2}}


def test_items_are_in_order_of_time_and_ties_keep_the_files_order(tmp_path: Path) -> None:
    text = "b,y,2\na,z,9\nb,x,1\na,y,3\nb,z,2\na,x,3\n"
    _, log = made(tmp_path, text, own(format=CSV))
    assert log_of(log) == {"a": ["y", "x", "z"], "b": ["x", "y", "z"]}
    assert log.items.tolist() == [2, 1, 3, 1, 2, 3]
    assert log.offsets.tolist() == [0, 3, 6]
    assert log.items.dtype == np.int32
    assert log.offsets.dtype == np.int64
    assert isinstance(log.items, np.memmap)


def test_without_times_the_files_order_counts_even_if_users_alternate(tmp_path: Path) -> None:
    text = "2 7\n1 9\n2 5\n1 7\n2 9\n1 5\n"
    _, log = made(tmp_path, text, own())
    assert log_of(log) == {1: [9, 7, 5], 2: [7, 5, 9]}


def test_users_and_items_are_numbered_in_the_order_of_their_ids(tmp_path: Path) -> None:
    text = "".join(f"{user} {item}\n" for user in (10, 9) for item in (100, 20, 3))
    _, log = made(tmp_path, text, own())
    assert log.user_ids().tolist() == [9, 10]
    assert log.item_ids().tolist() == [3, 20, 100]
    assert log.history(0).tolist() == [3, 2, 1]


def test_users_too_short_to_split_are_left_out_and_counted_and_their_items_get_no_number(
    tmp_path: Path,
) -> None:
    text = "1 5\n1 6\n2 7\n2 8\n2 9\n3 4\n"
    statistics, log = made(tmp_path, text, own())
    assert statistics.users_left_out == 2
    assert log_of(log) == {2: [7, 8, 9]}
    assert log.num_items == 3
    assert log.items.max() == 3


@pytest.mark.parametrize(
    ("rule", "expected", "removed"),
    [("keep", "xyxzx", 0), ("first", "xyz", 2), ("last", "yzx", 2)],
)
def test_the_rule_for_repeated_pairs(
    tmp_path: Path, rule: str, expected: str, removed: int
) -> None:
    text = "".join(f"{user},{item}\n" for user in "ab" for item in "xyxzx")
    dataset = own(format={"kind": "csv"}, filter={"duplicates": rule})
    statistics, log = made(tmp_path, text, dataset)
    assert log_of(log) == {"a": list(expected), "b": list(expected)}
    assert statistics.duplicates_removed == 2 * removed


def test_yelps_rule_counts_distinct_items_and_keeps_repeats(tmp_path: Path) -> None:
    visits = {"few": "vwxyvwxyvwxy", "enough": "vwxyzzz"}
    text = "".join(
        json.dumps({"user_id": user, "business_id": item, "date": f"2018-07-07 22:09:{n:02d}"})
        + "\n"
        for user, items in visits.items()
        for n, item in enumerate(items)
    )
    yelp = load_dataset("yelp", ConfigFiles(ROOT / "config"))
    dataset = yelp.model_copy(update={"sources": yelp.sources[1:], "expected": None})
    statistics, log = made(tmp_path, text, dataset)
    assert log_of(log) == {"enough": list("vwxyzzz")}
    assert statistics.users_filtered == 1
    assert statistics.interactions_filtered == 12
    assert statistics.repeated_interactions == 2
    assert statistics.repeated_test_targets == statistics.repeated_validation_targets == 1


def test_statistics_of_a_log_counted_by_hand(tmp_path: Path) -> None:
    # Test targets: 1 has met 4 before, 2's item 9 is in nobody's training part, 3's item 1 is.
    # Validation targets: 1's 4 is in 3's training part, 2's 8 in nobody's, 3 has met 4 before.
    text = "".join(
        f"{user} {item}\n"
        for user, items in {1: [1, 2, 4, 4], 2: [1, 2, 8, 9], 3: [4, 2, 4, 1]}.items()
        for item in items
    )
    statistics, log = made(tmp_path, text, own())
    assert statistics == Statistics(
        users=3,
        items=5,
        interactions=12,
        mean_length=4.0,
        min_length=4,
        max_length=4,
        density=0.8,
        repeated_interactions=2,
        repeated_validation_targets=1,
        repeated_test_targets=1,
        unseen_validation_targets=1,
        unseen_test_targets=1,
        tied_targets=None,
        interactions_read=12,
        duplicates_removed=0,
        interactions_filtered=0,
        users_filtered=0,
        items_filtered=0,
        users_left_out=0,
    )
    assert log.statistics.unseen_test_targets == 1


@pytest.mark.parametrize(
    ("items", "times", "tied"),
    [
        ("vwxyz", "12345", 0),
        ("vwxyz", "11234", 0),  # before the targets
        ("vwxyz", "12344", 1),  # which one is tested on
        ("vwxyz", "12334", 1),  # which one is validated with
        ("vwxyz", "22222", 1),
        ("vwzzz", "12444", 0),  # the same item in any order
        ("vwyzz", "12444", 1),
    ],
)
def test_users_whose_targets_the_files_order_decided_are_counted(
    tmp_path: Path, items: str, times: str, tied: int
) -> None:
    mine = [f"a,{item},{time}\n" for item, time in zip(items, times, strict=True)]
    others = "b,v,1\nb,w,2\nb,x,3\nc,v,3\nc,w,3\n"  # c is too short to have targets
    statistics, log = made(tmp_path, "".join(mine) + others, own(format=CSV))
    assert statistics.tied_targets == log.statistics.tied_targets == tied


def test_ties_are_counted_after_filtering(tmp_path: Path) -> None:
    text = "".join(f"a,{item},{time}\n" for item, time in ("v1", "w2", "x3", "y4", "w4", "x4"))
    assert made(tmp_path, text, own(format=CSV))[0].tied_targets == 1
    first = own(format=CSV, filter={"duplicates": "first"})
    assert made(tmp_path, text, first)[0].tied_targets == 0


def test_what_a_user_of_the_log_should_know_is_one_line_each(tmp_path: Path) -> None:
    text = "".join(f"a,{item},{time}\n" for item, time in ("v1", "w2", "x3", "y4", "v4"))
    text += "b,v,1\nb,w,2\nb,x,3\nc,x,1\n\nNA,v,1\nNA,v,1\nc,x\n"
    allowed = {"missing": ["NA"], "on_bad_line": "drop"}
    statistics, log = made(tmp_path, text, own(format=CSV | allowed))
    dropped, missing, repeated, tied = statistics.warnings()
    assert dropped == "1 malformed line dropped (on_bad_line: drop)"
    assert missing == "2 lines without a user or an item dropped"
    assert repeated.startswith("1 of 2 (50.0%) test targets are already in the user's history")
    assert "a certain miss" in repeated
    assert tied.startswith("1 of 2 (50.0%) users have a target at the same time as another item")
    assert log.statistics.bad_lines_dropped == 1
    assert log.statistics.missing_ids_dropped == 2
    assert log.statistics.interactions_read == 9


def test_nothing_is_said_of_a_log_without_peculiarities(tmp_path: Path) -> None:
    statistics, log = made(tmp_path, "1 5\n1 6\n1 7\n", own())
    assert statistics.warnings() == []
    assert not {"bad_lines_dropped", "missing_ids_dropped"} & set(log.statistics.written())


# --- filters as properties ------------------------------------------------------------------------

pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=80)
Pairs = list[tuple[int, int]]


def selected(log: Pairs, filter: Filter) -> tuple[Pairs, Removed]:
    users = np.array([user for user, _ in log], np.int32)
    items = np.array([item for _, item in log], np.int32)
    kept, removed = select(in_time_order(Events(users, items, ())), filter)
    return list(zip(kept.users.tolist(), kept.items.tolist(), strict=True)), removed


def user_counts(log: Pairs, distinct: bool) -> Counter[int]:
    return Counter(user for user, _ in (set(log) if distinct else log))


@given(pairs, st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_a_k_core_reaches_its_minima_and_drops_nothing_it_need_not(
    log: Pairs, user_minimum: int, item_minimum: int, distinct: bool
) -> None:
    filter = Filter(
        min_interactions_per_user=user_minimum,
        min_interactions_per_item=item_minimum,
        distinct_items=distinct,
        mode="k-core",
    )
    core = sorted(log, key=lambda pair: pair[0])
    while True:  # dropping one offender at a time must lead to the same core
        users = user_counts(core, distinct)
        items = Counter(item for _, item in core)
        lengths = user_counts(core, distinct=False)
        bad_user = next((u for u in users if users[u] < user_minimum or lengths[u] < 3), None)
        bad_item = next((i for i in items if items[i] < item_minimum), None)
        if bad_user is not None:
            core = [pair for pair in core if pair[0] != bad_user]
        elif bad_item is not None:
            core = [pair for pair in core if pair[1] != bad_item]
        else:
            break
    kept, removed = selected(log, filter)
    assert kept == core
    assert removed.interactions_filtered == len(log) - len(core)
    assert removed.users_left_out == 0


@given(pairs, st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_one_pass_counts_once_before_anything_is_dropped(
    log: Pairs, user_minimum: int, item_minimum: int, distinct: bool
) -> None:
    filter = Filter(
        min_interactions_per_user=user_minimum,
        min_interactions_per_item=item_minimum,
        distinct_items=distinct,
    )
    users = user_counts(log, distinct)
    items = Counter(item for _, item in log)
    expected = [
        pair
        for pair in sorted(log, key=lambda pair: pair[0])
        if users[pair[0]] >= user_minimum and items[pair[1]] >= item_minimum
    ]
    left = Counter(user for user, _ in expected)
    assert selected(log, filter)[0] == [pair for pair in expected if left[pair[0]] >= 3]


@given(pairs, st.sampled_from(["first", "last"]))
def test_deduplication_keeps_one_of_each_pair_in_order(log: Pairs, rule: str) -> None:
    kept, removed = selected(log, Filter.model_validate({"duplicates": rule}))
    histories: dict[int, list[int]] = defaultdict(list)
    for user, item in log:
        if item in histories[user]:
            if rule == "first":
                continue
            histories[user].remove(item)
        histories[user].append(item)
    expected = [
        (user, item)
        for user in sorted(histories)
        for item in histories[user]
        if len(histories[user]) >= 3
    ]
    assert kept == expected
    assert removed.duplicates_removed == len(log) - len(set(log))


@given(pairs, st.integers(1, 4), st.sampled_from(["one-pass", "k-core"]))
def test_no_item_follows_itself_whatever_else_is_dropped(
    log: Pairs, minimum: int, mode: str
) -> None:
    rules = {"duplicates": "consecutive", "min_interactions_per_item": minimum, "mode": mode}
    kept, removed = selected(log, Filter.model_validate(rules))
    assert all(one != next for one, next in pairwise(kept))
    if minimum == 1:
        alone = [next(group) for _, group in groupby(sorted(log, key=lambda pair: pair[0]))]
        lengths = Counter(user for user, _ in alone)
        assert kept == [pair for pair in alone if lengths[pair[0]] >= 3]
        if mode == "one-pass":
            assert removed.duplicates_removed == len(log) - len(alone)
    if mode == "k-core" and kept:
        assert min(Counter(item for _, item in kept).values()) >= minimum
        assert min(Counter(user for user, _ in kept).values()) >= 3


def test_what_a_dropped_item_stood_between_counts_as_consecutive(tmp_path: Path) -> None:
    text = "".join(f"{user},{item}\n" for user in "ab" for item in "xyz") + "c,x\nc,rare\nc,x\n"
    text += "c,y\nc,z\n"
    rules = {"duplicates": "consecutive", "min_interactions_per_item": 2}
    statistics, log = made(tmp_path, text, own(format={"kind": "csv"}, filter=rules))
    assert log_of(log)["c"] == ["x", "y", "z"]
    assert (statistics.duplicates_removed, statistics.interactions_filtered) == (1, 1)


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=30), st.integers(0, 2))
def test_order_is_by_user_then_times_then_line(
    rows: list[tuple[int, int, int]], columns: int
) -> None:
    users = np.array([user for user, *_ in rows], np.int32)
    times = tuple(np.array([row[1 + column] for row in rows]) for column in range(columns))
    numbers = np.arange(len(rows), dtype=np.int32)
    expected = sorted(range(len(rows)), key=lambda n: (*rows[n][: 1 + columns], n))
    assert in_time_order(Events(users, numbers, times)).items.tolist() == expected


def test_with_ties_by_item_a_log_does_not_depend_on_the_order_of_its_file(tmp_path: Path) -> None:
    lines = ["a,y,1", "a,x,1", "a,z,0", "b,z,5", "b,y,5", "b,x,5"]
    columns = {"user": "u", "item": "i", "timestamp": "t"}
    for number, order in enumerate((lines, lines[::-1])):
        folder = tmp_path / str(number)
        folder.mkdir()
        text = "\n".join(["u,i,t", *order, ""])
        dataset = own(format={"kind": "csv", "columns": columns, "ties": "item"})
        _, log = made(folder, text, dataset)
        assert log_of(log) == {"a": ["z", "x", "y"], "b": ["x", "y", "z"]}


def test_ties_by_item_need_times() -> None:
    with pytest.raises(ValidationError, match="give 'timestamp' in 'columns'"):
        own(format={"kind": "csv", "ties": "item"})


# --- the digest, and damage -----------------------------------------------------------------------

TEXT = "1 5\n1 6\n1 7\n2 7\n2 6\n2 5\n"
TIMED = "1,5,10\n1,6,20\n1,7,30\n2,7,10\n2,6,20\n2,5,40\n"


def digest(folder: Path, text: str, **more: Any) -> str:
    folder.mkdir()
    made(folder, text, own(**more))
    return (folder / "processed" / "digest.json").read_text()


def test_the_digest_changes_exactly_when_the_log_does(tmp_path: Path) -> None:
    first = digest(tmp_path / "a", TEXT)
    assert digest(tmp_path / "b", TEXT) == first
    # The same log from other bytes, in another place, by other settings.
    csv = {"format": {"kind": "csv"}, "filter": {"min_interactions_per_user": 3}}
    assert digest(tmp_path / "c", TEXT.replace(" ", ",") + "3,9\n", **csv) == first
    assert digest(tmp_path / "d", TEXT.replace("2 6\n2 5\n", "2 5\n2 6\n")) != first
    assert set(json.loads(first)) == {"sha256"}


def test_times_are_part_of_the_digest_and_only_where_the_file_has_them(tmp_path: Path) -> None:
    csv = {"format": {"kind": "csv"}}
    assert digest(tmp_path / "without", TIMED, **csv) == digest(tmp_path / "as-text", TEXT)
    timed = digest(tmp_path / "with", TIMED, format=CSV)
    later = digest(tmp_path / "later", TIMED.replace("40", "50"), format=CSV)
    assert len({timed, later, digest(tmp_path / "again", TEXT)}) == 3
    _, log = made(tmp_path / "with", TIMED, own(format={"kind": "csv"}))
    assert log.times is None


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ("1 2 3", [1, 2, 3]),
        ("10.9 11.2 11.4", [10, 11, 11]),
        ("-1.5 0 1", [-2, 0, 1]),
        ("1700000000 1700000001 1", [1, 1700000000, 1700000001]),
        ("1700000000999 1700000001000 1700000001001", [1700000000, 1700000001, 1700000001]),
        ("1700000000999999 1700000001000000 1700000001000001", [1700000000] + [1700000001] * 2),
        ("1700000000999999999 1700000001000000000 5", [0, 1700000000, 1700000001]),
        ("1970-01-01T00:00:00.9 1970-01-02 1970-01-03", [0, 86_400, 172_800]),
        ("1969-12-31T23:59:59.5 1970-01-02 1970-01-03", [-1, 86_400, 172_800]),
        ("1970-01-01T01:00+01:00 1970-01-02T00:00Z 1970-01-02T00:00-01:00", [0, 86400, 90_000]),
    ],
)
def test_times_are_kept_as_unix_seconds(tmp_path: Path, times: str, seconds: list[int]) -> None:
    text = "".join(f"1,{item},{time}\n" for item, time in enumerate(times.split()))
    _, log = made(tmp_path, text, own(format=CSV))
    assert isinstance(log.times, np.memmap)
    assert log.times.dtype == np.int64
    assert log.times.tolist() == seconds


def test_times_within_a_second_still_decide_the_order(tmp_path: Path) -> None:
    text = "1,c,1700000000.9\n1,a,1700000000.1\n1,b,1700000000.5\n"
    _, log = made(tmp_path, text, own(format=CSV))
    assert log_of(log) == {1: ["a", "b", "c"]}


def test_doing_it_again_gives_the_same_bytes(tmp_path: Path) -> None:
    made(tmp_path, TEXT, own())
    folder = tmp_path / "processed"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    made(tmp_path, TEXT, own())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(before) == [
        "digest.json",
        "item_ids.parquet",
        "items.npy",
        "offsets.npy",
        "reading.json",
        "statistics.json",
        "user_ids.parquet",
    ]


@pytest.mark.parametrize(
    "file", ["digest.json", "statistics.json", "items.npy", "offsets.npy", "times.npy"]
)
@pytest.mark.parametrize("damage", ["missing", "cut", "altered"])
def test_a_damaged_log_is_refused_with_the_remedy(tmp_path: Path, file: str, damage: str) -> None:
    made(tmp_path, TIMED, own(format=CSV))
    path = tmp_path / "processed" / file
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif file == "statistics.json":
        path.write_bytes(content.replace(b'"items": 3', b'"items": 4'))
    else:
        path.write_bytes(content[:-8] + bytes([content[-8] ^ 1]) + content[-7:])
    with pytest.raises(SeqrecError, match="Remove the folder and preprocess again"):
        Interactions.load(tmp_path / "processed")


def packed_arrays(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, np.zeros(3, np.int32))


@pytest.mark.parametrize(
    ("file", "write"),
    [
        ("statistics.json", lambda path: path.write_text('{"items": ' + "9" * 5000 + "}")),
        ("statistics.json", lambda path: path.write_text('{"items": Infinity}')),
        ("statistics.json", lambda path: path.write_text("[" * 100_000)),
        ("statistics.json", lambda path: path.write_bytes(b"\xff")),
        ("digest.json", lambda path: path.write_text("[]")),
        ("digest.json", os.mkfifo),
        ("items.npy", os.mkfifo),
        ("items.npy", packed_arrays),
        ("items.npy", lambda path: np.save(path, np.zeros((2, 3), np.int32))),
        ("offsets.npy", lambda path: np.save(path, np.array([None]), allow_pickle=True)),
        ("offsets.npy", lambda path: np.save(path, np.zeros(4))),
    ],
)
def test_files_of_a_log_that_hold_something_else_are_refused(
    tmp_path: Path, file: str, write: Callable[[Path], object]
) -> None:
    made(tmp_path, TEXT, own())
    (tmp_path / "processed" / file).unlink()
    write(tmp_path / "processed" / file)
    with pytest.raises(SeqrecError, match="Remove the folder and preprocess again") as error:
        Interactions.load(tmp_path / "processed")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    "change", [{"file": 5}, {"sha256": None}, {"source": "0"}, {"origin": []}, {"more": 1}]
)
def test_a_manifest_that_holds_something_else_is_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    made(tmp_path, TEXT, own())
    manifest = tmp_path / "raw" / "own.json"
    content = json.loads(manifest.read_text())
    for text in (json.dumps(content | change), "[" * 100_000, "[1]"):
        manifest.write_text(text)
        with pytest.raises(SeqrecError, match=r"own\.json: missing or not a manifest"):
            preprocess("own", own(), manifest, tmp_path / "processed")
    manifest.unlink()
    os.mkfifo(manifest)
    with pytest.raises(SeqrecError, match=r"own\.json"):
        preprocess("own", own(), manifest, tmp_path / "processed")


def test_damaged_ids_are_refused(tmp_path: Path) -> None:
    _, log = made(tmp_path, TEXT, own())
    (tmp_path / "processed" / "item_ids.parquet").write_bytes(b"")
    with pytest.raises(SeqrecError, match=r"item_ids\.parquet cannot be read"):
        log.item_ids()


def test_a_failure_halfway_leaves_nothing_that_passes_for_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, TEXT, own())

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(SeqrecError, match=r"items\.npy: cannot be written"):
        made(tmp_path, "1 5\n1 6\n1 7\n", own())
    monkeypatch.undo()
    with pytest.raises(SeqrecError, match=r"digest\.json is missing"):
        Interactions.load(tmp_path / "processed")
    assert not [path for path in (tmp_path / "processed").iterdir() if ".part" in path.name]


def test_a_raw_file_that_changed_since_its_download_is_refused(tmp_path: Path) -> None:
    made(tmp_path, TEXT, own())
    (tmp_path / "raw" / "log.csv").write_text(TEXT.replace("5", "8"))
    with pytest.raises(SeqrecError, match="changed since its checksum was recorded"):
        preprocess("own", own(), tmp_path / "raw" / "own.json", tmp_path / "processed")


@pytest.mark.parametrize(
    "change", [{"sha256": "0" * 64}, {"git_blob": "0" * 40}, {"file": "other.csv"}]
)
def test_a_file_of_another_source_is_refused(tmp_path: Path, change: dict[str, str]) -> None:
    made(tmp_path, TEXT, own())
    manifest = tmp_path / "raw" / "own.json"
    other = own(sources=[{"file": "log.csv"} | change])
    with pytest.raises(SeqrecError, match="another file than the YAML of own asks for now"):
        preprocess("own", other, manifest, tmp_path / "processed")
    with pytest.raises(SeqrecError, match="another file than the YAML of another asks for now"):
        preprocess("another", own(), manifest, tmp_path / "processed")


@pytest.mark.parametrize("change", ["append", "replace", "remove"])
def test_a_raw_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    raw = tmp_path / "raw" / "log.csv"

    def meanwhile(*arguments: Any) -> ParsedFile:
        parsed = parse(*arguments)
        if change == "append":
            with raw.open("a") as file:
                file.write("2 9\n")
        else:
            raw.unlink()
        if change == "replace":
            raw.write_text(TEXT)
        return parsed

    monkeypatch.setattr(preprocessing, "parse", meanwhile)
    with pytest.raises(SeqrecError, match=r"log\.csv: changed while it was read. Run `seqrec down"):
        made(tmp_path, TEXT, own())
    assert not (tmp_path / "processed").exists()


@pytest.mark.parametrize("text", ["1 5\n1 6\n2 5\n", "1 5\n1 5\n1 5\n"])
def test_a_log_with_nothing_to_learn_from_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SeqrecError, match="Relax 'filter'"):
        made(tmp_path, text, own())
    with pytest.raises(SeqrecError, match="leaves 0 users"):
        made(tmp_path, TEXT, own(filter={"min_interactions_per_item": 99, "mode": "k-core"}))


@pytest.mark.parametrize(
    ("mismatch", "checksummed", "refused"),
    [("error", True, True), ("warning", True, False), ("error", False, False)],
)
def test_an_unexpected_size_is_an_error_only_if_the_files_checksum_is_known(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    mismatch: str,
    checksummed: bool,
    refused: bool,
) -> None:
    import hashlib

    source = {"file": "log.csv"}
    if checksummed:
        source["sha256"] = hashlib.sha256(TEXT.encode()).hexdigest()
    expected = {"users": 2, "items": 4, "interactions": 6, "min_length": 3, "mismatch": mismatch}
    dataset = own(sources=[source], expected=expected)
    if refused:
        with pytest.raises(SeqrecError, match=r"3 items \(expected 4\)"):
            made(tmp_path, TEXT, dataset)
    else:
        made(tmp_path, TEXT, dataset)
        assert "3 items (expected 4)" in capsys.readouterr().err


# --- the real files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "users", "items", "interactions", "unseen_test", "unseen_validation"),
    [("ml-1m", 6040, 3416, 999_611, 0.0, 0.0), ("beauty", 40_226, 54_542, 353_962, 9.99, 7.19)],
)
def test_the_papers_files_have_the_published_sizes(
    tmp_path: Path,
    name: str,
    users: int,
    items: int,
    interactions: int,
    unseen_test: float,
    unseen_validation: float,
) -> None:
    if not (PUBLISHED / f"{name}.txt").exists():
        pytest.skip(f"the published file {name}.txt is not in {PUBLISHED}")
    dataset = load_dataset(name, ConfigFiles(ROOT / "config"))
    manifest = download(name, dataset, tmp_path / "raw", mirror=str(PUBLISHED))
    found = preprocess(name, dataset, manifest, tmp_path / "processed")
    assert (found.users, found.items, found.interactions) == (users, items, interactions)
    assert found.users_left_out == found.interactions_filtered == 0
    assert round(100 * found.unseen_test_targets / users, 2) == unseen_test
    assert round(100 * found.unseen_validation_targets / users, 2) == unseen_validation
    log = Interactions.load(tmp_path / "processed")
    # The published numbers are kept: they run from 1 without a gap.
    pairs = np.loadtxt(PUBLISHED / f"{name}.txt", dtype=np.int64)
    assert np.array_equal(log.items, pairs[:, 1])
    assert np.array_equal(np.repeat(np.arange(users) + 1, np.diff(log.offsets)), pairs[:, 0])


@given(st.lists(st.integers(1, 30), min_size=1), st.integers(1, 50))
def test_the_parts_of_a_log_are_its_users_in_order(lengths: list[int], most: int) -> None:
    items, offsets = np.arange(1, sum(lengths) + 1, dtype=np.int32), np.cumsum([0, *lengths])
    log = Sequences(items, offsets, len(items), times=items.astype(np.int64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqrec.data.sequences.PART_INTERACTIONS", most)
        parts = [*log.parts()]
    found = [part.history(user).tolist() for _, part in parts for user in range(part.num_users)]
    assert found == [log.history(user).tolist() for user in range(log.num_users)]
    for place, part in parts:
        assert part.items.tolist() == part.times.tolist() == items[place].tolist()
        assert len(part.items) <= most or part.num_users == 1
