"""A training step as one CUDA graph: recorded once, then replayed by a single call of the host.

To launch a step's hundreds of kernels one by one can take longer than their work. A graph runs them
again on the same memory, so a step must not depend on the host: no shape that numbers decide, no
number read back.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from seqrec.errors import SeqrecError, is_out_of_memory

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
        self.stream: torch.cuda.Stream | None = None

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
        self.stream = self.stream or torch.cuda.Stream()  # memory is kept for each stream
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            self.step(*inputs)
        torch.cuda.current_stream().wait_stream(self.stream)

    def _record(self) -> torch.cuda.CUDAGraph:
        """Record a step; nothing is computed.

        Raises `SeqrecError` for a step that waits for the host, as a network of one's own may.
        """
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        try:
            # Other threads, which gather what comes next, may go on meanwhile.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self.step(*self.inputs)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            cause = str(error.__context__ or error).partition("\n")[0]
            raise SeqrecError(
                "a training step cannot be recorded as a CUDA graph, because the network or the "
                f"loss makes the device wait for the host ({cause}). Train it with --no-compile."
            ) from error
        return graph
