"""A run computes on the device asked for, in the faster precision, and keeps its memory."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from seqrec.errors import SeqrecError
from seqrec.running import device as devices
from seqrec.running.device import choose_device, product_name
from seqrec.running.engine import GPU_LOGITS_PER_CHUNK, bfloat16_is_faster, choose_engine
from seqrec.running.options import EngineOptions
from seqrec.training.losses import LOGITS_PER_CHUNK

CPU = torch.device("cpu")


def test_the_message_for_an_unknown_device_says_what_to_write() -> None:
    for name in ("gpu", "cuda:99"):
        with pytest.raises(SeqrecError, match=rf"--device {name}: .*write auto, cpu, cuda"):
            choose_device(name)
    assert choose_device("cpu").type == "cpu"


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """Two GPUs, as far as finding one goes, and which have been made current."""
    current: list[torch.device] = []

    def empty(size: int, device: str) -> SimpleNamespace:
        return SimpleNamespace(device=torch.device("cuda:0" if device == "cuda" else device))

    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    return current


@pytest.mark.parametrize(
    ("name", "found"),
    [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu")],
)
@pytest.mark.usefixtures("gpus")
def test_a_gpu_is_taken_where_there_is_one_and_has_the_device_of_its_tensors(
    name: str, found: str
) -> None:
    assert choose_device(name) == torch.device(found)


def test_a_run_makes_its_gpu_the_current_one_whose_streams_are_recorded(
    gpus: list[torch.device],
) -> None:
    threads = torch.get_num_threads()
    engine = choose_engine(EngineOptions(device="cuda:1", threads=threads))
    assert gpus == [engine.device] == [torch.device("cuda:1")]


def test_without_a_gpu_the_cpu_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU


class Machine(TorchFunctionMode):
    """A processor whose matrix products, in place of being computed, take a time that we choose."""

    PRODUCTS = (torch.mm, torch.matmul, Tensor.mm, Tensor.matmul, Tensor.__matmul__)

    def __init__(self, float32_seconds: float, bfloat16_seconds: float) -> None:
        super().__init__()
        self.seconds = {torch.float32: float32_seconds, torch.bfloat16: bfloat16_seconds}
        self.products = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func not in self.PRODUCTS:
            return func(*args, **(kwargs or {}))
        left, right = args
        self.products += 1
        time.sleep(self.seconds[left.dtype])
        return torch.empty(len(left), right.shape[1], dtype=left.dtype)


@pytest.mark.parametrize(("ratio", "faster"), [(0.5, True), (1.0, False), (3.0, False)])
def test_bfloat16_is_taken_where_its_products_take_less_time(ratio: float, faster: bool) -> None:
    with Machine(0.01, 0.01 * ratio):
        assert bfloat16_is_faster(CPU) == faster
        chosen = choose_engine(EngineOptions("cpu"))
    assert chosen.precision == ("bfloat16" if faster else "float32")


@pytest.mark.parametrize(("precision", "ratio"), [("float32", 0.1), ("bfloat16", 10)])
def test_a_precision_that_is_asked_for_is_used_without_measuring(
    precision: Any, ratio: float
) -> None:
    options = EngineOptions("cpu", None, precision, logits_per_chunk=7, compile=True)
    with Machine(0.001, 0.001 * ratio) as machine:  # whose choice would be the other one
        chosen = choose_engine(options)
    assert machine.products == 0
    assert (chosen.precision, chosen.logits_per_chunk, chosen.compile) == (precision, 7, True)
    assert chosen.product_type == getattr(torch, precision)


@pytest.mark.parametrize(
    ("device", "chunk"), [("cpu", LOGITS_PER_CHUNK), ("cuda", GPU_LOGITS_PER_CHUNK)]
)
@pytest.mark.usefixtures("gpus")
def test_a_chunk_is_as_large_as_suits_the_device(device: str, chunk: int) -> None:
    options = EngineOptions(device, precision="float32")
    assert choose_engine(options).logits_per_chunk == chunk


PAGE_FAULTS = """
import ctypes, resource, sys, torch
from seqrec.running.memory import keep_freed_memory
class OlderLibrary:
    @staticmethod
    def mallopt(parameter, value, library=ctypes.CDLL(None)):
        return 0 if parameter == -3 and value > 2**25 else library.mallopt(parameter, value)
if sys.argv[1] == "older":
    ctypes.CDLL = lambda name: OlderLibrary
if sys.argv[1] != "leave":
    keep_freed_memory()
def step():
    return torch.ones(20_000_000).sum()  # 80 MB, freed at once
for _ in range(20):  # until the heap has found its layout
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a matter of glibc")
def test_freed_memory_is_not_fetched_from_the_system_again() -> None:
    faults = {
        mode: int(
            subprocess.run(
                [sys.executable, "-c", PAGE_FAULTS, mode],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for mode in ("keep", "older", "leave")
    }
    assert faults["keep"] < faults["leave"] / 5
    assert faults["older"] < faults["leave"] / 5


HANDED_BACK = """
import torch
from pathlib import Path
from seqrec.running.memory import hand_back_freed_memory, keep_freed_memory
def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
keep_freed_memory()
blocks = [torch.ones(250_000) for _ in range(200)]  # of 1 MB
blocks = blocks[-1]  # it is in use above those that are not
before = megabytes()
hand_back_freed_memory()
print(before - megabytes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a matter of glibc")
def test_freed_memory_below_what_is_in_use_is_handed_back() -> None:
    command = [sys.executable, "-c", HANDED_BACK]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(output) > 150  # MB


GELUS = """
import torch
from pathlib import Path
from seqrec.training.arithmetic import Engine, set_arithmetic
set_arithmetic(Engine(torch.device("cpu"), "float32"))
def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
x = torch.ones(1000, 64)
torch.nn.functional.gelu(x)
before = megabytes()
for rows in range(10, 1000):
    torch.nn.functional.gelu(x[:rows])
print(megabytes() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's account of memory")
def test_float32_keeps_no_code_for_every_shape() -> None:
    command = [sys.executable, "-c", GELUS]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(output) < 20  # MB, of 130 with oneDNN


def test_two_generations_of_processors_of_one_name_have_two_titles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processors = tmp_path / "cpuinfo"
    titles = set()
    for family in (25, 26):
        block = f"cpu family\t: {family}\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nflags\t\t:\n"
        processors.write_text(f"processor\t: 0\n{block}\nprocessor\t: 1\n{block}\n")
        monkeypatch.setattr(devices, "CPUINFO", processors)
        titles.add(product_name(CPU))
    assert titles == {"AMD EPYC (family 25, model 1)", "AMD EPYC (family 26, model 1)"}
