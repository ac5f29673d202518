"""The JSON Schemas for editors are those of the models, and fit the shipped files."""

import json
from pathlib import Path

import jsonschema
import pytest
from shipped import DATASETS, EXPERIMENTS, MODELS, ROOT

from seqrec.experiment.schema import json_schemas
from seqrec.typed_yaml import load_yaml

CONFIG = ROOT / "config"


def test_the_schemas_for_editors_are_those_of_the_models() -> None:
    """If this fails: run `seqrec schema` and commit what it writes."""
    generated = {ROOT / path: text for path, text in json_schemas().items()}
    assert set(generated) == set((CONFIG / "schema").iterdir())
    for path, text in generated.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} has drifted"


SHIPPED = {
    "experiment": [CONFIG / f"{name}.yaml" for name in EXPERIMENTS],
    "model": [CONFIG / f"models/{name}.yaml" for name in MODELS],
    "dataset": [CONFIG / f"datasets/{name}.yaml" for name in DATASETS],
}


@pytest.mark.parametrize(
    ("kind", "path"),
    [(kind, path) for kind, paths in SHIPPED.items() for path in paths],
    ids=lambda value: value.stem if isinstance(value, Path) else None,
)
def test_the_schemas_accept_what_is_shipped_and_point_at_it(kind: str, path: Path) -> None:
    schema = json.loads((CONFIG / "schema" / f"{kind}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    data = load_yaml(path)
    if path.stem.endswith("+N"):  # a template: the value N stands for a number
        data["loss"]["negatives"] = 10
    jsonschema.validate(data, schema)
    jsonschema.validate({**data, "description": "other"}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, "unknown": 1}, schema)
    pointer = path.read_text(encoding="utf-8").splitlines()[0]
    if pointer.startswith("# yaml-language-server"):
        target = path.parent / pointer.partition("$schema=")[2]
        assert target.resolve() == CONFIG / "schema" / f"{kind}.schema.json"
