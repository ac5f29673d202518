"""Options of the workflow: what it runs, where, and how."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PositiveInt, StringConstraints

from seqrec.typed_yaml import Name, Strict


def _empty_for_none(value: Any) -> Any:
    # Snakemake passes `--config key=` without a value as None.
    return "" if value is None else value


class WorkflowConfig(Strict):
    """`config/workflow.yaml`: what the workflow runs, where, and how."""

    experiment: Name
    """Name of a file in `config/`, or `reference` for the promoted records."""
    name: Annotated[str, BeforeValidator(_empty_for_none)]
    """New name for an experiment that `set` changes."""
    set: Annotated[str, BeforeValidator(_empty_for_none)]
    """`key=value` settings, separated by spaces."""
    device: str
    """Where runs compute: auto, cpu, cuda or cuda:<number>."""
    runs_per_gpu: PositiveInt
    """Most runs that share a GPU; `profiles/gpu` starts as many."""
    threads: PositiveInt
    """CPU threads per run."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Precision of the loss's matrix products; on a GPU, of the whole training step."""
    logits_per_chunk: Annotated[
        str, BeforeValidator(str), StringConstraints(pattern=r"^(auto|[1-9][0-9]*)$")
    ]
    """Most logits that a loss holds in memory at a time."""
    compile: bool
    """Whether to compile networks with torch.compile."""
    retrain: Annotated[Literal["", "stale"], BeforeValidator(_empty_for_none)]
    """`stale` to train again what older training code has trained."""
    track: Annotated[
        str,
        BeforeValidator(_empty_for_none),
        StringConstraints(pattern=r"^((tensorboard|clearml|mlflow) *)*$"),
    ]
    """Experiment trackers that every run reports to, separated by spaces."""
