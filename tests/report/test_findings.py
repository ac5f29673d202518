"""What was found, in sentences: they count what the tables show, and say it in plain words."""

from pathlib import Path

import numpy as np
from reading_tables import CONFIG, ranks_with_hits, write_grid
from record_factory import make_record

from seqrec.report.evidence import read_evidence
from seqrec.report.page.findings import Findings, claims_matrix, findings
from seqrec.report.rendering import plain


def found(results: Path) -> Findings:
    return findings(read_evidence(results, CONFIG))


def test_values_of_the_paper_are_counted_by_their_verdicts(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks_with_hits(0.315))
    make_record(tmp_path, "ml-1m", "bert4rec", ranks=ranks_with_hits(0.6))
    first, *_ = found(tmp_path).lead
    assert first.startswith("Of 4 metrics of the paper's table, ")
    assert "2 are better than published" in first


def test_what_is_the_same_for_all_is_said_of_all(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "bert4rec", ranks=ranks_with_hits(0.6))
    assert found(tmp_path).lead == ["All 2 metrics of the paper's table are better than published."]


def test_claims_are_counted_and_shown_by_dataset(tmp_path: Path) -> None:
    for dataset, better in (("ml-1m", 0.4), ("beauty", 0.1)):
        make_record(tmp_path, dataset, "sasrec+", ranks=ranks_with_hits(better), best_epoch=5)
        make_record(tmp_path, dataset, "bert4rec", ranks=ranks_with_hits(0.25, 1), best_epoch=9)
    said = found(tmp_path)
    assert "on MovieLens-1M" in said.lead[1] and "on Amazon Beauty" in said.lead[1]
    assert "1 does not hold" in said.lead[1]
    matrix = claims_matrix(said.claims)
    assert matrix.headings == ["Claim", "MovieLens-1M", "Amazon Beauty"]
    shown = {plain(row[0].text): [plain(cell.text) for cell in row[1:]] for row in matrix.cells}
    assert shown["SASRec+ is better than BERT4Rec"] == ["holds", "does not hold"]
    assert shown["SASRec+ needs fewer epochs than BERT4Rec to reach its best"] == ["holds", "holds"]


def test_a_dataset_of_ones_own_has_results_and_no_verdicts(tmp_path: Path) -> None:
    good = ranks_with_hits(0.4)
    make_record(tmp_path, "my-shop", "sasrec+", ranks=good)
    make_record(tmp_path, "my-shop", "sasrec", ranks=np.random.default_rng(0).permutation(good))
    make_record(tmp_path, "my-shop", "bert4rec", ranks=ranks_with_hits(0.2))
    make_record(
        tmp_path, "my-shop", "popularity", epochs=None, best_epoch=None, ranks=ranks_with_hits(0.1)
    )
    said = found(tmp_path)
    assert said.claims == []
    (best,) = said.lead
    assert best.startswith("On my-shop, SASRec has the highest test NDCG@10, ")
    assert "times that of Popularity; SASRec+ may be as good." in best
    assert said.points == ["All 4 runs have finished: 4 models on 1 dataset."]


def test_a_clear_winner_is_named_and_whether_other_seeds_may_change_it(tmp_path: Path) -> None:
    make_record(tmp_path, "my-shop", "sasrec+", ranks=ranks_with_hits(0.4))
    make_record(tmp_path, "my-shop", "bert4rec", ranks=ranks_with_hits(0.2))
    (best,) = found(tmp_path).lead
    assert best.endswith("; the others are significantly worse, but other seeds may change this.")
    for seed in (1, 2):
        make_record(tmp_path, "my-shop", "sasrec+", seed, ranks=ranks_with_hits(0.4, seed))
        make_record(tmp_path, "my-shop", "bert4rec", seed, ranks=ranks_with_hits(0.2, seed))
    (best,) = found(tmp_path).lead
    assert best.endswith("; the others are significantly worse.")


def test_a_single_model_is_compared_with_nothing(tmp_path: Path) -> None:
    make_record(tmp_path, "my-shop", "sasrec+")
    said = found(tmp_path)
    assert said.lead[0].startswith("On my-shop, SASRec+ reaches a test NDCG@10 of ")
    assert said.points == ["Its one run has finished: 1 model on 1 dataset."]


def test_models_of_different_data_are_not_ranked(tmp_path: Path) -> None:
    make_record(tmp_path, "my-shop", "sasrec+")
    make_record(tmp_path, "my-shop", "sasrec", data={"sha256": "e" * 64, "statistics": {}})
    said = found(tmp_path)
    assert said.lead == []
    assert len(said.points) == 1


def test_unfinished_runs_are_counted(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+")
    write_grid(tmp_path, ("ml-1m", "sasrec+", 0), ("yelp", "sasrec+", 0), ("yelp", "sasrec+", 1))
    assert found(tmp_path).points[-1] == "1 of 3 runs have finished: 1 model on 1 dataset."
