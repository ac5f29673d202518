"""Records that somebody else wrote, damaged or made to harm: each is named, and none hides others.

Every one lies beside a whole record, and every command that reads records must show that one.
"""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from record_factory import (
    edit_metrics,
    files_below,
    folder_of,
    make_metrics,
    make_record,
    without_digests,
    write_grid,
)
from shipped import copied_config

from seqrec.cli.main import main
from seqrec.errors import SeqrecError
from seqrec.layout import ResultFiles
from seqrec.records import read_record, read_records
from seqrec.records.arrays import Arrays
from seqrec.records.errors import DamagedRecord, NewerRecord, UnreadableRecord
from seqrec.records.promote import promote
from seqrec.records.reading import require_replaceable
from seqrec.records.survey import is_finished, missing_runs, stale_records, survey
from seqrec.records.writing import write_record

ROOT = Path(__file__).parents[2]

Damage = Callable[[Path], None]
"""Damages the older record, without digests, in a folder."""


def replaced(name: str, content: bytes | str) -> Damage:
    def damage(folder: Path) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)

    return damage


def changed(**changes: Any) -> Damage:
    return lambda folder: edit_metrics(folder, **changes)


def written(old: str, new: str) -> Damage:
    """Replace a text in `metrics.json`."""

    def damage(folder: Path) -> None:
        path = folder / "metrics.json"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return damage


def pipe(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return damage


def link(name: str) -> Damage:
    """The file itself lies elsewhere."""

    def damage(folder: Path) -> None:
        elsewhere = folder.parents[3] / "elsewhere"
        (folder / name).rename(elsewhere)
        (folder / name).symlink_to(elsewhere)

    return damage


def folder_instead(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return damage


def array(numbers: Any, **options: Any) -> Damage:
    return lambda folder: np.save(folder / "ranks.npy", numbers, **options)


def archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "ranks.npy", "w") as file:
        file.writestr("a.txt", "ranks")


def arrays(folder: Path) -> None:
    with (folder / "ranks.npy").open("wb") as file:
        np.savez(file, ranks=np.ones(3, np.int32))


def sparse(name: str, size: int = 1 << 32) -> Damage:
    return lambda folder: os.truncate(folder / name, size)


def header(text: str) -> Damage:
    line = text.encode().ljust(117) + b"\n"
    return replaced("ranks.npy", b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line)


def nested(depth: int) -> Damage:
    return written('"config": {', '"config": {"deep": ' + "[" * depth + "]" * depth + ", ")


GOOD = {"hit_rate@10": 0.31, "ndcg@10": 0.18}

DAMAGES: dict[str, Damage] = {
    "pipe-of-ranks": pipe("ranks.npy"),
    "pipe-of-counts": pipe("target_counts.npy"),
    "pipe-of-history": pipe("history.csv"),
    "pipe-of-metrics": pipe("metrics.json"),
    "link-of-ranks": link("ranks.npy"),
    "link-of-history": link("history.csv"),
    "folder-of-ranks": folder_instead("ranks.npy"),
    "folder-of-metrics": folder_instead("metrics.json"),
    "archive": archive,
    "archive-of-arrays": arrays,
    "sparse-ranks": sparse("ranks.npy"),
    "sparse-history": sparse("history.csv"),
    "sparse-metrics": sparse("metrics.json"),
    "no-ranks": lambda folder: (folder / "ranks.npy").unlink(),
    "empty-ranks": replaced("ranks.npy", b""),
    "objects": array(np.array([{}, None]), allow_pickle=True),
    "big-endian": array(np.ones(1000, ">i4")),
    "structured": array(np.zeros(3, [("a" * 999, "i4")])),
    "huge-shape": header("{'descr': '<i4', 'fortran_order': False, 'shape': (9999999999999,)}"),
    "negative-shape": header("{'descr': '<i4', 'fortran_order': False, 'shape': (-1,)}"),
    "no-literal": header("__import__('os').system('touch trapped')"),
    "unclosed-literal": header("{'descr': '<i4', 'shape': ((((((((((("),
    "no-numbers-in-history": replaced("history.csv", "epoch,seconds,training_loss\n9,1_0,0x1\n"),
    "quotes-in-history": replaced("history.csv", 'epoch,seconds,training_loss\n9,"1\n2",3\n'),
    "zeros-in-history": replaced("history.csv", b"epoch,seconds,training_loss\n9,1,\0\n"),
    "latin-history": replaced("history.csv", b"epoch,seconds,training_loss,\xe9\n9,1,2,3\n"),
    "endless-loss": replaced("history.csv", "epoch,seconds,training_loss\n9,1,inf\n"),
    "loss-that-is-no-number": replaced("history.csv", "epoch,seconds,training_loss\n9,1,nan\n"),
    "long-epoch": replaced("history.csv", f"epoch,seconds,training_loss\n{'9' * 5000},1,2\n"),
    "5000-digits": written('"epochs": 12', f'"epochs": {"9" * 5000}'),
    "40-digits": written('"parameters": 300000', f'"parameters": {"9" * 40}'),
    "surrogate": written('"Some CPU"', '"Some \\ud800"'),
    "surrogate-key": written('"hidden_size"', '"\\udfff"'),
    "deep": nested(100),
    "deeper": nested(100_000),
    "metric-foo@bar": changed(test=GOOD | {"foo@bar": 0.5}),
    "metric-empty": changed(test=GOOD | {"": 0.5}),
    "metric-long": changed(validation=GOOD | {f"ndcg@{'9' * 400}": 0.5}),
    "metric-text": changed(test=GOOD | {"mrr@10": "0.5"}),
    "metric-sampled": changed(test_sampled={"uniform": {"ndcg@ten": 0.5}}),
    "no-validation": changed(validation={}),
    "validation-list": changed(validation=[0.5]),
    "loss-list": changed(config={"loss": ["cross-entropy"]}),
    "loss-kind": changed(config={"loss": {"kind": ["cross-entropy"]}}),
    "training-text": changed(config={"training": "long"}),
    "patience-text": changed(config={"training": {"patience": "long", "max_epochs": 3}}),
    "no-patience": changed(config={"training": {"max_epochs": 3}}),
    "loss-without-kind": changed(config={"loss": {"negatives": 3}}),
    "implementation-list": changed(config={"implementation": ["sasrec"]}),
    "negative-seconds": changed(training_seconds=-1.0),
    "endless-seconds": changed(training_seconds=1e300),
    "best-of-none": changed(epochs=None),
    "format-text": changed(format="1"),
    "statistics-text": changed(data={"sha256": "d" * 64, "statistics": "many"}),
    "statistics-texts": changed(data={"sha256": "d" * 64, "statistics": {"users": "many"}}),
}


class TooSlow(Exception):
    """A command waits for something that never comes."""


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """End a block that hangs."""

    def stop(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment with one whole record and one of every damage, each a model of its own."""
    results = tmp_path_factory.mktemp("project") / "results/theirs"
    make_record(results, model="whole")
    first = without_digests(make_record(results, model="first"))
    for name, damage in DAMAGES.items():
        folder = folder_of(results, "ml-1m", name.replace("@", "-"))
        shutil.copytree(first, folder)
        edit_metrics(folder, model=folder.parent.name)
        damage(folder)
    shutil.rmtree(first.parent)
    return results


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_one_message_and_a_remedy(results: Path, damage: str) -> None:
    folder = folder_of(results, "ml-1m", damage.replace("@", "-"))
    with within(10), pytest.raises(DamagedRecord) as caught:
        read_record(folder)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert message.endswith(f"Delete {folder} and run the experiment again.")
    assert len(message) - 3 * len(str(folder)) < 600


COMMANDS = ["tables", "figures", "missing", "metrics", "best", "stale", "status", "promote"]


@pytest.mark.parametrize("command", [*COMMANDS, "compare"])
def test_damaged_records_hide_no_other_from_any_command(
    results: Path, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "config/published", tmp_path / "config/published")
    words = [str(results), *{"metrics": ["10"], "compare": [str(results)]}.get(command, [])]
    with within(60):
        done = CliRunner().invoke(main, [command, *words])
    assert isinstance(done.exception, SystemExit | None), done.exception
    assert "Traceback" not in done.output
    assert done.exit_code == (command == "missing"), done.output
    shown = {
        "tables": (results / "results.csv").read_text() if command == "tables" else "",
        "figures": "".join(map(str, (results / "figures").glob("*"))),
        "missing": f", {len(DAMAGES)} missing",
        "promote": "".join(map(str, (tmp_path / "results/reference").rglob("metrics.json"))),
    }
    expected = {"stale": "", "figures": "convergence", "status": "1 of ", "missing": "missing"}
    assert expected.get(command, "whole") in shown.get(command, done.output), done.output
    if command == "missing":
        assert shown["missing"] in done.output
        assert "ml-1m whole" not in done.output


def test_a_record_of_two_runs_is_damage_to_every_reader(tmp_path: Path) -> None:
    """Whatever file is not the one that was written with the record."""
    for name in ("config.yaml", "history.csv", "ranks.npy", "target_counts.npy"):
        folder = make_record(tmp_path / "results", model="sasrec")
        other = make_record(tmp_path / "other", model="sasrec", ndcg=0.5, epochs=20, seed=0,
                            target_counts=np.ones(1000), config={"model": "other"})  # fmt: skip
        assert (folder / name).read_bytes() != (other / name).read_bytes()
        shutil.copy2(other / name, folder / name)
        with pytest.raises(DamagedRecord, match=rf"{name}: is not the file that was written with"):
            read_record(folder)
    record = read_record(other)
    record.require_recorded(other / "model.safetensors")
    (other / "model.safetensors").write_bytes(b"others")
    with pytest.raises(DamagedRecord, match=r"model\.safetensors: is not the file"):
        record.require_recorded(other / "model.safetensors")


def test_a_record_of_a_later_format_is_named_as_newer_and_left_alone(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_grid(results, ("ml-1m", "sasrec+", 0))
    folder = make_record(results)
    edit_metrics(folder, format=2, test={"of": "another kind"})
    before = files_below(results)
    with pytest.raises(NewerRecord, match=r"newer seqrec \(format 2, here 1\)\. Update seqrec"):
        read_record(folder)
    (lost,) = missing_runs(results)
    assert "newer seqrec" in lost.reason
    assert lost.remedy.startswith("Update seqrec to read runs/ml-1m/sasrec+/seed-0;")
    with pytest.raises(NewerRecord):
        is_finished(folder, "c" * 64, tmp_path, any_code=True)
    with pytest.raises(NewerRecord):
        require_replaceable(folder)
    with pytest.raises(NewerRecord):
        make_record(results)
    make_record(tmp_path / "ours/paper")
    with pytest.raises(NewerRecord):
        promote(tmp_path / "ours/paper", results, replace=True)
    assert files_below(results) == before


def test_a_kill_while_a_record_is_replaced_leaves_no_record_of_two_runs(tmp_path: Path) -> None:
    """Killed before each of its files takes its name; every state is old, new or no record."""
    code = (
        "import os, sys, pathlib\n"
        "from record_factory import make_record\n"
        "left, real = [int(sys.argv[2])], pathlib.Path.replace\n"
        "def replace(self, target):\n"
        "    left[0] -= 1\n"
        "    os._exit(9) if left[0] < 0 else real(self, target)\n"
        "pathlib.Path.replace = replace\n"
        "make_record(pathlib.Path(sys.argv[1]), ndcg=0.5, config={'model': 'other'})\n"
    )
    path = f"{ROOT / 'tests'}:{ROOT}"
    for renamed in (0, 1, 3, 5):
        folder = make_record(tmp_path)
        words = [sys.executable, "-c", code, str(tmp_path), str(renamed)]
        done = subprocess.run(words, env={**os.environ, "PYTHONPATH": path}, check=False)
        assert done.returncode == 9
        assert not (folder / "metrics.json").exists()
        (lost,) = missing_runs(tmp_path) or [None]
        assert lost is None, "nobody asked for it"
        shutil.rmtree(folder)


@pytest.fixture
def as_somebody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Rights hold for root, too, while the test runs as nobody."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_an_unreadable_record_is_named_and_hides_no_other(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    make_record(tmp_path, model="gru4rec")
    places = [
        make_record(tmp_path, model="sasrec") / "metrics.json",
        make_record(tmp_path, model="sasrec+") / "ranks.npy",
        make_record(tmp_path, model="bert4rec"),
    ]
    open_to_all(tmp_path)
    for place in places:
        place.chmod(0)
    request.getfixturevalue("as_somebody")
    assert [record.model for record in read_records(tmp_path)] == ["gru4rec"]
    for lost in missing_runs(tmp_path):
        assert "cannot be read (Permission denied)." in lost.reason
        assert lost.remedy.startswith(f"Make runs/ml-1m/{lost.run.model}/seed-0 and its files read")
    assert len(missing_runs(tmp_path)) == 3
    folder = folder_of(tmp_path, "ml-1m", "sasrec")
    with pytest.raises(UnreadableRecord):
        is_finished(folder, "c" * 64, tmp_path, any_code=True)


def test_a_run_is_written_through_no_link_that_leaves_the_results(tmp_path: Path) -> None:
    elsewhere = folder_of(make_record(tmp_path / "paper").parents[3], "ml-1m", "sasrec+")
    results = tmp_path / "mine"
    ResultFiles(results).runs.mkdir(parents=True)
    (results / "runs/ml-1m").symlink_to(elsewhere.parents[1])
    folder = folder_of(results, "ml-1m", "sasrec+")
    before = files_below(elsewhere)
    assert read_record(folder).model == "sasrec+", "to read it is fine"
    with pytest.raises(SeqrecError, match=r"leads through a link to .*, outside of"):
        make_record(results)
    assert files_below(elsewhere) == before
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "linked").symlink_to(disk)
    make_record(tmp_path / "linked")
    assert len(read_records(tmp_path / "linked")) == 1


@pytest.mark.parametrize(("command", "folder"), [("tables", "tables"), ("tables", "tables/pairs"),
                                                 ("figures", "figures")])  # fmt: skip
def test_outputs_go_through_no_link_that_leaves_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    published = shutil.copytree(ROOT / "config/published", tmp_path / "config/published")
    results = tmp_path / "results/theirs"
    make_record(results)
    (results / folder).parent.mkdir(exist_ok=True)
    (results / folder).symlink_to(published)
    before = files_below(published)
    done = CliRunner().invoke(main, [command, str(results)])
    assert done.exit_code == 1
    assert f"{results}/{folder}" in done.output
    assert f"leads through a link to {published}" in done.output
    assert files_below(published) == before


def test_promotion_copies_no_file_that_a_link_points_to(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of mine")
    results, reference = tmp_path / "theirs", tmp_path / "reference"
    folder = without_digests(make_record(results))
    (folder / "config.yaml").unlink()
    (folder / "config.yaml").symlink_to(secret)
    with pytest.raises(SeqrecError, match=r"config\.yaml: is a link"):
        promote(results, reference)
    assert not any("of mine" in str(content) for content in files_below(reference).values())


@pytest.mark.parametrize("module", ["", ".", "..", ".a", "a..b", "y" * 5000, "a/b"])
def test_a_record_may_name_a_model_that_cannot_be(tmp_path: Path, module: str) -> None:
    make_record(tmp_path, config={"implementation": f"{module}:Model"})
    assert [record.model for record in survey(tmp_path).records] == ["sasrec+"]
    assert stale_records(tmp_path) == []


def test_folders_that_are_named_like_no_run_are_none(tmp_path: Path) -> None:
    folder = make_record(tmp_path)
    runs = ResultFiles(tmp_path).runs
    for name in (b"a{b}c", b"\xff\xfe", b".hidden", b"a\nb"):
        for place in (os.fsencode(runs), os.fsencode(runs / "ml-1m")):
            shutil.copytree(os.fsencode(folder.parent), place + b"/" + name)
    shutil.copytree(folder, folder.with_name("seed-\u0663"))
    shutil.copytree(folder, folder.with_name(f"seed-{'9' * 40}"))
    assert list(ResultFiles(tmp_path).run_folders()) == [folder]
    assert len(read_records(tmp_path)) == 1


def test_metrics_json_is_read_as_it_was_written_whatever_else_it_holds(tmp_path: Path) -> None:
    """What a later version may add is no damage."""
    folder = make_record(tmp_path)
    content = json.loads((folder / "metrics.json").read_text())
    sampled = {"uniform": {"ndcg@10": 0.5, "recall_at-all": 1.0}}
    content |= {"test_sampled": sampled, "new": {"list": [1, {"a": None}]}}
    content["config"] |= {"loss": {"kind": "new-kind", "weight": 2.0}, "training": None}
    content["digests"]["notes.txt"] = "0" * 64
    (folder / "metrics.json").write_text(json.dumps(content))
    assert read_record(folder).test_sampled == sampled
    assert make_metrics("a", "b")["format"] == 1
    assert write_record(read_record(folder), Arrays(np.ones(3), np.ones(3))).digests


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("config/published/results.csv", ["tables", "results/mine"]),
        ("config/published/num_negatives.csv", ["figures", "results/mine"]),
        ("config/demo.yaml", ["check", "demo"]),
        ("config/datasets/demo.yaml", ["download", "demo"]),
        ("results/mine/runs/ml-1m", ["missing", "results/mine"]),
        ("results/mine/grid.json", ["status", "results/mine"]),
        ("results/mine/tables", ["tables", "results/mine"]),
        ("data/processed/demo/digest.json", ["preprocess", "demo"]),
    ],
)
def test_no_permission_is_one_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    place: str,
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    copied_config(tmp_path)
    make_record(tmp_path / "results/mine")
    write_grid(tmp_path / "results/mine", ("ml-1m", "sasrec+", 0))
    (tmp_path / "results/mine/tables").mkdir()
    (tmp_path / "data/processed/demo").mkdir(parents=True)
    (tmp_path / "data/processed/demo/digest.json").write_text("{}")
    if words[1].startswith("results"):
        CliRunner().invoke(main, words)  # nobody may not import what commands import when they run
    (tmp_path / place).chmod(0)
    open_to_all(tmp_path)
    request.getfixturevalue("as_somebody")
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.output.startswith("Error: ")
    assert len(done.output.splitlines()) <= 3


def open_to_all(folder: Path) -> None:
    """Let everybody in that far, and no further."""
    for one in (*folder.parents, folder):
        if one.stat().st_uid == os.geteuid() and one.name.startswith(
            ("pytest-", "popen-", folder.name)
        ):
            one.chmod(0o755)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"pid": 2**31 + 5}),
        json.dumps({"pid": 2**70}),
        json.dumps({"pid": "one"}),
        "[" * 100_000,
        '{"host": "\\ud800"}',
        None,
    ],
)
def test_any_report_of_progress_leaves_the_status_readable(
    tmp_path: Path, content: str | None
) -> None:
    path = make_record(tmp_path) / "progress.json"
    if content is None:
        os.mkfifo(path)
    else:
        report = {"config_hash": "c", "host": platform.node(), "pid": 1, "epoch": 1}
        report |= {"max_epochs": 3, "patience": 1}
        changes = json.loads(content) if content.startswith('{"pid"') else None
        path.write_text(json.dumps(report | changes) if changes else content)
    with within(20):
        done = CliRunner().invoke(main, ["status", str(tmp_path)])
    assert done.exit_code == 0, done.exception
    assert "1 of 1 run" in " ".join(done.output.split())
