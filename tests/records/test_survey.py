"""What an experiment's folder holds: finished, damaged, failed and missing runs."""

import json
from pathlib import Path

import pytest
from record_factory import (
    folder_of,
    make_failure,
    make_record,
    without_digests,
    write_grid,
)

from seqrec.errors import SeqrecError
from seqrec.layout import ResultFiles, Run
from seqrec.records import read_record, read_records
from seqrec.records.failure import Reason, write_failure
from seqrec.records.survey import Missing, missing_in_short, missing_runs, survey


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
    note = ResultFiles(tmp_path).data_failure("yelp")
    write_failure(note, Reason("no file", "Ask Yelp."), dataset="yelp")
    assert missing_runs(tmp_path) == [
        Missing(Run("ml-1m", "gru4rec", 0), "CUDA out of memory.", "Halve the batch."),
        Missing(Run("ml-1m", "bert4rec", 1), "not run.", "Run the experiment again."),
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


def test_a_history_without_the_best_epoch_is_damage(tmp_path: Path) -> None:
    folder = without_digests(make_record(tmp_path))
    lines = (folder / "history.csv").read_text().splitlines(keepends=True)
    (folder / "history.csv").write_text("".join(lines[:5]))
    assert read_records(tmp_path) == []
    (missing,) = missing_runs(tmp_path)
    assert "history.csv: lacks the best epoch, 9" in missing.reason


def test_missing_runs_with_one_reason_are_one_line(tmp_path: Path) -> None:
    runs = [("yelp", model, seed) for model in ("sasrec", "sasrec+") for seed in (0, 1)]
    write_grid(tmp_path, ("ml-1m", "sasrec", 0), ("ml-1m", "sasrec+", 1), *runs)
    make_record(tmp_path, "ml-1m", "sasrec")
    path = ResultFiles(tmp_path).data_failure("yelp")
    write_failure(path, Reason("no such address", "Put the file there."), dataset="yelp")
    assert missing_in_short(survey(tmp_path)) == [
        "ml-1m sasrec+ (seed 1): not run. Run the experiment again.",
        "yelp (all 4 runs): no such address. Put the file there.",
    ]


def test_nobody_is_told_to_run_the_reference_again(tmp_path: Path) -> None:
    reference = tmp_path / "reference"
    write_grid(reference, ("ml-1m", "sasrec", 0))
    (lost,) = missing_runs(reference)
    assert "promote" in lost.remedy
