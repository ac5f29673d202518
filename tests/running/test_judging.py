"""What another library predicts is read, checked and judged as our own models are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import preprocessed_log, simulated_log, small_config, timed, timed_in
from test_resume import CPU

from seqrec.data.interactions import Interactions
from seqrec.errors import SeqrecError
from seqrec.experiment.schema import RunSplit
from seqrec.layout import ResultFiles, Run
from seqrec.protocol.ranking import MISS, rank_and_recommend
from seqrec.protocol.splits import Split
from seqrec.protocol.splitting import split_log
from seqrec.records import read_record
from seqrec.records.fingerprint import is_stale
from seqrec.running.judging import judge
from seqrec.running.predictions import read_lists
from seqrec.running.recommend import Recommender
from seqrec.running.run import run
from seqrec.running.split_files import write_split

SPLITS: dict[str, dict[str, Any]] = {
    "leave-one-out": {},
    "seen items ranked": {"seen": "keep"},
    **{
        target: {"kind": "global-temporal", "quantile": 0.6, "target": target}
        for target in ("last", "first", "random", "successive", "all")
    },
    "all, seen items ranked": {
        "kind": "global-temporal",
        "quantile": 0.6,
        "target": "all",
        "seen": "keep",
    },
}


PARTS = ("validation", "test")

TINY = timed(simulated_log(users=20, items=25, mean_length=6, max_length=12))


def rule(name: str) -> RunSplit:
    return RunSplit.model_validate(SPLITS[name])


def predicted(
    scores: np.ndarray, log: Interactions, split: Split, k: int | None = None
) -> pd.DataFrame:
    """The best `k` items of each row of a split, or all that are ranked, as a file has them."""
    scores = scores.astype(float)
    rows = np.arange(split.num_users)
    row, item = split.unranked_pairs(rows)
    scores[row, item - 1] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    row, place = np.nonzero(np.isfinite(np.take_along_axis(scores, order, 1)))
    items, users = order[row, place], split.users_of(row)
    first = np.searchsorted(split.users_of(rows), users)
    return pd.DataFrame(
        {
            "user": log.user_ids()[users],
            "item": log.item_ids()[items],
            "score": scores[row, items],
            "target": row - first + 1,
        }
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return timed_in(preprocessed_log(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def log(data: Path) -> Interactions:
    return Interactions.load(data)


def written(table: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("name", SPLITS)
@settings(max_examples=12)
@given(
    suffix=st.sampled_from(["csv", "parquet"]),
    seed=st.integers(0, 2**20),
    levels=st.sampled_from([2, 9, 10**6]),
)
def test_all_scores_of_a_model_give_its_own_ranks(
    tmp_path_factory: pytest.TempPathFactory, name: str, suffix: str, seed: int, levels: int
) -> None:
    """Also among many ties, which few `levels` of scores make, and in any order of lines."""
    log = TINY
    test = split_log(log, rule(name)).test
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, levels, (test.num_users, log.num_items)) / 7).astype(np.float32)
    ranks, counts = rank_and_recommend(lambda rows: torch.from_numpy(scores[rows]), test, 7)
    table = predicted(scores, log, test).sample(frac=1, random_state=seed)
    path = written(table, tmp_path_factory.mktemp("scores") / f"all.{suffix}")
    lists = read_lists(path, log, test, "small")
    assert lists.length is None
    found, recommended = rank_and_recommend(lists.scorer(), test, 5)
    row, item = test.target_pairs(np.arange(test.num_users))
    assert (lists.hold(row, item) == (ranks != MISS)).all()
    np.testing.assert_array_equal(found, ranks)
    if levels > 9:  # which of equal items are recommended is nobody's business
        np.testing.assert_array_equal(recommended, counts)


@pytest.mark.parametrize("name", SPLITS)
def test_ranks_in_the_best_k_are_those_of_all_and_others_are_misses(
    data: Path, log: Interactions, tmp_path: Path, name: str
) -> None:
    splits = split_log(log, rule(name))
    rng = np.random.default_rng(0)
    scores = {part: rng.random((getattr(splits, part).num_users, log.num_items)) for part in PARTS}
    k = 12
    paths = {
        part: written(
            predicted(scores[part], log, getattr(splits, part), k), tmp_path / f"{part}.parquet"
        )
        for part in PARTS
    }
    asked = Run("small", "theirs", 3)
    record = judge(asked, rule(name), data, tmp_path / "results", paths["test"]).record
    again = read_record(record.folder)
    every = rank_and_recommend(lambda rows: torch.from_numpy(scores["test"][rows]), splits.test, 50)
    np.testing.assert_array_equal(again.ranks(), np.where(every[0] <= k, every[0], MISS))
    np.testing.assert_array_equal(again.recommended_counts(), every[1])
    assert again.list_length == k
    assert again.validation == {}
    assert {metric.partition("@")[2] for metric in again.test} == {"10"}
    judge(asked, rule(name), data, tmp_path / "results", paths["test"], paths["validation"])
    assert read_record(record.folder).validation["ndcg@10"] > 0


@pytest.mark.parametrize("name", ["leave-one-out", "successive", "all"])
def test_a_judged_record_is_that_of_the_run_whose_scores_it_got(
    data: Path, log: Interactions, tmp_path: Path, name: str
) -> None:
    config = small_config("sasrec", "sampled", split=SPLITS[name])
    results = ResultFiles(tmp_path / "results")
    ours = run(config, data, results.run(*config.run).folder, CPU)
    recommender = Recommender.load(ours.folder, data)
    splits = split_log(log, config.split)
    paths = {}
    for part in PARTS:
        split = getattr(splits, part)
        with torch.inference_mode():
            # As many rows at a time as in the evaluation, whose last bits depend on it.
            scores = recommender.scorer(split)(np.arange(split.num_users)).numpy()
        paths[part] = written(predicted(scores, log, split), tmp_path / f"{part}.parquet")
    asked = Run("small", "theirs", 0)
    judge(asked, config.split, data, results.folder, paths["test"], paths["validation"])
    theirs = read_record(results.run(*asked).folder)
    for of in ("target_counts", "history_lengths", "target_users"):
        np.testing.assert_array_equal(getattr(theirs, of)(), getattr(ours, of)())
    close = (np.abs(theirs.ranks().astype(int) - ours.ranks()) <= 1).mean()
    assert close == 1  # batches of other sizes may turn the last bits of a score
    assert theirs.test == pytest.approx(ours.test, abs=0.01)
    assert theirs.validation == pytest.approx(ours.validation, abs=0.01)
    assert theirs.device == "elsewhere"
    assert theirs.predictions is not None
    assert not is_stale(theirs, "other training code")


TINY_TEST = split_log(TINY, rule("leave-one-out")).test


def tiny_table(**columns: Any) -> pd.DataFrame:
    """Lists of all items for the test users of `TINY`, one of whose lines is changed."""
    scores = np.arange(TINY_TEST.num_users * TINY.num_items).reshape(TINY_TEST.num_users, -1)
    table = predicted(scores, TINY, TINY_TEST).drop(columns="target")
    return table.astype(dict.fromkeys(columns, object))


def seen_item(user: int) -> int:
    return int(TINY_TEST.history(user)[0])


def changed(column: str, value: Any) -> pd.DataFrame:
    table = tiny_table()
    table[column] = table[column].astype(object)
    table.loc[2, column] = value
    return table


MISTAKES: dict[str, tuple[Any, str]] = {
    "no such column": (
        tiny_table().rename(columns={"item": "item_id"}),
        "must have the columns 'user', 'item', and 'score' or 'rank'; it has the columns user, "
        "item_id, score. Rename or add some.",
    ),
    "neither score nor rank": (
        tiny_table().drop(columns="score"),
        "it has the columns user, item.",
    ),
    "no line": (tiny_table().iloc[:0], "it has no line."),
    "unknown item": (changed("item", "99"), "row 3: item 99 is not among the 25 items of small"),
    "unknown user": (changed("user", "77"), "row 3: user 77 is not among the 20 users of small"),
    "no item": (changed("item", None), "row 3: no item"),
    "not a number": (changed("score", "high"), "row 3: score 'high' is not a finite number"),
    "not finite": (changed("score", "inf"), "row 3: score 'inf' is not a finite number"),
    "no score": (changed("score", None), "row 3: score "),
    "twice": (
        pd.concat([tiny_table(), tiny_table().iloc[[4, 7]]]),
        f"item {tiny_table()['item'][7]} of user 1 is listed twice (1 more like it). List each",
    ),
    "seen": (
        changed("item", seen_item(0)),
        f"row 3: item {seen_item(0)} of user 1 is in this user's history, and seen items are not "
        "ranked. Leave seen items out, or score with split.seen=keep",
    ),
    "user missing": (
        tiny_table()[lambda table: ~table["user"].isin([4, 6])],
        "lacks 2 of 20 lists: none for user 4. Predict for all users in the file that `seqrec "
        "split --write` makes.",
    ),
    "ranks against scores": (
        tiny_table().assign(rank=lambda table: table["score"]),
        "has a better rank than an item with a higher score",
    ),
    "target of nobody": (
        tiny_table().assign(target=2),
        "row 1: target 2 of user 1, who has 1 target, counted from 1",
    ),
}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_message_with_file_row_value_and_remedy(
    tmp_path: Path, mistake: str, suffix: str
) -> None:
    table, message = MISTAKES[mistake]
    if suffix == "parquet":  # a column of Parquet has one type
        table = table.astype(
            {name: str for name in table.columns if table[name].map(type).nunique() > 1}
        )
    path = written(table, tmp_path / f"predictions.{suffix}")
    with pytest.raises(SeqrecError) as caught:
        read_lists(path, TINY, TINY_TEST, "small")
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert message in said
    assert "\n" not in said


def test_users_with_several_targets_need_to_be_told_apart(tmp_path: Path) -> None:
    test = split_log(TINY, rule("successive")).test
    scores = np.random.default_rng(0).random((test.num_users, TINY.num_items))
    table = predicted(scores, TINY, test)
    first = table[table["target"] == 1].drop(columns="target")
    path = written(first, tmp_path / "first.csv")
    with pytest.raises(SeqrecError, match=r"none for user \d+, target 2\. .* column 'target'"):
        read_lists(path, TINY, test, "small")


def test_ranks_alone_do_and_other_users_are_ignored(tmp_path: Path) -> None:
    table = tiny_table()
    ranks = table.assign(rank=-table["score"], more="x").drop(columns="score")
    one = read_lists(written(table, tmp_path / "a.csv"), TINY, TINY_TEST, "small")
    other = read_lists(written(ranks, tmp_path / "b.csv"), TINY, TINY_TEST, "small")
    np.testing.assert_array_equal(one.items.items, other.items.items)
    test = split_log(TINY, rule("last")).test
    assert test.users is not None
    assert len(test.users) < TINY.num_users
    scores = np.random.default_rng(0).random((TINY.num_users, TINY.num_items))
    everybody = predicted(scores, TINY, Split.whole(TINY)).drop(columns="target")
    tested = test.num_users
    lists = read_lists(written(everybody, tmp_path / "c.csv"), TINY, test, "small")
    assert len(lists.lengths) == tested


def test_lists_may_differ_in_length_and_the_longest_says_what_is_measured(
    data: Path, log: Interactions, tmp_path: Path
) -> None:
    test = split_log(log, rule("leave-one-out")).test
    scores = np.random.default_rng(0).random((test.num_users, log.num_items))
    table = predicted(scores, log, test, 14).groupby("user").head(14)
    short = table.groupby("user").cumcount() < np.where(table["user"] == table["user"][0], 4, 14)
    path = written(table[short], tmp_path / "ragged.parquet")
    judged = judge(Run("small", "theirs", 0), RunSplit(), data, tmp_path / "results", path)
    assert judged.lists.shorter == 1
    assert judged.record.list_length == 14
    assert judged.record.recommended_counts() is None
    judged.record.require_metrics(["ndcg@14"])
    with pytest.raises(SeqrecError, match=r"lists hold 14 items: no ndcg@15\. Score longer"):
        judged.record.require_metrics(["ndcg@10", "ndcg@15"])
    path = written(predicted(scores, log, test, 9), tmp_path / "short.parquet")
    with pytest.raises(SeqrecError, match=r"longest list holds 9 .*at least 10 for each user"):
        judge(Run("small", "theirs", 0), RunSplit(), data, tmp_path / "results", path)


def test_a_model_of_ours_is_never_replaced(data: Path, log: Interactions, tmp_path: Path) -> None:
    config = small_config("popularity", model="ours")
    results = ResultFiles(tmp_path / "results")
    folder = results.run(*config.run).folder
    run(config, data, folder, CPU)
    test = split_log(log, rule("leave-one-out")).test
    scores = np.random.default_rng(0).random((test.num_users, log.num_items))
    path = written(predicted(scores, log, test), tmp_path / "all.parquet")
    before = (folder / "metrics.json").read_bytes()
    with pytest.raises(
        SeqrecError, match=r"is the name of a model that seqrec trains.* such as theirs-"
    ):
        judge(config.run, RunSplit(), data, results.folder, path)
    assert (folder / "metrics.json").read_bytes() == before
    for model in ("sasrec", "sasrec+300"):  # the paper's, which have published numbers
        with pytest.raises(SeqrecError, match="name of a model that seqrec trains"):
            judge(Run("small", model, 0), RunSplit(), data, results.folder, path)
    record = judge(Run("small", "theirs", 0), RunSplit(), data, results.folder, path).record
    with pytest.raises(SeqrecError, match="was made by `seqrec score`"):
        Recommender.load(record.folder, data)


@pytest.mark.parametrize("name", SPLITS)
def test_the_files_of_a_split_hold_its_histories_and_targets(
    log: Interactions, tmp_path: Path, name: str
) -> None:
    splits = split_log(log, rule(name))
    paths = write_split(log, rule(name), tmp_path / "parts", {"dataset": "small"})
    assert json.loads(paths[-1].read_text()) == {"dataset": "small"}
    found = {path.stem: pd.read_parquet(path) for path in paths[:-1]}
    for part in ("train", "train_and_validation"):
        split = getattr(splits, part)
        row, item = split.pairs(np.arange(split.num_users))
        assert found[part]["user"].tolist() == log.user_ids()[row].tolist()
        assert found[part]["item"].tolist() == log.item_ids()[item - 1].tolist()
        assert found[part]["timestamp"].is_monotonic_increasing or len(found[part]) > 1
    for part in PARTS:
        split = getattr(splits, part)
        of_user = dict(list(found[part].groupby("user", sort=False)))
        rows = np.arange(split.num_users)
        users = split.users_of(rows)
        for row in rows:
            lines = of_user[log.user_ids()[users[row]]]
            number = row - np.searchsorted(users, users[row]) + 1
            history = lines[lines["target"] < number]
            assert history["item"].tolist() == log.item_ids()[split.history(row) - 1].tolist()
            targets = lines.loc[lines["target"] == number, "item"].unique().tolist()
            _, items = split.target_pairs(rows[row : row + 1])
            assert targets == log.item_ids()[items - 1].tolist()
        assert len(of_user) == len(np.unique(users))
