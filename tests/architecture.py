"""The layers of the package, and what in its imports breaks them.

Imports are read from the source, those inside functions too; nothing is run.
"""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "seqrec"

GROUND = "ground"
"""The modules directly in the package, on which every room stands."""

LAYERS = (
    (GROUND,),
    ("data",),
    ("audit",),
    ("experiment",),
    ("protocol",),
    ("models",),
    ("training",),
    ("records",),
    ("running", "report"),
    ("cli",),
)
"""The rooms, lowest layer first: a room imports only from layers before its own."""

HEIGHTS = {room: height for height, rooms in enumerate(LAYERS) for room in rooms}

GROUND_MODULES = {"errors", "files", "json_files", "layout", "signals", "typed_yaml", "wording"}
CARRIED = "project"
"""What the package carries for studies, which is no code of its own."""
ENTRIES = {"__init__": GROUND, "__main__": "cli"}
"""The package's own two files, by the room that each counts to."""

WITHOUT_TORCH = (
    *(GROUND, "data", "audit", "experiment", "records", "report"),
    *("protocol.splits", "protocol.metrics", "protocol.epoch"),
    *("running.planning", "running.preparation", "running.making"),
)
"""Rooms and modules that plan a workflow and make tables, which must start at once."""


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    name: str
    """Below the package: `data.download`, `errors`; that of a room's `__init__.py` is `data`."""
    file: Path

    @property
    def folder(self) -> str:
        """The folder of the file, named like a module; empty for the package's own."""
        is_folder = self.file.name == "__init__.py" and self.name not in ENTRIES
        return self.name if is_folder else self.name.rpartition(".")[0]

    @property
    def room(self) -> str:
        """The first folder on its way, which need not be one of the layers."""
        return self.folder.partition(".")[0] or ENTRIES.get(self.name, GROUND)


@dataclass(frozen=True)
class Import:
    """One name that a module takes from another."""

    importer: Module
    imported: Module
    line: int
    name: str
    """Empty where the module itself is taken."""

    def __str__(self) -> str:
        what = f"{self.name} of {self.imported.name}" if self.name else self.imported.name
        return f"{self.importer.name}:{self.line} imports {what}"


def read_modules(package: Path = PACKAGE) -> list[Module]:
    """List the files of a package in the order of their names."""
    modules = []
    for file in package.rglob("*.py"):
        if file.is_relative_to(package / CARRIED):
            continue
        parts = file.relative_to(package).with_suffix("").parts
        if len(parts) > 1 and parts[-1] == "__init__":
            parts = parts[:-1]
        modules.append(Module(".".join(parts), file))
    return sorted(modules, key=lambda module: module.name)


def read_imports(modules: Iterable[Module], package: str = PACKAGE.name) -> list[Import]:
    """Read what the modules of a package take from each other, in the order of the source."""
    known = {module.name: module for module in modules}
    return [found for module in known.values() for found in _imports_of(module, known, package)]


def _imports_of(importer: Module, known: dict[str, Module], package: str) -> Iterator[Import]:
    tree = ast.parse(importer.file.read_text(encoding="utf-8"))
    aliases = {}  # what the source calls a module, by the module
    for node in ast.walk(tree):
        for target, name, alias in _taken(node, importer, package):
            inside = target.removeprefix(package).removeprefix(".")
            if name and f"{inside}.{name}".removeprefix(".") in known:
                inside, name = f"{inside}.{name}".removeprefix("."), ""
            imported = known.get(inside or "__init__")
            if imported is not None:
                yield Import(importer, imported, node.lineno, name)  # type: ignore[attr-defined]
                if not name:
                    aliases[alias] = imported
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            imported = aliases.get(ast.unparse(node.value))
            if imported is not None:
                yield Import(importer, imported, node.lineno, node.attr)


def _taken(node: ast.AST, importer: Module, package: str) -> Iterator[tuple[str, str, str]]:
    """What a node takes from the package: module, name in it, and what the source calls it."""
    found: list[tuple[str, str, str]] = []
    if isinstance(node, ast.Import):
        found = [(alias.name, "", alias.asname or alias.name) for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            folder = [package, *filter(None, importer.folder.split("."))]
            base = ".".join([*folder[: len(folder) - node.level + 1], *filter(None, [base])])
        found = [(base, alias.name, alias.asname or alias.name) for alias in node.names]
    elif isinstance(node, ast.Call) and node.args:
        called, first = ast.unparse(node.func).rpartition(".")[2], node.args[0]
        if called in ("import_module", "__import__") and isinstance(first, ast.Constant):
            found = [(str(first.value), "", ast.unparse(node))]
    for target, name, alias in found:
        if target == package or target.startswith(f"{package}."):
            yield target, name, alias


def is_private(name: str) -> bool:
    """Whether a name is its module's own affair; `__version__` is not."""
    return name.startswith("_") and not name.endswith("__")


def outside_of_rooms(modules: Iterable[Module]) -> list[str]:
    """Name the modules that lie in no room."""
    ground = {*GROUND_MODULES, *ENTRIES}
    return [
        f"{module.name} lies in no room"
        for module in modules
        if module.room not in HEIGHTS or (module.room == GROUND and module.name not in ground)
    ]


def upward(imports: Iterable[Import]) -> list[str]:
    """Name the imports from a higher layer, or from another room of the same layer."""
    return [
        f"{found}, which lies {'beside' if higher == own else 'above'} it"
        for found in imports
        if found.importer.room != found.imported.room
        for own, higher in [(HEIGHTS[found.importer.room], HEIGHTS[found.imported.room])]
        if higher >= own
    ]


def private_names(imports: Iterable[Import]) -> list[str]:
    """Name the imports of what begins with an underscore."""
    return [
        str(found)
        for found in imports
        if any(map(is_private, [*found.imported.name.split("."), found.name]))
    ]


def import_cycle(imports: Iterable[Import]) -> list[str]:
    """Find an import cycle: modules from one back to itself; empty if there is none."""
    graph: dict[str, set[str]] = {}
    for found in imports:
        graph.setdefault(found.importer.name, set()).add(found.imported.name)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def first_that_loads(library: str, modules: Iterable[Module], package: Path = PACKAGE) -> str:
    """Import modules one after another in a new process; name the first that loads `library`."""
    names = [module.name for module in modules if module.name not in ENTRIES]
    code = f"""
import importlib, sys
for name in {names!r}:
    importlib.import_module({package.name!r} + "." + name)
    if {library!r} in sys.modules:
        print(name)
        break
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=package.parent, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().strip()
