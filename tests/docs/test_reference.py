"""The reference that is generated from the code names every key, command and option."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from documentation import PAGES
from small_runs import ROOT

from seqrec.cli.main import COMMANDS
from seqrec.experiment.schema import SCHEMAS
from seqrec.layout import RunFiles
from seqrec.records import Record
from seqrec.report.contents import FIGURES, TABLES

sys.path.insert(0, str(ROOT / "docs"))
import generated

REFERENCE = ROOT / "docs/reference"


def page(name: str) -> str:
    return generated.filled((REFERENCE / name).read_text(encoding="utf-8"))


def tables(text: str) -> list[list[list[str]]]:
    """Read the tables of a page: rows of cells, without the lines below the heads."""
    return [
        [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows.splitlines()]
        for rows in re.findall(r"((?:^\|.*\|\n?)+)", text, re.M)
    ]


def keys(schema: Any) -> Iterator[str]:
    """Yield the keys of a JSON Schema, at any depth."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield from schema["properties"]
        for inside in schema.values():
            yield from keys(inside)


def test_every_part_is_on_a_page_and_no_page_asks_for_another() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")]
    asked = [name for text in texts for name in generated.MARK.findall(text)]
    assert sorted(asked) == sorted(generated.PARTS)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_of_the_schema_is_explained(kind: str) -> None:
    rows = {row[0]: row for table in tables(page("configuration.md")) for row in table}
    for key in keys(SCHEMAS[kind].model_json_schema()):
        assert rows[f"`{key}`"][-1], key


def test_every_key_of_the_workflow_is_there_with_its_default() -> None:
    found = {row[0]: row for table in tables(page("configuration.md")) for row in table}
    for key, value in yaml.safe_load((ROOT / "config/workflow.yaml").read_text()).items():
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        assert found[f"`{key}`"][2] == (f"`{shown}`" if shown else ""), key


def test_every_command_and_option_is_there() -> None:
    text = page("commands.md")
    for command in (command for group in COMMANDS.values() for command in group):
        _, section = text.split(f"### seqrec {command.name}\n")
        section = re.split(r"^##", section, flags=re.M)[0]
        for option in (option for parameter in command.params for option in parameter.opts):
            assert option.startswith("-") is False or f"{option}" in section, option


def test_every_field_of_a_record_is_explained() -> None:
    fields = {name for name, field in Record.model_fields.items() if not field.exclude}
    rows = [row for table in tables(page("records.md")) for row in table]
    assert {f"`{name}`" for name in fields} <= {row[0] for row in rows}
    assert [row[0] for row in rows if not row[-1]] == []


def test_every_file_of_a_record_is_there() -> None:
    files = RunFiles(Path())
    for path in (*files.promoted, files.weights, files.failure, files.resume, files.progress):
        assert f"`{path.name}`" in page("records.md"), path


def test_tables_and_figures_that_pages_name_are_made() -> None:
    per_dataset = {entry.name: entry.per_dataset for entry in (*TABLES, *FIGURES)}
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for name, end in re.findall(r"(?:tables|figures)/([a-z_]+)(\.(?:md|tex|csv)|/)", text):
            assert per_dataset[name] == (end == "/"), f"{path}: {name}{end}"


def test_tables_are_well_formed() -> None:
    for name in Path(REFERENCE).glob("*.md"):
        for table in tables(page(name.name)):
            assert len({len(row) for row in table}) == 1, table[0]
