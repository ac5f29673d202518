"""A training step as one CUDA graph: recorded once, then replayed by a single call of the host.

To launch a step's hundreds of kernels one by one can take longer than their work. A graph runs them
again on the same memory, so a step must not depend on the host: no shape that numbers decide, no
number read back.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_UP = 3
"""Steps before the recording, in which libraries prepare their kernels and memory settles."""


class CapturedStep:
    """A step that is taken kernel by kernel at first, then recorded and replayed."""

    def __init__(
        self,
        step: Callable[..., None],
        generators: Sequence[torch.Generator],
        shape: Callable[[], int],
    ) -> None:
        """Prepare to record `step`, which draws from `generators` and from torch's own stream.

        Once `shape` gives another number, the step is recorded anew.
        """
        self.step, self.shape = step, shape
        self.generators = [each for each in generators if each.device.type == "cuda"]
        self.steps, self.recorded_shape = 0, shape()
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: list[Tensor] = []

    def __call__(self, *inputs: Tensor) -> None:
        """Take a step with `inputs`, whose shapes are always the same."""
        if self.shape() != self.recorded_shape:
            self.steps, self.recorded_shape, self.graph = 0, self.shape(), None
        self.steps += 1
        if self.steps <= WARM_UP:
            self._on_a_stream_of_its_own(inputs)
            return
        if self.graph is None:
            self.inputs = [each.clone() for each in inputs]
            self.graph = self._record()
        for kept, given in zip(self.inputs, inputs, strict=True):
            kept.copy_(given)
        self.graph.replay()

    def _on_a_stream_of_its_own(self, inputs: Sequence[Tensor]) -> None:
        """Take a step as the recording will, away from the stream that others use."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self.step(*inputs)
        torch.cuda.current_stream().wait_stream(stream)

    def _record(self) -> torch.cuda.CUDAGraph:
        """Record a step; nothing is computed."""
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph):
            self.step(*self.inputs)
        return graph
