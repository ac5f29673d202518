"""What the networks share: attention, dropout, and states at one position."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from small_runs import NETWORKS, depth_of
from torch import Tensor, nn

from seqrec.experiment.implementations import import_model
from seqrec.models import Attention, Dropout


@given(
    seed=st.integers(0, 1000),
    batch=st.integers(1, 3),
    time=st.integers(1, 6) | st.integers(60, 200),
    heads=st.integers(1, 3),
    reads=st.sampled_from(["all before", "all usable", "usable, by one query"]),
    trained=st.booleans(),
)
def test_attention_is_that_of_torch(
    seed: int, batch: int, time: int, heads: int, reads: str, trained: bool
) -> None:
    torch.manual_seed(seed)
    width = 4 * heads
    ours = Attention(width, heads, dropout=0.0 if trained else 0.1).train(trained)
    nn.init.normal_(ours.in_projection.bias)
    theirs = nn.MultiheadAttention(width, heads, batch_first=True)
    theirs.in_proj_weight.data = ours.in_projection.weight.data
    theirs.in_proj_bias.data = ours.in_projection.bias.data
    theirs.out_proj = ours.out_projection
    queries, context = torch.randn(2, batch, time, width)
    causal = reads == "all before"
    if reads == "usable, by one query":
        queries = queries[:, :1]
    lengths = torch.randint(1, time + 1, (batch,))
    real = None if causal else torch.arange(time) < lengths[:, None]
    future = torch.ones(time, time, dtype=torch.bool).triu(1) if causal else None
    expected, _ = theirs(
        queries, context, context, None if real is None else ~real, attn_mask=future
    )
    found = ours(queries, context, real)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_attention_drops_weights_and_not_what_they_weigh() -> None:
    torch.manual_seed(0)
    attention = Attention(4, 1, 0.5).train()
    x = torch.randn(1, 6, 4)
    draws = torch.stack([attention(x, x) for _ in range(4_000)])
    attention.eval()
    # The mean over dropouts is attention without one, since weights enter linearly.
    torch.testing.assert_close(draws.mean(0), attention(x, x), rtol=0, atol=0.03)
    assert draws.std(0).min() > 0


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_drops_each_element_with_its_probability(
    probability: float,
) -> None:
    torch.manual_seed(0)
    x = torch.ones(999, 1001, requires_grad=True)  # no multiple of the four that share a draw
    y = Dropout(probability).train()(x)
    dropped = (y == 0).float()
    sigma = (probability * (1 - probability)) ** 0.5
    assert abs(dropped.mean() - probability) < 5 * sigma / 1000
    # Neighbours, which share a draw, are dropped independently of each other.
    for lag in (1, 2, 3, 4):
        both = (dropped[:, :-lag] * dropped[:, lag:]).mean()
        assert abs(both - probability**2) < 5 * sigma / 1000
    kept = y[y != 0]
    torch.testing.assert_close(
        kept, torch.full_like(kept, 1 / (1 - probability)), rtol=1e-4, atol=0
    )
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y.detach())  # the same elements, by the same factor


def test_dropout_is_off_in_evaluation_and_at_zero() -> None:
    x = torch.randn(5, 5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_dropout_follows_the_seed() -> None:
    def draw(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return Dropout(0.5).train()(torch.ones(100))

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))


@pytest.mark.parametrize("implementation", list(NETWORKS))
def test_states_at_a_position_are_those_of_the_whole_sequence(implementation: str) -> None:
    torch.manual_seed(0)
    hyperparameters = NETWORKS[implementation] | {depth_of(implementation): 2}
    network = import_model(implementation)(20, 8, **hyperparameters).eval()
    with torch.no_grad():  # biases and norms that matter
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    lengths = torch.tensor([8, 1, 5, 3])
    rows = torch.randint(2, 20, (4, 8)) * (torch.arange(8) < lengths[:, None])
    with torch.no_grad():
        whole = network(rows)[torch.arange(4), lengths - 1]
        torch.testing.assert_close(
            network.states_at(rows, lengths - 1), whole, rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("implementation", ["sasrec", "ligr", "hstu"])
def test_padding_changes_no_real_position(implementation: str) -> None:
    network = import_model(implementation)(20, 8, **NETWORKS[implementation]).eval()
    rows = torch.randint(1, 20, (3, 5))
    with torch.no_grad():
        torch.testing.assert_close(network(F.pad(rows, (0, 3)))[:, :5], network(rows))
