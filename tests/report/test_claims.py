"""Claims of the paper are decided by records, each by its stated rule."""

from pathlib import Path

import pytest
from reading_tables import decided_claims, notes, ranks_with_hits, write_grid
from record_factory import make_record, make_timing


@pytest.mark.parametrize(
    "plus, bert, said",
    [(0.3, 0.25, "holds"), (0.25, 0.3, "does not hold"), (0.3, 0.3, "undecided")],
)
def test_a_claim_of_quality_is_decided_by_the_paired_test(
    tmp_path: Path, plus: float, bert: float, said: str
) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks_with_hits(plus))
    make_record(tmp_path, "ml-1m", "bert4rec", ranks=ranks_with_hits(bert, seed=1))
    found = decided_claims(tmp_path)
    assert found.verdict["quality"] == said
    assert found.published["quality"] == "holds"
    assert "SASRec+ minus BERT4Rec: " in found.evidence["quality"]


def test_the_papers_own_numbers_do_not_claim_it_on_steam(tmp_path: Path) -> None:
    for model in ("sasrec+", "bert4rec", "sasrec"):
        make_record(tmp_path, "steam", model)
    found = decided_claims(tmp_path)
    assert found.published.to_dict() == {
        "quality": "does not hold",
        "one negative": "holds",
        "epochs": "holds",
        "time": "holds",
    }


@pytest.mark.parametrize(
    "one, plus, bert, said",
    [
        (0.2, 0.3, 0.3, "holds"),
        (0.3, 0.2, 0.4, "does not hold"),
        (0.3, 0.4, 0.3, "undecided"),
    ],
)
def test_a_claim_of_two_differences_needs_both(
    tmp_path: Path, one: float, plus: float, bert: float, said: str
) -> None:
    make_record(tmp_path, "ml-1m", "sasrec", ranks=ranks_with_hits(one))
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks_with_hits(plus))
    make_record(tmp_path, "ml-1m", "bert4rec", ranks=ranks_with_hits(bert, seed=1))
    assert decided_claims(tmp_path).verdict["one negative"] == said


@pytest.mark.parametrize(
    "curve, said",
    [
        ({10: 0.2, 100: 0.25, 3000: 0.3}, "holds"),
        ({10: 0.3, 100: 0.25, 3000: 0.2}, "does not hold"),
        ({10: 0.25, 100: 0.2501, 3000: 0.2501}, "undecided"),
        # Rises from end to end, but falls over most of the way: no trend.
        ({10: 0.28, 30: 0.4, 100: 0.4, 1000: 0.2, 3000: 0.3}, "does not hold"),
    ],
)
def test_more_negatives_need_a_trend_and_a_better_end(
    tmp_path: Path, curve: dict[int, float], said: str
) -> None:
    for number, quality in curve.items():
        make_record(tmp_path, "ml-1m", f"sasrec+{number}", ranks=ranks_with_hits(quality))
    found = decided_claims(tmp_path)
    assert found.verdict["negatives"] == said
    assert "Slope, for ten times the negatives: " in found.evidence["negatives"]
    assert "SASRec+ 3000 minus SASRec+ 10: " in found.evidence["negatives"]


def test_a_claim_waits_for_every_run_that_it_needs(tmp_path: Path) -> None:
    write_grid(tmp_path, *(("ml-1m", f"sasrec+{n}", 0) for n in (10, 100, 3000)))
    for number in (10, 100):
        make_record(tmp_path, "ml-1m", f"sasrec+{number}", ranks=ranks_with_hits(number / 1000))
    found = decided_claims(tmp_path)
    assert found.verdict.to_dict() == {"negatives": "undecided"}, "others are not asked"
    assert found.evidence["negatives"] == "Not finished: SASRec+ 3000."


def test_seeds_that_scatter_leave_a_claim_undecided(tmp_path: Path) -> None:
    for seed, (plus, bert) in enumerate([(0.2, 0.22), (0.4, 0.3), (0.3, 0.25)]):
        make_record(tmp_path, "ml-1m", "sasrec+", seed, ranks=ranks_with_hits(plus))
        make_record(tmp_path, "ml-1m", "bert4rec", seed, ranks=ranks_with_hits(bert))
    assert decided_claims(tmp_path).verdict["quality"] == "undecided"


def test_sasrec_plus_3000_is_compared_with_bert4rec_too(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+3000", ranks=ranks_with_hits(0.3))
    make_record(tmp_path, "ml-1m", "bert4rec", ranks=ranks_with_hits(0.2, seed=1))
    found = decided_claims(tmp_path)
    assert found.verdict.to_dict() == {"3000": "holds"}
    assert found.published["3000"] == "holds"
    assert "SASRec+ 3000 minus BERT4Rec: +0." in found.evidence["3000"]
    assert "%) [" in found.evidence["3000"], "relative differences are shown"


@pytest.mark.parametrize(
    "ours, theirs, said, fewer",
    [
        ([3, 7], [8, 9], "holds", "fewer in 4 of 4 pairs of runs."),
        ([9], [9, 8], "does not hold", "fewer in 0 of 2 pairs of runs."),
        ([3, 9], [8], "undecided", "fewer in 1 of 2 pairs of runs."),
    ],
)
def test_fewer_epochs_are_decided_by_every_pair_of_runs(
    tmp_path: Path, ours: list[int], theirs: list[int], said: str, fewer: str
) -> None:
    for model, epochs in (("sasrec+", ours), ("bert4rec", theirs)):
        for seed, best in enumerate(epochs):
            make_record(tmp_path, "ml-1m", model, seed, best_epoch=best)
    found = decided_claims(tmp_path)
    assert found.verdict["epochs"] == said
    assert found.evidence["epochs"].endswith(fewer)


def test_a_dataset_without_a_finished_run_is_one_sentence(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+")
    make_record(tmp_path, "ml-1m", "bert4rec")
    runs = [(name, model, 0) for name in ("ml-1m", "yelp") for model in ("sasrec+", "bert4rec")]
    write_grid(tmp_path, *runs)
    found = decided_claims(tmp_path)
    assert set(found.dataset) == {"ml-1m", "yelp"}, "programs find them all"
    text = (tmp_path / "tables/claims.md").read_text()
    assert "| Yelp" not in text
    assert "No run has finished on Yelp: not run." in text
    assert "are a family" in text


@pytest.mark.parametrize(
    "ours, theirs, said, less",
    [
        ([10, 20], [7], "holds", "less in 2 of 2 pairs of runs."),
        ([30], [9, 8], "does not hold", "less in 0 of 2 pairs of runs."),
        ([10, 30], [9], "undecided", "less in 1 of 2 pairs of runs."),
    ],
)
def test_time_is_best_epochs_by_measured_seconds(
    tmp_path: Path, ours: list[int], theirs: list[int], said: str, less: str
) -> None:
    for model, epochs in (("sasrec+", ours), ("bert4rec", theirs)):
        for seed, best in enumerate(epochs):
            make_record(tmp_path, "ml-1m", model, seed, epochs=40, best_epoch=best)
    make_timing(tmp_path, {"ml-1m": {"sasrec+": 2.0, "bert4rec": 6.5}})
    found = decided_claims(tmp_path)
    assert found.verdict["time"] == said
    assert found.evidence["time"].startswith(
        "Seconds to the best epoch, at 2.0 and 6.5 s per epoch (a quiet machine): SASRec+ "
        f"{2 * ours[0]}"
    )
    assert found.evidence["time"].endswith(less)


@pytest.mark.parametrize("measured", [None, {"ml-1m": {"sasrec+": 2.0}}])
def test_without_measured_seconds_the_times_of_records_decide_nothing(
    tmp_path: Path, measured: dict[str, dict[str, float]] | None
) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+", training_seconds=1.0)
    make_record(tmp_path, "ml-1m", "bert4rec", training_seconds=1000.0)
    if measured:
        make_timing(tmp_path, measured)
    found = decided_claims(tmp_path)
    assert found.verdict["time"] == "undecided"
    assert "have not been measured on a quiet machine" in found.evidence["time"]


def test_a_stale_record_is_marked_in_claims_too(tmp_path: Path) -> None:
    old = {"version": "0.1.0", "commit": None, "training_code": "old"}
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks_with_hits(0.3), seqrec=old)
    make_record(tmp_path, "ml-1m", "bert4rec", ranks=ranks_with_hits(0.2))
    assert "SASRec+† minus BERT4Rec" in decided_claims(tmp_path).evidence["quality"]
    assert "† Trained by another version" in notes(tmp_path, "claims")
