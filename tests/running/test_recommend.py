"""Recommendations are the ranking of the evaluation, in the ids of the dataset."""

import hashlib
import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from small_runs import ROOT, SIZES, small_config

from seqrec.cli.main import main
from seqrec.data.datasets import Dataset
from seqrec.data.download import download
from seqrec.data.interactions import Interactions
from seqrec.data.preprocessing import preprocess
from seqrec.data.simulation import simulate
from seqrec.errors import SeqrecError
from seqrec.models.sasrec import SASRec
from seqrec.running.histories import SkippedIds
from seqrec.running.options import EngineOptions
from seqrec.running.recommend import Recommender
from seqrec.running.run import run
from seqrec.running.user_tables import read_users

CPU = EngineOptions("cpu", 1, "float32")
MODELS = ["sasrec", "bert4rec", "gru4rec", "popularity", "bpr-mf"]
READERS = [model for model in MODELS if model != "bpr-mf"]


def preprocessed(folder: Path, item: str, user: str) -> None:
    """Make a log in `data/processed/small` whose original ids follow the two patterns."""
    log = simulate(**SIZES)
    lines = [
        f"{user.format(u)},{item.format(i * 7)},{day}"
        for u in range(log.num_users)
        for day, i in enumerate(log.history(u))
    ]
    raw = folder / "data/raw"
    raw.mkdir(parents=True)
    (raw / "small.csv").write_text("\n".join(["user,item,day", *lines]) + "\n")
    columns = {"user": "user", "item": "item", "timestamp": "day"}
    dataset = Dataset.model_validate(
        {
            "title": "Small",
            "max_length": 10,
            "sources": [{"file": "small.csv"}],
            "format": {"kind": "csv", "columns": columns},
        }
    )
    manifest = download("small", dataset, raw, mirror="")
    preprocess("small", dataset, manifest, folder / "data/processed/small")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a run of each model, on a log whose original ids are texts."""
    folder = tmp_path_factory.mktemp("project")
    preprocessed(folder, "product {}", "customer {}")
    for model in MODELS:
        config = small_config(model)
        run(config, folder / "data/processed/small", run_folder(folder, model), CPU)
    return folder


@pytest.fixture
def project(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


def run_folder(project: Path, model: str) -> Path:
    return project / "results/mine/runs/small" / model / "seed-0"


def seqrec(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize("model", READERS)
def test_the_targets_rank_among_the_recommendations_is_the_recorded_one(
    project: Path, model: str
) -> None:
    recommender = Recommender.load(run_folder(project, model))
    log, ids = recommender.log, recommender.log.item_ids()
    recorded = np.load(run_folder(project, model) / "ranks.npy")
    users = [u for u in range(log.num_users) if log.history(u)[-1] not in log.history(u)[:-1]][:30]
    for user in users:
        *history, target = ids[log.history(user) - 1]
        found = recommender.recommend(history, k=log.num_items).set_index("item")["rank"]
        if model == "popularity":  # ties are broken somehow here, and against the model there
            assert found[target] <= recorded[user]
        else:
            assert found[target] == recorded[user]


@pytest.mark.parametrize("model", READERS)
def test_many_users_get_what_each_would_get_alone(project: Path, model: str) -> None:
    recommender = Recommender.load(run_folder(project, model))
    log, ids = recommender.log, recommender.log.item_ids()
    lines = [
        (f"shopper {user}", item)
        for user in range(60)  # more than a batch of evaluation
        for item in ids[log.history(user) - 1]
    ]
    table = pd.DataFrame(lines, columns=["user", "item"])
    found = recommender.recommend_users(table, k=4)
    assert list(found.columns) == ["user", "rank", "item", "score"]
    assert found["user"].unique().tolist() == [f"shopper {user}" for user in range(60)]
    for user in (0, 7, 59):
        alone = recommender.recommend(ids[log.history(user) - 1], k=4)
        one = found[found["user"] == f"shopper {user}"].reset_index(drop=True)
        assert one["item"].tolist() == alone["item"].tolist()
        np.testing.assert_allclose(one["score"], alone["score"], rtol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_users_of_the_dataset_are_known_by_their_own_ids(project: Path, model: str) -> None:
    recommender = Recommender.load(run_folder(project, model))
    log = recommender.log
    chosen = log.user_ids()[[5, 3]]
    found = recommender.recommend_users(pd.DataFrame({"user": chosen}), k=5)
    assert found["user"].unique().tolist() == chosen.tolist()
    for user, name in ((5, chosen[0]), (3, chosen[1])):
        items = found[found["user"] == name]["item"]
        assert len(items) == 5
        seen = log.item_ids()[log.history(user) - 1]
        assert not set(items) & set(seen)
        if model in READERS:
            assert items.tolist() == recommender.recommend(seen, k=5)["item"].tolist()


def test_ranks_count_from_one_and_scores_fall(project: Path) -> None:
    found = Recommender.load(run_folder(project, "sasrec")).recommend(["product 7"], k=8)
    assert found["rank"].tolist() == list(range(1, 9))
    assert found["score"].is_monotonic_decreasing
    assert "product 7" not in found["item"].tolist()


def test_no_more_is_recommended_than_there_is(project: Path) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))
    ids = list(recommender.log.item_ids())
    assert set(recommender.recommend(ids[2:], k=10)["item"]) == set(ids[:2])
    assert len(recommender.recommend(ids, k=10)) == 0


def test_what_is_missing_in_a_table_is_refused(project: Path) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))
    whole = {"user": ["a", "b"], "item": ["product 7"] * 2, "timestamp": pd.to_datetime([1, 2])}
    for column in whole:
        table = pd.DataFrame(whole)
        table[column] = table[column].where([True, False])
        with pytest.raises(SeqrecError, match=f"users: row 2: no {column}"):
            recommender.recommend_users(table)
    with pytest.raises(SeqrecError, match="row 2: no item"):
        recommender.recommend(["product 7", None])
    table = pd.DataFrame({"user": ["a", None, ""], "item": ["product 7"] * 3})
    with pytest.raises(SeqrecError, match=r"users: row 2: no user \(1 more like it\)"):
        Recommender.load(run_folder(project, "sasrec")).recommend_users(table)


def test_too_little_memory_on_a_device_is_one_message(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))

    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(SASRec, "states_at", full)
    with pytest.raises(SeqrecError, match="out of memory on cpu"):
        recommender.recommend(["product 7"])


def test_order_is_that_of_timestamps_where_there_are_some(project: Path) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))
    expected = recommender.recommend(["product 7", "product 21", "product 14"])
    for times in (["9", "10", "2"], ["2024-02-01", "2024-03-01T12:00", "2023-12-31"]):
        table = pd.DataFrame(
            {"user": "a", "item": ["product 21", "product 14", "product 7"], "timestamp": times}
        )
        found = recommender.recommend_users(table).drop(columns="user")
        pd.testing.assert_frame_equal(found, expected)


def test_a_model_that_knows_users_says_so_when_it_is_given_a_history(project: Path) -> None:
    recommender = Recommender.load(run_folder(project, "bpr-mf"))
    with pytest.raises(SeqrecError, match="knows only the users that it was fitted on"):
        recommender.recommend(["product 7"])


def test_whole_numbers_stay_whole_numbers(tmp_path: Path) -> None:
    preprocessed(tmp_path, "{}", "{}")
    data = tmp_path / "data/processed/small"
    run(small_config(), data, tmp_path / "run", CPU)
    recommender = Recommender.load(tmp_path / "run", data)
    found = recommender.recommend([7, 14], k=3)
    assert found["item"].dtype == np.int64
    assert set(found["item"]) <= {7 * n for n in range(SIZES["items"] + 1)}
    pd.testing.assert_frame_equal(recommender.recommend(["7", "14"], k=3), found)
    far, largest = 10**25, 7 * SIZES["items"]
    for wrong, hint in (
        *((8, "the nearest is 7"), ("7x", "whole numbers from"), (7.5, "7.5 is neither")),
        *((far, f"the nearest is {largest}"), (str(far), f"the nearest is {largest}")),
        ("7 14", "several ids in one place"),
    ):
        with pytest.raises(SeqrecError, match=hint):
            recommender.recommend([7, wrong], strict=True)


@pytest.fixture(scope="module")
def long_ids(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    """A model of a log with ids of 17 and 18 digits, which differ where floats do not."""
    folder = tmp_path_factory.mktemp("long-ids")
    preprocessed(folder, "184467440737{:06}", "765611979709{:05}")
    data = folder / "data/processed/small"
    run(small_config(), data, folder / "run", CPU)
    return Recommender.load(folder / "run", data)


def test_ids_of_many_digits_stay_the_same_ids(long_ids: Recommender) -> None:
    users, items = long_ids.log.user_ids(), long_ids.log.item_ids()
    assert users.dtype == items.dtype == np.int64
    chosen = users[[41, 40, 42]]
    for written in (chosen, chosen.astype(str), pd.array(chosen, "Int64")):
        found = long_ids.recommend_users(pd.DataFrame({"user": written}), k=2)
        assert found["user"].tolist() == np.repeat(chosen, 2).tolist()
    history = items[:40]
    for items_given in (history.tolist(), [f" {item}\t" for item in history]):
        assert not set(long_ids.recommend(items_given, k=60)["item"]) & set(history)


WRITTEN_OTHERWISE: list[Callable[[int], object]] = [
    "{}.0".format,
    "0{}".format,
    "+{}".format,
    "{}e0".format,
    "{:,}".format,
    float,
    lambda id: str(id).encode(),
    lambda id: [id],
]


@pytest.mark.parametrize("written", WRITTEN_OTHERWISE)
def test_an_id_that_is_written_otherwise_is_another_id(
    long_ids: Recommender, written: Callable[[int], object]
) -> None:
    user, item = int(long_ids.log.user_ids()[3]), int(long_ids.log.item_ids()[3])
    with pytest.raises(SeqrecError, match="users: row 1: user"):
        long_ids.recommend_users(pd.DataFrame({"user": [written(user)]}))
    with pytest.raises(SeqrecError, match="history: row 1: item"):
        long_ids.recommend([written(item)])


def test_white_space_around_an_id_does_not_count_as_in_parsing(project: Path) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))
    table = pd.DataFrame(
        {"user": ["a ", "a", "a\t"], "item": ["product 7", " product 14 ", "product 21"]}
    )
    found = recommender.recommend_users(table, k=3)
    assert found["user"].tolist() == ["a"] * 3
    alone = recommender.recommend(["product 7", "product 14", "product 21"], k=3)
    assert found["item"].tolist() == alone["item"].tolist()
    known = pd.DataFrame({"user": ["customer 3", "customer 3 "]})
    assert len(recommender.recommend_users(known, k=2)) == 2


@pytest.mark.parametrize("history", ["product 7", b"product 7", {"product 7"}, {"product 7": 1}, 7])
def test_only_a_list_is_a_history(project: Path, history: Any) -> None:
    with pytest.raises(SeqrecError, match="is not a list; write"):
        Recommender.load(run_folder(project, "sasrec")).recommend(history)


def test_unknown_items_of_a_history_are_skipped_and_counted_or_refused(project: Path) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))
    expected = recommender.recommend(["product 7", "product 14"])
    mixed = ["gone", "product 7", "product 8", "product 14"]
    with pytest.warns(SkippedIds, match=r"history: row 1: item gone .*; skipped \(1 more like it"):
        found = recommender.recommend(mixed)
    pd.testing.assert_frame_equal(found, expected)
    with pytest.raises(SeqrecError, match=r"row 1: item gone is not among"):
        recommender.recommend(mixed, strict=True)
    with pytest.raises(SeqrecError, match=r"row 1: item gone is not among"):
        recommender.recommend(["gone"])


def test_users_without_a_known_item_get_nothing_and_are_counted(project: Path) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))
    table = pd.DataFrame(
        {"user": ["a", "b", "a", "c"], "item": ["product 7", "gone", "away", "lost"]}
    )
    with pytest.warns(SkippedIds) as caught:
        found = recommender.recommend_users(table, k=3)
    assert found["user"].tolist() == ["a"] * 3
    assert [str(warning.message) for warning in caught] == [
        f"users: row 2: item gone is not among the {recommender.log.num_items} items of small "
        "after its filter; skipped (2 more like it).",
        "users: 2 users without a known item; nothing is recommended there.",
    ]


def test_items_may_be_chosen_and_left_out(project: Path) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))
    every = recommender.recommend(["product 7"], k=1000)
    assert len(every) == recommender.log.num_items - 1
    chosen = ["product 14", "product 21", "product 28", "product 7"]
    only = recommender.recommend(["product 7"], k=1000, only=chosen)
    expected = every[every["item"].isin(chosen)].assign(rank=[1, 2, 3]).reset_index(drop=True)
    pd.testing.assert_frame_equal(only, expected)
    rest = recommender.recommend(["product 7"], k=1000, without=chosen)["item"]
    assert sorted(rest) == sorted(set(every["item"]) - set(chosen))
    both = recommender.recommend(["product 7"], only=chosen, without=chosen[:2])
    assert both["item"].tolist() == ["product 28"]
    assert recommender.recommend(["product 7"], only=["product 7"]).empty
    with pytest.warns(SkippedIds, match=r"without: row 1: item gone .*; skipped\."):
        rest = recommender.recommend(["product 7"], k=1000, without=["gone"])
    pd.testing.assert_frame_equal(rest, every)
    with pytest.raises(SeqrecError, match="only: row 1: item gone is not among"):
        recommender.recommend(["product 7"], only=["gone"])
    with pytest.raises(SeqrecError, match="only: 'product 7' is not a list"):
        recommender.recommend(["product 7"], only="product 7")


def test_items_of_a_history_may_come_again(project: Path) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))
    kept = recommender.recommend(["product 7", "product 14"], k=1000, seen="keep")
    assert len(kept) == recommender.log.num_items
    dropped = kept[~kept["item"].isin(["product 7", "product 14"])]["item"].tolist()
    assert recommender.recommend(["product 7", "product 14"], k=1000)["item"].tolist() == dropped
    users = pd.DataFrame({"user": ["customer 3"]})
    assert len(recommender.recommend_users(users, 1000, seen="keep")) == len(kept)


def test_the_command_chooses_items_by_files_and_says_what_it_skips(
    project: Path, tmp_path: Path
) -> None:
    for name, text in (("only", "item\nproduct 14\nproduct 7\n"), ("none", "item\nproduct 21\n")):
        (tmp_path / f"{name}.csv").write_text(text)
    words = ("recommend", run_folder(project, "sasrec"), "--history", "product 7,gone")
    only = ("--only", tmp_path / "only.csv")
    done = seqrec(*words, *only, "--without", tmp_path / "none.csv")
    assert [line.split()[1:3] for line in done.stdout.splitlines()[1:]] == [["product", "14"]]
    assert done.stderr.count("row 2: item gone is not among") == 1
    again = seqrec(*words, *only, "--seen", "keep")
    assert len(again.stdout.splitlines()) == 3
    refused = seqrec(*words, "--strict")
    assert refused.exit_code == 1
    assert "Error: history: row 2: item gone" in refused.stderr
    (tmp_path / "only.csv").write_text("item\nproduct 7\n")
    refused = seqrec(*words, *only)
    assert refused.exit_code == 1
    assert "no item is left for this history" in refused.stderr
    (tmp_path / "only.csv").write_text("user\na\n")
    refused = seqrec(*words, *only)
    assert "only.csv: must have a column 'item'" in refused.stderr


@pytest.mark.parametrize("k", [0, -1])
def test_at_least_one_item_is_recommended(project: Path, k: int) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))
    with pytest.raises(SeqrecError, match=f"k is {k}"):
        recommender.recommend(["product 7"], k)
    with pytest.raises(SeqrecError, match=f"k is {k}"):
        recommender.recommend_users(pd.DataFrame({"user": ["customer 3"]}), k)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": [["a"], ["b"]], "item": ["product 7"] * 2}, r"row 1: user \['a'\] is neither"),
        ({"user": ["a", {"b": 1}], "item": ["product 7"] * 2}, "row 2: user {'b': 1} is neither"),
        ({"user": ["a", "b"], "item": [1.5, 2.5]}, r"row 1: item 1.5 is neither .*\(1 more"),
        ({"user": ["a", True], "item": ["product 7"] * 2}, "row 2: user True is neither"),
        ({"user": ["a"], "item": ["product 7"], "timestamp": [["x"]]}, "timestamp: write numbers"),
        ({"user": ["a"], "item": ["product 7"], "timestamp": ["nan"]}, "timestamp: write numbers"),
        ({"user": ["a"], "item": ["product 7"], "timestamp": ["inf"]}, "timestamp: write numbers"),
        ({"user": ["a"], "item": ["product 7"], "timestamp": ["9" * 40]}, "timestamp: write"),
        ({"user": ["x" * 5000], "item": [b"x" * 5000]}, "row 1: item b'xxx.* is neither"),
        ({"user": ["a"], "item": ["x" * 5000]}, "row 1: item xxx.* is not among"),
    ],
)
def test_a_table_of_anything_but_ids_and_times_is_refused(
    project: Path, columns: dict[str, list[Any]], message: str
) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))
    with pytest.raises(SeqrecError, match=f"users: {message}") as refused:
        recommender.recommend_users(pd.DataFrame(columns))
    assert len(str(refused.value)) < 500


def test_two_columns_of_one_name_are_refused(project: Path, tmp_path: Path) -> None:
    recommender = Recommender.load(run_folder(project, "sasrec"))
    twice = pd.DataFrame([["a", "b", "product 7"]], columns=["user", "user", "item"])
    with pytest.raises(SeqrecError, match="two columns 'user'"):
        recommender.recommend_users(twice)
    path = tmp_path / "users.csv"
    twice.to_csv(path, index=False)
    with pytest.raises(SeqrecError, match="two columns 'user'"):
        recommender.recommend_users(read_users(path), where="users.csv")
    path = tmp_path / "users.parquet"
    arrays = [pa.array(["a"]), pa.array(["b"])]
    pq.write_table(pa.Table.from_arrays(arrays, names=["user", "user"]), path)
    with pytest.raises(SeqrecError, match="two columns 'user'"):
        read_users(path)


def test_whole_numbers_beside_a_gap_in_parquet_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "users.parquet"
    pq.write_table(pa.table({"user": [76561197970982479, None], "note": [[1], [2]]}), path)
    found = read_users(path)
    assert list(found.columns) == ["user", "note"]
    assert found["user"][0] == 76561197970982479


def theirs(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy a run whose record names a module of its own as its model, with valid digests."""
    folder = project / "theirs/runs/small/sasrec/seed-0"
    shutil.rmtree(project / "theirs", ignore_errors=True)
    shutil.copytree(run_folder(project, "sasrec"), folder)
    (project / "theirs/evil.py").write_text(
        "from pathlib import Path\nPath('theirs/ran').touch()\n"
        "from seqrec.models.sasrec import SASRec as Model\n"
    )
    config = small_config().model_copy(update={"implementation": "theirs.evil:Model"})
    (folder / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    metrics = json.loads((folder / "metrics.json").read_text())
    digest = hashlib.sha256((folder / "config.yaml").read_bytes()).hexdigest()
    metrics |= {"config": config.model_dump(mode="json"), "config_hash": config.hash()}
    metrics["digests"]["config.yaml"] = digest
    (folder / "metrics.json").write_text(json.dumps(metrics))
    monkeypatch.delitem(sys.modules, "theirs.evil", raising=False)
    return folder


def test_the_code_that_a_record_names_is_run_only_if_the_user_trusts_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = theirs(project, monkeypatch)
    ran = project / "theirs/ran"
    arguments = ("recommend", folder, "--history", "product 7")
    refused = seqrec(*arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "config.yaml: its model 'theirs.evil:Model' is Python code" in refused.stderr
    assert not ran.exists()
    assert seqrec(*arguments, "--trust").exit_code == 0
    assert ran.exists()

    folder = theirs(project, monkeypatch)
    entry = project / "config/models/evil.yaml"
    entry.parent.mkdir(parents=True)
    entry.write_text("implementation: theirs.other:Model\n")
    assert seqrec(*arguments).exit_code == 1
    entry.write_text("implementation: theirs.evil:Model\n")
    assert seqrec(*arguments).exit_code == 0


# The command


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_of_users_in_and_a_file_of_recommendations_out(
    project: Path, tmp_path: Path, suffix: str
) -> None:
    table = pd.DataFrame(
        {"user": ["007", "007", "NA"], "item": ["product 7", "product 14", "product 21"]}
    )
    file, output = tmp_path / f"users{suffix}", tmp_path / f"top{suffix}"
    table.to_csv(file, index=False) if suffix == ".csv" else table.to_parquet(file)
    folder = run_folder(project, "sasrec")
    result = seqrec("recommend", folder, "--users", file, "-k", 3, "--output", output)
    assert result.exit_code == 0, result.output
    assert "6 recommendations" in result.stdout
    found = read_users(output)
    expected = Recommender.load(folder).recommend_users(table, k=3)
    assert found["user"].tolist() == ["007"] * 3 + ["NA"] * 3
    assert found["item"].tolist() == expected["item"].tolist()
    shown = seqrec("recommend", folder, "--users", file, "-k", 3).stdout
    assert pd.read_csv(io.StringIO(shown))["item"].tolist() == expected["item"].tolist()


def test_a_history_on_the_command_line(project: Path) -> None:
    folder = run_folder(project, "sasrec")
    result = seqrec("recommend", folder, "--history", "product 7, product 14", "-k", 2)
    expected = Recommender.load(folder).recommend(["product 7", "product 14"], k=2)
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["rank", "item", "score"]
    assert [line.split()[1:3] for line in lines[1:]] == [i.split() for i in expected["item"]]


def test_a_history_is_a_line_of_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preprocessed(tmp_path, '"Sir, You Are Being Hunted {}"', "{}")
    monkeypatch.chdir(tmp_path)
    run(small_config(), Path("data/processed/small"), Path("run"), CPU)
    history = '"Sir, You Are Being Hunted 7", "Sir, You Are Being Hunted 14"'
    result = seqrec("recommend", "run", "--history", history, "-k", 60)
    found = set(re.findall(r"Hunted ([0-9]+)", result.stdout))
    assert len(found) > 40
    assert not found & {"7", "14"}


def users_file(folder: Path, text: str) -> Path:
    path = folder / "users.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either --history or --users"),
        (("--history", "a", "--users", "b.csv"), "give either --history or --users"),
        (("--history", ""), "the history is empty"),
        (
            ("--history", "product 7,prodct 14", "--strict"),
            "row 2: item prodct 14 is not among the",
        ),
        (("--history", "prodct 14"), "did you mean 'product 14'?\n"),
        (("--users", "none.csv"), "none.csv: no such file"),
        (("--users", "results"), None),
        (("--history", "product 7", "--output", "top.xlsx"), "name a .csv or .parquet file"),
        (("--history", "product 7", "--data", "nowhere"), "nowhere: holds no log"),
        (("--history", "product 7", "--device", "abacus"), "--device abacus"),
        (("--history", '"product 7'), "history: cannot be read as csv"),
        (("--history", "product 7,,product 14"), "history: row 2: no item"),
    ],
)
def test_a_mistake_is_one_message(
    project: Path, arguments: tuple[str, ...], message: str | None
) -> None:
    result = seqrec("recommend", run_folder(project, "sasrec"), *arguments)
    assert result.exit_code == (1 if message else 2)
    assert result.stdout == ""
    if message:
        assert result.stderr.startswith("Error: ")
        assert message in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("customer\na\n", "must have a column 'user'"),
        ("user,item\n", "it has no line"),
        ("user,item\na,product 7\nb,\n", "users.csv: row 2: no item"),
        ("user,item\na,x\nb,y\nb,z\n", "(2 more like it)"),
        ("user\ncustomer 3\nnobody\n", "row 2: user nobody is not among the 120 users of small"),
        ("user,item,timestamp\na,product 7,soon\n", "timestamp: write numbers, or dates"),
        (
            "user,item,timestamp\na,product 7,3\na,product 14,\na,product 21,1\n",
            "users.csv: row 2: no timestamp.",
        ),
        ("", "cannot be read as csv"),
        (
            "user,item_id\na,product 7\n",
            "has no column 'item', which holds the histories, but item_id",
        ),
        ("user,item\n9,a,product 7\n", "cannot be read as csv"),
        ("user\ncustomer 3\ncustomer 3\nnobody\n", "row 3: user nobody is not among"),
    ],
)
def test_a_mistake_in_a_file_names_its_place(
    project: Path, tmp_path: Path, text: str, message: str
) -> None:
    path = users_file(tmp_path, text)
    result = seqrec("recommend", run_folder(project, "sasrec"), "--users", path)
    assert result.exit_code == 1
    assert message in result.stderr


def test_a_folder_without_a_run_without_weights_or_with_others_is_told_apart(
    project: Path, tmp_path: Path
) -> None:
    source = run_folder(project, "sasrec")

    def refused(message: str, **changes: Any) -> None:
        folder = tmp_path / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        for name, content in changes.items():
            path = folder / name.replace("_", ".", 1)
            path.write_bytes(content) if content is not None else path.unlink()
        with pytest.raises(SeqrecError, match=message):
            Recommender.load(folder)

    with pytest.raises(SeqrecError, match="holds no finished run"):
        Recommender.load(tmp_path)
    refused("the weights are missing", model_safetensors=None)
    written_with = "is not the file that was written with metrics.json"
    refused(written_with, model_safetensors=b"damaged")
    config = (source / "config.yaml").read_bytes().replace(b"seed: 0", b"seed: 1")
    refused("is not the configuration that .*metrics.json was made by", config_yaml=config)
    refused("config.yaml", config_yaml=b"seed: 1")
    metrics = json.loads((source / "metrics.json").read_text())
    other_log = {**metrics, "data": {**metrics["data"], "sha256": "0" * 64}}
    refused("another log than the run was trained on", metrics_json=json.dumps(other_log).encode())
    refused("metrics.json", metrics_json=b"{}")
    refused("newer seqrec", metrics_json=json.dumps({**metrics, "format": 2}).encode())

    # An older record does not tell which weights are its own.
    del metrics["digests"]
    older = {"metrics_json": json.dumps(metrics).encode()}
    others = (run_folder(project, "gru4rec") / "model.safetensors").read_bytes()
    for weights in (b"damaged", others):
        refused("does not hold the weights of sasrec", model_safetensors=weights, **older)


def test_a_run_works_from_any_folder_with_its_log(project: Path, tmp_path: Path) -> None:
    """All that a colleague needs is the run's folder and the log."""
    shutil.copytree(run_folder(project, "sasrec"), tmp_path / "theirs")
    shutil.copytree("data/processed/small", tmp_path / "log")
    there = Recommender.load(tmp_path / "theirs", tmp_path / "log")
    here = Recommender.load(run_folder(project, "sasrec"))
    pd.testing.assert_frame_equal(there.recommend(["product 7"]), here.recommend(["product 7"]))
    assert isinstance(there.log, Interactions)


def test_the_documented_lines_recommend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the page's lines of Python and its commands on a run in the same place."""
    page = (ROOT / "docs/how-to/recommend.md").read_text(encoding="utf-8")
    preprocessed(tmp_path, "{}", "{}")
    (tmp_path / "data/processed/small").rename(tmp_path / "data/processed/demo")
    folder = tmp_path / "results/demo/runs/demo/sasrec+/seed-0"
    config = small_config(dataset="demo", model="sasrec+")
    run(config, tmp_path / "data/processed/demo", folder, CPU)
    monkeypatch.chdir(tmp_path)
    # The small log has no items of those ids.
    for old, new in (
        *(("12, 87, 3", "14, 21, 7"), ("12,87,3", "14,21,7"), ("[40, 41]", "[28, 35]")),
    ):
        assert old in page
        page = page.replace(old, new)
    (lines,) = re.findall(r"```python\n(from seqrec.running.recommend .*?)```", page, re.DOTALL)
    *before, plain, chosen = [line for line in lines.splitlines() if line]
    names: dict[str, Any] = {}
    exec("\n".join(before), names)
    assert len(eval(plain, names)) == len(eval(chosen, names)) == 10
    (tmp_path / "users.csv").write_text("user,item\na,7\nb,14\n")
    commands = re.findall(r"^seqrec (recommend .*)$", page, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert seqrec(*command.split()).exit_code == 0
    assert len(read_users(tmp_path / "top.parquet")) == 20
