"""Arguments and options that several commands share."""

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import click
from click.shell_completion import CompletionItem

from seqrec.cli import completion
from seqrec.errors import SeqrecError
from seqrec.running.options import AUTOMATIC, PrecisionOption
from seqrec.running.trackers import OURS, tracker_names
from seqrec.wording import nearest, quoted, shortened

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class GivenPath(click.Path):
    """A path that is not empty, as one from an unset variable is."""

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Any:
        if value == "":
            self.fail("must not be empty; write . for the current folder.", parameter, context)
        return super().convert(value, parameter, context)


class TrackerName(click.ParamType):
    """One of our trackers, or of those that installed packages add: not known before it is used."""

    name = "tracker"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> str:
        if value not in (known := tracker_names()):
            self.fail(f"no tracker {quoted(value)}; {nearest(value, known)}", parameter, context)
        return str(value)

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(name) for name in tracker_names() if name.startswith(incomplete)]


Folder = functools.partial(GivenPath, file_okay=False, path_type=Path)

File = functools.partial(GivenPath, dir_okay=False, path_type=Path)

dataset_argument = click.argument("dataset", shell_complete=completion.datasets)

settings_argument = click.argument("settings", nargs=-1, shell_complete=completion.settings)
"""`key=value` pairs that change an experiment."""

output_option = click.option("--output", type=File(), required=True, help="File to write.")


def _device(context: click.Context, parameter: click.Parameter, value: str) -> str:
    from seqrec.running.workflow import DEVICE

    if not DEVICE.matches(value):
        raise SeqrecError(f"--device {shortened(value)}: {DEVICE.meant}.")
    return value


device_option = click.option(
    "--device",
    default=AUTOMATIC.device,
    show_default=True,
    callback=_device,
    help="auto, cpu, cuda or cuda:<number>.",
)


strict_option = click.option(
    "--strict", is_flag=True, help="Refuse items that the dataset does not have; else skip them."
)

log_option = click.option(
    "--data", type=Folder(), help="The run's log.  [default: data/processed/DATASET]"
)

trust_option = click.option(
    "--trust",
    is_flag=True,
    help="Import the record's custom model, and so run its code, even if no file of config/models/ "
    "names it.",
)


def results_argument(exists: bool = True) -> Decorator:
    """Take the folder of an experiment's results; with `exists`, click checks that it does."""
    return click.argument("results", type=Folder(exists=exists), shell_complete=completion.results)


def experiment_parameters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Take an experiment, the settings that change it, and the name that it then needs."""
    for parameter in (
        click.option("--name", help="New name; needed where SETTINGS change the experiment."),
        settings_argument,
        click.argument("experiment", shell_complete=completion.experiments),
    ):
        command = parameter(command)
    return command


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Take where and how a run computes; none of it belongs to the run's configuration."""
    for option in (
        click.option(
            "--track",
            type=TrackerName(),
            multiple=True,
            help=f"Also report to this tracker: {', '.join(OURS)}, or one that an installed "
            "package adds; may be repeated.",
        ),
        click.option("--compile/--no-compile", help="Compile the network with torch.compile."),
        click.option(
            "--logits-per-chunk",
            type=click.IntRange(min=1),
            help="Logits that a loss computes at a time; fewer save memory.  [default: auto]",
        ),
        click.option(
            "--precision",
            type=click.Choice(get_args(PrecisionOption)),
            default=AUTOMATIC.precision,
            show_default=True,
            help="Precision of the loss's matrix products; on a GPU, of the whole training step. "
            "auto takes the faster one.",
        ),
        click.option(
            "--threads",
            type=click.IntRange(min=1),
            help="CPU threads.  [default: one for each core, at most 4]",
        ),
        click.option(
            "--runs-per-gpu",
            type=click.IntRange(min=1),
            help="Runs that may share a GPU; further runs wait. Ignored where --device or Slurm "
            "names one GPU.  [default: any number]",
        ),
        device_option,
    ):
        command = option(command)
    return command


@contextmanager
def saying_what_is_skipped() -> Iterator[None]:
    """Print the warnings about ids that are skipped, as lines without a place in the code."""
    from seqrec.running.histories import SkippedIds

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SkippedIds)
        yield
    for warning in caught:
        if issubclass(warning.category, SkippedIds):
            click.echo(str(warning.message), err=True)
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
