"""The package keeps its layers, and each check of that can fail."""

from pathlib import Path

import pytest
from architecture import (
    HEIGHTS,
    WITHOUT_TORCH,
    Import,
    Module,
    first_that_loads,
    import_cycle,
    outside_of_rooms,
    private_names,
    read_imports,
    read_modules,
    upward,
)
from draw_architecture import DRAWING, drawing

MODULES = read_modules()
IMPORTS = read_imports(MODULES)


def made_up(folder: Path, files: dict[str, str]) -> list[Module]:
    """A package `house` of the given sources, by their paths."""
    for path, source in {"__init__.py": "", **files}.items():
        (folder / "house" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "house" / path).write_text(source)
    return read_modules(folder / "house")


def imports_of(folder: Path, files: dict[str, str]) -> list[Import]:
    return read_imports(made_up(folder, files), "house")


def test_every_module_lies_in_a_room() -> None:
    assert outside_of_rooms(MODULES) == []
    assert {module.room for module in MODULES} == set(HEIGHTS)


def test_imports_run_downward_and_never_between_running_and_report() -> None:
    assert upward(IMPORTS) == []


def test_there_is_no_import_cycle() -> None:
    assert import_cycle(IMPORTS) == []


def test_private_names_stay_in_their_module() -> None:
    assert private_names(IMPORTS) == []


def test_planning_and_tables_start_without_torch() -> None:
    light = [
        module for module in MODULES if module.room in WITHOUT_TORCH or module.name in WITHOUT_TORCH
    ]
    assert {name.partition(".")[0] for name in WITHOUT_TORCH} == {module.room for module in light}
    assert first_that_loads("torch", light) == ""


def test_the_drawing_is_that_of_today() -> None:
    assert DRAWING.read_text(encoding="utf-8") == drawing(MODULES, IMPORTS), (
        "call make architecture"
    )


# Each check fails where it should


@pytest.mark.parametrize("path", ["stray.py", "attic/old.py", "attic/__init__.py"])
def test_a_module_in_no_room_is_found(path: str, tmp_path: Path) -> None:
    modules = made_up(
        tmp_path, {"errors.py": "", "__main__.py": "", "data/parsing.py": "", path: ""}
    )
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert outside_of_rooms(modules) == [f"{name} lies in no room"]


@pytest.mark.parametrize(
    "source",
    [
        "from house.training.loop import train",
        "from house.training import loop",
        "import house.training.loop as loop",
        "from ..training.loop import train",
        "from .. import training",
        "def later():\n    from house.training.loop import train",
        "import importlib\nimportlib.import_module('house.training.loop')",
    ],
)
def test_an_import_that_runs_upward_is_found_however_it_is_written(
    source: str, tmp_path: Path
) -> None:
    files = {"training/__init__.py": "", "training/loop.py": "", "data/parsing.py": source}
    (fault,) = upward(imports_of(tmp_path, files))
    assert fault.startswith(f"data.parsing:{source.count(chr(10)) + 1} imports ")
    assert fault.endswith("which lies above it")


def test_an_import_downward_or_inside_a_room_is_none_of_these(tmp_path: Path) -> None:
    files = {
        "errors.py": "import os.path\nimport numpy",
        "data/parsing.py": "from house.errors import E\nfrom .lines import read",
        "data/lines.py": "from ..errors import E\nfrom house import __version__",
        "__main__.py": "from house.data.parsing import parse",
    }
    imports = imports_of(tmp_path, files)
    assert len(imports) == 5
    assert upward(imports) == import_cycle(imports) == private_names(imports) == []


def test_rooms_of_one_layer_do_not_import_each_other(tmp_path: Path) -> None:
    running, report = "from house.report.pages import page", "import house.running.run"
    for files in (
        {"running/run.py": running, "report/pages.py": ""},
        {"running/run.py": "", "report/pages.py": report},
    ):
        (fault,) = upward(imports_of(tmp_path, files))
        assert fault.endswith("which lies beside it")


def test_a_cycle_is_found_also_inside_a_room_and_through_a_function(tmp_path: Path) -> None:
    files = {
        "data/parsing.py": "from house.data.lines import read",
        "data/lines.py": "from house.data import raw",
        "data/raw.py": "def later():\n    from .parsing import parse",
    }
    found = import_cycle(imports_of(tmp_path, files))
    assert found[0] == found[-1]
    assert set(found) == {"data.parsing", "data.lines", "data.raw"}


@pytest.mark.parametrize(
    "source",
    [
        "from house.data.lines import _split",
        "from house.data.lines import _split as split",
        "from house.data import lines\nlines._split()",
        "import house.data.lines as read\nread._split()",
        "import house.data.lines\nhouse.data.lines._split()",
        "from house.data._hidden import split",
    ],
)
def test_a_private_name_of_another_module_is_found(source: str, tmp_path: Path) -> None:
    files = {"data/lines.py": "", "data/_hidden.py": "", "data/parsing.py": source}
    assert len(private_names(imports_of(tmp_path, {"data/__init__.py": "", **files}))) == 1


def test_a_library_that_is_loaded_through_another_module_is_found(tmp_path: Path) -> None:
    files = {
        "errors.py": "import json",
        "data/parsing.py": "from house.data.lines import read",
        "data/lines.py": "import heavy\nread = heavy",
    }
    (tmp_path / "heavy.py").write_text("")
    modules = made_up(tmp_path, files)
    light = [module for module in modules if module.name != "data.lines"]
    assert first_that_loads("heavy", light, tmp_path / "house") == "data.parsing"
    assert first_that_loads("heavy", light[:1], tmp_path / "house") == ""
