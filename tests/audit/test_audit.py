"""The numbers of an audit on small logs whose answers are known, and what they are taken to say."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_runs import ROOT, preprocessed_log

from seqrec.audit.audit import Audit, audit_log, earlier_shuffling, read_audit, write_audit
from seqrec.audit.meaning import Kind, findings, in_short, percent, unknown, verdicts
from seqrec.audit.order import CONFIDENCE, SEEDS, SUPPORT, Rules, Shuffling, count_rules, shuffled
from seqrec.audit.shape import repetition, tails
from seqrec.audit.timing import DAY_SECONDS, PERIODS, drift, leaks, ties
from seqrec.data.bad_lines import Dropped
from seqrec.data.filtering import Removed
from seqrec.data.interactions import Interactions
from seqrec.data.sequences import Sequences
from seqrec.data.simulation import simulate
from seqrec.data.statistics import describe
from seqrec.errors import SeqrecError
from seqrec.layout import LogFiles

NOTHING_REMOVED = Removed(0, 0, 0, 0, 0, 0)


def log_of(
    users: Sequence[Sequence[int]], times: Sequence[Sequence[int]] | None = None
) -> Interactions:
    """A log of these histories, whose items are numbered without gaps."""
    items = np.array([item for user in users for item in user], np.int32)
    offsets = np.cumsum([0, *map(len, users)])
    when = None if times is None else np.array([t for user in times for t in user], np.int64)
    return described(Sequences(items, offsets, int(items.max()), times=when))


def described(log: Sequences) -> Interactions:
    times = () if log.times is None else (log.times,)
    statistics = describe(log, times, NOTHING_REMOVED, Dropped(), {})
    return Interactions(log.items, log.offsets, log.num_items, statistics, "d", times=log.times)


# Without times


def test_long_tails_are_shares_of_the_interactions() -> None:
    log = log_of([[1] * 6 + [2], [1, 2, 3], [1, 4, 5], *([[1, 6, 7]] * 6), [8, 9, 10]])
    found = tails(log)
    assert found.median_length == 3
    assert found.longest_tenth == 7 / 34  # one of ten users
    assert found.popular_items[0.1] == 14 / 34  # one of ten items
    assert found.popular_items[0.01] == 14 / 34  # at least one
    assert found.popular_items[0.5] == (14 + 6 + 6 + 2 + 1) / 34
    assert found.rare_items == 0.7


def test_gini_is_nothing_where_items_are_alike_and_grows_with_their_inequality() -> None:
    assert tails(log_of([[1, 2, 3], [1, 2, 3]])).gini == pytest.approx(0)
    assert tails(log_of([[1, 1, 2], [1, 1, 1]])).gini == pytest.approx(1 / 3)


def test_repeats_are_told_from_direct_repeats() -> None:
    found = repetition(log_of([[1, 1, 2, 1], [1, 2, 3]]))
    assert found.repeated == 2 / 7
    assert found.consecutive == 1 / 7


# Times


def test_ties_are_counted_within_users_and_test_targets_only_if_another_item_shares_the_time() -> (
    None
):
    log = log_of(
        [[1, 2, 3], [1, 2, 3], [1, 2, 2], [3, 2, 1]],
        [[10, 20, 20], [20, 30, 40], [40, 50, 50], [60, 60, 70]],
    )
    found = ties(log, log.times)
    assert found.tied == 3 / 8
    assert found.test_targets == 1
    assert not found.whole_days
    assert ties(log, log.times * DAY_SECONDS).whole_days


def test_leaks_are_measured_from_each_test_target() -> None:
    log = log_of(
        [[1, 2, 3], [2, 3, 4], [4, 1, 1], [2, 1, 5]],
        [[1, 2, 3], [2, 5, 6], [7, 8, 9], [8, 9, 10]],
    )
    # Training: items 1, 2, 4, 2 at the times 1, 2, 7, 8. Test: 3, 4, 1, 5 at 3, 6, 9, 10.
    found = leaks(log, log.times)
    assert found.later_training == np.mean([2 / 4, 2 / 4, 0, 0])
    assert found.from_the_future == 1 / 4  # item 4; items 3 and 5 are not in training at all
    assert found.cut == 9
    assert found.targets_before_cut == 3 / 4
    assert found.new_items == 1 / 4  # item 5
    assert found.new_users == 0  # of the last user, who goes on after the cut, two are before it
    later = leaks(log, np.where(np.arange(12) < 9, log.times, [0] * 9 + [9, 10, 11]))
    assert later.cut == 9
    assert later.new_users == 1


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_leaks_depend_on_the_order_of_times_alone(shift: int, scale: int) -> None:
    log = log_of([[1, 2, 3], [2, 3, 4], [4, 1, 1]], [[1, 2, 3], [2, 5, 6], [7, 8, 9]])
    before, after = leaks(log, log.times), leaks(log, log.times * scale + shift)
    assert before.model_dump(exclude={"cut"}) == after.model_dump(exclude={"cut"})


def test_drift_compares_the_popular_items_of_tenths() -> None:
    # Each user has items of its own, and a tenth of the log.
    users = [[n] * 9 + [10 + n] for n in range(1, PERIODS + 1)]
    times = [[100 * n + k for k in range(10)] for n in range(PERIODS)]
    found = drift(log_of(users, times), np.array(times).ravel())
    assert found.top == 2
    assert found.with_previous == [0] * 9
    assert found.with_first == [0] * 9
    assert found.new_items == 1
    assert found.starts == [100 * n for n in range(PERIODS)]


def test_drift_of_a_log_that_stays_as_it_is_is_none() -> None:
    users = [[1, 1, 1, 2, 2, 3] for _ in range(PERIODS)]
    times = [[10 * n] * 6 for n in range(PERIODS)]
    found = drift(log_of(users, times), np.array(times).ravel())
    assert found.with_previous == found.with_first == [1] * 9
    assert found.new_items == 0


# Order

histories = st.lists(st.lists(st.integers(1, 4), min_size=3, max_size=9), min_size=1, max_size=12)


def counted_slowly(users: Sequence[Sequence[int]], length: int) -> int:
    """Count the rules of this length, one history after another."""

    def grams(size: int) -> Counter[tuple[int, ...]]:
        return Counter(
            tuple(user[at : at + size]) for user in users for at in range(len(user) - size + 1)
        )

    beginnings = grams(length - 1)
    return sum(
        count > SUPPORT and count > CONFIDENCE * beginnings[rule[:-1]]
        for rule, count in grams(length).items()
    )


@given(histories)
def test_rules_are_those_that_a_plain_count_finds(users: list[list[int]]) -> None:
    log = log_of(users)
    assert count_rules(log) == (counted_slowly(users, 2), counted_slowly(users, 3))


@given(histories, st.integers(0, 99))
def test_shuffling_changes_nothing_but_the_order_within_histories(
    users: list[list[int]], seed: int
) -> None:
    log = log_of(users)
    found = shuffled(log, np.random.default_rng(seed))
    assert [sorted(found.history(user)) for user in range(len(users))] == [*map(sorted, users)]


def test_every_order_of_a_history_is_as_likely() -> None:
    log = log_of([[1, 2, 3]] * 6000)
    found = shuffled(log, np.random.default_rng(0)).items.reshape(-1, 3)
    counts = Counter(map(tuple, found.tolist()))
    assert len(counts) == 6
    assert all(abs(count - 1000) < 150 for count in counts.values())


# The whole audit, and what it says


@given(histories, st.integers(0, 99))
def test_the_parts_that_a_large_log_is_read_in_change_no_number(
    users: list[list[int]], seed: int
) -> None:
    when = np.random.default_rng(seed).integers(0, 40, sum(map(len, users)))  # many are equal
    ends = np.cumsum([len(user) for user in users])
    times = [sorted(part.tolist()) for part in np.split(when, ends[:-1])]
    whole = audit_log("some", log_of(users, times))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqrec.data.sequences.PART_INTERACTIONS", 10)
        assert audit_log("some", log_of(users, times)) == whole


def walk(follow: float) -> Interactions:
    """A simulated log, in which items follow items as often as said."""
    return described(
        simulate(
            users=2000, items=200, mean_length=20, max_length=60, genres=1, follow=follow, recall=0
        )
    )


def test_a_log_with_patterns_has_a_sequential_structure_and_one_without_has_none() -> None:
    ordered, plain = audit_log("ordered", walk(0.6)), audit_log("plain", walk(0.0))
    assert verdicts(ordered)[0].startswith("Rules show a sequential structure")
    assert not verdicts(plain)[0].startswith("Rules show")
    assert all(len(rules.after) == SEEDS for rules in ordered.rules)


def with_rules(audit: Audit, before: int, after: int) -> Audit:
    rules = [Rules(length=length, before=before, after=[after] * SEEDS) for length in (2, 3)]
    return audit.model_copy(update={"rules": rules})


def with_loss(audit: Audit, before: float, after: float, targets: int = 1000) -> Audit:
    metrics = ("hit_rate@10", "ndcg@10")
    shuffling = Shuffling(
        run="r",
        model="sasrec+",
        targets=targets,
        before=dict.fromkeys(metrics, before),
        after=dict.fromkeys(metrics, [after] * SEEDS),
        overlap=[0.5] * SEEDS,
    )
    return audit.model_copy(update={"shuffling": shuffling})


def test_a_dataset_whose_order_means_nothing_is_called_unfit_plainly() -> None:
    audit = audit_log("small", log_of([[1, 2, 3]] * 30))
    assert "fewer than 20" in verdicts(with_rules(audit, 3, 0))[0]
    assert "No sequential structure is visible: 90.0%" in verdicts(with_rules(audit, 100, 90))[0]
    assert "Rules show a sequential structure" in verdicts(with_rules(audit, 100, 1))[0]
    # A trained model has the last word.
    without = with_loss(with_rules(audit, 100, 1), 0.1, 0.105)
    assert verdicts(without)[0].startswith("No sequential structure: sasrec+ gains 5.0%")
    assert sum(one.warns for one in findings(without) if one.kind is Kind.ORDER) == 2
    with_structure = with_loss(with_rules(audit, 3, 3), 0.1, 0.04)
    assert verdicts(with_structure)[0].startswith("Sequential structure: sasrec+ loses 60.0%")


def test_a_model_that_hits_next_to_nothing_decides_nothing() -> None:
    audit = with_loss(audit_log("small", log_of([[1, 2, 3]] * 30)), 0.1, 0.2, targets=100)
    assert "sasrec+ hits 10 of 100 test targets, too few to tell" in verdicts(audit)[0]
    assert not any(one.warns for one in findings(audit) if one.kind is Kind.ORDER)


def test_targets_that_are_decided_by_the_file_or_certain_misses_are_warned_of() -> None:
    times = [[10, 20, 20]] * 9 + [[10, 20, 30]]
    audit = audit_log("small", log_of([[1, 2, 3]] * 9 + [[1, 2, 1]], times))
    said = " ".join(verdicts(audit))
    assert "For 90.0% of the users the order of equal times" in said
    assert "10.0% of the test targets are certain misses" not in said  # a tenth is not many
    found = {one.name: one for one in findings(audit)}
    repeats = found["Test targets that the user has met before"]
    assert repeats.value == "1 of 10 (10.0%)"
    assert "HitRate of 0.900" in repeats.meaning


def test_every_number_has_a_sentence_and_a_log_without_times_says_what_is_unknown() -> None:
    users = [[1, 2, 3], [2, 3, 1]] * 20
    timeless = audit_log("small", log_of(users))
    timed = audit_log("small", log_of(users, [[1, 2, 3], [4, 5, 6]] * 20))
    for audit in (timeless, timed):
        assert all(one.value and one.meaning.endswith(".") for one in findings(audit))
    assert {one.kind for one in findings(timed)} == set(Kind)
    assert {one.kind for one in findings(timeless)} == {
        *(Kind.SHAPE, Kind.REPEATS, Kind.UNSEEN, Kind.ORDER)
    }
    assert "no times" in unknown(timeless)[0]
    assert len(unknown(timed)) == 1
    assert "--run" in unknown(timed)[0]
    assert unknown(with_loss(timed, 0.1, 0.05)) == []


def test_the_line_for_preprocessing_needs_no_times() -> None:
    users = [[1, 2, 3], [2, 3, 1]]
    assert "lies after" not in in_short(log_of(users))
    assert "lies after" in in_short(log_of(users, [[1, 2, 3], [4, 5, 6]]))


def test_a_small_share_is_never_written_as_none() -> None:
    assert [percent(share) for share in (0, 0.0004, 0.5)] == ["0.0%", "0.04%", "50.0%"]


# Files


def test_an_audit_is_read_as_it_was_written_and_only_for_its_log(tmp_path: Path) -> None:
    audit = with_loss(audit_log("small", walk(0.6)), 0.1, 0.05)
    write_audit(LogFiles(tmp_path), audit)
    assert read_audit(tmp_path, "d") == audit
    assert read_audit(tmp_path, "of another log") is None
    assert read_audit(tmp_path / "elsewhere", "d") is None


def test_a_malformed_audit_is_named_and_the_next_one_replaces_it(tmp_path: Path) -> None:
    path = LogFiles(tmp_path).audit
    path.write_text(json.dumps({"sha256": "d", "dataset": "small"}))
    with pytest.raises(SeqrecError, match=r"audit\.json: statistics: is missing"):
        read_audit(tmp_path, "d")
    log = replace(log_of([[1, 2, 3]]), folder=tmp_path)
    assert earlier_shuffling(log) is None
    write_audit(LogFiles(tmp_path), with_loss(audit_log("small", log), 0.1, 0.05))
    assert earlier_shuffling(log) is not None


def test_what_the_documentation_does_from_python_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    preprocessed_log(tmp_path / "data").rename(tmp_path / "demo")
    (tmp_path / "data/processed").mkdir()
    (tmp_path / "demo").rename(tmp_path / "data/processed/demo")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/how-to/audit.md").read_text(encoding="utf-8")
    exec(text.partition("```python\n")[2].partition("```")[0], {})
    assert "Frequent rules of 2 items" in capsys.readouterr().out
