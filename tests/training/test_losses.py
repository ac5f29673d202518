"""Losses equal their textbook form, in value and gradients, and hold no more than a chunk."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from seqrec.training import losses
from seqrec.training.losses import chunks
from seqrec.training.losses.gradients import largest


def textbook_cross_entropy(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
    return F.cross_entropy(hidden @ table.T, targets)


def rows_of(counts: list[int]) -> list[int]:
    """The row of negatives that each position is scored against."""
    return [row for row, count in enumerate(counts) for _ in range(count)]


def textbook_sampled(
    hidden: Tensor, targets: Tensor, table: Tensor, negatives: Tensor, counts: list[int]
) -> Tensor:
    """One position after another: the target against its negatives."""
    values = []
    for state, target, row in zip(hidden, targets, rows_of(counts), strict=True):
        candidates = torch.cat([target[None], negatives[row]])
        values.append(-torch.log_softmax(table[candidates] @ state, 0)[0])
    return torch.stack(values).mean()


def textbook_binary(
    hidden: Tensor, targets: Tensor, table: Tensor, negatives: Tensor, counts: list[int]
) -> Tensor:
    """One decision after another: yes for the target, no for each negative."""
    values = []
    for state, target, row in zip(hidden, targets, rows_of(counts), strict=True):
        values.append(-F.logsigmoid(table[target] @ state))
        values += [-F.logsigmoid(-(table[negative] @ state)) for negative in negatives[row]]
    return torch.stack(values).mean()


sizes = {
    "seed": st.integers(0, 10_000),
    "lengths": st.lists(st.integers(0, 4), min_size=1, max_size=5).filter(any),
    "rows": st.integers(2, 12),
    "width": st.integers(1, 5),
    "negatives": st.integers(1, 6),
    "logits_per_chunk": st.integers(1, 200),
    "scale": st.sampled_from([0.1, 1.0, 30.0]),
}


def drawn(
    seed: int, lengths: list[int], rows: int, width: int, negatives: int, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, list[int]]:
    """Random arguments of a loss, in double precision; a sequence may have no labelled position."""
    generator = torch.Generator().manual_seed(seed)
    negatives = min(negatives, rows)
    options: dict[str, Any] = {"generator": generator, "dtype": torch.float64}
    return (
        scale * torch.randn(sum(lengths), width, **options),
        torch.randint(rows, (sum(lengths),), generator=generator),
        torch.randn(rows, width, **options),
        # Distinct within a row, as they are drawn.
        torch.stack([torch.randperm(rows, generator=generator)[:negatives] for _ in lengths]),
        lengths,
    )


def value_and_gradients(
    loss: Callable[..., Tensor], hidden: Tensor, targets: Tensor, table: Tensor, *more: Any
) -> list[Tensor]:
    hidden, table = hidden.clone().requires_grad_(), table.clone().requires_grad_()
    value = loss(hidden, targets, table, *more)
    # A factor in front: the gradient of what comes after the loss has to arrive.
    return [value.detach(), *torch.autograd.grad(3.0 * value, (hidden, table))]


def assert_same(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("multiple", [1, chunks.ROUND])
@given(**sizes)
def test_full_cross_entropy_is_the_textbooks(
    multiple: int, logits_per_chunk: int, **size: Any
) -> None:
    hidden, targets, table, _, _ = drawn(**size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "ROUND", multiple)  # 1: by positions; else by items, and padded
        ours = value_and_gradients(losses.cross_entropy, hidden, targets, table, logits_per_chunk)
    assert_same(ours, value_and_gradients(textbook_cross_entropy, hidden, targets, table))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (losses.sampled_cross_entropy, textbook_sampled),
        (losses.binary_cross_entropy, textbook_binary),
    ],
)
@pytest.mark.parametrize("sharing", ["sequence", "position"])
@given(**sizes)
def test_sampled_losses_are_the_textbooks(
    ours: Callable[..., Tensor],
    theirs: Callable[..., Tensor],
    sharing: str,
    logits_per_chunk: int,
    **size: Any,
) -> None:
    hidden, targets, table, negatives, counts = drawn(**size)
    if sharing == "position":
        negatives, counts = negatives[rows_of(counts)], [1] * len(hidden)
    arguments = (hidden, targets, table, negatives, counts)
    assert_same(
        value_and_gradients(ours, *arguments, logits_per_chunk),
        value_and_gradients(theirs, *arguments),
    )


@given(seed=st.integers(0, 10_000), chunks=st.tuples(*[st.integers(1, 500)] * 2))
def test_the_size_of_a_chunk_changes_nothing_that_is_learned(
    seed: int, chunks: tuple[int, int]
) -> None:
    arguments = drawn(seed, [3, 1, 4, 2], rows=9, width=4, negatives=5, scale=1.0)
    for loss, count in ((losses.cross_entropy, 3), (losses.sampled_cross_entropy, 5)):
        found = [value_and_gradients(loss, *arguments[:count], chunk) for chunk in chunks]
        assert_same(*found)


@pytest.mark.parametrize("loss", ["full", "by items", "sampled", "mostly sampled", "binary"])
def test_products_in_bfloat16_change_a_loss_by_their_rounding_alone(loss: str) -> None:
    negatives = {"sampled": 40, "mostly sampled": 300}.get(loss, 1)
    function: Any = {
        "full": losses.cross_entropy,
        "binary": losses.binary_cross_entropy,
    }.get(loss, losses.sampled_cross_entropy)
    double = drawn(0, [30, 1, 20, 40], rows=500, width=16, negatives=negatives, scale=0.5)
    arguments = [
        x.float() if isinstance(x, Tensor) and x.is_floating_point() else x for x in double
    ]
    arguments = arguments[:3] if loss == "full" else arguments
    exact = value_and_gradients(function, *arguments)
    limit = 10_000 if loss == "by items" else 100_000
    found = value_and_gradients(function, *arguments, limit, torch.bfloat16)
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.dtype == torch.float32
        difference = (ours - theirs).norm() / theirs.norm()
        assert 0 < difference < 0.01  # a number of bfloat16 has eight significant bits


def test_a_loss_in_bfloat16_is_unbiased_enough_to_train_on() -> None:
    # Rounding must not add up: over many positions the mean loss agrees far better than a bit.
    hidden, targets, table, _, _ = drawn(0, [4_000], rows=300, width=16, negatives=1, scale=1.0)
    arguments = (hidden.float(), targets, table.float())
    exact = losses.cross_entropy(*arguments)
    rounded = losses.cross_entropy(*arguments, product_type=torch.bfloat16)
    assert abs(rounded - exact) < 1e-3 * exact


class Largest(TorchDispatchMode):
    """Notes the most elements that any tensor had which an operation gave."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


ROWS, POSITIONS, WIDTH, NEGATIVES = 1_000, 400, 4, 300


@given(
    st.lists(
        st.lists(st.floats(width=16) | st.just(-float("inf")), min_size=3, max_size=3), min_size=1
    )
)
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32])
def test_the_largest_number_is_found_by_its_bits(
    kind: torch.dtype, numbers: list[list[float]]
) -> None:
    x = torch.tensor(numbers, dtype=kind).nan_to_num(0.0, float("inf"), -float("inf"))
    assert torch.equal(largest(x), x.amax(-1))


@pytest.mark.parametrize("lengths", [[20] * 20, [16, 8] * 16 + [16]], ids=["equal", "unequal"])
@pytest.mark.parametrize("loss", ["full", "sampled", "binary", "by position"])
@pytest.mark.parametrize("logits_per_chunk", [8_000, 20_000])
def test_no_tensor_is_larger_than_a_chunk_of_logits(
    loss: str, logits_per_chunk: int, lengths: list[int]
) -> None:
    hidden, targets, table, negatives, counts = drawn(0, lengths, ROWS, WIDTH, NEGATIVES, 1.0)
    if loss == "by position":
        negatives, counts = negatives[rows_of(counts)], [1] * POSITIONS
    function: Callable[..., Tensor] = {
        "full": losses.cross_entropy,
        "binary": losses.binary_cross_entropy,
    }.get(loss, losses.sampled_cross_entropy)
    arguments = (hidden, targets, table)
    if loss != "full":
        arguments = (*arguments, negatives, counts)
    with Largest() as seen:
        value_and_gradients(function, *arguments, logits_per_chunk)
    # The logits of all positions at once would be many times as many.
    every_logit = POSITIONS * (ROWS if loss == "full" else NEGATIVES)
    assert every_logit > 5 * logits_per_chunk
    assert seen.elements <= logits_per_chunk


def test_the_watch_on_memory_sees_a_loss_that_is_not_in_chunks() -> None:
    hidden, targets, table, _, _ = drawn(0, [POSITIONS], ROWS, WIDTH, 1, 1.0)
    with Largest() as seen:
        value_and_gradients(textbook_cross_entropy, hidden, targets, table)
    assert seen.elements == POSITIONS * ROWS
