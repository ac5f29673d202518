"""Which changes of code make records stale."""

import re
import shutil
from pathlib import Path

import pytest
from record_factory import (
    make_metrics,
    make_record,
    write_grid,
)

from seqrec.files import sha256
from seqrec.records import fingerprint, read_record
from seqrec.records.fingerprint import is_stale, training_code_fingerprint
from seqrec.records.survey import stale_records


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(fingerprint.PACKAGE, tmp_path / "seqrec", ignore=ignored))


def makes_stale(package: Path, tmp_path: Path) -> bool:
    """Whether a record that today's code has made is stale by the code in `package`."""
    record = read_record(make_record(tmp_path / "results"))
    return is_stale(record, training_code_fingerprint(package))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("training/building.py", "torch.manual_seed(config.seed)", "torch.manual_seed(0)"),
        ("training/fitting.py", "config.seed", "0"),
        ("training/beginning.py", "split_log(log,", "split_log(log[:100],"),
        ("training/beginning.py", "    set_arithmetic(engine)\n", ""),
        ("training/beginning.py", "seeded_model(", "build_model("),
        ("training/scoring.py", "begin_run(config, log, engine)", "begin_run(config, log, CPU)"),
        ("training/arithmetic.py", "allow_tf32 = False", "allow_tf32 = True"),
        ("training/arithmetic.py", "mkldnn.enabled =", "mkldnn.disabled ="),
        ("protocol/metrics.py", "np.log2(", "np.log("),
    ],
)
def test_what_decides_results_makes_records_stale(
    package: Path, tmp_path: Path, file: str, old: str, new: str
) -> None:
    assert not makes_stale(package, tmp_path)
    code = package / file
    assert old in code.read_text(), "it has changed: choose another line for this test"
    code.write_text(code.read_text().replace(old, new, 1))
    assert makes_stale(package, tmp_path)


def test_a_changed_line_in_any_file_of_training_code_makes_records_stale(package: Path) -> None:
    before = training_code_fingerprint(package)
    for room in fingerprint.DECISIVE_ROOMS:
        for file in (package / room).rglob("*.py"):
            source = file.read_bytes()
            file.write_bytes(source + b"ANOTHER = 1\n")
            assert training_code_fingerprint(package) != before, file
            file.write_bytes(source)
    assert training_code_fingerprint(package) == before


@pytest.mark.parametrize("room", fingerprint.DECISIVE_ROOMS)
def test_a_new_or_renamed_file_of_a_decisive_room_makes_records_stale(
    package: Path, tmp_path: Path, room: str
) -> None:
    file = package / room / "another.py"
    file.write_text("")
    assert makes_stale(package, tmp_path)
    file.unlink()
    assert not makes_stale(package, tmp_path)
    file = next(path for path in (package / room).glob("*.py") if path.name != "__init__.py")
    file.rename(file.with_name("renamed.py"))
    assert makes_stale(package, tmp_path)


def test_comments_docstrings_and_blank_lines_of_training_code_are_free(
    package: Path, tmp_path: Path
) -> None:
    for room in fingerprint.DECISIVE_ROOMS:
        for file in (package / room).rglob("*.py"):
            body = re.sub(r'\A""".*?"""\n', "", file.read_text(), flags=re.DOTALL)
            body = re.sub(r"\n(def |class |@)", r"\n\n   \n# Beside it\n\1", body)
            body = re.sub(r"^(def .*|class .*):\n", r"\1:  # why\n", body, flags=re.M)
            body = re.sub(r'^( +r?""")(?=\w)', r"\1More: ", body, flags=re.M)
            text = f'"""Another docstring,\n\nand more of it."""\n{body}\n\n# The end'
            file.write_bytes(text.replace("\n", "\r\n").encode())
    assert not makes_stale(package, tmp_path)


def test_code_of_other_rooms_is_free(package: Path, tmp_path: Path) -> None:
    for file in ("running/run.py", "report/rendering.py", "records/record.py", "errors.py"):
        (package / file).write_text("changed = True\n")
    assert not makes_stale(package, tmp_path)


def test_only_code_that_runs_is_kept_of_a_source() -> None:
    source = '''"""What it is for,
    and what it is not."""   # noqa

import os  # the system's

# A constant.

NAME = "# no comment" + BLANKS
"""What it is called."""


class Empty:
    """Nothing."""

def f(
    x,  # first

    y="""text

    # of three lines + BLANKS
    """,
):
    r"""Do it."""
    return (  # all
        "a"  # of it
        # and
        "b"
    ), """kept"""
'''
    code = '''import os
NAME = "# no comment"
class Empty:
def f(
    x,
    y="""text

    # of three lines + BLANKS
    """,
):
    return (
        "a"
        "b"
    ), """kept"""
'''
    source, code = (text.replace(" + BLANKS", "   ") for text in (source, code))
    for variant in (source, source.rstrip(), code):
        assert fingerprint.code_that_runs(variant) == code
    assert fingerprint.code_that_runs("# tidy\nx = (\n") == "# tidy\nx = (\n", "not Python yet"


def test_a_record_of_code_that_gives_the_same_results_is_not_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_by = {"version": "0.1.0", "commit": None, "training_code": "first"}
    record = make_record(tmp_path, seqrec=made_by)
    monkeypatch.setattr(fingerprint, "SAME_RESULTS", {"first": "second"})
    assert stale_records(tmp_path) == [record / ".success"], "which is not today's either"
    today = training_code_fingerprint()
    monkeypatch.setattr(fingerprint, "SAME_RESULTS", {"first": "second", "second": today})
    assert stale_records(tmp_path) == []


def test_a_record_of_a_custom_model_is_stale_once_its_file_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab").mkdir()
    for file in (Path("my_models.py"), Path("lab/__init__.py"), Path("lab/nets.py")):
        file.write_text("a = 1\n")
        module = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
        implementation = f"{module}:Mine"
        made_by = make_metrics("ml-1m", "mine")["seqrec"]
        made_by |= {"model_code": fingerprint.model_code(implementation)}
        record = make_record(
            tmp_path, model="mine", seqrec=made_by, config={"implementation": implementation}
        )
        assert stale_records(tmp_path) == []
        file.write_bytes(b"a = 1\r\n")
        assert stale_records(tmp_path) == [], "line ends"
        file.write_bytes(b'"""What it is."""\n\n# Why.\na = 1  # here\n# \xff\n')
        assert stale_records(tmp_path) == [], "comments and docstrings"
        file.write_text("a = 2\n")
        assert stale_records(tmp_path) == [record / ".success"]
        file.unlink()
        assert stale_records(tmp_path) == [], "a colleague's, whose file is not here"
    assert fingerprint.model_code("sasrec") is None


def test_an_older_record_that_holds_the_digest_of_a_whole_file_stays_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("my_models.py")
    file.write_text("a = 1  # one\n")
    made_by = make_metrics("ml-1m", "mine")["seqrec"]
    made_by |= {"model_code": sha256(file)}
    record = make_record(
        tmp_path, model="mine", seqrec=made_by, config={"implementation": "my_models:Mine"}
    )
    assert stale_records(tmp_path) == []
    file.write_text("a = 2  # one\n")
    assert stale_records(tmp_path) == [record / ".success"]


def test_records_of_other_training_code_are_stale(tmp_path: Path) -> None:
    make_record(tmp_path, model="gru4rec")
    old = make_record(
        tmp_path, seqrec={"version": "0.1.0", "commit": None, "training_code": "other"}
    )
    assert stale_records(tmp_path) == [old / ".success"]
    write_grid(tmp_path, ("ml-1m", "gru4rec", 0))
    assert stale_records(tmp_path) == [], "the experiment does not ask for it"
    write_grid(tmp_path, ("ml-1m", "gru4rec", 0), ("ml-1m", "sasrec+", 0))
    assert stale_records(tmp_path) == [old / ".success"]
