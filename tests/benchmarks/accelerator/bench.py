"""What every case measures with: the device, logs, trainers, and a clock that waits for both."""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerator.prepared import Prepared

from seqrec.data.sequences import Sequences
from seqrec.models import Network
from seqrec.protocol.splits import Splits
from seqrec.running.device import choose_device
from seqrec.running.engine import choose_engine
from seqrec.running.memory import peak_memory
from seqrec.running.options import EngineOptions
from seqrec.training.arithmetic import Engine
from seqrec.training.beginning import begin_run
from seqrec.training.loop import Trainer


@dataclass
class Bench:
    """A device, and what was prepared to be measured on it."""

    prepared: Prepared
    _logs: dict[str, Sequences] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        return choose_device("auto")  # by its number, as tensors have it

    def log(self, name: str) -> Sequences:
        if name not in self._logs:
            self._logs[name] = self.prepared.log(name)
        return self._logs[name]

    def engine(self, precision: Any, compile: bool) -> Engine:
        return choose_engine(EngineOptions(precision=precision, compile=compile))

    def begin(self, config: Any, log: Sequences, engine: Engine) -> tuple[Splits, Network]:
        """Begin a run as a training does, but with a log and a configuration of a bare machine."""
        splits, network = begin_run(config, log, engine)  # type: ignore[arg-type]
        assert isinstance(network, Network)
        return splits, network

    def trainer(
        self, log: str, model: str, precision: str, compile: bool = False, seed: int = 0
    ) -> Trainer:
        config, engine = self.prepared.config(log, model, seed), self.engine(precision, compile)
        splits, network = self.begin(config, self.log(log), engine)
        return Trainer(network, splits, config, engine)

    def seconds(self) -> float:
        """Return the time, once the device has done all that it was told."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def forget_peak(self) -> None:
        """Begin to look for the peak of memory anew."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        with suppress(OSError):  # other systems than Linux keep the peak of the whole process
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    def peaks(self) -> dict[str, int]:
        """Return the peak of the device's memory, and of the process's on the host."""
        host = peak_memory(torch.device("cpu"))
        return {"peak bytes": peak_memory(self.device), "host's peak bytes": host}
