"""A trained model on shuffled histories: what it loses, and how much its lists have in common."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_runs import SIZES, preprocessed_log, small_config

from seqrec.audit.order import SEEDS
from seqrec.audit.overlap import NO_ITEM, overlaps
from seqrec.data.datasets import Dataset
from seqrec.data.download import download
from seqrec.data.preprocessing import preprocess
from seqrec.data.simulation import simulate
from seqrec.errors import SeqrecError
from seqrec.records.reading import read_record
from seqrec.running.options import EngineOptions
from seqrec.running.run import run
from seqrec.running.shuffling import measure_shuffling

LISTS = st.lists(st.integers(0, 6), unique=True, max_size=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_log(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with times, in which users come and go."""
    folder = tmp_path_factory.mktemp("timed")
    log, rng = simulate(**SIZES), np.random.default_rng(0)
    users = np.repeat(np.arange(log.num_users), np.diff(log.offsets))
    begins = np.repeat(rng.integers(0, 1000, log.num_users), np.diff(log.offsets))
    times = begins + 20 * (
        np.arange(len(users)) - np.repeat(log.offsets[:-1], np.diff(log.offsets))
    )
    (folder / "raw").mkdir()
    lines = np.stack([users, log.items, times], axis=1)
    np.savetxt(folder / "raw/log.csv", lines, fmt="%d", delimiter=",")
    columns = {"user": 0, "item": 1, "timestamp": 2}
    dataset = Dataset.model_validate(
        {
            "title": "Timed",
            "max_length": 10,
            "sources": [{"file": "log.csv"}],
            "format": {"kind": "csv", "columns": columns},
        }
    )
    manifest = download("small", dataset, folder / "raw", mirror="")
    preprocess("small", dataset, manifest, folder / "processed")
    return folder / "processed"


@pytest.mark.parametrize("target", ["last", "successive", "all"])
def test_it_is_tested_under_the_split_that_it_was_trained_under(
    target: str, timed: Path, tmp_path: Path
) -> None:
    split = {"kind": "global-temporal", "quantile": 0.7, "target": target}
    place = trained(tmp_path, timed, "sasrec", split=split)
    found = measure_shuffling(place, "small", timed, "cpu")
    recorded = read_record(place).test
    assert found.before == {name: recorded[name] for name in found.before}


def trained(folder: Path, data: Path, implementation: str, **changes: Any) -> Path:
    place = folder / "runs/small" / implementation / "seed-0"
    run(small_config(implementation, **changes), data, place, EngineOptions(device="cpu"))
    return place


@pytest.mark.parametrize("implementation", ["sasrec", "bert4rec"])
def test_in_order_it_has_the_recorded_quality_and_shuffled_another(
    implementation: str, data: Path, tmp_path: Path
) -> None:
    place = trained(tmp_path, data, implementation)
    found = measure_shuffling(place, "small", data, "cpu")
    recorded = read_record(place).test
    assert found.before == {name: recorded[name] for name in found.before}
    assert found.model == implementation
    assert all(len(values) == SEEDS for values in found.after.values())
    assert all(0 < overlap <= 1 for overlap in found.overlap)
    assert measure_shuffling(place, "small", data, "cpu") == found


def test_a_model_that_reads_no_order_another_dataset_and_no_run_are_refused(
    data: Path, tmp_path: Path
) -> None:
    place = trained(tmp_path, data, "popularity")
    with pytest.raises(SeqrecError, match="does not read the order"):
        measure_shuffling(place, "small", data, "cpu")
    with pytest.raises(SeqrecError, match="was trained on small, and not on other"):
        measure_shuffling(place, "other", data, "cpu")
    with pytest.raises(SeqrecError, match="holds no finished run"):
        measure_shuffling(tmp_path, "small", data, "cpu")


@given(st.lists(st.tuples(LISTS, LISTS), min_size=1, max_size=5))
def test_overlaps_are_those_of_sets(lists: list[tuple[list[int], list[int]]]) -> None:
    padded = np.array([[[*one, *[NO_ITEM] * (4 - len(one))] for one in both] for both in lists])
    expected = [
        len({*some} & {*others}) / len({*some} | {*others}) if some or others else 1.0
        for some, others in lists
    ]
    assert overlaps(padded[:, 0], padded[:, 1]).tolist() == pytest.approx(expected)
