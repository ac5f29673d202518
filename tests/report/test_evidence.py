"""Verdicts, claims and comparisons follow from records, each by its stated rule."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from record_factory import make_history, make_metrics, make_record
from small_runs import ROOT, copied_config
from test_tables import notes, rows, write, write_grid

from seqrec.cli.main import main
from seqrec.errors import SeqrecError
from seqrec.experiment.grid import resolve_cell
from seqrec.records.record import read_record
from seqrec.records.survey import read_records, survey
from seqrec.report.comparison import compare
from seqrec.report.differences import by_target, pairs
from seqrec.report.inference import Interval
from seqrec.report.measured import measure_dataset, seconds_to_best
from seqrec.report.paper import curve_negatives, verdict
from seqrec.report.tables import write_tables

CONFIG = ROOT / "config"
USERS = 3000


def ranks(quality: float, seed: int = 0) -> np.ndarray:
    """Of users of whom about `quality` are hit; the same users' luck for the same seed."""
    luck = np.random.default_rng(seed).random(USERS)
    return np.where(luck < quality, 1 + (10 * luck / max(quality, 1e-9)).astype(int), 500)


def claims(results: Path) -> pd.DataFrame:
    write(results)
    frame = pd.read_csv(results / "tables/claims.csv", keep_default_na=False)
    short = {
        "SASRec+ is better than BERT4Rec": "quality",
        "SASRec, with one negative, is worse than both": "one negative",
        "SASRec+ N is the better, the more negatives it has": "negatives",
        "SASRec+ is at its best after less training time than BERT4Rec": "time",
    }
    return frame.assign(claim=frame.claim.map(short)).set_index("claim")


# Against the paper


@pytest.mark.parametrize(
    "ours, interval, published, said",
    [
        (0.20, (0.17, 0.23), 0.22, "reproduced"),  # 9% off, inside
        (0.21, (0.209, 0.211), 0.2, "reproduced"),  # outside, within 5%
        (0.1901, (0.189, 0.191), 0.2, "reproduced"),
        (0.2101, (0.209, 0.211), 0.2, "better"),
        (0.1899, (0.189, 0.191), 0.2, "worse"),
    ],
)
def test_a_value_is_reproduced_in_the_interval_or_within_five_percent(
    ours: float, interval: tuple[float, float], published: float, said: str
) -> None:
    assert verdict(ours, Interval(*interval), published) == said


def test_every_published_cell_has_a_verdict(tmp_path: Path) -> None:
    write_grid(tmp_path, ("ml-1m", "bert4rec", 0), ("ml-1m", "gru4rec", 0))
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks(0.31))
    make_record(tmp_path, "ml-1m", "sasrec", ranks=ranks(0.5))
    make_record(tmp_path, "ml-1m", "gru4rec", ranks=ranks(0.3))
    write(tmp_path)
    found = pd.read_csv(tmp_path / "tables/verdicts.csv").query("metric == 'hit_rate@10'")
    assert found.set_index("model").verdict.to_dict() == {
        "bert4rec": "not run",
        "sasrec": "better",
        "sasrec+": "reproduced",
        "sasrec+3000": "not run",
    }
    assert "Of 8 published values: " in notes(tmp_path, "verdicts")
    text = (tmp_path / "tables/verdicts.md").read_text()
    assert "0.3152" in text


def test_models_on_different_data_are_judged_each_by_itself(tmp_path: Path) -> None:
    other = {"sha256": "e" * 64, "statistics": {}}
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks(0.31))
    make_record(tmp_path, "ml-1m", "bert4rec", ranks=ranks(0.29), data=other)
    make_record(tmp_path, "ml-1m", "sasrec", 0, ranks=ranks(0.25))
    make_record(tmp_path, "ml-1m", "sasrec", 1, ranks=ranks(0.25), data=other)
    write(tmp_path)
    found = pd.read_csv(tmp_path / "tables/verdicts.csv").query("metric == 'hit_rate@10'")
    assert found.set_index("model").verdict.to_dict() == {
        "bert4rec": "reproduced",
        "sasrec": "seeds differ in data",
        "sasrec+": "reproduced",
        "sasrec+3000": "not run",
    }
    said = claims(tmp_path)
    assert said.verdict["quality"] == "undecided"
    assert said.evidence["quality"] == "The records were trained on different data."


def test_a_dataset_that_the_paper_lacks_has_no_verdicts(tmp_path: Path) -> None:
    make_record(tmp_path, "demo")
    write(tmp_path)
    assert "none of these datasets" in notes(tmp_path, "verdicts")
    assert len(pd.read_csv(tmp_path / "tables/verdicts.csv")) == 0


# What is the paper's


def configured(dataset: str, model: str, like: str = "", **changes: object) -> dict[str, object]:
    """The paper's configuration of a model, with some of its sections changed."""
    config = resolve_cell("paper", dataset, like or model, CONFIG).model_dump(mode="json")
    for section, values in changes.items():
        config[section] = config[section] | values if isinstance(values, dict) else values
    return config | {"model": model}


def test_other_settings_than_the_papers_take_no_verdict_and_no_claim(tmp_path: Path) -> None:
    plus = configured("ml-1m", "sasrec+")
    quick = configured("ml-1m", "sasrec+", training={"max_epochs": 5})
    make_record(tmp_path / "paper", "ml-1m", "sasrec+", ranks=ranks(0.31), config=plus)
    make_record(tmp_path / "quick", "ml-1m", "sasrec+", ranks=ranks(0.31), config=quick)
    for name, said in (("paper", "reproduced"), ("quick", "other settings")):
        results = tmp_path / name
        bert = configured("ml-1m", "bert4rec")
        make_record(results, "ml-1m", "bert4rec", ranks=ranks(0.2), config=bert)
        claimed = claims(results)
        found = pd.read_csv(results / "tables/verdicts.csv").query("metric == 'hit_rate@10'")
        found = found.set_index("model")
        assert found.verdict["sasrec+"] == said
        assert found.ours["sasrec+"] == pytest.approx(0.31, abs=0.02), "the number is shown"
        assert found.verdict["bert4rec"] == "worse"
        assert claimed.verdict["quality"] == ("holds" if name == "paper" else "undecided")
    assert claimed.evidence["quality"] == "Of other settings than the paper's: SASRec+§."
    assert "SASRec+§" in rows(results, "ml-1m")
    assert "§ Trained by other settings" in notes(results, "ml-1m")
    note = "§ SASRec+ on MovieLens-1M: training.max\\_epochs 5 instead of 100."
    assert note in notes(results, "verdicts")
    assert "§" not in (tmp_path / "paper/tables/ml-1m.md").read_text()
    assert r"SASRec+\textsuperscript{\S}" in (results / "tables/ml-1m.tex").read_text()


def test_seeds_devices_and_evaluation_are_no_settings(tmp_path: Path) -> None:
    evaluation = {"batch_size": 7, "sampled_negatives": 100, "cutoffs": [5]}
    config = configured("ml-1m", "sasrec+", seed=7, evaluation=evaluation)
    other = {"precision": "bfloat16", "threads": 8, "device": "H100", "device_kind": "cuda"}
    make_record(tmp_path, "ml-1m", "sasrec+", 7, ranks=ranks(0.31), config=config, **other)
    write(tmp_path)
    assert "reproduced" in set(pd.read_csv(tmp_path / "tables/verdicts.csv").verdict)
    assert "§" not in (tmp_path / "tables/verdicts.md").read_text()


def test_a_model_is_the_papers_by_its_network_and_loss_and_not_by_its_name(tmp_path: Path) -> None:
    for number in (10, 100):
        config = configured("demo", f"sasrec+{number}", training={"max_epochs": 5})
        make_record(tmp_path, "demo", f"sasrec+{number}", ranks=ranks(number / 500), config=config)
    assert claims(tmp_path).verdict["negatives"] == "holds", "whose data are not the paper's"
    named = {
        "sasrec+64": {"config": configured("demo", "sasrec+64", "sasrec+"), "negatives": None},
        "sasrec+65": {"config": configured("demo", "sasrec+65", "sasrec+10"), "negatives": 10},
        "sasrec+66": {"config": configured("demo", "sasrec+66", implementation="gru4rec")},
    }
    for model, changes in named.items():
        make_record(tmp_path, "demo", model, ranks=ranks(0.3), **changes)
    found = claims(tmp_path)
    assert found.verdict["negatives"] == "undecided"
    marked = "SASRec+ 64§, SASRec+ 65§, SASRec+ 66§"
    assert found.evidence["negatives"] == f"Of other settings than the paper's: {marked}."
    assert "loss.negatives 10 instead of 65" in notes(tmp_path, "verdicts")
    numbers = [curve_negatives(record) for record in read_records(tmp_path)]
    assert numbers == [10, 100, None, None, None]


def test_an_entry_that_is_gone_stops_no_tables(tmp_path: Path) -> None:
    config = copied_config(tmp_path)
    (config / "models/sasrec.yaml").unlink()
    make_record(tmp_path, "ml-1m", "sasrec", ranks=ranks(0.25))
    write_tables(tmp_path, config / "published")
    assert "sasrec.yaml" in notes(tmp_path, "verdicts")
    assert "SASRec§" in rows(tmp_path, "ml-1m")


# Claims


@pytest.mark.parametrize(
    "plus, bert, said",
    [(0.3, 0.25, "holds"), (0.25, 0.3, "does not hold"), (0.3, 0.3, "undecided")],
)
def test_a_claim_of_quality_is_decided_by_the_paired_test(
    tmp_path: Path, plus: float, bert: float, said: str
) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks(plus))
    make_record(tmp_path, "ml-1m", "bert4rec", ranks=ranks(bert, seed=1))
    found = claims(tmp_path)
    assert found.verdict["quality"] == said
    assert found.published["quality"] == "holds"
    assert "SASRec+ minus BERT4Rec: " in found.evidence["quality"]


def test_the_papers_own_numbers_do_not_claim_it_on_steam(tmp_path: Path) -> None:
    for model in ("sasrec+", "bert4rec", "sasrec"):
        make_record(tmp_path, "steam", model)
    found = claims(tmp_path)
    assert found.published.to_dict() == {
        "quality": "does not hold",
        "one negative": "holds",
        "time": "holds",
    }


@pytest.mark.parametrize(
    "one, plus, bert, said",
    [
        (0.2, 0.3, 0.3, "holds"),
        (0.3, 0.2, 0.4, "does not hold"),
        (0.3, 0.4, 0.3, "undecided"),
    ],
)
def test_a_claim_of_two_differences_needs_both(
    tmp_path: Path, one: float, plus: float, bert: float, said: str
) -> None:
    make_record(tmp_path, "ml-1m", "sasrec", ranks=ranks(one))
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks(plus))
    make_record(tmp_path, "ml-1m", "bert4rec", ranks=ranks(bert, seed=1))
    assert claims(tmp_path).verdict["one negative"] == said


@pytest.mark.parametrize(
    "curve, said",
    [
        ({10: 0.2, 100: 0.25, 3000: 0.3}, "holds"),
        ({10: 0.3, 100: 0.25, 3000: 0.2}, "does not hold"),
        ({10: 0.25, 100: 0.2501, 3000: 0.2501}, "undecided"),
        # Rises from end to end, but falls over most of the way: no trend.
        ({10: 0.28, 30: 0.4, 100: 0.4, 1000: 0.2, 3000: 0.3}, "does not hold"),
    ],
)
def test_more_negatives_need_a_trend_and_a_better_end(
    tmp_path: Path, curve: dict[int, float], said: str
) -> None:
    for number, quality in curve.items():
        make_record(tmp_path, "ml-1m", f"sasrec+{number}", ranks=ranks(quality))
    found = claims(tmp_path)
    assert found.verdict["negatives"] == said
    assert "For ten times the negatives: " in found.evidence["negatives"]
    assert "SASRec+ 3000 minus SASRec+ 10: " in found.evidence["negatives"]


def test_a_claim_waits_for_every_run_that_it_needs(tmp_path: Path) -> None:
    write_grid(tmp_path, *(("ml-1m", f"sasrec+{n}", 0) for n in (10, 100, 3000)))
    for number in (10, 100):
        make_record(tmp_path, "ml-1m", f"sasrec+{number}", ranks=ranks(number / 1000))
    found = claims(tmp_path)
    assert found.verdict.to_dict() == {"negatives": "undecided"}, "others are not asked"
    assert found.evidence["negatives"] == "Not finished: SASRec+ 3000."


def test_seeds_that_scatter_leave_a_claim_undecided(tmp_path: Path) -> None:
    for seed, (plus, bert) in enumerate([(0.2, 0.22), (0.4, 0.3), (0.3, 0.25)]):
        make_record(tmp_path, "ml-1m", "sasrec+", seed, ranks=ranks(plus))
        make_record(tmp_path, "ml-1m", "bert4rec", seed, ranks=ranks(bert))
    assert claims(tmp_path).verdict["quality"] == "undecided"


def timed(results: Path, model: str, seconds: float, seed: int = 0, **changes: object) -> None:
    history = make_history(12, speed=seconds / 9)
    make_record(results, "ml-1m", model, seed, history=history, best_epoch=9, **changes)


def test_time_is_up_to_the_best_epoch(tmp_path: Path) -> None:
    timed(tmp_path, "sasrec+", 90.0)
    record = read_record(tmp_path / "runs/ml-1m/sasrec+/seed-0")
    assert seconds_to_best(record) == pytest.approx(90.0)


@pytest.mark.parametrize(
    "ours, theirs, said",
    [([90], [180], "holds"), ([180], [90], "does not hold"), ([90, 200], [180], "undecided")],
)
def test_time_is_decided_if_every_run_agrees(
    tmp_path: Path, ours: list[float], theirs: list[float], said: str
) -> None:
    for model, seconds in (("sasrec+", ours), ("bert4rec", theirs)):
        for seed, value in enumerate(seconds):
            timed(tmp_path, model, value, seed, device="H100", device_kind="cuda")
    found = claims(tmp_path)
    assert found.verdict["time"] == said
    assert "on H100." in found.evidence["time"]


@pytest.mark.parametrize(
    "changes",
    [
        {"runs_sharing_device": 3},
        {"device": "Other CPU"},
        {"threads": 8},
        {"precision": "bfloat16"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_times_under_other_conditions_decide_nothing(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    timed(tmp_path, "sasrec+", 90)
    timed(tmp_path, "bert4rec", 180, **changes)
    assert claims(tmp_path).verdict["time"] == "undecided"


@pytest.mark.parametrize(("kind", "said"), [("cpu", "holds"), ("cuda", "undecided")])
@pytest.mark.parametrize("runs", [1, 2])
def test_runs_that_share_as_much_or_less_and_are_later_are_compared_on_a_cpu_only(
    tmp_path: Path, runs: int, kind: str, said: str
) -> None:
    timed(tmp_path, "sasrec+", 90, device_kind=kind, runs_sharing_device=2)
    timed(tmp_path, "bert4rec", 180, device_kind=kind, runs_sharing_device=runs)
    found = claims(tmp_path)
    assert found.verdict["time"] == said
    beside = f", with up to 2 and {runs} runs on it at a time."
    assert (beside in found.evidence["time"]) == (kind == "cpu")


@pytest.mark.parametrize(("runs", "said"), [(1, "holds"), (2, "undecided")])
def test_being_slowed_by_others_decides_nothing(tmp_path: Path, runs: int, said: str) -> None:
    timed(tmp_path, "sasrec+", 90, runs_sharing_device=runs)
    history = make_history(12, speed=9)
    for epoch in history[5:]:
        epoch["seconds"] += 100  # it took 181 s, but may need only 81
    make_record(
        tmp_path, "ml-1m", "bert4rec", history=history, best_epoch=9, runs_sharing_device=runs
    )
    assert claims(tmp_path).verdict["time"] == said


def test_a_stale_record_is_marked_in_claims_too(tmp_path: Path) -> None:
    old = {"version": "0.1.0", "commit": None, "training_code": "old"}
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks(0.3), seqrec=old)
    make_record(tmp_path, "ml-1m", "bert4rec", ranks=ranks(0.2))
    assert "SASRec+† minus BERT4Rec" in claims(tmp_path).evidence["quality"]
    assert "† Trained by another version" in notes(tmp_path, "claims")


# Pairs


def test_pairs_are_best_first_and_every_two_once(tmp_path: Path) -> None:
    for model, quality in (("sasrec", 0.1), ("sasrec+", 0.3), ("gru4rec", 0.2)):
        make_record(tmp_path, "demo", model, ranks=ranks(quality))
    models = measure_dataset(survey(tmp_path).records, "demo")
    found = pairs(models, "ndcg@10")
    assert [(pair.one, pair.other) for pair in found] == [
        ("sasrec+", "gru4rec"),
        ("sasrec+", "sasrec"),
        ("gru4rec", "sasrec"),
    ]
    assert all(pair.difference.value > 0 for pair in found)


def test_damaged_ranks_are_missing_and_hide_no_other_record(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+")
    folder = make_record(tmp_path, "demo", "sasrec")
    np.save(folder / "ranks.npy", np.ones((2, 2)))
    write(tmp_path)
    assert "—" in rows(tmp_path, "demo")["SASRec"]
    assert "ranks.npy: holds float64 of shape (2, 2)" in notes(tmp_path, "demo").replace("\\", "")


def test_a_record_of_other_users_is_left_out_aloud_and_stops_no_table(tmp_path: Path) -> None:
    for model in ("sasrec", "sasrec+", "gru4rec"):
        make_record(tmp_path, "demo", model, ranks=ranks(0.2))
    make_record(tmp_path, "demo", "bert4rec", ranks=[1, 2, 3])
    make_record(tmp_path, "ml-1m", "sasrec+", ranks=ranks(0.31))
    write(tmp_path)
    assert rows(tmp_path, "demo")["BERT4Rec"][0] == "—"
    assert "runs/demo/bert4rec/seed-0/target" in notes(tmp_path, "demo").replace("\\", "")
    assert "95% interval" in rows(tmp_path, "demo")["Model"]
    assert len(pd.read_csv(tmp_path / "results.csv")) == 4


# Targets that training never saw


def test_seen_and_unseen_targets_are_told_apart(tmp_path: Path) -> None:
    counts = [0, 0, 5, 1]
    make_record(tmp_path, "demo", "sasrec+", 0, ranks=[1, 11, 1, 1], target_counts=counts)
    make_record(tmp_path, "demo", "sasrec+", 1, ranks=[11, 11, 1, 11], target_counts=counts)
    found = by_target(measure_dataset(read_records(tmp_path), "demo"))
    hits = [(one.occurs, one.users, one.value) for one in found if one.metric == "hit_rate@10"]
    assert hits == [(True, 2, 0.75), (False, 2, 0.25)]
    write(tmp_path)
    assert {(one.occurs, one.median_rank) for one in found} == {(True, 1), (False, 11)}
    assert rows(tmp_path, "targets/demo")["SASRec+"][::5] == ["0.7500", "0.2500"]
    assert rows(tmp_path, "targets/demo")["SASRec+"][4::5] == ["1", "11"]
    assert "2 of 4 test targets (50.00%)" in notes(tmp_path, "targets/demo")


def test_without_unseen_targets_there_is_no_column_of_them(tmp_path: Path) -> None:
    make_record(tmp_path, "demo", "sasrec+", ranks=[1, 2], target_counts=[3, 4])
    write(tmp_path)
    assert len(rows(tmp_path, "targets/demo")["Model"]) == 5
    assert "0 of 2 test targets (0.00%)" in notes(tmp_path, "targets/demo")


# Comparing


def test_two_runs_of_different_models_are_compared(tmp_path: Path) -> None:
    one = make_record(tmp_path / "a", "ml-1m", "sasrec+", ranks=ranks(0.3))
    other = make_record(tmp_path / "colleague", "ml-1m", "bert4rec", ranks=ranks(0.2))
    done = CliRunner().invoke(main, ["compare", str(one), str(other)])
    assert done.exit_code == 0, done.output
    assert "| MovieLens-1M | SASRec+ and BERT4Rec | NDCG@10 " in done.output
    assert "< 0.0001" in done.output
    (hits, _) = compare(one, other)
    assert hits.difference.value == pytest.approx(0.1, abs=0.02)


def test_experiments_are_compared_in_what_both_have(tmp_path: Path) -> None:
    for place, rate in (("a", 0.001), ("b", 0.01)):
        for seed in (0, 1):
            config = {"model": "sasrec+", "seed": seed, "training": {"learning_rate": rate}}
            make_record(tmp_path / place, "ml-1m", "sasrec+", seed, config=config)
        make_record(tmp_path / place, "ml-1m", {"a": "sasrec", "b": "gru4rec"}[place])
    found = compare(tmp_path / "a", tmp_path / "b")
    assert [(row.one.records[0].model, row.metric) for row in found] == [
        ("sasrec+", "hit_rate@10"),
        ("sasrec+", "ndcg@10"),
    ]
    assert all(row.difference.value == 0 and row.p == 1 for row in found)
    done = CliRunner().invoke(main, ["compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert "A and B differ in training.learning\\_rate 0.001 and 0.01." in done.output
    assert "seed 0 and" not in done.output


def test_a_record_that_cannot_be_read_is_left_out_aloud(tmp_path: Path) -> None:
    for side in ("a", "b"):
        make_record(tmp_path / side, "demo", "sasrec+")
        folder = make_record(tmp_path / side, "demo", "bert4rec")
    (folder / "metrics.json").write_text("{")
    done = CliRunner().invoke(main, ["compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 0
    assert done.stderr.count("left out") == 1
    assert f"{tmp_path / 'b'}: left out: runs/demo/bert4rec/seed-0/metrics.json" in done.stderr


def test_a_models_seeds_are_compared_together(tmp_path: Path) -> None:
    for seed in range(3):
        make_record(tmp_path, "ml-1m", "sasrec+", seed, ranks=ranks(0.3, seed))
        make_record(tmp_path, "ml-1m", "bert4rec", seed, ranks=ranks(0.2, seed))
    folder = tmp_path / "runs/ml-1m"
    rows = compare(folder / "sasrec+", folder / "bert4rec")
    assert [len(row.one.records) for row in rows] == [3, 3]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"data": {"sha256": "e" * 64, "statistics": {}}}, "trained on other data"),
        ({"ranks": [1, 2, 3]}, "holds 3 users"),
    ],
)
def test_other_data_or_other_users_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    one = make_record(tmp_path / "a", ranks=ranks(0.3))
    other = make_record(tmp_path / "b", **changes)
    for a, b in ((one, other), (tmp_path / "a", tmp_path / "b")):
        done = CliRunner().invoke(main, ["compare", str(a), str(b)])
        assert done.exit_code == 1
        assert message in done.output
        assert "Traceback" not in done.output


def test_nothing_in_common_or_nothing_at_all_is_said_so(tmp_path: Path) -> None:
    make_record(tmp_path / "a", "ml-1m", "sasrec+")
    make_record(tmp_path / "b", "beauty", "sasrec+")
    with pytest.raises(SeqrecError, match=r"no finished run in common.*ml-1m sasrec\+.*beauty"):
        compare(tmp_path / "a", tmp_path / "b")
    with pytest.raises(SeqrecError, match="holds no finished run"):
        compare(tmp_path / "a", tmp_path)


# Runs


def test_seconds_an_epoch_stand_beside_the_papers(tmp_path: Path) -> None:
    training = {"patience": 10, "max_epochs": 70}
    for model in ("sasrec+", "sasrec"):  # their best epochs are the 63rd and the 53rd
        make_record(tmp_path, "ml-1m", model, config={"training": training})
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/runs.csv").set_index("model")
    assert frame.seconds_per_epoch_published["sasrec+"] == pytest.approx(540 / 70)
    assert frame.seconds_per_epoch_published["sasrec"] == pytest.approx(486 / 63)


def test_the_table_of_runs_says_how_long_and_on_what(tmp_path: Path) -> None:
    timed(tmp_path, "sasrec+", 90, device="H100", device_kind="cuda", runs_sharing_device=2)
    statistics = make_metrics("x", "y")["data"]
    make_record(tmp_path, "ml-1m", "popularity", epochs=None, best_epoch=None, data=statistics)
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/runs.csv")
    assert frame.seconds_to_best.tolist()[1] == pytest.approx(90.0)
    assert frame.seconds_per_epoch.tolist()[1] == pytest.approx(540.125 / 12)
    text = (tmp_path / "tables/runs.md").read_text()
    assert "H100, float32, shared by 2 runs" in text
    assert "Some CPU, 2 threads, float32" in text
    assert "2 finished runs, 0.3 hours" in text
