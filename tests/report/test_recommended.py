"""What models recommend is counted as its definitions say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading_tables import notes, write
from record_factory import make_record

from seqrec.report.recommended import gini

counts = st.lists(st.integers(0, 10_000), min_size=1, max_size=50)


@given(counts)
def test_the_gini_index_is_half_the_relative_mean_difference(numbers: list[int]) -> None:
    x = np.array(numbers, dtype=float)
    expected = np.abs(x[:, None] - x).mean() / (2 * x.mean()) if x.any() else 0.0
    assert gini(numbers) == pytest.approx(expected, abs=1e-9)


@given(counts, st.integers(2, 9))
def test_the_gini_index_is_the_same_for_twice_as_many_users(numbers: list[int], k: int) -> None:
    assert gini([k * number for number in numbers]) == pytest.approx(gini(numbers), abs=1e-9)


def test_coverage_gini_and_popularity_are_means_over_seeds(tmp_path: Path) -> None:
    for seed, some in enumerate(([4, 0, 0, 0], [2, 2, 0, 0])):
        make_record(
            *(tmp_path, "demo", "sasrec", seed),
            recommended_counts=some,
            recommended_popularity=10.0 * (seed + 1),
        )
    make_record(tmp_path, "demo", "gru4rec")
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/recommended.csv").set_index("model")
    found = frame.loc["sasrec", ["coverage@10", "gini", "popularity"]].tolist()
    assert found == [0.375, (0.75 + 0.5) / 2, 15.0]
    assert frame.loc["gru4rec"].isna()[["coverage@10", "gini", "popularity"]].all()
    text = (tmp_path / "tables/recommended.md").read_text()
    cells = {line.split("|")[2].strip(): line.split("|")[3:-1] for line in text.splitlines()[2:5]}
    assert [cell.strip() for cell in cells["GRU4Rec"]] == ["—", "—", "—"]
    assert "A dash stands for models whose records are older" in text


def test_older_records_alone_are_one_sentence(tmp_path: Path) -> None:
    make_record(tmp_path)
    write(tmp_path)
    assert "|" not in (tmp_path / "tables/recommended.md").read_text()
    assert "No finished run has recorded what it recommends" in notes(tmp_path, "recommended")
