"""Options of the workflow: what it runs, where, and how."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, PositiveInt

from seqrec.running.options import PrecisionOption
from seqrec.running.trackers import tracker_names
from seqrec.typed_yaml import Name, Pattern, Strict, name_problem
from seqrec.wording import nearest, quoted

DEVICE = Pattern(r"^(auto|cpu|cuda(:[0-9]{1,3})?)$", "write auto, cpu, cuda or cuda:<number>")
"""How a device is named."""


def _as_text(value: Any) -> Any:
    # Snakemake passes `--config key=` without a value as None, and numbers as numbers.
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else value


def _empty_or_name(value: Any) -> Any:
    if problem := name_problem(value):
        raise ValueError(problem)
    return "" if value is None else value


def _known_trackers(value: str) -> str:
    for name in value.split():
        if name not in (known := tracker_names()):
            raise ValueError(f"no tracker {quoted(name)}; {nearest(name, known)}")
    return value


OptionText = Annotated[str, BeforeValidator(_as_text)]


class WorkflowConfig(Strict):
    """`config/workflow.yaml`: what the workflow runs, where, and how."""

    experiment: Name
    """Name of a file in `config/`, or `reference` for the promoted records."""
    name: Annotated[str, BeforeValidator(_empty_or_name)]
    """New name for an experiment that `set` changes."""
    set: OptionText
    """`key=value` settings, separated by spaces."""
    device: Annotated[OptionText, DEVICE]
    """Where runs compute: auto, cpu, cuda or cuda:<number>."""
    runs_per_gpu: PositiveInt
    """Most runs that share a GPU; `profiles/gpu` starts as many."""
    threads: PositiveInt
    """CPU threads per run."""
    precision: PrecisionOption
    """Precision of the loss's matrix products; on a GPU, of the whole training step."""
    logits_per_chunk: Annotated[
        OptionText, Pattern(r"^(auto|[1-9][0-9]*)$", "write auto or a whole number from 1")
    ]
    """Most logits that a loss holds in memory at a time."""
    compile: bool
    """Whether to compile networks with torch.compile."""
    retrain: Annotated[Literal["", "stale"], BeforeValidator(_as_text)]
    """`stale` to train again what older training code has trained."""
    track: Annotated[OptionText, AfterValidator(_known_trackers)]
    """Experiment trackers that every run reports to, separated by spaces."""
