"""Command lines with most of their words right, and any word or two wrong."""

import os
from collections.abc import Iterator
from pathlib import Path

import click
from damages import NUMBERS, TEXTS
from dice import Dice
from fuzz_case import Case, Words
from fuzz_projects import RESULTS, RUNS
from small_runs import small_config
from valid_files import FRAGMENTS

from seqrec.cli.main import main

R, MINE, POPULARITY = (str(folder) for folder in (RESULTS, RUNS["mine"], RUNS["popularity"]))
USERS = b"user,item,timestamp\n" + b"".join(
    b"%d,%d,%d\n" % (user, 1 + (user * 7 + step) % 40, step)
    for user in (1, 2, 3)
    for step in range(4)
)
"""A table of users with their histories."""

VALID: dict[str, list[str]] = {
    "dataset": ["small"],
    "model": ["popularity", "popularity", "mine"],
    "experiment": ["theirs"],
    "settings": ["training.max_epochs=1", "seeds=[0,1]", "hyperparameters.hidden_size=4"],
    "name": ["changed"],
    "results": [R],
    "command": ["true", "no-such-program", "config"],
    "a": [R, MINE],
    "b": [POPULARITY, f"{R}/runs/small"],
    "run": [MINE, POPULARITY],
    "history": ["1,2,3", '"1",2'],
    "users": ["users.csv"],
    "cutoffs": ["1", "10"],
    "like": ["small", "demo"],
    "output": ["new/file.csv", "new.parquet"],
    "data": ["data/processed/small"],
    "raw": ["data/raw"],
    "device": ["cpu", "auto"],
    "precision": ["float32", "auto"],
    "threads": ["1"],
    "track": ["tensorboard"],
    "mean_length": ["5.5"],
    "config_json": [small_config("popularity").json()],
}
DRAWING = {"figures", "report"}
"""They take long, so they are rare."""
COMMANDS = [*main.commands, *(name for name in main.commands if name not in DRAWING)] * 2
NEVER = {"watch", "compile"}
"""Options without an end in sight: one waits for runs, the other compiles for a minute."""
ODD_WORDS = [
    *map(str, NUMBERS),
    *(text.replace("\0", "\\0") for text in TEXTS if len(text) < 6000 and text != "\ud800"),
    *("nowhere", "config", "config/demo.yaml", "data/raw/small.json", "pipe", "endless", "loop"),
    *("pipe/x", f"{R}/grid.json", f"{R}/grid.json/x", "x" * 300, "a/" * 3000, ".", "..", "~"),
    *("--", "-", "--help", "--no-such", "-k", "--output", "--output=", "=", "a=b", "a.b=c", "{}"),
    *("[]", "null", "\udcff", "nan", "1_0", "٣", "cuda:9", "bfloat16", "reference", "http:"),
]
SETTINGS = ["training.max_epochs", "models", "seeds", "hyperparameters.hidden_size", "loss", "x"]


def odd_command_line(project: Path, dice: Dice) -> Case:
    """Call any command, beside a pipe, an endless file and a link to itself."""
    os.mkfifo(project / "pipe")
    (project / "endless").symlink_to("/dev/zero")
    (project / "loop").symlink_to("loop")
    (project / "users.csv").write_bytes(USERS)
    name = dice.among(COMMANDS)
    words = [word for group in _groups(main.commands[name], dice) for word in group]
    for _ in range(dice.below(3)):
        at = dice.below(len(words) + 1)
        new = dice.among([*ODD_WORDS, *words])
        if dice.chance(0.2):
            new = f"{dice.among(SETTINGS)}={dice.among([*FRAGMENTS, *ODD_WORDS])}"
        kind = dice.below(3)
        words[at : at + (kind > 0)] = [new] if kind < 2 else []
    return Case([[name, *(word.replace("\0", "") for word in words)]])


def _groups(command: click.Command, dice: Dice) -> Iterator[Words]:
    """Yield the words of each parameter that is given, options in any place."""
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    options = [each for each in command.params if isinstance(each, click.Option)]
    for argument in arguments:
        if argument.required or dice.chance(0.3):
            yield [_value(argument, dice) for _ in range(1 if argument.nargs == 1 else 2)]
    for option in options:
        if option.name in NEVER or not (option.required or dice.chance(0.25)):
            continue
        flag = dice.among(option.opts)
        for _ in range(1 + dice.chance(0.1)):
            yield [flag] if option.is_flag else [flag, _value(option, dice)]


def _value(parameter: click.Parameter, dice: Dice) -> str:
    if dice.chance(0.1):
        return dice.among(ODD_WORDS)
    known = VALID.get(parameter.name or "")
    return dice.among(known) if known else str(1 + dice.below(9))
