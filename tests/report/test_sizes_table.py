"""The table of datasets shows the sizes that the runs saw, and how the paper's differ."""

from pathlib import Path

import pandas as pd
import pytest
from reading_tables import notes, rows, write, write_grid
from record_factory import make_metrics, make_record

from seqrec.data.statistics import Statistics
from seqrec.report.tables.sizes import COUNTED, SIZES


def test_datasets_show_the_sizes_of_the_records_and_how_the_papers_differ(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m")
    statistics = make_metrics("x", "y")["data"]["statistics"]
    ours = statistics | {"users": 40_225, "items": 54_542, "interactions": 353_962}
    make_record(tmp_path, "beauty", data={"sha256": "b", "statistics": ours})
    write_grid(tmp_path, ("ml-1m", "sasrec+", 0), ("beauty", "sasrec+", 0), ("yelp", "sasrec", 0))
    write(tmp_path)
    table = rows(tmp_path, "datasets")
    assert table["Dataset"] == ["Users", "Items", "Interactions", "Mean length", "Density"]
    assert table["MovieLens-1M"] == ["6,040", "3,416", "999,611", "165.5", "4.84%"]
    assert "Yelp" not in table
    assert "No run has finished on Yelp: not run." in notes(tmp_path, "datasets")
    assert "as in the paper: MovieLens-1M." in notes(tmp_path, "datasets")
    assert "Amazon Beauty: the paper has 40,226 users." in notes(tmp_path, "datasets")
    frame = pd.read_csv(tmp_path / "tables/datasets.csv").set_index("dataset")
    assert frame.loc["ml-1m", "mean_length"] == 165.4985


@pytest.mark.parametrize("name", list(COUNTED))
def test_what_was_left_out_or_repeated_is_shown_where_there_is_some(
    tmp_path: Path, name: str
) -> None:
    title, meaning = COUNTED[name]
    statistics = make_metrics("x", "y")["data"]["statistics"]
    make_record(tmp_path, data={"sha256": "d", "statistics": statistics | {name: 0}})
    write(tmp_path)
    assert title not in rows(tmp_path, "datasets")["Dataset"]
    make_record(tmp_path, data={"sha256": "d", "statistics": statistics | {name: 1234}})
    write(tmp_path)
    assert rows(tmp_path, "datasets")["Dataset"][-1] == title
    assert rows(tmp_path, "datasets")["MovieLens-1M"][-1] == "1,234"
    assert f"{title}: {meaning}." in notes(tmp_path, "datasets")
    assert pd.read_csv(tmp_path / "tables/datasets.csv")[name].tolist() == [1234]


def test_what_is_unknown_of_one_dataset_is_left_open_where_another_has_it(tmp_path: Path) -> None:
    statistics = make_metrics("x", "y")["data"]["statistics"]
    for dataset, more in (
        ("ml-1m", {}),  # a record from before it was counted
        ("beauty", {"tied_targets": None}),
        ("yelp", {"tied_targets": 5}),
    ):
        make_record(tmp_path, dataset, data={"sha256": dataset, "statistics": statistics | more})
    write(tmp_path)
    table = rows(tmp_path, "datasets")
    assert [line[-1] for line in table.values()] == ["Tied targets", "—", "—", "5"]


def test_the_statistics_shown_are_those_that_preprocessing_counts() -> None:
    assert {*SIZES, *COUNTED} <= set(Statistics.model_fields)
