"""When a step is recorded as a CUDA graph, and what a replay works on.

A CUDA graph needs CUDA. Here it is played by one that takes the recorded step again on the memory
of the recording, as a graph does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.errors import SeqrecError
from seqrec.training.captured import WARM_UP, CapturedStep


class Graph:
    """Takes the recorded step again, with the very tensors of the recording."""

    made = 0

    def __init__(self) -> None:
        Graph.made += 1
        self.calls: list[tuple[Tensor, ...]] = []
        self.generators: list[Any] = []

    def register_generator_state(self, generator: Any) -> None:
        self.generators.append(generator)

    def replay(self) -> None:
        taken.extend(int(given.sum()) for (given,) in self.calls)


taken: list[int] = []
"""Sums of the inputs of all steps."""
recording: list[Graph] = []
registered: list[list[Any]] = []
"""Generators that each recording may draw from, which CUDA refuses of any other."""


def step(given: Tensor) -> None:
    if recording:
        recording[-1].calls.append((given,))
        registered.append(list(recording[-1].generators))
    else:
        taken.append(int(given.sum()))


class Stream:
    def wait_stream(self, other: "Stream") -> None:
        pass


@contextmanager
def within(entered: Any, **_: Any) -> Iterator[None]:
    is_graph = isinstance(entered, Graph)
    if is_graph:
        recording.append(entered)
    yield
    if is_graph:
        recording.pop()


@pytest.fixture(autouse=True)
def played(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have torch's graphs and streams played."""
    taken.clear()
    registered.clear()
    Graph.made = 0
    for name, part in (("Stream", Stream), ("CUDAGraph", Graph), ("current_stream", Stream)):
        monkeypatch.setattr(torch.cuda, name, part)
    for name in ("stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, within)


def test_a_step_is_recorded_after_some_and_replayed_with_the_inputs_of_each() -> None:
    shape = 1
    of_gpu: Any = SimpleNamespace(device=torch.device("cuda:0"))
    captured = CapturedStep(step, [torch.Generator(), of_gpu], lambda: shape)
    for number in range(WARM_UP + 4):
        captured(torch.tensor([number, 1]))
    assert taken == [number + 1 for number in range(WARM_UP + 4)]
    assert Graph.made == 1
    shape = 2
    for number in range(WARM_UP + 2):
        captured(torch.tensor([number, 1]))
    assert taken[WARM_UP + 4 :] == [number + 1 for number in range(WARM_UP + 2)]
    assert Graph.made == 2
    assert registered == [[of_gpu], [of_gpu]]


def test_a_step_that_waits_for_the_host_is_refused_with_a_remedy() -> None:
    def waiting(given: Tensor) -> None:
        if recording:
            recording.pop()
            raise RuntimeError("operation not permitted when stream is capturing")

    captured = CapturedStep(waiting, [], lambda: 0)
    for _ in range(WARM_UP):
        captured(torch.ones(1))
    with pytest.raises(SeqrecError, match=r"wait for the host .*capturing.*--no-compile"):
        captured(torch.ones(1))
