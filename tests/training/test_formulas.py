"""Losses as formulas of logits: hand-written gradients agree with them, and any other fits too."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from test_losses import Largest, assert_same, drawn, rows_of, sizes, value_and_gradients
from torch import Tensor

from seqrec.experiment.built_in import built_in_loss
from seqrec.experiment.schema import BUILT_IN_LOSSES, Loss
from seqrec.training.losses import formulas, sampled
from seqrec.training.losses.generic import Formula, full_by_autograd, sampled_by_autograd
from seqrec.training.losses.registry import formula_of, full_loss, function_of, sampled_loss_of
from seqrec.training.losses.sampled import Sampled

GOLDEN = Path(os.environ.get("SEQREC_GOLDEN_LAYERS") or Path(__file__).parents[1] / "golden_layers")
ITEMS = 50
SAMPLED = [kind for kind, sharing in BUILT_IN_LOSSES.items() if sharing]


def configured(kind: str, negatives: int | None) -> Loss:
    parameters = {"regularisation": 0.3} if kind == "bpr-max" else {}
    return Loss.model_validate({"kind": kind, "negatives": negatives, "parameters": parameters})


def textbook_gbce(target: Tensor, negatives: Tensor) -> Tensor:
    """As the paper writes it, with t 0.75."""
    rate = negatives.shape[1] / (ITEMS - 1)
    beta = rate * (0.75 * (1 - 1 / rate) + 1 / rate)
    terms = (target.sigmoid() ** beta).log() + (1 - negatives.sigmoid()).log().sum(1)
    return -terms / (1 + negatives.shape[1])


def textbook_bpr_max(target: Tensor, negatives: Tensor) -> Tensor:
    """As the paper writes it, with a regularisation of 0.3."""
    weights = torch.softmax(negatives, 1)
    likelihood = (weights * (target[:, None] - negatives).sigmoid()).sum(1).log()
    return -likelihood + 0.3 * (weights * negatives**2).sum(1)


TEXTBOOKS: dict[str, Formula] = {
    "sampled-cross-entropy": lambda target, negatives: (
        -torch.log_softmax(torch.cat([target[:, None], negatives], 1), 1)[:, 0]
    ),
    "binary-cross-entropy": lambda target, negatives: (
        -(target.sigmoid().log() + (1 - negatives.sigmoid()).log().sum(1))
        / (1 + negatives.shape[1])
    ),
    "gbce": textbook_gbce,
    "bpr": lambda target, negatives: -(target[:, None] - negatives).sigmoid().log().mean(1),
    "bpr-max": textbook_bpr_max,
}


@pytest.mark.parametrize("kind", SAMPLED)
def test_each_formula_is_the_textbooks(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(30, generator=generator, dtype=torch.float64)
    negatives = torch.randn(30, 7, generator=generator, dtype=torch.float64)
    ours = formula_of(configured(kind, 7), ITEMS)(target, negatives)
    torch.testing.assert_close(ours, TEXTBOOKS[kind](target, negatives))


@pytest.mark.parametrize("kind", SAMPLED)
@pytest.mark.parametrize("size", [40.0, 300.0])
def test_formulas_are_finite_for_large_logits(kind: str, size: float) -> None:
    target = torch.tensor([-size, size, 0.0], requires_grad=True)
    negatives = torch.tensor([[size, -size], [-size, -size], [size, size]], requires_grad=True)
    loss = formula_of(configured(kind, 2), ITEMS)(target, negatives)
    gradients = torch.autograd.grad(loss.sum(), (target, negatives))
    assert all(bool(torch.isfinite(each).all()) for each in (loss, *gradients))


def test_every_built_in_loss_has_a_formula_of_its_kind() -> None:
    for kind, sharing in BUILT_IN_LOSSES.items():
        given = list(built_in_loss(kind).parameters)[:2]
        assert given == (["target", "negatives"] if sharing else ["logits", "target"])
        assert function_of(kind).__doc__


@pytest.mark.parametrize("kind", SAMPLED)
@pytest.mark.parametrize("sharing", ["sequence", "position"])
@pytest.mark.parametrize("corrected", [False, True])
@given(**sizes)
def test_a_sampled_loss_is_its_formula_of_all_logits_at_once(
    kind: str, sharing: str, corrected: bool, logits_per_chunk: int, **size: Any
) -> None:
    """By hand or by autograd, shared or not, in chunks of any size, with a correction or none."""
    hidden, targets, table, negatives, counts = drawn(**size | {"scale": 1.0})
    if sharing == "position":
        negatives, counts = negatives[rows_of(counts)], [1] * len(hidden)
    correction = table[negatives].sum(2) if corrected else None
    loss = configured(kind, negatives.shape[1])
    each = rows_of(counts)

    def ours(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
        arguments = Sampled(targets, negatives, counts, logits_per_chunk, correction=correction)
        return sampled_loss_of(loss, ITEMS)(hidden, table, arguments)

    def generic(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
        arguments = Sampled(targets, negatives, counts, logits_per_chunk, correction=correction)
        return sampled_by_autograd(formula_of(loss, ITEMS), hidden, table, arguments)

    def at_once(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
        logits = (table[negatives[each]] @ hidden[:, :, None])[:, :, 0]
        if correction is not None:
            logits = logits - correction[each]
        return formula_of(loss, ITEMS)((hidden * table[targets]).sum(1), logits).mean()

    theirs = value_and_gradients(at_once, hidden, targets, table)
    assert_same(value_and_gradients(ours, hidden, targets, table), theirs)
    assert_same(value_and_gradients(generic, hidden, targets, table), theirs)


@given(**sizes)
def test_cross_entropy_by_hand_and_by_autograd_agree(logits_per_chunk: int, **size: Any) -> None:
    hidden, targets, table, _, _ = drawn(**size)

    def by_autograd(*arguments: Tensor) -> Tensor:
        return full_by_autograd(formulas.cross_entropy, *arguments, logits_per_chunk)

    by_hand = full_loss(configured("cross-entropy", None), ITEMS)
    assert_same(
        value_and_gradients(by_autograd, hidden, targets, table),
        value_and_gradients(by_hand, hidden, targets, table, logits_per_chunk, None),
    )


@pytest.mark.parametrize("kind", ["gbce", "bpr"])
@pytest.mark.parametrize("corrected", [False, True])
def test_picked_from_all_logits_or_gathered_negatives_are_the_same(
    kind: str, corrected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, targets, table, _, _ = drawn(0, [30], 20, 4, 1, 1.0)
    negatives = torch.randint(20, (30, 12))  # some of them several times
    correction = torch.randn(30, 12, dtype=torch.float64) if corrected else None
    arguments = Sampled(targets, negatives, [1] * 30, 200, correction=correction)
    found = []
    for logits_per_gather in (0, 1_000):
        monkeypatch.setattr(sampled, "LOGITS_PER_GATHER", logits_per_gather)
        loss = sampled_loss_of(configured(kind, 12), ITEMS)
        found.append(
            value_and_gradients(
                lambda hidden, targets, table, loss=loss: loss(hidden, table, arguments),
                hidden,
                targets,
                table,
            )
        )
    assert_same(*found)


def hinge(target: Tensor, negatives: Tensor) -> Tensor:
    return F.relu(0.5 - target[:, None] + negatives).mean(1)


def of_norm(target: Tensor, negatives: Tensor) -> Tensor:
    """Its gradient is not finite where all logits are zero, as those of padding are."""
    return negatives.norm(dim=1) - target


@pytest.mark.parametrize("formula", [hinge, of_norm])
def test_a_formula_never_sees_padding(formula: Formula) -> None:
    hidden, targets, table, negatives, counts = drawn(0, [9, 1, 4], 30, 4, 5, 1.0)
    found = value_and_gradients(
        lambda hidden, targets, table: sampled_by_autograd(
            formula, hidden, table, Sampled(targets, negatives, counts)
        ),
        hidden,
        targets,
        table,
    )
    assert all(bool(torch.isfinite(each).all()) for each in found)


@pytest.mark.parametrize("kind", ["gbce", "bpr"])
def test_in_bfloat16_a_loss_changes_by_rounding_alone(kind: str) -> None:
    double = drawn(0, [30, 1, 20, 40], rows=500, width=16, negatives=40, scale=0.5)
    hidden, targets, table, negatives, counts = (
        x.float() if isinstance(x, Tensor) and x.is_floating_point() else x for x in double
    )
    loss = sampled_loss_of(configured(kind, 40), ITEMS)
    exact, narrow = (
        value_and_gradients(
            lambda hidden, targets, table, kind=kind: loss(
                hidden, table, Sampled(targets, negatives, counts, product_type=kind)
            ),
            hidden,
            targets,
            table,
        )
        for kind in (None, torch.bfloat16)
    )
    for ours, theirs in zip(narrow, exact, strict=True):
        assert ours.dtype == torch.float32
        assert 0 < (ours - theirs).norm() / theirs.norm() < 0.01


@pytest.mark.golden
@pytest.mark.parametrize("file", ["gbce_t0.0", "gbce_t0.75", "gbce_t1.0"])
def test_gbce_has_the_golden_losses_and_gradients(file: str) -> None:
    golden = np.load(GOLDEN / f"{file}.npz")
    logits = torch.from_numpy(golden["logits"])
    positions, columns = logits.shape
    items = int(golden["items"])
    loss = Loss(kind="gbce", negatives=columns - 1, parameters={"t": float(golden["t"])})
    # A row of the table for each logit, so that products with these states are the logits.
    hidden = torch.eye(positions)
    table = (logits.T[:, :, None] * hidden).transpose(0, 1).flatten(0, 1).requires_grad_()
    rows = torch.arange(positions * columns).view(positions, columns)
    arguments = Sampled(rows[:, 0], rows[:, 1:], [1] * positions)
    for compute in (
        sampled_loss_of(loss, items),
        lambda *given: sampled_by_autograd(formula_of(loss, items), *given),
    ):
        value = compute(hidden, table, arguments)
        (gradient,) = torch.autograd.grad(value, table)
        assert float(value.detach()) == pytest.approx(float(golden["loss"]), rel=1e-5)
        ours = gradient.view(positions, columns, positions).diagonal(dim1=0, dim2=2).T
        theirs = torch.from_numpy(golden["grad.logits"])
        assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


@pytest.mark.parametrize("lengths", [[20] * 20, [16, 8] * 16 + [16], [400]], ids=str)
@pytest.mark.parametrize("sharing", ["full", "sequence", "position"])
@pytest.mark.parametrize("logits_per_chunk", [8_000, 20_000])
def test_a_formula_holds_no_tensor_larger_than_a_chunk_of_logits(
    sharing: str, logits_per_chunk: int, lengths: list[int]
) -> None:
    rows, width = 1_000, 4
    hidden, targets, table, negatives, counts = drawn(0, lengths, rows, width, 300, 1.0)
    if sharing == "position":
        negatives, counts = negatives[rows_of(counts)], [1] * len(hidden)

    def own(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
        if sharing == "full":
            return full_by_autograd(
                formulas.cross_entropy, hidden, targets, table, logits_per_chunk
            )
        arguments = Sampled(targets, negatives, counts, logits_per_chunk)
        return sampled_by_autograd(hinge, hidden, table, arguments)

    with Largest() as seen:
        value_and_gradients(own, hidden, targets, table)
    assert seen.elements <= logits_per_chunk


MANY_ITEMS = """
import resource, sys, torch
from seqrec.training.losses.generic import full_by_autograd, sampled_by_autograd
from seqrec.training.losses.sampled import Sampled

def softmax(logits, target):
    return logits.logsumexp(1) - logits.gather(1, target[:, None])[:, 0]

def hinge(target, negatives):
    return (0.5 - target[:, None] + negatives).relu().mean(1)

torch.set_num_threads(1)
items, width, positions = 500_000, 4, 300
hidden = torch.randn(positions, width, requires_grad=True)
table = torch.randn(items, width, requires_grad=True)
targets = torch.randint(items, (positions,))
negatives = torch.randint(items, (1, 100_000))

def loss():
    if sys.argv[1] == "full":
        return full_by_autograd(softmax, hidden, targets, table, {chunk})
    arguments = Sampled(targets, negatives, [positions], {chunk})
    return sampled_by_autograd(hinge, hidden, table, arguments)

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
loss().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("kind", ["full", "sampled"])
def test_the_memory_of_an_own_loss_over_half_a_million_items_is_bounded(kind: str) -> None:
    chunk = 2_000_000
    code = MANY_ITEMS.replace("{chunk}", str(chunk))
    done = subprocess.run(
        [sys.executable, "-c", code, kind], capture_output=True, text=True, check=True
    )
    kilobytes = int(done.stdout)
    table = 500_000 * 4 * 4  # bytes, as are its gradient and what carries it
    # All logits at once would be 600 MB in one tensor (120 MB for the sampled ones), and several.
    assert kilobytes * 1024 < 8 * (4 * chunk) + 6 * table
