"""Types of arguments and options that several commands share."""

import functools
from pathlib import Path

import click

RESULTS = Path("results")


PROCESSED = Path("data/processed")


Folder = functools.partial(click.Path, file_okay=False, path_type=Path)


File = functools.partial(click.Path, dir_okay=False, path_type=Path)


device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:<number>."
)
