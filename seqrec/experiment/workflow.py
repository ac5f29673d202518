"""Options of the workflow: what it runs, and where."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PositiveInt, StringConstraints

from seqrec.typed_yaml import Name, Strict


def _empty_for_none(value: Any) -> Any:
    # What `--config key=` without a value comes in as.
    return "" if value is None else value


class WorkflowConfig(Strict):
    """`config/workflow.yaml`: what the workflow runs, and where."""

    experiment: Name
    """A file of `config/`, or `reference` for the promoted records."""
    name: Annotated[str, BeforeValidator(_empty_for_none)]
    """New name of an experiment that `set` changes."""
    set: Annotated[str, BeforeValidator(_empty_for_none)]
    """`key=value` settings, separated by spaces."""
    device: str
    runs_per_gpu: PositiveInt
    """Runs that may be on a GPU at a time; `profiles/gpu` starts as many."""
    threads: PositiveInt
    """CPU threads of a run."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Of products with the item table in training; on a GPU, of the network's too."""
    logits_per_chunk: Annotated[
        str, BeforeValidator(str), StringConstraints(pattern=r"^(auto|[1-9][0-9]*)$")
    ]
    """Logits that a loss holds at a time."""
    compile: bool
    """Whether networks go through torch.compile."""
    retrain: Annotated[Literal["", "stale"], BeforeValidator(_empty_for_none)]
    """`stale`: a record of older training code does not count as finished."""
    track: Annotated[
        str,
        BeforeValidator(_empty_for_none),
        StringConstraints(pattern=r"^((tensorboard|clearml|mlflow) *)*$"),
    ]
    """Trackers that every run also reports to, separated by spaces."""
