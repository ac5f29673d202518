"""Runs, models and experiments are compared wherever they lie."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from reading_tables import ranks_with_hits, write
from record_factory import make_record

from seqrec.cli.main import main
from seqrec.errors import SeqrecError
from seqrec.report.comparison import compare


def test_two_runs_of_different_models_are_compared(tmp_path: Path) -> None:
    one = make_record(tmp_path / "a", "ml-1m", "sasrec+", ranks=ranks_with_hits(0.3))
    other = make_record(tmp_path / "colleague", "ml-1m", "bert4rec", ranks=ranks_with_hits(0.2))
    done = CliRunner().invoke(main, ["compare", str(one), str(other)])
    assert done.exit_code == 0, done.output
    assert "MovieLens-1M  SASRec+ and BERT4Rec  NDCG@10 " in done.output
    assert "\\" not in done.output
    assert "< 0.0001" in done.output
    (hits, _) = compare(one, other)
    assert hits.difference.value == pytest.approx(0.1, abs=0.02)


def test_experiments_are_compared_in_what_both_have(tmp_path: Path) -> None:
    for place, rate in (("a", 0.001), ("b", 0.01)):
        for seed in (0, 1):
            config = {
                "model": "sasrec+",
                "seed": seed,
                "training": {"learning_rate": rate, "patience": 10, "max_epochs": 100},
            }
            make_record(tmp_path / place, "ml-1m", "sasrec+", seed, config=config)
        make_record(tmp_path / place, "ml-1m", {"a": "sasrec", "b": "gru4rec"}[place])
    found = compare(tmp_path / "a", tmp_path / "b")
    assert [(row.one.records[0].model, row.metric) for row in found] == [
        ("sasrec+", "hit_rate@10"),
        ("sasrec+", "ndcg@10"),
    ]
    assert all(row.difference.value == 0 and row.p == 1 for row in found)
    done = CliRunner().invoke(main, ["compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert "A and B differ in training.learning_rate 0.001 and 0.01." in done.output
    assert "seed 0 and" not in done.output


def test_a_record_that_cannot_be_read_is_left_out_aloud(tmp_path: Path) -> None:
    for side in ("a", "b"):
        make_record(tmp_path / side, "demo", "sasrec+")
        folder = make_record(tmp_path / side, "demo", "bert4rec")
    (folder / "metrics.json").write_text("{")
    done = CliRunner().invoke(main, ["compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 0
    assert done.stderr.count("left out") == 1
    assert f"{tmp_path / 'b'}: left out: runs/demo/bert4rec/seed-0/metrics.json" in done.stderr


def test_a_models_seeds_are_compared_together(tmp_path: Path) -> None:
    for seed in range(3):
        make_record(tmp_path, "ml-1m", "sasrec+", seed, ranks=ranks_with_hits(0.3, seed))
        make_record(tmp_path, "ml-1m", "bert4rec", seed, ranks=ranks_with_hits(0.2, seed))
    folder = tmp_path / "runs/ml-1m"
    rows = compare(folder / "sasrec+", folder / "bert4rec")
    assert [len(row.one.records) for row in rows] == [3, 3]


def test_compare_and_the_table_of_pairs_give_the_same_test(tmp_path: Path) -> None:
    for model, seeds, share in (("sasrec+", 3, 0.3), ("bert4rec", 1, 0.29), ("gru4rec", 2, 0.28)):
        for seed in range(seeds):
            make_record(tmp_path, "ml-1m", model, seed, ranks=ranks_with_hits(share, seed))
    write(tmp_path)
    told = pd.read_csv(tmp_path / "tables/pairs/ml-1m.csv")
    for one, other in (("sasrec+", "bert4rec"), ("bert4rec", "gru4rec"), ("sasrec+", "gru4rec")):
        for row in compare(tmp_path / "runs/ml-1m" / one, tmp_path / "runs/ml-1m" / other):
            pair = told.query("metric == @row.metric and model == @one and other == @other")
            assert row.difference.p == pytest.approx(pair.p.item(), rel=1e-12)
            assert row.difference.interval.low == pytest.approx(pair.low.item(), rel=1e-12)


def test_two_runs_borrow_the_scatter_of_their_experiment(tmp_path: Path) -> None:
    for seed in range(4):
        ranks = ranks_with_hits(0.2 + 0.02 * seed, seed)
        make_record(tmp_path / "a", "ml-1m", "sasrec+", seed, ranks=ranks)
    one = make_record(tmp_path / "a", "ml-1m", "bert4rec", ranks=ranks_with_hits(0.28))
    other = tmp_path / "a/runs/ml-1m/sasrec+/seed-0"
    alone = [tmp_path / f"alone/runs/ml-1m/{model}/seed-0" for model in ("bert4rec", "sasrec+")]
    for folder, copy in zip((one, other), alone, strict=True):
        shutil.copytree(folder, copy)
    borrowed, users_only = compare(one, other), compare(*alone)
    assert borrowed[0].difference.value == users_only[0].difference.value
    assert borrowed[0].difference.p > 10 * users_only[0].difference.p
    said = "Scatter between seeds unknown: BERT4Rec, SASRec+. No model"
    for folders, unknown in (((one, other), False), (alone, True)):
        done = CliRunner().invoke(main, ["compare", *map(str, folders)])
        assert (said in done.output) == unknown


def test_comparing_a_record_with_itself_says_so(tmp_path: Path) -> None:
    for seed in (0, 1):
        make_record(tmp_path / "a", "ml-1m", "sasrec+", seed, ranks=ranks_with_hits(0.3, seed))
    model = tmp_path / "a/runs/ml-1m/sasrec+"
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for a, b, said in (
        (model / "seed-0", model / "seed-0", "A and B are the same records."),
        (tmp_path / "a", tmp_path / "b/../a", "A and B are the same records."),
        (model, model / "seed-0", "A and B have records in common."),
        (tmp_path / "a", tmp_path / "b", "A and B rank every test target alike"),
    ):
        done = CliRunner().invoke(main, ["compare", str(a), str(b)])
        assert said in done.output
    done = CliRunner().invoke(main, ["compare", str(model / "seed-0"), str(model / "seed-1")])
    assert "A and B are" not in done.output
    assert "A and B rank" not in done.output


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"data": {"sha256": "e" * 64, "statistics": {}}}, "trained on other data"),
        ({"ranks": [1, 2, 3]}, "holds 3 users"),
    ],
)
def test_other_data_or_other_users_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    one = make_record(tmp_path / "a", ranks=ranks_with_hits(0.3))
    other = make_record(tmp_path / "b", **changes)
    for a, b in ((one, other), (tmp_path / "a", tmp_path / "b")):
        done = CliRunner().invoke(main, ["compare", str(a), str(b)])
        assert done.exit_code == 1
        assert message in done.output
        assert "Traceback" not in done.output


def test_nothing_in_common_or_nothing_at_all_is_said_so(tmp_path: Path) -> None:
    make_record(tmp_path / "a", "ml-1m", "sasrec+")
    make_record(tmp_path / "b", "beauty", "sasrec+")
    with pytest.raises(SeqrecError, match=r"no finished run in common.*ml-1m sasrec\+.*beauty"):
        compare(tmp_path / "a", tmp_path / "b")
    with pytest.raises(SeqrecError, match="holds no finished run"):
        compare(tmp_path / "a", tmp_path)
