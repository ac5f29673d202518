"""Metrics from ranks are those of an independent library (trec_eval)."""

import math

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from seqrec.errors import SeqrecError
from seqrec.protocol.metrics import metrics_from_ranks

ITEMS = 150


def by_trec_eval(ranks: list[int], k: int) -> dict[str, float]:
    """Give trec_eval whole rankings in which the relevant item stands at the given ranks."""
    qrel = {f"u{user}": {"target": 1} for user in range(len(ranks))}
    rankings, top = {}, {}
    for user, rank in enumerate(ranks):
        order = [f"i{item}" for item in range(ITEMS - 1)]
        order.insert(rank - 1, "target")
        if rank > ITEMS:  # a miss is in no ranking
            order.remove("target")
        rankings[f"u{user}"] = {item: float(-place) for place, item in enumerate(order)}
        top[f"u{user}"] = {item: float(-place) for place, item in enumerate(order[:k])}
    whole = pytrec_eval.RelevanceEvaluator(qrel, {f"recall.{k}", f"ndcg_cut.{k}"})
    # trec_eval cuts no reciprocal rank, so it gets rankings that end at the cutoff.
    cut = pytrec_eval.RelevanceEvaluator(qrel, {"recip_rank"})

    def mean(found: dict[str, dict[str, float]], name: str) -> float:
        return float(np.mean([values[name] for values in found.values()]))

    found = whole.evaluate(rankings)
    return {
        f"hit_rate@{k}": mean(found, f"recall_{k}"),
        f"ndcg@{k}": mean(found, f"ndcg_cut_{k}"),
        f"mrr@{k}": mean(cut.evaluate(top), "recip_rank"),
    }


@given(st.lists(st.integers(1, ITEMS + 1), min_size=1, max_size=12), st.sampled_from([1, 10, 100]))
def test_metrics_agree_with_trec_eval(ranks: list[int], k: int) -> None:
    assert metrics_from_ranks(np.array(ranks, np.int32), [k]) == pytest.approx(
        by_trec_eval(ranks, k), abs=1e-9
    )


def test_each_cutoff_has_its_metrics_and_a_rank_beyond_it_is_a_miss() -> None:
    metrics = metrics_from_ranks(np.array([1, 3, 10, 11]), [10, 3])
    assert set(metrics) == {f"{m}@{k}" for m in ("hit_rate", "ndcg", "mrr") for k in (3, 10)}
    assert metrics["hit_rate@10"] == 0.75
    assert metrics["hit_rate@3"] == 0.5
    assert metrics["ndcg@3"] == pytest.approx((1 + 0.5) / 4)
    assert metrics["ndcg@10"] == pytest.approx((1 + 0.5 + 1 / math.log2(11)) / 4)
    assert metrics["mrr@10"] == pytest.approx((1 + 1 / 3 + 1 / 10) / 4)


def test_nobody_to_evaluate_is_an_error() -> None:
    with pytest.raises(SeqrecError, match="no user to evaluate"):
        metrics_from_ranks(np.empty(0, np.int32), [10])
