"""Ways to damage a file: its bytes, its structure, or what stands in its place."""

import gzip
import json
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from dice import Dice
from valid_files import FRAGMENTS, VALUES

# Bytes

JUNK = [
    *(b"\n", b"\r", b"\0", b'"', b"'", b",", b"::", b"\t", b" ", b"{", b"[", b"}", b"#", b"%"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\x1b[2J", b"\xc2\x85", b"\xed\xa0\x80", "é\u2028".encode()),
    *(b"NaN", b"-1e999", b"null", b"9" * 30, b"9" * 5000, b"-1", b"0x1", b"1_0", b"\xd9\xa3"),
]


def bytes_changed(content: bytes, dice: Dice) -> bytes:
    """Cut, insert, repeat or overwrite at one to three places, or recode the whole."""
    if dice.chance(0.15):
        return dice.among(RECODED)(content)
    for _ in range(1 + dice.below(3)):
        start = dice.below(len(content) + 1)
        end = start + dice.among([0, 1, 2, 5, 40, len(content)])
        new = dice.among([b"", dice.among(JUNK), content[start:end] * 2, bytes([dice.below(256)])])
        content = content[:start] + new + content[end:]
    return content


RECODED: list[Callable[[bytes], bytes]] = [
    lambda content: b"",
    lambda content: b"\0" * len(content),
    lambda content: b"[" * 100_000,
    lambda content: b"\xef\xbb\xbf" + content,
    lambda content: content.decode("latin-1").encode("utf-16"),
    lambda content: content.replace(b"\n", b"\r\n"),
    lambda content: content.replace(b"\n", b""),
    lambda content: content * 50,
    lambda content: b"x" * (1 << 20) + content,
    partial(gzip.compress, mtime=0),
]

# Structures

NUMBERS = [0, -1, 1, 2, 2**31, 2**63, 10**40, 1e300, 1e-300, -0.0, math.nan, math.inf, 0.5]
TEXTS = ["", " ", "\0", "\x1b[2J", "\ud800", "a/b", "../up", "é\u2028\u202e", "x" * 100_000]
TEXTS += [
    ":x",
    "..:x",
    "json:loads",
    f"{'y' * 300}:x",
    "{braces}",
    "a\nb",
    "\\x",
    "<b>&amp;",
    "$x_1$",
    "%s",
    "9" * 5000,
    "\U0001f600",
    "-x",
]


def structure_changed(data: Any, dice: Dice) -> Any:
    """Change one to three values or keys of nested mappings and lists, in a copy."""
    data = json.loads(json.dumps(data))
    if not isinstance(data, dict | list):
        return dice.among(VALUES)
    for _ in range(dice.among([1, 1, 1, 2, 3])):
        places = list(_places(data))
        if not places:
            break
        inside, key = dice.among(places)
        kind = dice.among(["value", "number", "text", "key", "remove", "deep", *["other"] * 6])
        if kind == "key" and isinstance(inside, dict):
            inside[dice.among([f"{key}s", str(key)[:-1], *TEXTS])] = inside.pop(key)
        elif kind in ("remove", "key"):
            del inside[key]
        elif kind == "other":  # a value of its kind from another place is plausible
            kin = [holder[at] for holder, at in places if type(holder[at]) is type(inside[key])]
            inside[key] = json.loads(json.dumps(dice.among(kin)))
        elif kind == "deep":
            inside[key] = _nested(inside[key], dice.among([5, 35, 90]))
        else:
            inside[key] = dice.among({"value": VALUES, "number": NUMBERS, "text": TEXTS}[kind])
    return data


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in pairs:
        yield data, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def json_changed(content: bytes, dice: Dice) -> bytes:
    data = json.loads(content)
    if dice.chance(0.05):
        return json.dumps(dice.among([*VALUES, [data]])).encode()
    text = json.dumps(structure_changed(data, dice), default=str)
    return text.encode("utf-8", "surrogatepass")


def yaml_changed(content: bytes, dice: Dice) -> bytes:
    """Change a value or a key, or write what only YAML can say in place of a value."""
    data = yaml.safe_load(content)
    if dice.chance(0.7):
        text = yaml.dump(structure_changed(data, dice), sort_keys=False, allow_unicode=True)
        return text.encode("utf-8", "surrogatepass")
    lines = yaml.safe_dump(data, sort_keys=False).splitlines()
    at = dice.below(len(lines))
    head, colon, _ = lines[at].partition(": ")
    lines[at] = head + (colon or " ") + dice.among(FRAGMENTS)
    return "\n".join([*lines, ""]).encode("utf-8", "surrogatepass")


def lines_changed(content: bytes, dice: Dice) -> bytes:
    """Change a cell or a line of a table of texts."""
    lines = content.split(b"\n")
    for _ in range(1 + dice.below(3)):
        at = dice.below(len(lines))
        cells = lines[at].split(b",")
        place = dice.below(len(cells))
        value = str(dice.among([*NUMBERS, *TEXTS])).encode("utf-8", "surrogatepass")
        cells[place : place + dice.below(2)] = dice.some([value, cells[place], b""], most=2)
        lines[at : at + dice.below(2)] = [b",".join(cells)] * (1 + dice.below(2))
    return b"\n".join(lines)


DTYPES = ["<i4", ">i4", "<i8", "<u4", "<i2", "<f4", "<f8", "|b1", "|O", "<U9", "<M8[s]", "|V4", "x"]
SHAPES = ["()", "(0,)", "(1,)", "(-1,)", "(3, 2)", "(9999999999999,)", "(2**99,)", "((((", "None"]


def array_changed(content: bytes, dice: Dice) -> bytes:
    """Write another header, or other numbers."""
    header = 10 + int.from_bytes(content[8:10], "little")
    body = content[header:]
    if dice.chance(0.4):
        at = dice.below(max(1, len(body) // 4)) * 4
        number = dice.among([0, -1, 1, 2**31 - 1, -(2**31), 10**6])
        changed = body[:at] + number.to_bytes(4, "little", signed=True) + body[at + 4 :]
        return content[:header] + changed
    count = len(body) // 4
    text = (
        f"{{'descr': '{dice.among(DTYPES)}', 'fortran_order': {dice.among(['False', 'True', '3'])},"
        f" 'shape': {dice.among([f'({count},)', f'({count}, 1)', f'({count + 1},)', *SHAPES])}, }}"
    )
    if dice.chance(0.1):
        text = "__import__('os').system('touch trapped')"
    line = text.encode().ljust(117) + b"\n"
    version = dice.among([b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x09\x00"])
    return b"\x93NUMPY" + version + len(line).to_bytes(2, "little") + line + body


def weights_changed(content: bytes, dice: Dice) -> bytes:
    """Change the header of a safetensors file, which is JSON after its length."""
    length = int.from_bytes(content[:8], "little")
    header = json_changed(content[8 : 8 + length], dice)
    told = dice.among([len(header), len(header), 0, 2**62, len(header) + 1])
    return told.to_bytes(8, "little") + header + content[8 + length :]


STRUCTURES: dict[str, Callable[[bytes, Dice], bytes]] = {
    ".json": json_changed,
    ".yaml": yaml_changed,
    ".csv": lines_changed,
    ".txt": lines_changed,
    ".npy": array_changed,
    ".safetensors": weights_changed,
    ".success": json_changed,
}

# Files

OUTSIDE = "outside.txt"
"""A file beside the project, which nothing may touch."""


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "file").write_text("inside")


def _sparse(path: Path) -> None:
    """Only results and configurations have no right to be large."""
    path.touch()
    os.truncate(path, 1 << (36 if {"results", "config"} & {*path.parts[-7:]} else 26))


def _archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(zipfile.ZipInfo("a.txt"), "1 2\n")


def _link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


INSTEAD: dict[str, Callable[[Path], None]] = {
    "pipe": _pipe,
    "folder": _folder,
    "sparse": _sparse,
    "archive": _archive,
    "link-to-endless": _link("/dev/zero"),
    "link-to-nothing": _link("nothing/at/all"),
    "link-to-folder": _link("."),
    "nothing": lambda path: None,
}


def damage(path: Path, dice: Dice) -> str:
    """Damage a file in one of the ways that there are for its kind; say how."""
    if dice.chance(0.2):
        outside = next(place / OUTSIDE for place in path.parents if (place / OUTSIDE).exists())
        links = {"link-to-itself": _link(path.name), "link-to-outside": _link(str(outside))}
        how = dice.among([*INSTEAD, *links])
        path.unlink()
        (INSTEAD | links)[how](path)
        return f"{path.name}: {how}"
    change = STRUCTURES.get(path.suffix or path.name, bytes_changed)
    if dice.chance(0.3):
        change = bytes_changed
    content = path.read_bytes()
    try:
        path.write_bytes(change(content, dice))
    except (ValueError, RecursionError, yaml.YAMLError):  # it was damaged before
        path.write_bytes(bytes_changed(content, dice))
    return f"{path.name}: {change.__name__}"
