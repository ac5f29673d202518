"""The results table of a dataset has the paper's form, and nothing in it is invented."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reading_tables import notes, rows, write, write_grid, write_in_new_process
from record_factory import folder_of, make_failure, make_record

OLD_CODE = {"version": "0.1.0", "commit": None, "training_code": "old"}


def test_published_values_stand_beside_ours(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+")
    make_record(tmp_path, "ml-1m", "gru4rec", ndcg=0.1)
    write(tmp_path)
    table = rows(tmp_path, "results/ml-1m")
    assert table["Model"] == ["HitRate@10", "paper", "NDCG@10", "paper", "Best epoch", "paper"]
    assert table["SASRec+"] == ["**0.3100**", "0.3152", "**0.1800**", "0.1821", "9", "63"]
    assert table["GRU4Rec"][1::2] == ["", "", ""], "no published value, none invented"
    frame = pd.read_csv(tmp_path / "tables/results/ml-1m.csv").set_index("model")
    assert frame.loc["sasrec+", "ndcg@10_difference"] == 0.18 / 0.1821 - 1
    assert frame.loc["sasrec+", "ndcg@10_published"] == 0.1821


def test_training_times_are_never_averaged(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+", 0, training_seconds=10.0)
    make_record(tmp_path, "ml-1m", "sasrec+", 1, training_seconds=990.0, device="Other CPU")
    write(tmp_path)
    assert not any("Time" in heading for heading in rows(tmp_path, "results/ml-1m")["Model"])
    assert not any("second" in name for name in pd.read_csv(tmp_path / "tables/results/ml-1m.csv"))
    assert pd.read_csv(tmp_path / "tables/runs.csv").training_seconds.tolist() == [10.0, 990.0]


def test_a_dataset_that_the_paper_lacks_has_no_published_columns(tmp_path: Path) -> None:
    make_record(tmp_path, "demo")
    write(tmp_path)
    assert rows(tmp_path, "results/demo")["Model"] == ["HitRate@10", "NDCG@10", "Best epoch"]


def test_the_interval_is_of_the_users_of_the_record(tmp_path: Path) -> None:
    # 100 of 1,000 users hit: binomially, 0.1 give or take twice 0.0095.
    make_record(tmp_path, "demo", "sasrec+", ranks=[1] * 100 + [99] * 900)
    write(tmp_path)
    shown = rows(tmp_path, "intervals/demo")["SASRec+"]
    assert shown[:2] == ["1", "0.1000"]
    (low, high) = (float(end) for end in shown[2].split("–"))
    assert (low, high) == pytest.approx((0.0815, 0.1187), abs=0.002)
    frame = pd.read_csv(tmp_path / "tables/results/demo.csv").set_index("model")
    assert frame.loc["sasrec+", "hit_rate@10_low"] == pytest.approx(low, abs=5e-5)


def test_the_models_that_may_be_the_best_are_bold(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    good = draw.integers(1, 40, 2000)
    make_record(tmp_path, "demo", "sasrec", ranks=good)
    make_record(tmp_path, "demo", "sasrec+", ranks=draw.permutation(good) + 0)
    make_record(tmp_path, "demo", "gru4rec", ranks=good + 3)
    write(tmp_path)
    table = rows(tmp_path, "results/demo")
    bold = {name: ["**" in cell for cell in row] for name, row in table.items()}
    assert bold["SASRec"] == bold["SASRec+"] == [True, True, False]
    assert not any(bold["GRU4Rec"])
    shown = table["SASRec"][0].strip("*")
    assert (tmp_path / "tables/results/demo.tex").read_text().count(rf"\textbf{{{shown}}}") == 2
    told = pd.read_csv(tmp_path / "tables/pairs/demo.csv").query("metric == 'ndcg@10'")
    assert told.distinguishable.tolist() == [False, True, True]
    assert told.other.tolist()[1:] == ["gru4rec"] * 2
    assert (told.p_holm >= told.p).all()


def test_runs_on_different_data_have_no_intervals_and_no_best(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+")
    make_record(tmp_path, "demo", "sasrec", data={"sha256": "other", "statistics": {}})
    write(tmp_path)
    table = rows(tmp_path, "results/demo")
    assert "95% interval" not in (tmp_path / "tables/intervals/demo.md").read_text()
    assert not any("**" in cell for row in table.values() for cell in row)


def test_seeds_give_their_number_and_both_values_of_two_or_the_deviation_of_more(
    tmp_path: Path,
) -> None:
    write_grid(tmp_path, *(("demo", "sasrec+", seed) for seed in range(3)), ("demo", "sasrec", 0))
    make_record(tmp_path, "demo", "sasrec+", 0, ndcg=0.1, best_epoch=3)
    make_record(tmp_path, "demo", "sasrec+", 2, ndcg=0.2, best_epoch=5)
    make_record(tmp_path, "demo", "sasrec", 0, ndcg=0.1)
    for seed, ndcg in enumerate((0.01, 0.02, 0.06)):
        make_record(tmp_path, "demo", "gru4rec", seed, ndcg=ndcg)
    write(tmp_path)
    table = rows(tmp_path, "results/demo")
    assert table["SASRec+"][0] == "2/3"
    assert table["SASRec+"][2:] == ["**0.1500 (0.1000, 0.2000)**", "4 (3, 5)"]
    assert table["GRU4Rec"][2].strip("*") == "0.0300 ± 0.0265"
    assert table["SASRec"][:3:2] == ["1", "**0.1000**"], "one seed has no deviation"
    assert "SASRec+ (seed 1): not run" in notes(tmp_path, "results/demo")
    frame = pd.read_csv(tmp_path / "tables/results/demo.csv").set_index("model")
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
    table = rows(tmp_path, "results/ml-1m")
    assert table["GRU4Rec"] == ["—", "", "—", "", "—", ""]
    assert table["BERT4Rec"] == ["—", "0.2843", "—", "0.1537", "—", "197"]
    assert "— GRU4Rec (seed 0): out of memory. Halve the batch." in notes(tmp_path, "results/ml-1m")
    assert "is not whole JSON" in notes(tmp_path, "results/ml-1m")
    text = (tmp_path / "tables/results/yelp.md").read_text()
    assert "|" not in text, "what has not been run is one sentence"
    assert "— No run has finished: not run. Run the experiment again." in text
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
    assert rows(tmp_path, "results/demo")["Popularity"][-1] == ""


def test_records_of_other_training_code_carry_a_mark_and_a_footnote(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+")
    make_record(tmp_path, "demo", "sasrec", seqrec=OLD_CODE)
    write(tmp_path)
    assert {"SASRec+", "SASRec†"} <= set(rows(tmp_path, "results/demo"))
    assert "† Trained by another version of the training code" in notes(tmp_path, "results/demo")
    assert r"SASRec\textsuperscript{\dag}" in (tmp_path / "tables/results/demo.tex").read_text()


def test_records_of_another_configuration_than_is_asked_for_carry_a_mark(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+", config_hash="old")
    make_record(tmp_path, "demo", "sasrec", config_hash="new")
    runs = [
        {"dataset": "demo", "model": model, "seed": 0, "config_hash": "new"}
        for model in ("sasrec", "sasrec+")
    ]
    (tmp_path / "grid.json").write_text(json.dumps({"experiment": "demo", "runs": runs}))
    write(tmp_path)
    assert {"SASRec+‡", "SASRec"} <= set(rows(tmp_path, "results/demo"))
    assert "‡ Has runs with another configuration" in notes(tmp_path, "results/demo")


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
    assert {"SASRec+‡", "SASRec"} <= set(rows(tmp_path, "results/demo"))


def test_without_stale_records_there_is_no_footnote(tmp_path: Path) -> None:
    make_record(tmp_path, "demo")
    write(tmp_path)
    assert "†" not in (tmp_path / "tables/results/demo.md").read_text()


def test_every_run_names_its_device_and_how_many_shared_it(tmp_path: Path) -> None:
    gpu = {"device": "H100", "device_kind": "cuda", "runs_sharing_device": 4}
    make_record(tmp_path, "demo", "sasrec+", **gpu)
    make_record(tmp_path, "demo", "sasrec", precision="bfloat16")
    write(tmp_path)
    text = (tmp_path / "tables/runs.md").read_text()
    assert "| H100, float32, shared by 4 runs " in text
    assert "| Some CPU, 2 threads, bfloat16 " in text


def test_models_whose_scatter_nothing_shows_are_named(tmp_path: Path) -> None:
    kinds = {"sasrec": "binary-cross-entropy", "sasrec+": "cross-entropy"}
    for model, seeds in (("sasrec", 1), ("sasrec+", 2)):
        for seed in range(seeds):
            config = {"model": model, "loss": {"kind": kinds[model]}}
            make_record(tmp_path, "demo", model, seed, config=config)
    make_record(
        tmp_path, "demo", "popularity", config={"implementation": "popularity"}, epochs=None
    )
    write(tmp_path)
    for table in ("results/demo", "pairs/demo"):
        assert "Scatter between seeds unknown: SASRec. No model" in notes(tmp_path, table)


def test_a_dataset_of_ones_own_is_called_by_its_title(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config/datasets").mkdir(parents=True)
    shop = "{title: My shop, max_length: 9, sources: [{file: shop.csv}]}"
    (tmp_path / "config/datasets/shop.yaml").write_text(shop)
    make_record(tmp_path, "shop")
    make_record(tmp_path, "theirs")
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    listed = (tmp_path / "tables/runs.md").read_text()
    assert "| My shop " in listed
    assert "| theirs " in listed
    assert (
        (tmp_path / "tables/results/shop.md").read_text().startswith("## My shop: test metrics\n")
    )


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
    write(tmp_path)
    assert set(rows(tmp_path, "results/demo")) == {"Model", "ConvRec", "bare", "spoilt", "theirs"}


def test_runs_on_different_data_are_not_compared_in_silence(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+")
    make_record(tmp_path, "demo", "sasrec", data={"sha256": "other", "statistics": {}})
    write(tmp_path)
    assert "Not all runs were trained on the same data" in notes(tmp_path, "results/demo")


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
        environment = {"PYTHONHASHSEED": hash_seed, "LC_ALL": locale}
        write_in_new_process(results, "tables", environment)
        paths = [results / "results.csv", *sorted((results / "tables").rglob("*.*"))]
        made.append([(path.name, path.read_bytes()) for path in paths])
    assert made[0] == made[1]
