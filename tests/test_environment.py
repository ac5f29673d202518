"""The conda environment, the lock and the package ask for the same versions."""

import ast
import itertools
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(lines: list[str]) -> dict[str, str]:
    """Read `name==version` lines; anything else is an error."""
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s;]+)", line)
        assert match, f"not name==version: {line!r}"
        name = canonicalize_name(match[1])
        assert name not in found, f"{name} is pinned twice"
        found[name] = match[2]
    return found


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return pins([line for line in lines if line and not line.startswith("#")])


def conda() -> tuple[list[str], list[str]]:
    """Return environment.yml's conda lines and its pip lines."""
    data = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    plain = [line for line in data["dependencies"] if isinstance(line, str)]
    (pip,) = [line["pip"] for line in data["dependencies"] if isinstance(line, dict)]
    return plain, pip


def conda_pins() -> dict[str, str]:
    return pins([line for line in conda()[1] if not line.startswith("--")])


def requirements(lines: list[str]) -> dict[str, Requirement]:
    found = {}
    for line in lines:
        requirement = Requirement(line)
        found[canonicalize_name(requirement.name)] = requirement
    return found


def test_the_lock_pins_what_the_package_asks_for_within_its_bounds() -> None:
    lock = locked()
    wanted = [
        *PROJECT["dependencies"],
        *itertools.chain(*PROJECT["optional-dependencies"].values()),
    ]
    for name, requirement in requirements(wanted).items():
        if name == PROJECT["name"]:  # one group takes in another
            continue
        assert name in lock, f"requirements.lock lacks {name}"
        assert lock[name] in requirement.specifier, f"{name} {lock[name]} is not {requirement}"


def test_conda_gives_the_versions_of_the_lock_for_every_dependency() -> None:
    lock, environment = locked(), conda_pins()
    assert set(environment) >= set(requirements(PROJECT["dependencies"]))
    assert environment == {name: lock.get(name) for name in environment}


def test_torch_is_the_same_exact_version_everywhere() -> None:
    assert requirements(PROJECT["dependencies"])["torch"].specifier == SpecifierSet("==2.13.0")
    assert locked()["torch"] == "2.13.0"
    assert conda_pins()["torch"] == "2.13.0"


def test_conda_brings_a_python_that_the_package_takes_and_the_package_itself() -> None:
    plain, pip = conda()
    (python,) = [line for line in plain if line.startswith("python=")]
    version = python.removeprefix("python=").strip("=")
    assert f"{version}.0" in SpecifierSet(PROJECT["requires-python"])
    assert "pip" in plain
    assert any(line.split()[0] == "--editable" and line.split()[1][0] == "." for line in pip[-1:])


def test_what_the_package_imports_is_there_without_the_tools_of_developers() -> None:
    """Apart from the libraries of trackers and of ONNX, imported when they are asked for."""
    provided = packages_distributions()
    wanted = {*requirements(PROJECT["dependencies"]), "pydantic-core"}  # a part of pydantic
    optional = {"clearml", "mlflow", "onnx_ir", "onnxruntime", "wandb"}
    for path in [*(ROOT / "seqrec").rglob("*.py"), *(ROOT / "workflow").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [node.module]
            else:
                continue
            for name in {module.partition(".")[0] for module in modules} - optional:
                if name not in sys.stdlib_module_names and name != PROJECT["name"]:
                    found = {canonicalize_name(one) for one in provided[name]}
                    assert found & wanted, f"{path}: {name} is no dependency"
