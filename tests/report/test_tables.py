"""Tables: the paper's form, from records alone, with nothing invented."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from record_factory import USERS, folder_of, make_failure, make_metrics, make_record

from seqrec.cli.main import main
from seqrec.data.statistics import Statistics
from seqrec.errors import SeqrecError
from seqrec.experiment.naming import model_order
from seqrec.report import tables
from seqrec.report.inference import mean_and_deviation
from seqrec.report.looks import MODELS, display, looks
from seqrec.report.paper import read_published
from seqrec.report.rendering import Cell, Table, latex, number, percent
from seqrec.report.tables import write_tables

PUBLISHED = Path(__file__).parents[2] / "config" / "published"
OLD_CODE = {"version": "0.1.0", "commit": None, "training_code": "old"}


def write_grid(results: Path, *runs: tuple[str, str, int]) -> None:
    keys = ("dataset", "model", "seed")
    grid = {"experiment": "x", "runs": [dict(zip(keys, run, strict=True)) for run in runs]}
    results.mkdir(parents=True, exist_ok=True)
    (results / "grid.json").write_text(json.dumps(grid))


def rows(results: Path, name: str) -> dict[str, list[str]]:
    """The body of a Markdown table by its first column."""
    text = (results / "tables" / f"{name}.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {first: cells for first, *cells in [split[0], *split[2:]]}


def notes(results: Path, name: str) -> str:
    text = (results / "tables" / f"{name}.md").read_text()
    return "\n".join(line for line in text.splitlines() if not line.startswith(("|", "#")))


def write(results: Path) -> list[Path]:
    return write_tables(results, PUBLISHED)


# The tidy table


def test_results_csv_has_a_line_a_run_in_full_precision(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+3000", 1, ranks=[2] * USERS)
    make_record(tmp_path, "ml-1m", "popularity", epochs=None, best_epoch=None)
    write(tmp_path)
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert lines[0] == (
        "dataset,model,negatives,seed,hit_rate@10,ndcg@10,mrr@10,hit_rate@100,ndcg@100,mrr@100,"
        "validation_ndcg@10,training_seconds,epochs,best_epoch,device"
    )
    assert lines[1].startswith("ml-1m,popularity,,0,")
    assert lines[1].endswith(",540.125,,,Some CPU")
    assert lines[2].startswith("ml-1m,sasrec+3000,3000,1,1.0,0.63092975357145")
    assert lines[2].endswith(",540.125,12,9,Some CPU")


def make_search(results: Path) -> None:
    """Three rates of one network, of which the test would choose another, and a second network."""
    for name, rate, validation, test in (
        ("slow", 0.0001, 0.10, 0.30),
        ("middle", 0.001, 0.15, 0.20),
        ("fast", 0.01, 0.05, 0.10),
    ):
        for seed, luck in ((0, -0.02), (1, 0.02)):
            make_record(
                results,
                "demo",
                name,
                seed,
                ndcg=test,
                config={
                    "implementation": "sasrec",
                    "loss": {"kind": "cross-entropy"},
                    "model": name,
                    "seed": seed,
                    "training": {"learning_rate": rate, "patience": 10},
                },
                validation={"ndcg@10": validation + luck},
            )
    config = {"implementation": "gru4rec", "loss": {"kind": "cross-entropy"}}
    make_record(results, "demo", "gru4rec", ndcg=0.05, config=config, validation={"ndcg@10": 0.01})


def test_results_csv_has_what_settings_are_chosen_by(tmp_path: Path) -> None:
    make_search(tmp_path)
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "results.csv").set_index(["model", "seed"])
    assert frame["validation_ndcg@10"]["slow", 0] == pytest.approx(0.08)
    assert frame["training.learning_rate"]["slow", 0] == 0.0001
    assert frame["implementation"]["gru4rec", 0] == "gru4rec"
    assert "loss.kind" not in frame, "it is the same in all"


def test_metrics_at_any_cutoff_are_told_as_csv(tmp_path: Path) -> None:
    make_record(tmp_path, ranks=[1] * 100 + [3] * 300 + [15] * 600)
    result = CliRunner().invoke(main, ["metrics", str(tmp_path), "20", "1", "5", "5"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    names = [f"{name}@{k}" for k in (1, 5, 20) for name in ("hit_rate", "ndcg", "mrr")]
    assert lines[0].split(",") == ["dataset", "model", "seed", *names]
    assert lines[1].startswith("ml-1m,sasrec+,0,")
    values = dict(zip(names, map(float, lines[1].split(",")[3:]), strict=True))
    assert [values[f"hit_rate@{k}"] for k in (1, 5, 20)] == [0.1, 0.4, 1.0]
    assert values["ndcg@5"] == pytest.approx(0.1 + 0.3 / 2)
    assert values["mrr@20"] == pytest.approx(0.1 + 0.3 / 3 + 0.6 / 15)
    refused = CliRunner().invoke(main, ["metrics", str(tmp_path), "0"])
    assert refused.exit_code == 2
    assert "0 is not in the range" in refused.output


def test_the_best_is_chosen_by_validation_and_over_seeds(tmp_path: Path) -> None:
    make_search(tmp_path)
    result = CliRunner().invoke(main, ["best", str(tmp_path)])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("| Demo")]
    found = [[cell.strip() for cell in line.split("|")[2:-1]] for line in lines]
    assert [[*row[:5], row[6]] for row in found] == [
        ["GRU4Rec", "1", "1", "", "0.0100", "0.0500"],
        [
            *("middle", "3", "2", r"training.learning\_rate 0.001"),
            *("0.1500 ± 0.0283", "0.2000 ± 0.0000"),
        ],
    ]


def test_a_cutoff_that_a_record_lacks_is_blank_and_one_it_adds_is_a_column(tmp_path: Path) -> None:
    make_record(tmp_path, test={"hit_rate@10": 0.31, "ndcg@10": 0.18, "ndcg@5": 0.18})
    write(tmp_path)
    (line,) = pd.read_csv(tmp_path / "results.csv").to_dict("records")
    assert pd.isna(line["ndcg@100"])
    assert line["ndcg@5"] == 0.18


# The paper's table


def test_published_values_stand_beside_ours_with_the_relative_difference(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+")
    make_record(tmp_path, "ml-1m", "gru4rec", ndcg=0.1)
    write(tmp_path)
    table = rows(tmp_path, "ml-1m")
    assert table["Model"] == [
        *("HitRate@10", "95% interval", "paper", "diff."),
        *("NDCG@10", "95% interval", "paper", "diff."),
        *("Time, s", "paper", "Best epoch", "paper"),
    ]
    assert table["SASRec+"][:1] + table["SASRec+"][2:5] + table["SASRec+"][6:] == [
        *("**0.3100**", "0.3152", "−1.6%", "**0.1800**", "0.1821", "−1.2%"),
        *("540", "540", "9", "63"),
    ]
    assert table["GRU4Rec"][6:8] == ["", ""], "no published value, none invented"
    frame = pd.read_csv(tmp_path / "tables/ml-1m.csv").set_index("model")
    assert frame.loc["sasrec+", "ndcg@10_difference"] == 0.18 / 0.1821 - 1
    assert frame.loc["sasrec+", "ndcg@10_published"] == 0.1821
    assert frame.loc["sasrec+", "training_seconds_mean"] == 540.125


def test_a_dataset_that_the_paper_lacks_has_no_published_columns(tmp_path: Path) -> None:
    make_record(tmp_path, "demo")
    write(tmp_path)
    assert rows(tmp_path, "demo")["Model"] == [
        *("HitRate@10", "95% interval", "NDCG@10", "95% interval", "Time, s", "Best epoch"),
    ]


def test_the_interval_is_of_the_users_of_the_record(tmp_path: Path) -> None:
    # 100 of 1,000 users hit: binomially, 0.1 give or take twice 0.0095.
    make_record(tmp_path, "demo", "sasrec+", ranks=[1] * 100 + [99] * 900)
    write(tmp_path)
    (low, high) = (float(end) for end in rows(tmp_path, "demo")["SASRec+"][1].split("–"))
    assert (low, high) == pytest.approx((0.0815, 0.1187), abs=0.002)
    frame = pd.read_csv(tmp_path / "tables/demo.csv").set_index("model")
    assert frame.loc["sasrec+", "hit_rate@10_low"] == pytest.approx(low, abs=5e-5)


def test_the_best_and_what_cannot_be_told_from_it_are_bold(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    good = draw.integers(1, 40, 2000)
    make_record(tmp_path, "demo", "sasrec", ranks=good)
    make_record(tmp_path, "demo", "sasrec+", ranks=draw.permutation(good) + 0)
    make_record(tmp_path, "demo", "gru4rec", ranks=good + 3)
    write(tmp_path)
    table = rows(tmp_path, "demo")
    bold = {name: ["**" in cell for cell in row] for name, row in table.items()}
    assert bold["SASRec"] == bold["SASRec+"] == [True, False, True, False, False, False]
    assert not any(bold["GRU4Rec"])
    shown = table["SASRec"][0].strip("*")
    assert (tmp_path / "tables/demo.tex").read_text().count(rf"\textbf{{{shown}}}") == 2
    assert (tmp_path / "tables/demo.html").read_text().count(f"<b>{shown}</b>") == 2
    told = pd.read_csv(tmp_path / "tables/pairs/demo.csv").query("metric == 'ndcg@10'")
    assert told.distinguishable.tolist() == [False, True, True]
    assert told.other.tolist()[1:] == ["gru4rec"] * 2
    assert (told.p_holm >= told.p).all()


def test_runs_on_different_data_have_no_intervals_and_no_best(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+")
    make_record(tmp_path, "demo", "sasrec", data={"sha256": "other", "statistics": {}})
    write(tmp_path)
    table = rows(tmp_path, "demo")
    assert "95% interval" not in table["Model"]
    assert not any("**" in cell for row in table.values() for cell in row)


def test_seeds_give_mean_and_sample_deviation_and_their_number(tmp_path: Path) -> None:
    write_grid(tmp_path, *(("demo", "sasrec+", seed) for seed in range(3)), ("demo", "sasrec", 0))
    make_record(tmp_path, "demo", "sasrec+", 0, ndcg=0.1, training_seconds=10.0)
    make_record(tmp_path, "demo", "sasrec+", 2, ndcg=0.2, training_seconds=30.0)
    make_record(tmp_path, "demo", "sasrec", 0, ndcg=0.1)
    write(tmp_path)
    table = rows(tmp_path, "demo")
    assert table["SASRec+"][0] == "2/3"
    assert table["SASRec+"][3:6:2] == ["**0.1500 ± 0.0707**", "20 ± 14"]
    assert table["SASRec"][:4:3] == ["1", "**0.1000**"], "one seed has no deviation"
    assert "SASRec+ (seed 1): not run" in notes(tmp_path, "demo")
    frame = pd.read_csv(tmp_path / "tables/demo.csv").set_index("model")
    assert frame.loc["sasrec+", "ndcg@10_sd"] == pytest.approx(0.05 * 2**0.5)
    assert pd.isna(frame.loc["sasrec", "ndcg@10_sd"])


def test_missing_runs_are_dashes_and_are_listed_with_reasons(tmp_path: Path) -> None:
    write_grid(
        tmp_path,
        ("ml-1m", "sasrec+", 0),
        ("ml-1m", "gru4rec", 0),
        ("ml-1m", "bert4rec", 0),
        ("yelp", "sasrec", 0),
    )
    make_record(tmp_path)
    folder = folder_of(tmp_path, "ml-1m", "gru4rec")
    make_failure(folder, "out of memory.")
    (folder.parent.parent / "bert4rec/seed-0").mkdir(parents=True)
    (folder.parent.parent / "bert4rec/seed-0/metrics.json").write_text('{"test": {"ndcg@10": 0.9')
    write(tmp_path)
    table = rows(tmp_path, "ml-1m")
    assert table["GRU4Rec"] == ["—", "", "", "", "—", "", "", "", "—", "", "—", ""]
    assert table["BERT4Rec"] == [
        *("—", "", "0.2843", "", "—", "", "0.1537", "", "—", "1,409", "—", "197"),
    ]
    assert "— GRU4Rec (seed 0): out of memory. Halve the batch." in notes(tmp_path, "ml-1m")
    assert "is not whole JSON" in notes(tmp_path, "ml-1m")
    assert rows(tmp_path, "yelp")["SASRec"][0] == "—", "a table even where nothing ran"
    listed = pd.read_csv(tmp_path / "tables/missing.csv")
    assert listed[["dataset", "model", "seed"]].to_numpy().tolist() == [
        ["ml-1m", "gru4rec", 0],
        ["ml-1m", "bert4rec", 0],
        ["yelp", "sasrec", 0],
    ]
    assert listed["reason"][2] == "not run."
    assert len(pd.read_csv(tmp_path / "results.csv")) == 1


def test_when_nothing_is_missing_the_list_says_so(tmp_path: Path) -> None:
    make_record(tmp_path)
    write(tmp_path)
    assert "Nothing is missing" in (tmp_path / "tables/missing.md").read_text()
    assert len(pd.read_csv(tmp_path / "tables/missing.csv")) == 0


def test_an_experiment_without_any_run_still_has_its_tables(tmp_path: Path) -> None:
    write_grid(tmp_path)
    written = write(tmp_path)
    assert all(path.is_file() for path in written)
    assert {path.name for path in written} >= {"results.csv", "datasets.md", "missing.md"}


def test_a_model_without_epochs_leaves_the_best_epoch_blank(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "popularity", epochs=None, best_epoch=None)
    write(tmp_path)
    assert rows(tmp_path, "demo")["Popularity"][-1] == ""


def test_records_of_other_training_code_carry_a_mark_and_a_footnote(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+")
    make_record(tmp_path, "demo", "sasrec", seqrec=OLD_CODE)
    write(tmp_path)
    assert {"SASRec+", "SASRec†"} <= set(rows(tmp_path, "demo"))
    assert "† Trained by another version of the training code" in notes(tmp_path, "demo")
    assert r"SASRec\textsuperscript{\dag}" in (tmp_path / "tables/demo.tex").read_text()


def test_records_of_another_configuration_than_is_asked_for_carry_a_mark(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+", config_hash="old")
    make_record(tmp_path, "demo", "sasrec", config_hash="new")
    runs = [
        {"dataset": "demo", "model": model, "seed": 0, "config_hash": "new"}
        for model in ("sasrec", "sasrec+")
    ]
    (tmp_path / "grid.json").write_text(json.dumps({"experiment": "demo", "runs": runs}))
    write(tmp_path)
    assert {"SASRec+‡", "SASRec"} <= set(rows(tmp_path, "demo"))
    assert "‡ Has runs of another configuration" in notes(tmp_path, "demo")


@pytest.mark.parametrize("hashes", [{}, {"config_hash": "c" * 64}], ids=["promoted", "asked for"])
def test_seeds_of_unlike_configurations_carry_a_mark(
    tmp_path: Path, hashes: dict[str, str]
) -> None:
    for seed, width in ((0, 64), (1, 8)):
        make_record(tmp_path, "demo", "sasrec", seed, config={"seed": seed, "hidden_size": 64})
        make_record(tmp_path, "demo", "sasrec+", seed, config={"seed": seed, "hidden_size": width})
    runs = [{"dataset": "demo", "model": "sasrec+", "seed": 0, **hashes}]
    (tmp_path / "grid.json").write_text(json.dumps({"experiment": "demo", "runs": runs}))
    write(tmp_path)
    assert {"SASRec+‡", "SASRec"} <= set(rows(tmp_path, "demo"))


def test_without_stale_records_there_is_no_footnote(tmp_path: Path) -> None:
    make_record(tmp_path, "demo")
    write(tmp_path)
    assert "†" not in (tmp_path / "tables/demo.md").read_text()


def test_devices_that_times_were_taken_on_are_named_and_shared_ones_marked(tmp_path: Path) -> None:
    gpu = {"device": "H100", "device_kind": "cuda", "runs_sharing_device": 4}
    make_record(tmp_path, "demo", "sasrec+", **gpu)
    write(tmp_path)
    assert "Trained on H100, float32, shared by up to 4 runs.\n" in notes(tmp_path, "demo") + "\n"
    make_record(tmp_path, "demo", "sasrec", precision="bfloat16")
    write(tmp_path)
    assert (
        "Trained on H100, float32, shared by up to 4 runs; Some CPU, 2 threads, bfloat16. "
        "Times compare only on one of these"
    ) in notes(tmp_path, "demo")


def test_a_dataset_of_ones_own_is_called_by_its_title(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config/datasets").mkdir(parents=True)
    shop = "{title: My shop, max_length: 9, sources: [{file: shop.csv}]}"
    (tmp_path / "config/datasets/shop.yaml").write_text(shop)
    make_record(tmp_path, "shop")
    make_record(tmp_path, "theirs")
    monkeypatch.chdir(tmp_path)
    write_tables(tmp_path, PUBLISHED)
    listed = (tmp_path / "tables/runs.md").read_text()
    assert "| My shop " in listed
    assert "| theirs " in listed
    assert (tmp_path / "tables/shop.md").read_text().startswith("## My shop: test metrics\n")


def test_a_model_of_ones_own_is_called_by_its_title(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config/models").mkdir(parents=True)
    (tmp_path / "config/models/conv.yaml").write_text("{implementation: mine:Conv, title: ConvRec}")
    (tmp_path / "config/models/bare.yaml").write_text("{implementation: mine:Bare}")
    (tmp_path / "config/models/spoilt.yaml").write_text("{")
    for model in ("conv", "bare", "spoilt", "theirs"):
        make_record(tmp_path, "demo", model)
    monkeypatch.chdir(tmp_path)
    write_tables(tmp_path, PUBLISHED)
    assert set(rows(tmp_path, "demo")) == {"Model", "ConvRec", "bare", "spoilt", "theirs"}
    assert looks(["conv"])["conv"].title == "ConvRec"


def test_runs_on_different_data_are_not_compared_in_silence(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+")
    make_record(tmp_path, "demo", "sasrec", data={"sha256": "other", "statistics": {}})
    write(tmp_path)
    assert "not all trained on the same data" in notes(tmp_path, "demo")


# The datasets


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
    assert table["Yelp"] == ["—"] * 5
    assert "as in the paper: MovieLens-1M." in notes(tmp_path, "datasets")
    assert "Amazon Beauty: the paper has 40,226 users." in notes(tmp_path, "datasets")
    frame = pd.read_csv(tmp_path / "tables/datasets.csv").set_index("dataset")
    assert frame.loc["ml-1m", "mean_length"] == 165.4985


@pytest.mark.parametrize("name", list(tables.COUNTED))
def test_what_was_left_out_or_repeated_is_shown_where_there_is_some(
    tmp_path: Path, name: str
) -> None:
    title, meaning = tables.COUNTED[name]
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
    counted = {field.name for field in dataclasses.fields(Statistics)}
    assert {*tables.SIZES, *tables.COUNTED} <= counted


# Names and order


def test_models_come_in_the_papers_order_with_more_negatives_later_and_own_ones_last() -> None:
    names = ["zeta", "sasrec+3000", "Alpha", "sasrec+30", "sasrec+", "sasrec", "gpt4rec"]
    names += ["bert4rec", "gru4rec", "bpr-mf", "popularity", "sasrec+0", "mine-10", "mine-2", "5"]
    ordered = sorted(names, key=model_order)
    assert [display(name).title for name in ordered] == [
        *("Popularity", "BPR-MF", "GRU4Rec", "BERT4Rec", "GPT4Rec", "SASRec", "SASRec+"),
        *("SASRec+ 30", "SASRec+ 3000", "5", "Alpha", "mine-2", "mine-10", "sasrec+0", "zeta"),
    ]


def test_known_models_have_colours_of_their_own() -> None:
    colours = [shown.colour for shown in MODELS.values()]
    assert len(set(colours)) == len(colours)


# Forms


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.cells.append(data)


def test_an_own_models_name_survives_every_form(tmp_path: Path) -> None:
    name = r"my_model & co <b>|$5%#{~^\}"
    make_record(tmp_path, "demo", name)
    write(tmp_path)
    latex = (tmp_path / "tables/demo.tex").read_text()
    assert (
        r"my\_model \& co \textless{}b\textgreater{}\textbar{}\$5\%\#\{\textasciitilde{}"
        r"\textasciicircum{}\textbackslash{}\} & "
    ) in latex
    page = Text()
    page.feed((tmp_path / "tables/demo.html").read_text())
    assert page.open == []
    assert name in page.cells
    (shown,) = [row for row in rows(tmp_path, "demo") if row.startswith("my")]
    assert re.sub(r"\\(.)", r"\1", shown) == name
    assert pd.read_csv(tmp_path / "tables/demo.csv")["model"].tolist() == [name]


def test_latex_tables_are_balanced_and_rows_as_wide_as_their_heading(tmp_path: Path) -> None:
    write_grid(tmp_path, ("ml-1m", "sasrec+", 0), ("yelp", "my_model", 1))
    make_record(tmp_path)
    for path in write(tmp_path):
        if path.suffix != ".tex":
            continue
        text = path.read_text()
        assert text.isascii(), "so that any engine and encoding will do"
        opened = re.findall(r"\\begin\{(\S+?)\}", text)
        assert sorted(opened) == sorted(re.findall(r"\\end\{(\S+?)\}", text))
        plain = re.sub(r"\\[{}]", "", text)
        assert plain.count("{") == plain.count("}")
        widths = {
            len(re.findall(r"(?<!\\)&", line)) for line in text.splitlines() if r" \\" in line
        }
        assert len(widths) <= 1, path
        assert ("toprule" in text) == bool(widths), "a table without lines is its notes"


def test_no_cell_of_latex_is_taken_for_an_option_of_the_row_before(tmp_path: Path) -> None:
    for model in ("[1]", "*"):
        make_record(tmp_path, "ml-1m", model)
    write(tmp_path)
    text = (tmp_path / "tables/ml-1m.tex").read_text()
    assert "{[}1]" in text
    assert not re.search(r"(\\\\|\\midrule)\n[\[*]", text)


def test_a_long_latex_table_goes_on_in_further_floats() -> None:
    rows = [[Cell(f"row {number}"), Cell("1")] for number in range(100)]
    text = latex(Table("Long", ["Name", "Value"], rows, pd.DataFrame(), ["a note"]), "long")
    floats = text.split(r"\begin{table*}")[1:]
    assert [one.count("row ") for one in floats] == [45, 45, 10]
    assert re.findall(r"row (\d+)", text) == [str(number) for number in range(100)]
    assert ["(continued)" in one for one in floats] == [False, True, True]
    assert ["a note" in one for one in floats] == [False, False, True]


def test_every_latex_table_has_a_label_of_its_own_beside_its_first_caption(tmp_path: Path) -> None:
    for dataset in ("ml-1m", "my_shop", "my shop #1"):
        make_record(tmp_path, dataset)
    labels = []
    for path in write(tmp_path):
        if path.suffix == ".tex":
            labels += re.findall(r"\\caption\{.*\}\\label\{(.*)\}\n", path.read_text())
    assert len(labels) == len(set(labels)) == 5 + 3 * 3
    assert {"tab:ml-1m", "tab:pairs/my_shop", "tab:my-shop--1", "tab:claims"} <= {*labels}
    rows = [[Cell("row"), Cell("1")]] * 100
    long = latex(Table("Long", ["Name", "Value"], rows, pd.DataFrame()), "long")
    assert long.count(r"\label{tab:long}") == 1


def has_latex() -> bool:
    find = ["kpsewhich", "booktabs.sty", "graphicx.sty"]
    found = shutil.which("pdflatex") and shutil.which("kpsewhich")
    return bool(found) and subprocess.run(find, capture_output=True).returncode == 0


@pytest.mark.skipif(not has_latex(), reason="needs pdflatex with booktabs and graphicx")
def test_latex_compiles_and_no_table_is_wider_than_the_page(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_grid(results, ("ml-1m", "bert4rec", 0), ("yelp", "my_model", 1))
    own = (r"my_model & co <b>|$5%#{~^\}", "[1]")
    for model in ("popularity", "sasrec", "sasrec+", "sasrec+3000", *own):
        for seed in (0, 1):
            trained = {} if model != "popularity" else {"epochs": None, "best_epoch": None}
            make_record(results, "ml-1m", model, seed, seqrec=OLD_CODE, **trained)
    paths = [path for path in write(results) if path.suffix == ".tex"]
    inputs = [rf"\input{{{path}}}\clearpage" for path in paths]
    document = [r"\documentclass[twocolumn]{article}", r"\usepackage{booktabs, graphicx}"]
    document += [r"\begin{document}", *inputs, r"\end{document}"]
    (tmp_path / "all.tex").write_text("\n".join(document))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Overfull" not in done.stdout
    assert "Float too large" not in done.stdout


def test_tables_are_the_same_bytes_in_every_process_and_place(tmp_path: Path) -> None:
    made = []
    for place, hash_seed, locale in (("a", "1", "C"), ("b b", "2", "C.UTF-8")):
        results = tmp_path / place
        write_grid(results, ("yelp", "sasrec", 0), ("ml-1m", "sasrec+", 0), ("demo", "x", 0))
        models = ["sasrec+", "sasrec+10", "my & own", "gru4rec"]
        for model in models if place == "a" else reversed(models):
            make_record(results, "ml-1m", model, seqrec=OLD_CODE)
        damaged = make_record(results, "ml-1m", "bert4rec")
        (damaged / "metrics.json").write_text("{")
        code = (
            "import sys, pathlib, seqrec.tables as made; "
            "made.write_tables(*map(pathlib.Path, sys.argv[1:]))"
        )
        subprocess.run(
            [sys.executable, "-c", code, str(results), str(PUBLISHED)],
            check=True,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "LC_ALL": locale},
        )
        paths = [results / "results.csv", *sorted((results / "tables").rglob("*.*"))]
        made.append([(path.name, path.read_bytes()) for path in paths])
    assert made[0] == made[1]


# Numbers


@given(st.floats(0, 1), st.floats(0, 1))
def test_shown_metrics_are_within_half_a_unit_of_the_last_digit(ours: float, spread: float) -> None:
    assert abs(float(number(ours, 4)) - ours) <= 0.5e-4 + 1e-12


@given(st.integers(0, 10**12))
def test_shown_counts_read_back_exactly(count: int) -> None:
    assert int(number(count).replace(",", "")) == count


@given(st.floats(-0.99, 10))
def test_shown_differences_have_a_sign_and_never_a_negative_zero(difference: float) -> None:
    text = percent(difference)
    assert text[0] in "+−"
    assert text != "−0.0%"
    assert (
        abs(float(text[:-1].replace("−", "-").replace(",", "")) / 100 - difference)
        <= 0.5e-3 + 1e-12
    )


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_mean_and_deviation_are_those_of_pandas(values: list[float]) -> None:
    mean, deviation = mean_and_deviation([*values, None])
    assert mean == pytest.approx(pd.Series(values).mean())
    assert deviation == pytest.approx(pd.Series(values).std(), abs=1e-12)


# The published numbers


def test_published_numbers_cover_the_papers_grid() -> None:
    datasets = ["ml-1m", "ml-20m", "steam", "beauty", "yelp"]
    models = ["bert4rec", "sasrec", "sasrec+", "sasrec+3000"]
    results = read_published(PUBLISHED / "results.csv", "dataset", "model")
    assert set(results) == {(dataset, model) for dataset in datasets for model in models}
    assert results["yelp", "sasrec+"] == {
        "hit_rate@10": 0.0482,
        "ndcg@10": 0.0246,
        "training_seconds": 2505,
        "best_epoch": 3,
    }
    curve = read_published(PUBLISHED / "num_negatives.csv", "dataset", "negatives")
    assert len(curve) == 5 * 6
    for dataset in datasets:
        # The figure's last point is the table's row.
        theirs = results[dataset, "sasrec+3000"]["ndcg@10"]
        point = curve[dataset, "3000"]
        assert point["ndcg@10"] == pytest.approx(theirs, abs=point["tolerance"])


def test_a_published_file_that_is_missing_or_spoilt_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeqrecError, match=r"none\.csv: no such file"):
        read_published(tmp_path / "none.csv", "dataset")
    (tmp_path / "bad.csv").write_text("dataset,users\nml-1m,many\n")
    with pytest.raises(SeqrecError, match=r"bad\.csv: must hold.*many"):
        read_published(tmp_path / "bad.csv", "dataset")
