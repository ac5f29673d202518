"""Which models differ, and how they do on targets that training never saw."""

from pathlib import Path

import numpy as np
import pandas as pd
from reading_tables import notes, ranks_with_hits, rows, write
from record_factory import make_record, without_digests

from seqrec.records import read_records
from seqrec.records.survey import survey
from seqrec.report.differences import by_target, leaders, pairs, scatters
from seqrec.report.measured import measure_dataset

METRICS = ["hit_rate@10", "ndcg@10"]


def test_pairs_are_best_first_and_every_two_once(tmp_path: Path) -> None:
    for model, quality in (("sasrec", 0.1), ("sasrec+", 0.3), ("gru4rec", 0.2)):
        make_record(tmp_path, "demo", model, ranks=ranks_with_hits(quality))
    models = measure_dataset(survey(tmp_path).records, "demo", METRICS)
    found = pairs(models, "ndcg@10")
    assert [(pair.one, pair.other) for pair in found] == [
        ("sasrec+", "gru4rec"),
        ("sasrec+", "sasrec"),
        ("gru4rec", "sasrec"),
    ]
    assert all(pair.difference.value > 0 for pair in found)


def test_a_model_lends_its_scatter_only_to_its_own_kind_of_loss(tmp_path: Path) -> None:
    def add(model: str, kind: str, *shares: float) -> None:
        for seed, share in enumerate(shares):
            config = {"model": model, "loss": {"kind": kind}}
            make_record(tmp_path, "demo", model, seed, ranks=ranks_with_hits(share), config=config)

    add("sasrec+3000", "sampled-cross-entropy", 0.300, 0.301)
    add("sasrec+300", "sampled-cross-entropy", 0.27)
    before = leaders(measure_dataset(read_records(tmp_path), "demo", METRICS), "hit_rate@10")
    add("sasrec", "binary-cross-entropy", 0.1, 0.12, 0.11)  # worse, and wild
    models = measure_dataset(read_records(tmp_path), "demo", METRICS)
    assert leaders(models, "hit_rate@10") == before == {"sasrec+3000"}
    found = scatters(models, "hit_rate@10")
    assert found.of("sasrec").variation > 100 * found.of("sasrec+3000").variation
    assert found.of("sasrec+300") == found.of("sasrec+3000")


def test_a_model_of_three_seeds_borrows_from_no_wilder_one_of_its_kind(tmp_path: Path) -> None:
    def add(model: str, *shares: float) -> None:
        for seed, share in enumerate(shares):
            config = {"model": model, "loss": {"kind": "sampled-cross-entropy"}}
            make_record(tmp_path, "demo", model, seed, ranks=ranks_with_hits(share), config=config)

    add("sasrec+3000", 0.30, 0.301, 0.302)
    add("sasrec+1000", 0.285, 0.286, 0.287)
    before = leaders(measure_dataset(read_records(tmp_path), "demo", METRICS), "hit_rate@10")
    add("sasrec+10", 0.1, 0.15, 0.2)
    add("sasrec+30", 0.18)
    models = measure_dataset(read_records(tmp_path), "demo", METRICS)
    assert before == {"sasrec+3000"}
    assert leaders(models, "hit_rate@10") & {"sasrec+3000", "sasrec+1000"} == before
    found = scatters(models, "hit_rate@10")
    assert found.of("sasrec+30").freedom == 6, "one seed borrows from all of its kind"
    assert found.of("sasrec+30").variation > found.of("sasrec+3000").variation


def test_damaged_ranks_are_missing_and_hide_no_other_record(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+")
    folder = without_digests(make_record(tmp_path, "demo", "sasrec"))
    np.save(folder / "ranks.npy", np.ones((2, 2)))
    write(tmp_path)
    assert "—" in rows(tmp_path, "results/demo")["SASRec"]
    said = notes(tmp_path, "results/demo").replace("\\", "")
    assert "ranks.npy: holds float64 of shape (2, 2)" in said


def test_a_record_of_other_users_is_left_out_aloud_and_stops_no_table(tmp_path: Path) -> None:
    for model in ("sasrec", "sasrec+", "gru4rec"):
        make_record(tmp_path, "demo", model, ranks=ranks_with_hits(0.2))
    make_record(tmp_path, "demo", "bert4rec", ranks=[1, 2, 3])
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks_with_hits(0.31))
    write(tmp_path)
    assert rows(tmp_path, "results/demo")["BERT4Rec"][0] == "—"
    assert "runs/demo/bert4rec/seed-0/target" in notes(tmp_path, "results/demo").replace("\\", "")
    assert "BERT4Rec" not in rows(tmp_path, "intervals/demo")
    assert len(pd.read_csv(tmp_path / "results.csv")) == 4


# Targets that training never saw


def test_seen_and_unseen_targets_are_told_apart(tmp_path: Path) -> None:
    counts = [0, 0, 5, 1]
    make_record(tmp_path, "demo", "sasrec+", 0, ranks=[1, 11, 1, 1], target_counts=counts)
    make_record(tmp_path, "demo", "sasrec+", 1, ranks=[11, 11, 1, 11], target_counts=counts)
    found = by_target(measure_dataset(read_records(tmp_path), "demo", METRICS), METRICS)
    hits = [(one.occurs, one.users, one.value) for one in found if one.metric == "hit_rate@10"]
    assert hits == [(True, 2, 0.75), (False, 2, 0.25)]
    write(tmp_path)
    assert {(one.occurs, one.median_rank) for one in found} == {(True, 1), (False, 11)}
    assert rows(tmp_path, "targets/demo")["SASRec+"][::3] == ["0.7500", "0.2500"]
    assert rows(tmp_path, "targets/demo")["SASRec+"][2::3] == ["1", "11"]
    assert "2 of 4 test targets (50.00%)" in notes(tmp_path, "targets/demo")


def test_without_unseen_targets_there_is_no_column_of_them(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+", ranks=[1, 2], target_counts=[3, 4])
    write(tmp_path)
    assert len(rows(tmp_path, "targets/demo")["Model"]) == 3
    assert "0 of 2 test targets (0.00%)" in notes(tmp_path, "targets/demo")
