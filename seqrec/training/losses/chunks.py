"""How losses cut their work into chunks: sizes, slices and padding."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

LOGITS_PER_CHUNK = 16_000_000
"""Logits held at a time: few enough for a CPU's cache, many enough to share a call's cost."""

ROUND = 128
"""Positions of a chunk come in multiples of this. The library behind bfloat16 products prepares
code for each shape and keeps it: a new shape with each step costs time and, in the end, gigabytes.
"""


def slices(length: int, chunk: int) -> Iterator[slice]:
    """Cut `length` positions or rows into slices of `chunk`, the last one shorter."""
    for start in range(0, length, chunk):
        yield slice(start, min(start + chunk, length))


def sequence_chunks(
    counts: Sequence[int] | int, negatives: Tensor, width: int, logits_per_chunk: int
) -> Iterator[tuple[slice, slice]]:
    """Cut whole sequences into runs of (sequences, positions), below the limit where possible.

    `negatives` are `[sequences, N]`.
    """
    if isinstance(counts, int):
        each = (counts + width) * negatives.shape[1]
        for group in slices(len(negatives), max(1, logits_per_chunk // each)):
            yield group, slice(group.start * counts, group.stop * counts)
        return
    start = position = length = longest = 0
    for row, count in enumerate(counts):
        # Each sequence is padded to the longest, and its negatives' vectors take memory too, as
        # much as `width` logits each.
        cost = (
            (row - start + 1) * (rounded_length(max(longest, count)) + width) * negatives.shape[1]
        )
        if row > start and cost > logits_per_chunk:
            yield slice(start, row), slice(position, position + length)
            start, position, length, longest = row, position + length, 0, 0
        length += count
        longest = max(longest, count)
    yield slice(start, len(counts)), slice(position, position + length)


def rounded_up(positions: Tensor) -> Tensor:
    """Append zeros to `[positions, ...]` up to a multiple of `ROUND`.

    A state of zeros adds nothing to the table's gradient, whatever its logits.
    """
    missing = -len(positions) % ROUND
    return torch.cat([positions, positions.new_zeros(missing, *positions.shape[1:])])


def rounded_length(length: int) -> int:
    """Round a longer sequence's length up to a multiple of eight, for the reason of `ROUND`."""
    return length if length < 8 else -(-length // 8) * 8


def spread(values: Tensor, place: Tensor | slice, shape: tuple[int, int]) -> Tensor:
    """Put `values` `[positions, ...]` at their places in `[sequences, longest, ...]`, else zero.

    A slice means that they fill it.
    """
    if isinstance(place, slice):
        return values.view(*shape, *values.shape[1:])
    found = values.new_zeros(shape[0] * shape[1], *values.shape[1:])
    return found.index_copy_(0, place, values).view(*shape, *values.shape[1:])
