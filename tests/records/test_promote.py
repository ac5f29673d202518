"""Records copied into the reference without loss."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from reading_tables import CONFIG
from record_factory import (
    USERS,
    files_below,
    folder_of,
    make_failure,
    make_record,
    without_digests,
    write_grid,
)
from small_disk import small_disk
from small_searches import config_of, hash_of, make_search

from seqrec.cli.main import main
from seqrec.errors import SeqrecError
from seqrec.layout import ResultFiles, Run, RunFiles
from seqrec.records import read_record, read_records
from seqrec.records.failure import Reason, write_failure
from seqrec.records.grid_file import AskedRun, GridFile
from seqrec.records.promote import promote
from seqrec.records.survey import missing_runs, survey
from seqrec.report.evidence import read_evidence
from seqrec.report.figures import make_charts
from seqrec.report.tables import write_tables


def test_promotion_copies_records_without_checkpoints_and_merges_the_grid(tmp_path: Path) -> None:
    source, reference = tmp_path / "paper", tmp_path / "reference"
    write_grid(source, ("ml-1m", "sasrec+", 0), ("yelp", "sasrec+", 0))
    write_grid(reference, ("beauty", "sasrec", 3))
    folder = make_record(source, recommended_counts=[1, 2])
    (folder / "resume.pt").write_bytes(b"state")
    make_failure(folder_of(source, "ml-1m", "gru4rec"))
    copied = promote(source, reference)
    target = folder_of(reference, "ml-1m", "sasrec+")
    assert copied == [target / "metrics.json"]
    arrays = ("ranks.npy", "target_counts.npy", "recommended_counts.npy")
    kept = ("config.yaml", "history.csv", "metrics.json", *arrays)
    assert files_below(target) == {name: (folder / name).read_bytes() for name in kept}
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
    before = files_below(reference)
    with pytest.raises(
        SeqrecError, match=r"ml-1m/sasrec\+/seed-0: holds a different.*\n.*--replace"
    ):
        promote(source, reference)
    assert files_below(reference) == before, "nothing was copied, not even what was free"
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
    assert "history.csv" not in files_below(folder_of(reference, "ml-1m", "sasrec+"))


def test_a_record_that_cannot_be_replaced_for_lack_of_space_stays(tmp_path: Path) -> None:
    source = tmp_path / "paper"
    folder = make_record(source)
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        reference = disk.folder / "reference"
        promote(source, reference)
        make_record(source, ndcg=0.5)
        before = files_below(reference)
        needed = sum((folder / name).stat().st_size for name in ("ranks.npy", "metrics.json"))
        for free in range(0, needed, 4096):
            filler = disk.fill(free)
            with pytest.raises(
                SeqrecError, match=r"cannot be written \(No space.*nothing that was"
            ):
                promote(source, reference, replace=True)
            assert files_below(reference) == before
            filler.unlink()
        promote(source, reference, replace=True)
        assert [record.test["ndcg@10"] for record in read_records(reference)] == [0.5]


def test_seeds_of_unlike_configurations_are_not_promoted_together(tmp_path: Path) -> None:
    one, other, reference = tmp_path / "1/paper", tmp_path / "2/paper", tmp_path / "reference"
    make_record(one, seed=0, config={"seed": 0, "hidden_size": 64})
    make_record(other, seed=1, config={"seed": 1, "hidden_size": 8})
    promote(one, reference)
    before = files_below(reference)
    with pytest.raises(SeqrecError, match=r"seed-\d: differs in more than the seed from .*seed-\d"):
        promote(other, reference)
    assert files_below(reference) == before
    make_record(other, seed=0, config={"seed": 0, "hidden_size": 8})
    assert len(promote(other, reference, replace=True)) == 2, "all of them at once are alike"


def test_promotion_of_nothing_or_of_the_reference_itself_is_refused(tmp_path: Path) -> None:
    make_failure(folder_of(tmp_path, "ml-1m", "sasrec+"))
    with pytest.raises(SeqrecError, match="no finished record"):
        promote(tmp_path, tmp_path / "reference")
    with pytest.raises(SeqrecError, match="reference itself"):
        promote(tmp_path, tmp_path)


def test_the_reference_says_why_a_dataset_is_missing_until_it_has_records(tmp_path: Path) -> None:
    source, reference = tmp_path / "paper", tmp_path / "reference"
    write_grid(source, ("ml-1m", "sasrec+", 0), ("yelp", "sasrec+", 0))
    make_record(source)
    files = ResultFiles(source)
    write_failure(files.data_failure("yelp"), Reason("no yelp.json", "Put it into data/raw."))
    promote(source, reference)
    (lost,) = missing_runs(reference)
    assert lost.run.dataset == "yelp"
    assert lost.reason == "the data could not be fetched where these records were made."
    make_record(source, "yelp")
    promote(source, reference)
    assert missing_runs(reference) == []
    assert not ResultFiles(reference).data_failure("yelp").exists()


# Experiments with several splits or a search


TEMPORAL = {"kind": "global-temporal", "quantile": 0.9, "validation": "by-time", "target": "last"}
SIDES = ["my-shop@temporal", "beauty@leave-one-out", "my-shop@leave-one-out"]


def make_splits(results: Path, *models: str, variant_of: str = "") -> Path:
    runs = [Run(task, model, 0) for task in SIDES for model in models]
    for task, model, _ in runs:
        split = {"split": TEMPORAL} if "temporal" in task else {}
        lengths = np.arange(USERS) % 9
        make_record(results, task, model, config=split, history_lengths=lengths)
    grid = GridFile(
        experiment=results.name, variant_of=variant_of, runs=[AskedRun.of(run) for run in runs]
    )
    grid.write(ResultFiles(results).grid)
    return results


def test_only_the_papers_experiment_joins_the_records_at_the_top(tmp_path: Path) -> None:
    reference = tmp_path / "reference"
    make_record(tmp_path / "paper")
    promote(tmp_path / "paper", reference)
    before = files_below(reference)
    write_grid(tmp_path / "beyond", ("ml-1m", "ligr", 0))
    make_record(tmp_path / "beyond", "ml-1m", "ligr")
    make_record(tmp_path / "train", "ml-1m", "lstm")  # one run, by hand, without a grid
    for study in ("beyond", "train"):
        promote(tmp_path / study, reference)
    after = files_below(reference)
    assert before.items() <= after.items(), "the tables of the paper stay what they are"
    added = {name.partition("/")[0] for name in after.keys() - before.keys()}
    assert added == {"beyond", "train"}
    elsewhere = tmp_path / "elsewhere"  # a reference of another checkout, part by part
    promote(reference, elsewhere)
    promote(reference / "beyond", elsewhere)
    kept = {name: text for name, text in after.items() if not name.startswith("train/")}
    assert files_below(elsewhere) == kept


def test_an_experiment_with_several_splits_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    reference = tmp_path / "reference"
    make_record(tmp_path / "paper")
    promote(tmp_path / "paper", reference)
    before = files_below(reference)
    promote(make_splits(tmp_path / "time", "bert4rec", "sasrec+"), reference)
    promote(make_splits(tmp_path / "more", "gru4rec", variant_of="time"), reference)
    after = files_below(reference)
    assert before.items() <= after.items(), "other experiments stay what they are"
    assert all(name.startswith("time/") for name in after.keys() - before.keys())
    found = survey(reference / "time")
    assert not found.missing
    tasks = ["beauty@leave-one-out", "my-shop@leave-one-out", "my-shop@temporal"]
    assert [*dict.fromkeys(run.task for run in found.runs)] == tasks
    models = ["bert4rec", "sasrec+", "gru4rec"]
    assert [*dict.fromkeys(run.model for run in found.runs)] == models, "a variant comes after"
    assert GridFile.read(reference / "time").is_promoted
    assert promote(tmp_path / "time", reference) == []


def test_what_all_records_of_a_task_say_of_its_targets_is_kept_once(tmp_path: Path) -> None:
    source, reference = make_splits(tmp_path / "time", "bert4rec", "sasrec+"), tmp_path / "ref"
    promote(source, reference)
    kept = [name for name in files_below(reference) if name.endswith(".npy")]
    assert len([name for name in kept if "target_counts" in name]) == len(SIDES)
    assert len([name for name in kept if "history_lengths" in name]) == len(SIDES)
    assert len([name for name in kept if "ranks" in name]) == 2 * len(SIDES)
    for ours, theirs in zip(read_records(source), read_records(reference / "time"), strict=True):
        assert ours.content() == theirs.content()
        assert np.array_equal(ours.target_counts(), theirs.target_counts())
        assert np.array_equal(ours.history_lengths(), theirs.history_lengths())


def test_records_of_other_targets_keep_their_own_and_are_not_mixed_up(tmp_path: Path) -> None:
    source, reference = make_splits(tmp_path / "time", "bert4rec", "sasrec+"), tmp_path / "ref"
    promote(source, reference)
    counts = np.arange(USERS) + 1
    make_record(source, SIDES[0], "sasrec+", config={"split": TEMPORAL}, target_counts=counts)
    promote(source, reference, replace=True)
    one, other = (record for record in read_records(reference / "time") if record.task == SIDES[0])
    assert one.target_counts().tolist() == list(range(USERS))
    assert other.target_counts().tolist() == counts.tolist()
    shared = reference / "time/runs" / SIDES[0] / "target_counts.npy"
    shared.write_bytes(shared.read_bytes()[:-4] + b"oops")
    lost = [one for one in missing_runs(reference / "time") if one.run.model == "bert4rec"]
    assert "target_counts.npy: is not the file that was written with" in lost[0].reason
    make_record(source, SIDES[0], "bert4rec", config={"split": TEMPORAL}, target_counts=counts)
    promote(source, reference, replace=True)
    assert not missing_runs(reference / "time")


def test_older_records_without_digests_may_share_what_they_say_of_targets(tmp_path: Path) -> None:
    folder = without_digests(make_record(tmp_path))
    files = RunFiles(folder)
    counts = read_record(folder).target_counts()
    files.target_counts.rename(files.shared(files.target_counts))
    assert np.array_equal(read_record(folder).target_counts(), counts)
    assert read_record(folder).history_lengths() is None
    files.shared(files.target_counts).unlink()
    with pytest.raises(SeqrecError, match=r"target_counts.npy: is missing"):
        read_record(folder)


def test_of_trials_that_were_not_chosen_metrics_and_ranks_are_kept(tmp_path: Path) -> None:
    source, reference = make_search(tmp_path / "tuning", reseed=True), tmp_path / "reference"
    promote(source, reference)
    kept = {
        folder.parent.name: {path.name for path in folder.iterdir()}
        for folder in (reference / "mine/runs/demo").glob("*/seed-0")
    }
    assert kept["sasrec+.t00"] == kept["gru4rec.t02"] == {"metrics.json", "ranks.npy"}
    whole = {"metrics.json", "ranks.npy", "history.csv", "config.yaml"}
    assert kept["sasrec+.t01"] == kept["gru4rec.t00"] == whole
    assert missing_runs(source) != []
    assert [one.run for one in missing_runs(source)] == [
        one.run for one in missing_runs(reference / "mine")
    ]


@pytest.mark.parametrize("reseed", [False, True])
def test_a_promoted_search_is_shown_as_the_experiment_itself(tmp_path: Path, reseed: bool) -> None:
    source, reference = make_search(tmp_path / "mine", reseed=reseed), tmp_path / "reference"
    promote(source, reference)
    for results in (source, reference / "mine"):
        write_tables(results, CONFIG)
    charts = [
        {item.name: chart for item, chart in make_charts(read_evidence(results, CONFIG))}
        for results in (source, reference / "mine")
    ]
    assert charts[0] == charts[1]
    ours, theirs = files_below(source), files_below(reference / "mine")
    shown = [name for name in ours if name.startswith(("tables/", "results.csv"))]
    assert len(shown) > 20
    for name in shown:
        if "missing" not in name and not (reseed and "results/demo" in name):
            assert ours[name] == theirs[name], name
    for words in (["best"], ["metrics", "5", "20"]):
        said = [
            CliRunner().invoke(main, [words[0], str(folder), *words[1:]]).output
            for folder in (source, reference / "mine")
        ]
        assert said[0].partition("\n")[2] == said[1].partition("\n")[2]


def test_a_longer_search_is_promoted_over_the_shorter_one(tmp_path: Path) -> None:
    source, reference = make_search(tmp_path / "mine"), tmp_path / "reference"
    promote(source, reference)
    config = config_of("sasrec+.t02", 0, 0.0003)
    make_record(
        *(source, "demo", "sasrec+.t02"),
        ndcg=0.123,
        config=config,
        config_hash=hash_of(config),
        validation={"ndcg@10": 0.05},
        training_seconds=300.0,
        epochs=12,
    )
    assert promote(source, reference) == [], "less is kept of it, and it is the same"
    name = "sasrec+.t03"
    config = config_of(name, 0, 0.005)
    make_record(
        *(source, "demo", name),
        config=config,
        config_hash=hash_of(config),
        validation={"ndcg@10": 0.5},
    )
    grid = GridFile.read(source)
    asked = [*grid.runs, AskedRun.of(Run("demo", name, 0), hash_of(config))]
    longer = grid.model_copy(update={"runs": asked, "trials": {**grid.trials, name: "sasrec+"}})
    longer.write(ResultFiles(source).grid)
    (new,) = promote(source, reference)
    assert new.parent.parent.name == name
    assert (new.parent / "history.csv").exists()
    frame = pd.read_csv(write_and_find(reference / "mine", "tables/tuning.csv"))
    assert frame.set_index("model").chosen["sasrec+"] == name


def write_and_find(results: Path, name: str) -> Path:
    write_tables(results, CONFIG)
    return results / name


@pytest.mark.parametrize("name", ["runs", "tables", "../mine", "reference"])
def test_a_promoted_experiment_is_not_written_over_other_folders(tmp_path: Path, name: str) -> None:
    source, reference = make_search(tmp_path / "a/mine"), tmp_path / "a/reference"
    grid = GridFile.read(source).model_copy(update={"experiment": name})
    grid.write(ResultFiles(source).grid)
    before = files_below(tmp_path)
    with pytest.raises(SeqrecError, match=r"name|called"):
        promote(source, reference)
    assert files_below(tmp_path) == before
