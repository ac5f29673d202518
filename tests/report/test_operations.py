"""Counted operations: as many as the networks do, whatever machine they run on."""

from pathlib import Path
from typing import Any

import pytest
import torch
from record_factory import make_metrics, record_of
from torch.utils.flop_counter import FlopCounterMode

from seqrec.models.bert4rec import BERT4Rec
from seqrec.models.gpt4rec import GPT4Rec
from seqrec.models.gru4rec import GRU4Rec
from seqrec.models.gsasrec import GSASRec
from seqrec.models.hstu import HSTU
from seqrec.models.ligr import LiGR
from seqrec.models.sasrec import SASRec
from seqrec.records.record import Record
from seqrec.report.operations import operations_to_best

ITEMS, LENGTH, USERS = 900, 40, 8


def record(config: dict[str, Any], **changes: Any) -> Record:
    statistics = {"items": ITEMS, "mean_length": LENGTH}
    data = {"sha256": "d" * 64, "statistics": statistics}
    return record_of(Path("x"), make_metrics("demo", "x", 0, config=config, data=data, **changes))


def config(implementation: str, **hyperparameters: Any) -> dict[str, Any]:
    return {
        "implementation": implementation,
        "max_length": LENGTH,
        "hyperparameters": {"hidden_size": 64, **hyperparameters},
    }


@pytest.mark.parametrize(
    ("kind", "network", "settings"),
    [
        ("sasrec", SASRec, {"blocks": 2, "heads": 1}),
        ("gsasrec", GSASRec, {"blocks": 2, "heads": 1}),
        ("gpt4rec", GPT4Rec, {"layers": 3}),
        ("bert4rec", BERT4Rec, {"layers": 2, "heads": 2, "mask_probability": 0.5}),
        ("gru4rec", GRU4Rec, {"layers": 1}),
        ("ligr", LiGR, {"blocks": 2, "expansion": 4}),
        ("hstu", HSTU, {"blocks": 2, "heads": 2}),
    ],
)
@pytest.mark.parametrize("negatives", [None, 99])
def test_the_count_is_that_of_a_training_step(
    kind: str, network: Any, settings: dict[str, Any], negatives: int | None
) -> None:
    model = network(ITEMS, LENGTH, hidden_size=64, **settings).train()
    with FlopCounterMode(display=False) as counter:
        hidden = model(torch.randint(1, ITEMS, (USERS, LENGTH)))
        labelled = hidden.flatten(0, 1)
        labelled = labelled[: round(len(labelled) * settings.get("mask_probability", 1.0))]
        table = model.item_table[: ITEMS if negatives is None else 1 + negatives]
        (labelled @ table.T).sum().backward()
    done = counter.get_total_flops() / 2  # a multiplication and an addition are two
    parameters = sum(p.numel() for p in model.parameters())
    asked = config(kind, **settings)
    trained = record(asked, parameters=parameters, negatives=negatives, best_epoch=1)
    assert operations_to_best(trained) == pytest.approx(done / (USERS * LENGTH), rel=0.03)


def test_epochs_after_the_best_one_cost_nothing() -> None:
    asked = config("sasrec", blocks=2)
    once, thrice = (
        operations_to_best(record(asked, best_epoch=best, epochs=12)) for best in (1, 3)
    )
    assert once and thrice == pytest.approx(3 * once)


@pytest.mark.parametrize(
    "odd",
    [
        {"config": config("my_models:Mine", blocks=2)},
        {"config": config("sasrec", blocks="two")},
        {"config": {"implementation": "sasrec"}},
        {"config": config("bpr-mf"), "epochs": None, "best_epoch": None},
    ],
)
def test_what_cannot_be_counted_is_left_out(odd: dict[str, Any]) -> None:
    assert operations_to_best(record(odd.pop("config"), **odd)) is None
