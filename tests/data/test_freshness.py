"""A log or a raw file that no longer fits the dataset's YAML is noticed."""

import hashlib
import json
import os
from pathlib import Path

import pytest
import yaml
from shipped import DATASETS

from seqrec.data.datasets import Dataset, load_dataset
from seqrec.data.download import download
from seqrec.data.freshness import log_is_current, log_settings, require_current
from seqrec.data.local_files import replaced_user_file, user_files
from seqrec.data.preprocessing import preprocess
from seqrec.errors import SeqrecError
from seqrec.layout import RAW, ConfigFiles, LogFiles, simulated_file

SHIPPED = ConfigFiles(Path(__file__).parents[2] / "config")
TEXT = "1 5\n1 6\n1 7\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project's folder with a dataset `mine`, and work in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEQREC_MIRROR", raising=False)
    for folder in (RAW, ConfigFiles().dataset("x").parent):
        folder.mkdir(parents=True)
    (RAW / "mine.txt").write_text(TEXT)
    edit_dataset()
    return tmp_path


def edit_dataset(**changes: object) -> Dataset:
    entry = {"title": "Mine", "max_length": 9, "sources": [{"file": "mine.txt"}], **changes}
    ConfigFiles().dataset("mine").write_text(yaml.safe_dump(entry))
    return load_dataset("mine")


def made() -> LogFiles:
    """Download and preprocess `mine`."""
    dataset, log = load_dataset("mine"), LogFiles.of("mine")
    preprocess("mine", dataset, download("mine", dataset), log.folder)
    return log


def test_a_log_is_current_until_its_settings_change_or_it_is_incomplete() -> None:
    log = made()
    assert log_is_current(log, load_dataset("mine"))
    assert log_is_current(log, edit_dataset(title="Another", max_length=5, licence="None."))
    assert not log_is_current(log, edit_dataset(filter={"duplicates": "last"}))
    whole = log.reading.read_bytes()
    log.reading.unlink()
    os.mkfifo(log.reading)
    assert not log_is_current(log, edit_dataset())
    log.reading.unlink()
    log.reading.write_bytes(whole)
    assert log_is_current(log, edit_dataset())
    log.digest.unlink()
    assert not log_is_current(log, edit_dataset())


def test_keys_that_a_yaml_does_not_use_are_no_part_of_the_settings() -> None:
    """A log made before a key existed stays current."""
    text = (
        '{"expected": null, "filter": {"distinct_items": false, "duplicates": "keep", '
        '"min_interactions_per_item": 1, "min_interactions_per_user": 1, "mode": "one-pass"}, '
        '"format": {"columns": {"item": 1, "timestamp": null, "user": 0}, "header": null, '
        '"kind": "csv"}, "simulate": null, "sources": [{"file": "mine.txt", "filter": null, '
        '"format": {"columns": {"item": 1, "timestamp": null, "user": 0}, "header": false, '
        '"kind": "text"}, "git_blob": null, "member": null, "sha256": null, "urls": []}]}'
    )
    source = {"file": "mine.txt", "format": {"header": False}}
    assert log_settings(edit_dataset(sources=[source], format={"kind": "csv"})) == text
    explicit = {"kind": "csv", "missing": None, "on_bad_line": "error"}
    assert log_settings(edit_dataset(sources=[source], format=explicit)) == text
    for used in ({"missing": []}, {"missing": "keep"}, {"on_bad_line": "drop"}):
        changed = edit_dataset(sources=[source], format={"kind": "csv", **used})
        assert json.loads(log_settings(changed))["format"].items() >= used.items()


def test_the_settings_of_the_shipped_datasets_are_what_logs_were_made_by() -> None:
    """If this fails, every log that anybody has made would have to be made again.

    Only those of files with times, as Yelp's own is, once had to be: they lacked the times.
    """
    settings = "".join(log_settings(load_dataset(name, SHIPPED)) + "\n" for name in DATASETS)
    assert (
        hashlib.sha256(settings.encode()).hexdigest()
        == "17db314fbd9067f388566321bcbb70b2e8cc38dd3f6ffcfc2938054757b420c0"
    )


def test_a_log_by_other_settings_is_refused_with_the_remedy() -> None:
    log = made()
    require_current(log, "mine")
    require_current(log, "not-in-the-registry")
    edit_dataset(filter={"duplicates": "last"})
    with pytest.raises(SeqrecError, match=r"config/datasets/mine\.yaml has now\. Run `seqrec prep"):
        require_current(log, "mine")
    log.digest.unlink()  # no log, so nothing to refuse: it is simply missing
    require_current(log, "mine")


def test_a_users_file_is_listed_and_a_download_or_simulation_is_not(tmp_path: Path) -> None:
    dataset = load_dataset("mine")
    assert user_files("mine", dataset) == [RAW / "mine.txt"]
    download("mine", dataset)
    assert user_files("mine", dataset) == [RAW / "mine.txt"]

    (tmp_path / "mirror").mkdir()
    (RAW / "mine.txt").rename(tmp_path / "mirror/mine.txt")
    download("mine", dataset, mirror=str(tmp_path / "mirror"))
    assert user_files("mine", dataset) == []

    sizes = {"users": 20, "items": 12, "mean_length": 6, "max_length": 9, "genres": 3}
    simulated = Dataset.model_validate({"title": "S", "max_length": 9, "simulate": sizes})
    download("simulated", simulated)
    assert simulated_file("simulated").exists()
    assert user_files("simulated", simulated) == []


def test_a_replaced_users_file_is_noticed_whatever_its_date() -> None:
    assert replaced_user_file("mine") is None  # never downloaded
    made()
    assert replaced_user_file("mine") is None
    (RAW / "mine.txt").touch()
    assert replaced_user_file("mine") is None  # the same content
    (RAW / "mine.txt").write_text(TEXT.replace("5", "8"))
    os.utime(RAW / "mine.txt", (1_000, 1_000))
    assert replaced_user_file("mine") == RAW / "mine.txt"
