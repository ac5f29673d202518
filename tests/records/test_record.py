"""One record: written whole, read with care."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from record_factory import (
    USERS,
    files_below,
    folder_of,
    make_failure,
    make_history,
    make_metrics,
    make_record,
    record_of,
    without_digests,
)

from seqrec.errors import SeqrecError
from seqrec.json_files import as_json
from seqrec.layout import Run
from seqrec.protocol.metrics import metrics_from_ranks
from seqrec.records import read_record, read_records
from seqrec.records.arrays import Arrays
from seqrec.records.survey import missing_runs
from seqrec.records.writing import write_record

REFERENCE = sorted((Path(__file__).parents[2] / "results/reference/runs").glob("*/*/seed-*"))


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
    assert read_records(str(tmp_path)) == [read_record(str(folder))] == [record]


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
    before = files_below(folder)
    renamed: list[str] = []
    real = Path.replace

    def note(self: Path, target: Path) -> Path:
        renamed.append(Path(target).name)
        assert not (folder / "metrics.json").exists(), "no record of old and new files"
        return real(self, target)

    monkeypatch.setattr(Path, "replace", note)
    with pytest.raises(ValueError, match="shape"):
        record = record_of(folder, make_metrics("ml-1m", "sasrec+"))
        write_record(record, Arrays([[1], [1, 2]], []), [])  # type: ignore[arg-type]
    assert files_below(folder) == before
    assert renamed == []
    make_record(tmp_path)
    assert renamed[-1] == "metrics.json"
    assert sorted(renamed) == sorted(before), "one by one"


def test_a_diverged_run_is_refused_with_the_place_of_the_nan(tmp_path: Path) -> None:
    validation = {"ndcg@10": 0.1, "mrr@10": float("nan")}
    with pytest.raises(SeqrecError, match=r"validation\.mrr@10 is nan.*learning rate"):
        make_record(tmp_path, validation=validation)
    assert files_below(tmp_path) == {}


def test_a_record_without_something_that_tables_need_can_be_neither_made_nor_read(
    tmp_path: Path,
) -> None:
    folder = make_record(tmp_path)
    content = json.loads((folder / "metrics.json").read_text())
    del content["device"]
    with pytest.raises(SeqrecError, match="device: is missing"):
        record_of(folder, content)
    (folder / "metrics.json").write_text(json.dumps(content))
    with pytest.raises(SeqrecError, match=r"metrics\.json: device: is missing.*Delete"):
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
    older = read_record(REFERENCE[0]).content()
    assert record.content().keys() == {*older, "digests"}
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


def test_unreadable_ranks_are_named(tmp_path: Path) -> None:
    folder = make_record(tmp_path)
    (folder / "ranks.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(SeqrecError, match=r"ranks\.npy.*Delete"):
        read_record(folder).ranks()


def test_counts_of_other_users_than_were_ranked_for_are_damage(tmp_path: Path) -> None:
    folder = without_digests(make_record(tmp_path))
    np.save(folder / "target_counts.npy", np.ones(3, np.int32))
    with pytest.raises(SeqrecError, match=r"target_counts\.npy: holds other targets.*Delete"):
        read_record(folder)


def test_a_record_has_the_counts_of_recommended_items_unless_it_is_an_older_one(
    tmp_path: Path,
) -> None:
    older = make_record(tmp_path, model="sasrec")
    assert read_record(older).recommended_counts() is None
    assert without_digests(older)
    assert read_record(older).recommended_counts() is None

    folder = make_record(tmp_path, recommended_counts=[0, 3, 7])
    counts = read_record(folder).recommended_counts()
    assert counts is not None
    assert counts.tolist() == [0, 3, 7]
    np.save(folder / "recommended_counts.npy", np.ones(3, np.int32))
    with pytest.raises(SeqrecError, match=r"recommended_counts\.npy: is not the file.*Delete"):
        read_record(folder).recommended_counts()
    (folder / "recommended_counts.npy").unlink()
    with pytest.raises(SeqrecError, match=r"recommended_counts\.npy: is missing.*Delete"):
        read_record(folder).recommended_counts()


def test_ranks_count_from_one(tmp_path: Path) -> None:
    folder = without_digests(make_record(tmp_path))
    ranks = np.load(folder / "ranks.npy")
    ranks[3] = 0
    np.save(folder / "ranks.npy", ranks)
    with pytest.raises(SeqrecError, match=r"ranks\.npy: holds rank 0, .*Delete"):
        read_record(folder)


def test_metrics_of_other_ranks_are_damage(tmp_path: Path) -> None:
    folder = without_digests(make_record(tmp_path))
    older = make_record(tmp_path, model="gru4rec", ndcg=0.181)
    ranks = np.load(folder / "ranks.npy")
    np.save(folder / "ranks.npy", ranks[::-1])  # added up in another order
    assert read_record(folder)
    np.save(folder / "ranks.npy", np.load(older / "ranks.npy"))
    message = r"metrics\.json: has hit_rate@10 0\.310000 .*ranks\.npy gives 0\.181000.*Delete"
    with pytest.raises(SeqrecError, match=message):
        read_record(folder)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("seconds", value) for value in ("-1.0", "", "inf")),
        *(("training_loss", value) for value in ("nan", "inf", "-inf", "", "1e999", "1" * 400)),
        ("ndcg@10", "nan"),
    ],
)
def test_a_history_with_a_number_that_cannot_be_is_damage(
    tmp_path: Path, column: str, value: str
) -> None:
    folder = without_digests(make_record(tmp_path))
    path = folder / "history.csv"
    header, line, *lines = path.read_text().splitlines()
    cells = line.split(",")
    cells[header.split(",").index(column)] = value
    path.write_text("\n".join([header, ",".join(cells), *lines]) + "\n")
    with pytest.raises(SeqrecError, match=r"history\.csv: is not a training history \(line 2"):
        read_record(folder)


def test_a_history_of_a_model_without_epochs_is_damage(tmp_path: Path) -> None:
    folder = without_digests(make_record(tmp_path, epochs=None, best_epoch=None))
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


def test_records_tables_and_figures_do_without_torch() -> None:
    code = (
        "import sys, seqrec.records, seqrec.report.tables, seqrec.report.figures;"
        "print('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


@pytest.mark.parametrize("name", ["target_users", "history_lengths"])
def test_arrays_of_other_targets_than_the_ranks_are_damage(tmp_path: Path, name: str) -> None:
    folder = make_record(tmp_path, ranks=[1, 2, 3], **{name: [0, 1]})
    with pytest.raises(SeqrecError, match=rf"{name}\.npy: holds other targets than ranks\.npy"):
        read_record(folder)


def test_users_with_several_targets_are_counted_once(tmp_path: Path) -> None:
    record = read_record(make_record(tmp_path, ranks=[1, 2, 3], target_users=[4, 4, 9]))
    assert record.users == 2
    assert record.test["hit_rate@10"] == 1


def test_sets_of_targets_without_their_users_are_damage(tmp_path: Path) -> None:
    sets = {"config": {"split": {"kind": "global-temporal", "target": "all"}}}
    folder = make_record(tmp_path, ranks=[1, 2, 3], **sets)
    with pytest.raises(SeqrecError, match=r"target_users\.npy: is missing"):
        read_record(folder)
    # The first user has the ranks 1 and 30, the second a miss: means over users, not targets.
    ranks, users = [1, 30, 200], [0, 0, 1]
    right = metrics_from_ranks(ranks, [10, 100], users)
    assert right["recall@10"] == 0.25
    made = {"ranks": ranks, "target_users": users, "seed": 1, **sets}
    assert read_record(make_record(tmp_path, test=right, **made)).has_sets
    wrong = metrics_from_ranks(ranks, [10, 100])
    with pytest.raises(SeqrecError, match=r"ranks\.npy gives .* the two are not of one run"):
        read_record(make_record(tmp_path, test=wrong, **made))


def test_a_record_under_a_named_split_lies_in_the_folder_of_its_task(tmp_path: Path) -> None:
    folder = make_record(tmp_path, "beauty@time")
    record = read_record(folder)
    assert (record.dataset, record.split, record.task) == ("beauty", "time", "beauty@time")
    assert Run.of(folder) == record.run
    other = folder.parents[2] / "beauty" / folder.parent.name / folder.name
    shutil.copytree(folder, other)
    with pytest.raises(SeqrecError, match="holds dataset 'beauty@time'"):
        read_record(other)
