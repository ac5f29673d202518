"""Built-in models and losses, found in `seqrec/models/` and `seqrec/training/losses/`.

They are read from their source: reading a constructor instead of importing it keeps torch out of
planning, where it would cost more time than thousands of runs.
"""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqrec.errors import SeqrecError
from seqrec.experiment import parameters

MODELS_FOLDER = Path(__file__).parents[1] / "models"
LOSSES_FILE = MODELS_FOLDER.parent / "training" / "losses" / "formulas.py"
MODULE = "seqrec.models"
BASES = ("Network", "Fitted")
"""A built-in model derives from one of these."""
TYPES = {name: getattr(parameters, name) for name in parameters.__all__}
"""What an annotation may name, beside Python's own types."""
PYTHON_TYPES = {kind.__name__: kind for kind in (bool, int, float, str, list, tuple, dict)}


@dataclass(frozen=True)
class BuiltIn:
    """A model of the package."""

    module: str
    class_name: str
    signature: inspect.Signature
    """The constructor's parameters after `self`, equal to those that `inspect` finds."""


def built_in_names(package: Path = MODELS_FOLDER) -> list[str]:
    """List the names of the built-in models."""
    return sorted(name for name, path in _files(package).items() if _Source(path).models())


def find_built_in(name: str, package: Path = MODELS_FOLDER) -> BuiltIn | None:
    """Find the model of that name; None if there is no such file.

    Raises `SeqrecError` if the file does not define exactly one model, or if its constructor cannot
    be read.
    """
    path = _files(package).get(name)
    if path is None:
        return None
    source = _Source(path)
    models = source.models()
    if len(models) != 1:
        raise SeqrecError(
            f"{path}: must define one public subclass of {' or '.join(BASES)}; it defines "
            f"{', '.join(models) or 'none'}. Start the names of others with an underscore."
        )
    return BuiltIn(f"{MODULE}.{path.stem}", models[0], source.signature(models[0]))


def built_in_loss(kind: str) -> inspect.Signature:
    """Return the signature of a built-in loss, its logits without annotations."""
    source = _Source(LOSSES_FILE)
    arguments = source.functions[kind.replace("-", "_")].args
    logits = [
        inspect.Parameter(each.arg, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for each in arguments.args[:2]
    ]
    return inspect.Signature([*logits, *source.parameters(arguments, given=2)])


def _files(package: Path) -> dict[str, Path]:
    """Return the files of a package by the names of their models: `bpr-mf` for `bpr_mf.py`."""
    return {path.stem.replace("_", "-"): path for path in package.glob("*.py")}


class _Source:
    """A module of the package: its classes, and the classes of other modules that it imports."""

    def __init__(self, path: Path) -> None:
        self.path = path
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        self.classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        self.functions = {
            node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)
        }
        self.imports = {
            alias.asname or alias.name: (node.module.removeprefix(MODULE).lstrip("."), alias.name)
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(MODULE)
            for alias in node.names
        }

    def models(self) -> list[str]:
        """List the public classes here that derive from `Network` or `Fitted`."""
        return [
            name
            for name in self.classes
            if not name.startswith("_")
            and any(ancestor.name in BASES for _, ancestor in [*self._lineage(name)][1:])
        ]

    def signature(self, class_name: str) -> inspect.Signature:
        """Return the constructor's signature, inherited where the class does not define one."""
        for source, node in self._lineage(class_name):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    return inspect.Signature(source.parameters(method.args))
        raise SeqrecError(f"{self.path}: {class_name} has no constructor.")

    def _lineage(self, name: str) -> Iterator[tuple["_Source", ast.ClassDef]]:
        """Yield the class and those it derives from, as far as they are in the package."""
        if name in self.imports:
            module, name = self.imports[name]
            path = self.path.with_name(f"{module or '__init__'}.py")
            if path.is_file():
                yield from _Source(path)._lineage(name)
        elif name in self.classes:
            node = self.classes[name]
            yield self, node
            for base in node.bases:
                if isinstance(base, ast.Name):
                    yield from self._lineage(base.id)

    def parameters(self, arguments: ast.arguments, given: int = 1) -> list[inspect.Parameter]:
        """Return the parameters of a function without the first ones, such as `self`."""
        by_place = [*arguments.posonlyargs, *arguments.args]
        required = [None] * (len(by_place) - len(arguments.defaults))
        defaults = dict(zip(by_place, [*required, *arguments.defaults], strict=True))
        defaults |= dict(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
        kinds = inspect.Parameter
        groups: list[tuple[Any, list[ast.arg | None]]] = [
            (kinds.POSITIONAL_ONLY, [*arguments.posonlyargs]),
            (kinds.POSITIONAL_OR_KEYWORD, [*arguments.args]),
            (kinds.VAR_POSITIONAL, [arguments.vararg]),
            (kinds.KEYWORD_ONLY, [*arguments.kwonlyargs]),
            (kinds.VAR_KEYWORD, [arguments.kwarg]),
        ]
        return [
            inspect.Parameter(
                each.arg,
                kind,
                default=self._literal(default) if (default := defaults.get(each)) else kinds.empty,
                annotation=self._type(each.annotation) if each.annotation else kinds.empty,
            )
            for kind, group in groups
            for each in group
            if each and each not in by_place[:given]
        ]

    def _literal(self, node: ast.expr) -> Any:
        try:
            return ast.literal_eval(node)
        except ValueError:
            raise SeqrecError(
                f"{self.path}:{node.lineno}: the default {ast.unparse(node)} is read without "
                "running the file, so it must be a literal, such as 0.1."
            ) from None

    def _type(self, node: ast.expr) -> Any:
        try:
            return _evaluated(node)
        except Exception as error:
            raise SeqrecError(
                f"{self.path}:{node.lineno}: the annotation {ast.unparse(node)} is read without "
                f"running the file ({error}). Write a type of Python or one of "
                f"seqrec.experiment.parameters ({', '.join(TYPES)})."
            ) from None


def _evaluated(node: ast.expr) -> Any:
    """Evaluate an annotation: names of types, what they are subscripted with, and unions."""
    match node:
        case ast.Name(id=name):
            return {**PYTHON_TYPES, **TYPES}[name]
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=elements):
            return tuple(map(_evaluated, elements))
        case ast.Subscript(value=value, slice=index):
            return _evaluated(value)[_evaluated(index)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _evaluated(left) | _evaluated(right)
        case ast.Call(func=function, args=arguments, keywords=[]):
            return _evaluated(function)(*map(_evaluated, arguments))
    raise ValueError(f"{ast.unparse(node)} is not a type")
