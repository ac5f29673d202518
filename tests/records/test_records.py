"""Run records: written whole, read with care, promoted without loss."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from record_factory import (
    USERS,
    folder_of,
    make_failure,
    make_history,
    make_metrics,
    make_record,
    record_of,
)

from seqrec.errors import SeqrecError
from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.records import fingerprint
from seqrec.records.fingerprint import is_current, training_code_fingerprint
from seqrec.records.json_files import as_json
from seqrec.records.promote import promote
from seqrec.records.record import Run, read_record
from seqrec.records.survey import Missing, missing_runs, read_records, stale_records
from seqrec.records.writing import write_record

REFERENCE = sorted((Path(__file__).parents[2] / "results/reference/runs").glob("*/*/seed-*"))


def write_grid(results: Path, *runs: tuple[str, str, int]) -> None:
    keys = ("dataset", "model", "seed")
    results.mkdir(parents=True, exist_ok=True)
    grid = {"experiment": results.name, "runs": [dict(zip(keys, r, strict=True)) for r in runs]}
    (results / "grid.json").write_text(json.dumps(grid))


def files(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


# Writing and reading


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    folder = make_record(tmp_path, "ml-1m", "sasrec+3000", 2, training_seconds=0.1 + 0.2)
    (record,) = read_records(tmp_path)
    assert (record.dataset, record.model, record.negatives, record.seed) == (
        "ml-1m", "sasrec+3000", 3000, 2,
    )  # fmt: skip
    assert record.training_seconds == 0.1 + 0.2
    assert record.test == metrics_from_ranks(record.ranks(), [10, 100])
    pd.testing.assert_frame_equal(record.history(), pd.DataFrame(make_history()), check_exact=True)
    assert record.ranks().dtype == np.int32
    assert record.ranks().shape == (USERS,)
    assert record.folder == folder


def test_metrics_json_is_sorted_and_numpy_numbers_are_plain(tmp_path: Path) -> None:
    folder = make_record(tmp_path, epochs=np.int64(12), training_seconds=np.float32(0.5))
    text = (folder / "metrics.json").read_text()
    data = json.loads(text)
    assert text == json.dumps(data, sort_keys=True, indent=2) + "\n"
    assert data["epochs"] == 12
    assert data["training_seconds"] == 0.5


def test_metrics_json_comes_last_and_a_failure_before_it_leaves_the_old_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_record(tmp_path)
    before = files(folder)
    renamed: list[str] = []
    real = Path.replace

    def note(self: Path, target: Path) -> Path:
        renamed.append(Path(target).name)
        assert not (folder / "metrics.json").exists(), "no record of old and new files"
        return real(self, target)

    monkeypatch.setattr(Path, "replace", note)
    with pytest.raises(ValueError, match="shape"):
        record = record_of(folder, make_metrics("ml-1m", "sasrec+"))
        write_record(record, [], [[1], [1, 2]], [])  # type: ignore[arg-type]
    assert files(folder) == before
    assert renamed == []
    make_record(tmp_path)
    assert renamed[-1] == "metrics.json"
    assert sorted(renamed) == ["history.csv", "metrics.json", "ranks.npy", "target_counts.npy"]


def test_a_diverged_run_is_refused_with_the_place_of_the_nan(tmp_path: Path) -> None:
    validation = {"ndcg@10": 0.1, "mrr@10": float("nan")}
    with pytest.raises(SeqrecError, match=r"validation\.mrr@10 is nan.*learning rate"):
        make_record(tmp_path, validation=validation)
    assert files(tmp_path) == {}


def test_a_record_without_something_that_tables_need_can_be_neither_made_nor_read(
    tmp_path: Path,
) -> None:
    folder = make_record(tmp_path)
    content = json.loads((folder / "metrics.json").read_text())
    del content["device"]
    with pytest.raises(SeqrecError, match="device: Field required"):
        record_of(folder, content)
    (folder / "metrics.json").write_text(json.dumps(content))
    with pytest.raises(SeqrecError, match=r"metrics\.json: device: Field required.*Delete"):
        read_record(folder)


@pytest.mark.parametrize("folder", REFERENCE, ids=lambda folder: "/".join(folder.parts[-3:]))
def test_committed_records_are_written_as_they_were_read(folder: Path) -> None:
    text = (folder / "metrics.json").read_text()
    content = read_record(folder).content()
    if '"model_code"' not in text:  # as in the oldest
        del content["seqrec"]["model_code"]
    assert as_json(content) == text


def test_a_written_record_has_every_key_and_sampled_metrics_only_where_they_were_asked_for(
    tmp_path: Path,
) -> None:
    record = read_record(make_record(tmp_path))
    assert record.content().keys() == read_record(REFERENCE[0]).content().keys()
    sampled = {"uniform": {"ndcg@10": 0.5}, "popularity": {"ndcg@10": 0.25}}
    with_sampled = read_record(make_record(tmp_path, "beauty", test_sampled=sampled))
    assert with_sampled.content() == {
        **record.content(),
        "dataset": "beauty",
        "test_sampled": sampled,
    }
    assert record.content()["seconds_per_epoch"] == 540.125 / 12


def test_a_record_of_an_older_or_a_newer_version_is_valid(tmp_path: Path) -> None:
    folder = make_record(tmp_path)
    content = json.loads((folder / "metrics.json").read_text())
    for key in ("device_id", "logits_per_chunk", "compile"):
        del content[key]
    del content["seqrec"]["model_code"]
    (folder / "metrics.json").write_text(json.dumps({**content, "colour": "blue"}))
    assert read_record(folder).seqrec.model_code is None


def test_a_finished_run_clears_the_failure_before_it(tmp_path: Path) -> None:
    make_failure(folder_of(tmp_path, "ml-1m", "sasrec+"))
    make_record(tmp_path)
    assert missing_runs(tmp_path) == []
    assert not list(tmp_path.rglob("failure.json"))


def test_a_model_without_epochs_has_an_empty_history(tmp_path: Path) -> None:
    folder = make_record(tmp_path, model="popularity", epochs=None, best_epoch=None)
    assert read_record(folder).history().empty
    (folder / "history.csv").unlink()
    assert read_record(folder).history().empty


# What is missing


def test_runs_of_the_grid_without_a_record_are_missing_with_their_reasons(tmp_path: Path) -> None:
    write_grid(
        tmp_path,
        ("ml-1m", "sasrec+", 0),
        ("ml-1m", "gru4rec", 0),
        ("ml-1m", "bert4rec", 1),
        ("yelp", "sasrec", 0),
    )
    make_record(tmp_path)
    make_failure(folder_of(tmp_path, "ml-1m", "gru4rec"), "CUDA out of\nmemory")
    (tmp_path / "data-failures").mkdir()
    (tmp_path / "data-failures/yelp.json").write_text(
        json.dumps({"dataset": "yelp", "error": "no file", "remedy": "Ask Yelp."})
    )
    assert missing_runs(tmp_path) == [
        Missing(Run("ml-1m", "bert4rec", 1), "not run.", "Run the experiment again."),
        Missing(Run("ml-1m", "gru4rec", 0), "CUDA out of memory.", "Halve the batch."),
        Missing(Run("yelp", "sasrec", 0), "no file.", "Ask Yelp."),
    ]


def test_without_a_grid_what_is_found_is_what_was_expected(tmp_path: Path) -> None:
    make_record(tmp_path)
    make_failure(folder_of(tmp_path, "ml-1m", "gru4rec"))
    assert [m.run.model for m in missing_runs(tmp_path)] == ["gru4rec"]
    assert [r.model for r in read_records(tmp_path)] == ["sasrec+"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", '{"format": 1, "data'),
        ("metrics.json", ""),
        ("metrics.json", "[]"),
        ("metrics.json", '{"format": 1}'),
        ("metrics.json", '{"test": NaN}'),
        ("metrics.json", '{"test": 1e999}'),
        ("metrics.json", b"\xff\xfe"),
        ("history.csv", "epoch,seco"),
        ("history.csv", "epoch,seconds,training_loss\n1,x,2\n"),
        ("history.csv", ""),
    ],
)
def test_a_damaged_record_is_named_and_does_not_hide_the_others(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    make_record(tmp_path, model="gru4rec")
    folder = make_record(tmp_path)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SeqrecError) as caught:
        read_record(folder)
    assert str(caught.value).startswith(str(folder / name))
    assert f"Delete {folder} and run the experiment again." in str(caught.value)

    assert [record.model for record in read_records(tmp_path)] == ["gru4rec"]
    (missing,) = missing_runs(tmp_path)
    assert missing.run == ("ml-1m", "sasrec+", 0)
    assert missing.reason.startswith(f"runs/ml-1m/sasrec+/seed-0/{name}: ")
    assert missing.remedy.startswith("Delete runs/ml-1m/sasrec+/seed-0 ")


def test_a_record_copied_to_the_wrong_place_is_not_believed(tmp_path: Path) -> None:
    folder = make_record(tmp_path, model="sasrec+")
    folder.parent.rename(folder.parent.with_name("sasrec"))
    assert read_records(tmp_path) == []
    (missing,) = missing_runs(tmp_path)
    assert missing.run.model == "sasrec"
    assert "belong in runs/ml-1m/sasrec+/seed-0/" in missing.reason


def test_an_unreadable_failure_is_still_a_failure(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "ml-1m", "sasrec+")
    folder.mkdir(parents=True)
    (folder / "failure.json").write_text("{")
    assert "failed" in missing_runs(tmp_path)[0].reason


def test_unreadable_ranks_are_named(tmp_path: Path) -> None:
    folder = make_record(tmp_path)
    (folder / "ranks.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(SeqrecError, match=r"ranks\.npy.*Delete"):
        read_record(folder).ranks()


def test_counts_of_other_users_than_were_ranked_for_are_damage(tmp_path: Path) -> None:
    folder = make_record(tmp_path)
    np.save(folder / "target_counts.npy", np.ones(3, np.int32))
    with pytest.raises(SeqrecError, match=r"target_counts\.npy: holds other users.*Delete"):
        read_record(folder)


def test_ranks_count_from_one(tmp_path: Path) -> None:
    folder = make_record(tmp_path)
    ranks = np.load(folder / "ranks.npy")
    ranks[3] = 0
    np.save(folder / "ranks.npy", ranks)
    with pytest.raises(SeqrecError, match=r"ranks\.npy: holds rank 0, .*Delete"):
        read_record(folder)


def test_metrics_of_other_ranks_are_damage(tmp_path: Path) -> None:
    folder = make_record(tmp_path)
    older = make_record(tmp_path, model="gru4rec", ndcg=0.181)
    ranks = np.load(folder / "ranks.npy")
    np.save(folder / "ranks.npy", ranks[::-1])  # added up in another order
    assert read_record(folder)
    np.save(folder / "ranks.npy", np.load(older / "ranks.npy"))
    message = r"metrics\.json: has hit_rate@10 0\.310000 .*ranks\.npy gives 0\.181000.*Delete"
    with pytest.raises(SeqrecError, match=message):
        read_record(folder)


def test_a_history_of_a_model_without_epochs_is_damage(tmp_path: Path) -> None:
    folder = make_record(tmp_path, epochs=None, best_epoch=None)
    other = make_record(tmp_path, model="gru4rec")
    (folder / "history.csv").write_bytes((other / "history.csv").read_bytes())
    with pytest.raises(SeqrecError, match=r"history\.csv: holds epochs"):
        read_record(folder)


def test_a_record_without_the_metrics_that_tables_show_is_damage(tmp_path: Path) -> None:
    folder = make_record(tmp_path)
    content = json.loads((folder / "metrics.json").read_text())
    del content["test"]["ndcg@10"]
    (folder / "metrics.json").write_text(json.dumps(content))
    with pytest.raises(SeqrecError, match=r"metrics\.json: test: .*lacks ndcg@10"):
        read_record(folder)


def test_an_experiment_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeqrecError, match="nowhere: no such folder"):
        read_records(tmp_path / "nowhere")


def test_a_damaged_grid_is_named(tmp_path: Path) -> None:
    (tmp_path / "grid.json").write_text('{"runs": [{"dataset": "ml-1m"}]}')
    with pytest.raises(SeqrecError, match=r"grid\.json: runs\.0\.model"):
        read_records(tmp_path)


@pytest.mark.parametrize("name", ["../../notes", "/tmp/notes", "..", "a/b", ""])
@pytest.mark.parametrize("key", ["dataset", "model"])
def test_a_grid_of_somebody_names_no_file_elsewhere(tmp_path: Path, key: str, name: str) -> None:
    run = {"dataset": "ml-1m", "model": "sasrec", "seed": 0} | {key: name}
    (tmp_path / "grid.json").write_text(json.dumps({"runs": [run]}))
    with pytest.raises(SeqrecError, match=rf"grid\.json: runs\.0\.{key}"):
        read_records(tmp_path)


# The training code's fingerprint


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(fingerprint.PACKAGE, tmp_path / "seqrec", ignore=ignored))


def is_stale(package: Path, tmp_path: Path) -> bool:
    """Whether a record that today's code has made is stale by the code in `package`."""
    record = read_record(make_record(tmp_path / "results"))
    return not is_current(record, training_code_fingerprint(package))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("training/building.py", "torch.manual_seed(config.seed)", "torch.manual_seed(0)"),
        ("training/fitting.py", "config.seed", "0"),
        ("training/precision.py", "allow_tf32 = False", "allow_tf32 = True"),
        ("training/precision.py", "mkldnn.enabled =", "mkldnn.disabled ="),
        ("protocol/metrics.py", "np.log2(", "np.log("),
    ],
)
def test_what_decides_results_makes_records_stale(
    package: Path, tmp_path: Path, file: str, old: str, new: str
) -> None:
    assert not is_stale(package, tmp_path)
    code = package / file
    assert old in code.read_text(), "it has changed: choose another line for this test"
    code.write_text(code.read_text().replace(old, new, 1))
    assert is_stale(package, tmp_path)


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
    assert is_stale(package, tmp_path)
    file.unlink()
    assert not is_stale(package, tmp_path)
    file = next(path for path in (package / room).glob("*.py") if path.name != "__init__.py")
    file.rename(file.with_name("renamed.py"))
    assert is_stale(package, tmp_path)


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
    assert not is_stale(package, tmp_path)


def test_code_of_other_rooms_is_free(package: Path, tmp_path: Path) -> None:
    for file in ("running/run.py", "report/tables.py", "records/record.py", "errors.py"):
        (package / file).write_text("changed = True\n")
    assert not is_stale(package, tmp_path)


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


def test_a_record_of_an_own_model_is_stale_once_its_file_has_changed(
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
        file.write_text("a = 2\n")
        assert stale_records(tmp_path) == [record / ".success"]
        file.unlink()
        assert stale_records(tmp_path) == [], "a colleague's, whose file is not here"
    assert fingerprint.model_code("sasrec") is None


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


# Promotion


def test_promotion_copies_records_without_checkpoints_and_merges_the_grid(tmp_path: Path) -> None:
    source, reference = tmp_path / "paper", tmp_path / "reference"
    write_grid(source, ("ml-1m", "sasrec+", 0), ("yelp", "sasrec+", 0))
    write_grid(reference, ("beauty", "sasrec", 3))
    folder = make_record(source)
    (folder / "resume.pt").write_bytes(b"state")
    make_failure(folder_of(source, "ml-1m", "gru4rec"))
    copied = promote(source, reference)
    target = folder_of(reference, "ml-1m", "sasrec+")
    assert copied == [target / "metrics.json"]
    kept = ("config.yaml", "history.csv", "metrics.json", "ranks.npy", "target_counts.npy")
    assert files(target) == {name: (folder / name).read_bytes() for name in kept}
    assert not list(reference.rglob("failure.json"))
    grid = json.loads((reference / "grid.json").read_text())
    assert grid["experiment"] == "reference"
    assert [(run["dataset"], run["model"], run["seed"]) for run in grid["runs"]] == [
        ("beauty", "sasrec", 3),
        ("ml-1m", "gru4rec", 0),
        ("ml-1m", "sasrec+", 0),
        ("yelp", "sasrec+", 0),
    ]


def test_promotion_never_replaces_a_different_record_unless_told_to(tmp_path: Path) -> None:
    source, reference = tmp_path / "paper", tmp_path / "reference"
    make_record(source)
    assert len(promote(source, reference)) == 1
    assert promote(source, reference) == [], "the same record again is no difference"
    make_record(source, "beauty")
    make_record(source, ndcg=0.5)
    before = files(reference)
    with pytest.raises(
        SeqrecError, match=r"ml-1m/sasrec\+/seed-0: holds a different.*\n.*--replace"
    ):
        promote(source, reference)
    assert files(reference) == before, "nothing was copied, not even what was free"
    assert len(promote(source, reference, replace=True)) == 2
    assert {r.dataset: r.test["ndcg@10"] for r in read_records(reference)} == {
        "beauty": 0.18, "ml-1m": 0.5,
    }  # fmt: skip


def test_promotion_leaves_no_file_of_the_record_it_replaces(tmp_path: Path) -> None:
    source, reference = tmp_path / "paper", tmp_path / "reference"
    folder = make_record(source)
    promote(source, reference)
    make_record(source, epochs=None, best_epoch=None)
    (folder / "history.csv").unlink()
    promote(source, reference, replace=True)
    assert "history.csv" not in files(folder_of(reference, "ml-1m", "sasrec+"))


def test_seeds_of_unlike_configurations_are_not_promoted_together(tmp_path: Path) -> None:
    one, other, reference = tmp_path / "one", tmp_path / "other", tmp_path / "reference"
    make_record(one, seed=0, config={"seed": 0, "hidden_size": 64})
    make_record(other, seed=1, config={"seed": 1, "hidden_size": 8})
    promote(one, reference)
    before = files(reference)
    with pytest.raises(SeqrecError, match=r"seed-\d: differs in more than the seed from .*seed-\d"):
        promote(other, reference)
    assert files(reference) == before
    make_record(other, seed=0, config={"seed": 0, "hidden_size": 8})
    assert len(promote(other, reference, replace=True)) == 2, "all of them at once are alike"


def test_a_history_without_the_best_epoch_is_damage(tmp_path: Path) -> None:
    folder = make_record(tmp_path)
    lines = (folder / "history.csv").read_text().splitlines(keepends=True)
    (folder / "history.csv").write_text("".join(lines[:5]))
    assert read_records(tmp_path) == []
    (missing,) = missing_runs(tmp_path)
    assert "history.csv: lacks the best epoch, 9" in missing.reason


def test_promotion_of_nothing_or_of_the_reference_itself_is_refused(tmp_path: Path) -> None:
    make_failure(folder_of(tmp_path, "ml-1m", "sasrec+"))
    with pytest.raises(SeqrecError, match="no finished record"):
        promote(tmp_path, tmp_path / "reference")
    with pytest.raises(SeqrecError, match="reference itself"):
        promote(tmp_path, tmp_path)


def test_records_tables_and_figures_do_without_torch() -> None:
    code = (
        "import sys, seqrec.records, seqrec.report.tables, seqrec.report.figures;"
        "print('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"
