"""The parts of the reference that are written from the code: configuration keys and commands.

A line `<!-- generated: NAME -->` in a page becomes the Markdown that the function of that name in
`PARTS` returns. The pages themselves stay short and readable where nothing builds them.
"""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel, ConfigDict, create_model

from seqrec.cli.main import COMMANDS, main
from seqrec.data.datasets import Dataset
from seqrec.experiment import schema
from seqrec.experiment.built_in import built_in_names, find_built_in
from seqrec.experiment.parameters import Divides
from seqrec.layout import ConfigFiles
from seqrec.records import Record
from seqrec.report import contents
from seqrec.running.workflow import WorkflowConfig
from seqrec.typed_yaml import load_yaml

CONFIG = ConfigFiles(Path(__file__).parents[1] / "config")

MARK = re.compile(r"^<!-- generated: (\S+) -->$", re.MULTILINE)

FULL = {
    schema.SplitValues: schema.SplitRule,
    schema.TrainingValues: schema.Training,
    schema.EvaluationValues: schema.Evaluation,
}
"""Sections whose keys are all optional, and the models that have their defaults."""


def filled(text: str) -> str:
    """Put the generated parts into a page."""
    return MARK.sub(lambda mark: PARTS[mark[1]](), text)


def experiment_keys() -> str:
    return _sections(schema.Experiment)


def model_keys() -> str:
    return _sections(schema.ModelEntry, known=[*_nested(schema.Experiment)])


def dataset_keys() -> str:
    return _sections(Dataset)


def workflow_keys() -> str:
    """List the keys of `config/workflow.yaml`, whose defaults are that file."""
    return _keys(WorkflowConfig, load_yaml(CONFIG.workflow))


def record_fields() -> str:
    """List the keys of `metrics.json`."""
    parts = [_fields(Record)]
    for nested in _nested(Record):
        parts += [f"### {_words(nested.__name__)}", _first_paragraph(nested), _fields(nested)]
    return "\n\n".join(parts)


def tables() -> str:
    """List the tables of an experiment, by their paths in `tables/`."""
    return _contents(contents.TABLES)


def figures() -> str:
    """List the figures of an experiment, by their paths in `figures/`."""
    return _contents([entry for entry in contents.FIGURES if entry.forms])


def hyperparameters() -> str:
    """List what the constructors of the built-in models take."""
    rows = []
    for name in built_in_names():
        found = find_built_in(name)
        assert found
        own = list(found.signature.parameters.values())[2:]  # after num_items and max_length
        listed = [_hyperparameter(parameter) for parameter in own] or [("none", "", "")]
        titles = [f"`{name}`", *[""] * (len(listed) - 1)]
        rows += [(title, *row) for title, row in zip(titles, listed, strict=True)]
    return _table(("implementation", "hyperparameter", "value", "default"), rows)


def commands() -> str:
    """Write what `seqrec COMMAND --help` shows, under the headings of `seqrec --help`."""
    parts = []
    for heading, group in COMMANDS.items():
        parts.append(f"## {heading}")
        parts += [_command(command) for command in group]
    return "\n\n".join(parts)


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "dataset-keys": dataset_keys,
    "experiment-keys": experiment_keys,
    "figures": figures,
    "hyperparameters": hyperparameters,
    "model-keys": model_keys,
    "record-fields": record_fields,
    "tables": tables,
    "workflow-keys": workflow_keys,
}


def _contents(entries: Iterable[contents.Entry]) -> str:
    rows = [
        (f"`{each.name}/<dataset>`" if each.per_dataset else f"`{each.name}`", _line(each.caption))
        for each in entries
    ]
    return _table(("file", "what it shows"), rows)


def _sections(model: type[BaseModel], known: list[type[BaseModel]] | None = None) -> str:
    """Write a table of a model's keys, then one for each model that its keys hold."""
    parts = [_keys(model)]
    for nested in _nested(model):
        if nested not in (known or []):
            title = nested.__name__.removesuffix("Values")
            parts += [f"### {_words(title)}", _first_paragraph(nested), _keys(nested)]
    return "\n\n".join(parts)


def _nested(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield the models inside a model, each once, in the order in which they are met."""
    found: list[type[BaseModel]] = []
    waiting = [model]
    while waiting:
        inside = [
            each
            for field in waiting.pop(0).model_fields.values()
            for each in _models_in(field.annotation)
        ]
        new = [each for each in dict.fromkeys(inside) if each not in found]
        found += new
        waiting += new
    yield from found


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inside in get_args(annotation):
        yield from _models_in(inside)


def _keys(model: type[BaseModel], defaults: dict[str, Any] | None = None) -> str:
    """Write the table of a model's keys; `defaults` replace its own."""
    full = FULL.get(model, model)
    described = full.model_json_schema()
    required = described.get("required", [])
    rows = []
    for name, value in described["properties"].items():
        if defaults:
            default = _default(defaults.get(name))
        else:
            default = "required" if name in required else _default(value.get("default"))
        rows.append((f"`{name}`", _value(value), default, _line(value.get("description", ""))))
    return _table(("key", "value", "default", "meaning"), rows)


def _fields(model: type[BaseModel]) -> str:
    """Write the table of what a model holds, with what the strings below its fields say."""
    described = model.model_json_schema()["properties"]
    meanings = _strings_below_fields(model)
    rows = [
        (f"`{name}`", _value(described[name]), _line(meanings.get(name, "")))
        for name, field in model.model_fields.items()
        if not field.exclude
    ]
    return _table(("key", "value", "meaning"), rows)


def _strings_below_fields(model: type[BaseModel]) -> dict[str, str]:
    (described,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(described, ast.ClassDef)
    return {
        field.target.id: below.value.value
        for field, below in itertools.pairwise(described.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }


def _hyperparameter(parameter: inspect.Parameter) -> tuple[str, str, str]:
    holder = create_model(
        "Holder",
        __config__=ConfigDict(arbitrary_types_allowed=True),
        value=(parameter.annotation, parameter.default),
    )
    value = _value(holder.model_json_schema()["properties"]["value"])
    for mark in get_args(parameter.annotation):
        if isinstance(mark, Divides):
            value += f"; divides `{mark.multiple}`"
    return f"`{parameter.name}`", value, _default(parameter.default)


def _default(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, dict):  # a whole section, whose own table has the defaults
        return ""
    text = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
    return f"`{text or value}`"


def _value(value: dict[str, Any]) -> str:
    """Say in words what a JSON Schema allows."""
    if "$ref" in value:
        title = value["$ref"].rpartition("/")[2].removesuffix("Values")
        return f"[{_words(title).lower()}](#{_anchor(_words(title))})"
    if "anyOf" in value:
        kinds = [_value(each) for each in value["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"] if each != "")
    if "const" in value:
        return f"`{value['const']}`"
    if value.get("type") == "array":
        items = value.get("items")
        return f"list of {_value(items)}" if items else "list"
    words = {
        "boolean": "`true` or `false`",
        "integer": "whole number",
        "number": "number",
        "object": "keys and values",
        "string": "text",
    }
    return words.get(value.get("type", ""), "any value") + _range(value)


def _range(value: dict[str, Any]) -> str:
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    given = [
        f"{sign} {value[key]:,}"
        for key, sign in limits.items()
        if key in value and abs(value[key]) < 2**62
    ]
    return f" {', '.join(given)}" if given else ""


def _command(command: click.Command) -> str:
    context = click.Context(command, info_name=command.name, parent=click.Context(main))
    usage = " ".join(["seqrec", str(command.name), *command.collect_usage_pieces(context)])
    parts = [f"### seqrec {command.name}", f"```text\n{usage}\n```", *_prose(command.help or "")]
    records = [parameter.get_help_record(context) for parameter in command.params]
    # Arguments have no help of their own: the text above explains them.
    rows = [(f"`{record[0]}`", _line(record[1])) for record in records if record and record[1]]
    if rows:
        parts.append(_table(("option", "meaning"), rows))
    return "\n\n".join(parts)


def _prose(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text as Markdown; click's `\\b` marks lines to be kept."""
    for paragraph in re.split(r"\n\s*\n", text):
        if "\b" in paragraph:
            kept = textwrap.dedent(paragraph.replace("\b", "").strip("\n"))
            yield f"```sh\n{kept.strip()}\n```"
        else:
            words, example, command = " ".join(paragraph.split()).partition("Example: ")
            yield _line(words) + (f"{example}`{command}`" if example else "")


def _first_paragraph(model: type[BaseModel]) -> str:
    return _line((model.__doc__ or "").partition("\n\n")[0])


def _words(title: str) -> str:
    """`NamedModel` as words: `Named model`."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", title).capitalize()


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def _line(text: str) -> str:
    """One line of Markdown from plain text, in which only code between backticks is marked."""
    pieces = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(
        piece if piece.startswith("`") else re.sub(r"([<>*_\[\]])", r"\\\1", piece)
        for piece in pieces
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines
    )
