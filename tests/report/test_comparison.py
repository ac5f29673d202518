"""Runs, models and experiments are compared wherever they lie."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from reading_tables import ranks_with_hits
from record_factory import make_record

from seqrec.cli.main import main
from seqrec.errors import SeqrecError
from seqrec.report.comparison import compare


def test_two_runs_of_different_models_are_compared(tmp_path: Path) -> None:
    one = make_record(tmp_path / "a", "ml-1m", "sasrec+", ranks=ranks_with_hits(0.3))
    other = make_record(tmp_path / "colleague", "ml-1m", "bert4rec", ranks=ranks_with_hits(0.2))
    done = CliRunner().invoke(main, ["compare", str(one), str(other)])
    assert done.exit_code == 0, done.output
    assert "| MovieLens-1M | SASRec+ and BERT4Rec | NDCG@10 " in done.output
    assert "< 0.0001" in done.output
    (hits, _) = compare(one, other)
    assert hits.difference.value == pytest.approx(0.1, abs=0.02)


def test_experiments_are_compared_in_what_both_have(tmp_path: Path) -> None:
    for place, rate in (("a", 0.001), ("b", 0.01)):
        for seed in (0, 1):
            config = {"model": "sasrec+", "seed": seed, "training": {"learning_rate": rate}}
            make_record(tmp_path / place, "ml-1m", "sasrec+", seed, config=config)
        make_record(tmp_path / place, "ml-1m", {"a": "sasrec", "b": "gru4rec"}[place])
    found = compare(tmp_path / "a", tmp_path / "b")
    assert [(row.one.records[0].model, row.metric) for row in found] == [
        ("sasrec+", "hit_rate@10"),
        ("sasrec+", "ndcg@10"),
    ]
    assert all(row.difference.value == 0 and row.p == 1 for row in found)
    done = CliRunner().invoke(main, ["compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert "A and B differ in training.learning\\_rate 0.001 and 0.01." in done.output
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
