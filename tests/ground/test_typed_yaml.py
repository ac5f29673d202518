"""Typed YAML: nothing is ignored, and messages say where the problem is and what to write."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from seqrec.errors import SeqrecError
from seqrec.typed_yaml import Strict, check_values, load_yaml
from seqrec.wording import nearest

LAUGHS = "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(12))
MERGED = "".join(f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 10)}]}}\n" for n in range(12))
"""Aliases that stand for a million million values."""


class Inner(Strict):
    width: int = 1


class Outer(Strict):
    name: str
    inner: Inner = Inner()
    several: list[Inner] = []


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "a", "iner": {}}, "f.yaml: top level: unknown key 'iner'; did you mean 'inner'?"),
        (
            {"name": "a", "inner": {"widht": 2}},
            "f.yaml: inner: unknown key 'widht'; did you mean 'width'?",
        ),
        (
            {"name": "a", "several": [{}, {"zzz": 2}]},
            "f.yaml: several.1: unknown key 'zzz'; valid here: width",
        ),
        ({"name": "a", "inner": {1: 2}}, "f.yaml: inner: unknown key 1; valid here: width"),
    ],
)
def test_an_unknown_key_is_refused_with_file_place_and_nearest_name(
    data: dict[str, object], message: str
) -> None:
    with pytest.raises(SeqrecError) as caught:
        check_values(Outer, data, "f.yaml")
    assert str(caught.value) == message


def test_every_problem_is_reported_with_its_place_and_value() -> None:
    with pytest.raises(SeqrecError) as caught:
        check_values(Outer, {"inner": {"width": "wide"}}, "f.yaml")
    first, second = str(caught.value).splitlines()
    assert first == "f.yaml: name: is missing"
    assert second.startswith("f.yaml: inner.width: ")
    assert second.endswith("(got 'wide')")


def test_a_configuration_cannot_be_changed_after_it_was_checked() -> None:
    with pytest.raises(ValidationError):
        check_values(Outer, {"name": "a"}, "f.yaml").name = "b"


def test_the_hint_is_the_nearest_name_or_all_of_them() -> None:
    assert nearest("sasrek", ["sasrec", "gru4rec"]) == "did you mean 'sasrec'?"
    assert nearest("x", ["b", "a"]) == "valid here: a, b"
    assert nearest("x", []) == "nothing is valid here"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "key 'a' is written twice"),
        ("a:\n  b: 1\n  b: 1\n", 3, "key 'b' is written twice"),
        ("- {b: 1, b: 1}\n", 1, "key 'b' is written twice"),
        ("a: [1\n", 2, "not valid YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", 1, "not valid YAML"),
        ("- a\n", None, "must hold 'key: value' lines, not list"),
        ("", None, "must hold 'key: value' lines, not nothing"),
        ("[a]: 1\n{b: 1}: 2\n", None, "not valid YAML"),
        (b"a: \xff\n", None, "cannot be read as UTF-8 text"),
        ("a: 1\nb: &b {c: *b}\n", 2, "an alias stands inside of what it repeats"),
        ("a0: &a0 [x]\n" + LAUGHS, 1, "holds more than 200,000 values"),
        ("a0: &a0 {x: 1}\n" + MERGED, 1, "holds more than 200,000 values"),
        ("a: " + "[" * 3000, None, "nested too deeply"),
        ("a: \0\n", None, "not valid YAML: unacceptable character"),
        ("a: " + "1" * 5000, 1, "cannot be read"),
        ("#" * 2**20 + "\n", None, "has 1,048,577 bytes, and no such file has more"),
    ],
)
def test_anything_but_a_plain_mapping_is_refused_with_file_and_line(
    tmp_path: Path, text: str | bytes, line: int | None, problem: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SeqrecError) as caught:
        load_yaml(path)
    assert str(caught.value).startswith(f"{path}:{line}: " if line else f"{path}")
    assert problem in str(caught.value)


def test_a_pipe_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "file.yaml")
    with pytest.raises(SeqrecError, match=r"file\.yaml: is not a regular file"):
        load_yaml(tmp_path / "file.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeqrecError, match=r"none\.yaml: no such file"):
        load_yaml(tmp_path / "none.yaml")


def test_a_mapping_is_read_as_it_is_written(tmp_path: Path) -> None:
    text = "a: 1\nb: {c: [x, 1.5, null]}\n"
    assert load_yaml(written(tmp_path, text)) == {"a": 1, "b": {"c": ["x", 1.5, None]}}
