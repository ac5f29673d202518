"""The report under several splits: records of different splits are told apart everywhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reading_tables import CONFIG, notes, rows, write
from record_factory import make_record

from seqrec.protocol.ranking import MISS as RANKED_AS_MISS
from seqrec.records.record import KnownSplit
from seqrec.report.page import write_page
from seqrec.report.splits import MISS, in_words

TEMPORAL = {
    "kind": "global-temporal",
    "quantile": 0.9,
    "validation": "by-time",
    "target": "last",
}


def config_of(split: dict[str, Any] | None) -> dict[str, Any]:
    return {"implementation": "sasrec"} | ({"split": split} if split else {})


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two models on one dataset under two splits, one of them better under each."""
    results = tmp_path / "time"
    for split, rule, better in (
        ("leave-one-out", None, "sasrec+"),
        ("temporal", TEMPORAL, "bert4rec"),
    ):
        for model in ("sasrec+", "bert4rec"):
            make_record(
                results,
                f"my-shop@{split}",
                model,
                ndcg=0.3 if model == better else 0.1,
                config=config_of(rule and {**rule, "name": split}),
            )
    return results


def test_each_split_has_its_own_tables_whose_titles_name_it(results: Path) -> None:
    write(results)
    for split in ("leave-one-out", "temporal"):
        text = (results / f"tables/results/my-shop@{split}.md").read_text(encoding="utf-8")
        assert text.startswith(f"## my-shop, {split}: test metrics")
        assert (results / f"tables/pairs/my-shop@{split}.md").exists()
    for split, best in (("temporal", "BERT4Rec"), ("leave-one-out", "SASRec+")):
        bold = {name for name, cells in rows(results, f"results/my-shop@{split}").items()
                if cells[1].startswith("**")}  # fmt: skip
        assert [name.startswith(best) for name in bold] == [True]


def test_a_note_says_in_words_what_each_split_is(results: Path) -> None:
    write(results)
    said = notes(results, "results/my-shop@temporal")
    assert "temporal: global temporal split at the 0.9 quantile of all times" in said
    assert "validation after a second such cut; test on each user's last item." in said
    assert "leave-one-out: leave-one-out" in notes(results, "results/my-shop@leave-one-out")
    both = notes(results, "recommended")
    assert "temporal: global" in both
    assert "leave-one-out: leave" in both


def test_the_page_shows_both_and_every_id_once(results: Path) -> None:
    text = write_page(results, CONFIG).read_text(encoding="utf-8")
    assert "On my-shop, temporal, BERT4Rec has the highest test NDCG@10" in text
    assert "On my-shop, leave-one-out, SASRec+ has the highest test NDCG@10" in text
    assert "2 models on 1 dataset under 2 splits" in text


def test_one_split_that_is_not_leave_one_out_is_in_the_titles_too(tmp_path: Path) -> None:
    make_record(tmp_path, "my-shop", "sasrec+", config=config_of(TEMPORAL))
    write(tmp_path)
    text = (tmp_path / "tables/results/my-shop.md").read_text(encoding="utf-8")
    assert text.startswith("## my-shop: test metrics, global temporal split")
    assert "Split: global temporal split at the 0.9 quantile" in text


def test_leave_one_out_alone_goes_without_saying(tmp_path: Path) -> None:
    make_record(tmp_path, "my-shop", "sasrec+", config=config_of(None))
    write(tmp_path)
    assert "split" not in (tmp_path / "tables/results/my-shop.md").read_text(encoding="utf-8")


def test_targets_that_no_model_can_hit_or_know_are_counted_below_the_results(
    tmp_path: Path,
) -> None:
    ranks, counts = np.full(200, 3), np.ones(200, np.int64)
    ranks[:30], counts[:50] = MISS, 0
    for seen in ("drop", "keep"):
        results = tmp_path / seen
        split = {**TEMPORAL, "seen": seen}
        make_record(results, "my-shop", ranks=ranks, target_counts=counts, config=config_of(split))
        write(results)
        said = notes(results, "results/my-shop")
        assert ("15.0% of the test targets are items that the user has met" in said) == (
            seen == "drop"
        )
        assert "25.0% of the test targets are cold items" in said


def test_a_miss_is_what_ranking_calls_one() -> None:
    assert MISS == RANKED_AS_MISS


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({}, "leave-one-out, test on each user's last item"),
        ({"at": "2014-05-01", "kind": "global-temporal"}, "global temporal split at 2014-05-01"),
        ({**TEMPORAL, "refit": True}, "trained anew on train and validation"),
        ({"seen": "keep"}, "items that a user has met are ranked, too"),
        ({"kind": "of-tomorrow", "target": "a guess"}, "of tomorrow split"),
    ],
)
def test_every_rule_has_words(split: dict[str, Any], words: str) -> None:
    assert words in in_words(KnownSplit.model_validate(split))
