"""Records copied into the reference without loss."""

import json
from pathlib import Path

import pytest
from record_factory import (
    files_below,
    folder_of,
    make_failure,
    make_record,
    write_grid,
)
from small_disk import small_disk

from seqrec.errors import SeqrecError
from seqrec.layout import ResultFiles
from seqrec.records import read_records
from seqrec.records.failure import Reason, write_failure
from seqrec.records.promote import promote
from seqrec.records.survey import missing_runs


def test_promotion_copies_records_without_checkpoints_and_merges_the_grid(tmp_path: Path) -> None:
    source, reference = tmp_path / "paper", tmp_path / "reference"
    write_grid(source, ("ml-1m", "sasrec+", 0), ("yelp", "sasrec+", 0))
    write_grid(reference, ("beauty", "sasrec", 3))
    folder = make_record(source, recommended_counts=[1, 2])
    (folder / "resume.pt").write_bytes(b"state")
    make_failure(folder_of(source, "ml-1m", "gru4rec"))
    copied = promote(source, reference)
    target = folder_of(reference, "ml-1m", "sasrec+")
    assert copied == [target / "metrics.json"]
    arrays = ("ranks.npy", "target_counts.npy", "recommended_counts.npy")
    kept = ("config.yaml", "history.csv", "metrics.json", *arrays)
    assert files_below(target) == {name: (folder / name).read_bytes() for name in kept}
    assert not list(reference.rglob("failure.json"))
    grid = json.loads((reference / "grid.json").read_text())
    assert grid["experiment"] == "reference"
    assert [(run["dataset"], run["model"], run["seed"]) for run in grid["runs"]] == [
        ("beauty", "sasrec", 3),
        ("ml-1m", "gru4rec", 0),
        ("ml-1m", "sasrec+", 0),
        ("yelp", "sasrec+", 0),
    ]


def test_promotion_never_replaces_a_different_record_unless_told_to(tmp_path: Path) -> None:
    source, reference = tmp_path / "paper", tmp_path / "reference"
    make_record(source)
    assert len(promote(source, reference)) == 1
    assert promote(source, reference) == [], "the same record again is no difference"
    make_record(source, "beauty")
    make_record(source, ndcg=0.5)
    before = files_below(reference)
    with pytest.raises(
        SeqrecError, match=r"ml-1m/sasrec\+/seed-0: holds a different.*\n.*--replace"
    ):
        promote(source, reference)
    assert files_below(reference) == before, "nothing was copied, not even what was free"
    assert len(promote(source, reference, replace=True)) == 2
    assert {r.dataset: r.test["ndcg@10"] for r in read_records(reference)} == {
        "beauty": 0.18, "ml-1m": 0.5,
    }  # fmt: skip


def test_promotion_leaves_no_file_of_the_record_it_replaces(tmp_path: Path) -> None:
    source, reference = tmp_path / "paper", tmp_path / "reference"
    folder = make_record(source)
    promote(source, reference)
    make_record(source, epochs=None, best_epoch=None)
    (folder / "history.csv").unlink()
    promote(source, reference, replace=True)
    assert "history.csv" not in files_below(folder_of(reference, "ml-1m", "sasrec+"))


def test_a_record_that_cannot_be_replaced_for_lack_of_space_stays(tmp_path: Path) -> None:
    source = tmp_path / "paper"
    folder = make_record(source)
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        reference = disk.folder / "reference"
        promote(source, reference)
        make_record(source, ndcg=0.5)
        before = files_below(reference)
        needed = sum((folder / name).stat().st_size for name in ("ranks.npy", "metrics.json"))
        for free in range(0, needed, 4096):
            filler = disk.fill(free)
            with pytest.raises(
                SeqrecError, match=r"cannot be written \(No space.*nothing that was"
            ):
                promote(source, reference, replace=True)
            assert files_below(reference) == before
            filler.unlink()
        promote(source, reference, replace=True)
        assert [record.test["ndcg@10"] for record in read_records(reference)] == [0.5]


def test_seeds_of_unlike_configurations_are_not_promoted_together(tmp_path: Path) -> None:
    one, other, reference = tmp_path / "one", tmp_path / "other", tmp_path / "reference"
    make_record(one, seed=0, config={"seed": 0, "hidden_size": 64})
    make_record(other, seed=1, config={"seed": 1, "hidden_size": 8})
    promote(one, reference)
    before = files_below(reference)
    with pytest.raises(SeqrecError, match=r"seed-\d: differs in more than the seed from .*seed-\d"):
        promote(other, reference)
    assert files_below(reference) == before
    make_record(other, seed=0, config={"seed": 0, "hidden_size": 8})
    assert len(promote(other, reference, replace=True)) == 2, "all of them at once are alike"


def test_promotion_of_nothing_or_of_the_reference_itself_is_refused(tmp_path: Path) -> None:
    make_failure(folder_of(tmp_path, "ml-1m", "sasrec+"))
    with pytest.raises(SeqrecError, match="no finished record"):
        promote(tmp_path, tmp_path / "reference")
    with pytest.raises(SeqrecError, match="reference itself"):
        promote(tmp_path, tmp_path)


def test_the_reference_says_why_a_dataset_is_missing_until_it_has_records(tmp_path: Path) -> None:
    source, reference = tmp_path / "paper", tmp_path / "reference"
    write_grid(source, ("ml-1m", "sasrec+", 0), ("yelp", "sasrec+", 0))
    make_record(source)
    files = ResultFiles(source)
    write_failure(files.data_failure("yelp"), Reason("no yelp.json", "Put it into data/raw."))
    promote(source, reference)
    (lost,) = missing_runs(reference)
    assert lost.run.dataset == "yelp"
    assert lost.reason == "the data could not be fetched where these records were made."
    make_record(source, "yelp")
    promote(source, reference)
    assert missing_runs(reference) == []
    assert not ResultFiles(reference).data_failure("yelp").exists()
