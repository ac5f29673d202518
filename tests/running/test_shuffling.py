"""A trained model on shuffled histories: what it loses, and how much its lists have in common."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_runs import preprocessed_log, small_config

from seqrec.audit.order import SEEDS
from seqrec.errors import SeqrecError
from seqrec.records.reading import read_record
from seqrec.running.options import EngineOptions
from seqrec.running.run import run
from seqrec.running.shuffling import NO_ITEM, measure_shuffling, overlaps

LISTS = st.lists(st.integers(0, 6), unique=True, max_size=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_log(tmp_path_factory.mktemp("data"))


def trained(folder: Path, data: Path, implementation: str) -> Path:
    place = folder / "runs/small" / implementation / "seed-0"
    run(small_config(implementation), data, place, EngineOptions(device="cpu"))
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
