"""The report under several splits: records of different splits are told apart everywhere."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reading_tables import CONFIG, notes, ranks_with_hits, rows, write
from record_factory import make_record

from seqrec.errors import SeqrecError
from seqrec.experiment.grid import resolve_cell
from seqrec.experiment.schema import Report
from seqrec.layout import ResultFiles
from seqrec.protocol.metrics import SET_METRICS, metrics_from_ranks
from seqrec.protocol.ranking import MISS as RANKED_AS_MISS
from seqrec.records.grid_file import GridFile
from seqrec.records.reading import read_record
from seqrec.records.record import KnownSplit
from seqrec.report.comparison import compare
from seqrec.report.evidence import read_evidence
from seqrec.report.figures import make_charts, write_figures
from seqrec.report.figures.survival import survival_chart
from seqrec.report.inference import user_values
from seqrec.report.page import write_page
from seqrec.report.splits import MISS, in_words
from seqrec.report.tables import metrics_table
from seqrec.wording import metric_title

TEMPORAL = {
    "kind": "global-temporal",
    "quantile": 0.9,
    "validation": "by-time",
    "target": "last",
}


def config_of(split: dict[str, Any] | None) -> dict[str, Any]:
    return {"implementation": "sasrec"} | ({"split": split} if split else {})


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two models on one dataset under two splits, one of them better under each."""
    results = tmp_path / "time"
    for split, rule, better in (
        ("leave-one-out", None, "sasrec+"),
        ("temporal", TEMPORAL, "bert4rec"),
    ):
        for model in ("sasrec+", "bert4rec"):
            make_record(
                results,
                f"my-shop@{split}",
                model,
                ndcg=0.3 if model == better else 0.1,
                config=config_of(rule and {**rule, "name": split}),
            )
    return results


def test_each_split_has_its_own_tables_whose_titles_name_it(results: Path) -> None:
    write(results)
    for split in ("leave-one-out", "temporal"):
        text = (results / f"tables/results/my-shop@{split}.md").read_text(encoding="utf-8")
        assert text.startswith(f"## my-shop, {split}: test metrics")
        assert (results / f"tables/pairs/my-shop@{split}.md").exists()
    for split, best in (("temporal", "BERT4Rec"), ("leave-one-out", "SASRec+")):
        bold = {name for name, cells in rows(results, f"results/my-shop@{split}").items()
                if cells[1].startswith("**")}  # fmt: skip
        assert [name.startswith(best) for name in bold] == [True]


def test_a_note_says_in_words_what_each_split_is(results: Path) -> None:
    write(results)
    said = notes(results, "results/my-shop@temporal")
    assert "temporal: global temporal split at the 0.9 quantile of all times" in said
    assert "validation after a second such cut; test on each user's last item." in said
    assert "leave-one-out: test on each" in notes(results, "results/my-shop@leave-one-out")
    both = notes(results, "recommended")
    assert "temporal: global" in both
    assert "leave-one-out: test" in both


def test_the_page_shows_both_and_every_id_once(results: Path) -> None:
    text = write_page(results, CONFIG).read_text(encoding="utf-8")
    assert "On my-shop, temporal, BERT4Rec has the highest test NDCG@10" in text
    assert "On my-shop, leave-one-out, SASRec+ has the highest test NDCG@10" in text
    assert "2 models on 1 dataset under 2 splits" in text


def test_one_split_that_is_not_leave_one_out_is_in_the_titles_too(tmp_path: Path) -> None:
    make_record(tmp_path, "my-shop", "sasrec+", config=config_of(TEMPORAL))
    write(tmp_path)
    text = (tmp_path / "tables/results/my-shop.md").read_text(encoding="utf-8")
    assert text.startswith("## my-shop: test metrics, global temporal split")
    assert "Split: global temporal split at the 0.9 quantile" in text


def test_leave_one_out_alone_goes_without_saying(tmp_path: Path) -> None:
    make_record(tmp_path, "my-shop", "sasrec+", config=config_of(None))
    write(tmp_path)
    assert "split" not in (tmp_path / "tables/results/my-shop.md").read_text(encoding="utf-8")


def test_targets_that_no_model_can_hit_or_know_are_counted_below_the_results(
    tmp_path: Path,
) -> None:
    ranks, counts = np.full(200, 3), np.ones(200, np.int64)
    ranks[:30], counts[:50] = MISS, 0
    for seen in ("drop", "keep"):
        results = tmp_path / seen
        split = {**TEMPORAL, "seen": seen}
        make_record(results, "my-shop", ranks=ranks, target_counts=counts, config=config_of(split))
        write(results)
        said = notes(results, "results/my-shop")
        assert ("15.0% of the test targets are items that the user has met" in said) == (
            seen == "drop"
        )
        assert "25.0% of the test targets are cold items" in said


def test_cold_users_and_items_are_counted_below_the_results_once_a_record_tells(
    tmp_path: Path,
) -> None:
    counts = np.where(np.arange(1000) < 250, 0, 1)
    for model, changes in (("popularity", {}), ("sasrec+", {"cold": {"users": 100, "items": 1}})):
        config = config_of(TEMPORAL)
        make_record(tmp_path, "my-shop", model, target_counts=counts, config=config, **changes)
    write(tmp_path)
    said = notes(tmp_path, "results/my-shop")
    assert "25.0% of the test targets are cold items (1 item), which occur" in said
    assert "100 of the 1,000 test users (10.0%) are cold: none of their interactions" in said


def test_a_miss_is_what_ranking_calls_one() -> None:
    assert MISS == RANKED_AS_MISS


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({}, "leave-one-out, test on each user's last item"),
        ({"at": "2014-05-01", "kind": "global-temporal"}, "global temporal split at 2014-05-01"),
        ({**TEMPORAL, "refit": True}, "trained anew on train and validation"),
        ({"seen": "keep"}, "items that a user has met are ranked, too"),
        ({"kind": "of-tomorrow", "target": "a guess"}, "of tomorrow split"),
    ],
)
def test_every_rule_has_words(split: dict[str, Any], words: str) -> None:
    assert words in in_words(KnownSplit.model_validate(split))


def test_a_record_under_another_split_than_the_others_of_its_task_is_set_apart(
    tmp_path: Path,
) -> None:
    make_record(tmp_path, "my-shop", "sasrec+", config=config_of(None))
    make_record(tmp_path, "my-shop", "bert4rec", config=config_of(None))
    make_record(tmp_path, "my-shop", "gru4rec", config=config_of({"seen": "keep"}))
    write(tmp_path)
    said = notes(tmp_path, "results/my-shop")
    assert "runs/my-shop/gru4rec/seed-0/metrics.json: was tested under another split" in said


@pytest.mark.parametrize("first", [None, {**TEMPORAL, "validation": "by-user"}])
def test_results_of_different_splits_are_not_compared(
    tmp_path: Path, first: dict[str, Any] | None
) -> None:
    one, other = (
        make_record(tmp_path / name, "my-shop", config=config_of(split))
        for name, split in (("a", first), ("b", TEMPORAL))
    )
    with pytest.raises(SeqrecError, match="was tested under another split"):
        compare(one, other)


def test_programs_get_the_task_in_every_line(results: Path) -> None:
    write(results)
    frame = pd.read_csv(results / "results.csv")
    assert set(frame.dataset) == {"my-shop@leave-one-out", "my-shop@temporal"}
    assert "split.kind" in frame.columns


# A user with several targets


def make_successive(results: Path, model: str, values: np.ndarray, users: np.ndarray) -> Path:
    """A record whose targets are hit (rank 1) where `values` say so."""
    ranks = np.where(values, 1, 500)
    config = config_of({**TEMPORAL, "target": "successive"})
    return make_record(results, "my-shop", model, ranks=ranks, target_users=users, config=config)


def test_the_mean_is_over_targets_and_its_interval_over_users(tmp_path: Path) -> None:
    # Ten users with one target, hit, and ten with nine, missed.
    users = np.concatenate([np.arange(10), np.repeat(np.arange(10, 20), 9)])
    make_successive(tmp_path, "sasrec+", users < 10, users)
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/results/my-shop.csv")
    assert frame["hit_rate@10_mean"][0] == pytest.approx(0.1)
    # Of the values of `user_values`, (1 - 0.1) / 5 + 0.1 and (0 - 0.9) / 5 + 0.1.
    error = np.std([0.28] * 10 + [-0.08] * 10) / np.sqrt(20)
    low, high = frame["hit_rate@10_low"][0], frame["hit_rate@10_high"][0]
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.01)


def test_sets_of_targets_are_measured_as_sets(tmp_path: Path) -> None:
    users = np.array([3, 3, 3, 8, 8])
    config = config_of({**TEMPORAL, "target": "all"})
    ranks = [1, 50, 2, 30, 40]
    place = make_record(
        tmp_path, "my-shop", ranks=ranks, target_users=users, config=config,
        test=metrics_from_ranks(ranks, [10, 100], users),
    )  # fmt: skip
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/results/my-shop.csv")
    recorded = read_record(place).test
    assert frame["ndcg@10_mean"][0] == pytest.approx(recorded["ndcg@10"])
    table = metrics_table([read_record(place)], [10])
    assert table["ndcg@10"][0] == pytest.approx(recorded["ndcg@10"])
    assert "recall@10" in table.columns


def test_metrics_of_sets_stand_in_every_table_and_figure_and_agree_with_the_record(
    tmp_path: Path,
) -> None:
    users = np.repeat(np.arange(300), 3)
    metrics = [f"{name}@10" for name in SET_METRICS]
    split = {**TEMPORAL, "target": "all"}
    for number, model in enumerate(("sasrec+", "bert4rec")):
        ranks = np.random.default_rng(number).integers(1, 60, 900)
        place = make_record(
            *(tmp_path, "my-shop", model),
            ranks=ranks,
            target_users=users,
            config=config_of(split),
            test=metrics_from_ranks(ranks, [10, 100], users),
        )
    grid = GridFile(report=Report(metrics=metrics), runs=[])
    grid.write(ResultFiles(tmp_path).grid)
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/results/my-shop.csv").set_index("model")
    for metric in metrics:
        assert frame[f"{metric}_mean"]["bert4rec"] == pytest.approx(read_record(place).test[metric])
    for name in ("results", "intervals", "pairs"):
        text = (tmp_path / f"tables/{name}/my-shop.md").read_text(encoding="utf-8")
        assert all(metric_title(metric) in text for metric in metrics), name
    assert [*make_charts(read_evidence(tmp_path, CONFIG))]


def test_with_one_target_recall_is_the_hit_rate_and_map_the_mrr() -> None:
    ranks = np.random.default_rng(0).integers(1, 40, 500)
    for name, same in (("recall", "hit_rate"), ("map", "mrr")):
        assert np.allclose(user_values(ranks, f"{name}@10"), user_values(ranks, f"{same}@10"))
    assert np.allclose(10 * user_values(ranks, "precision@10"), user_values(ranks, "hit_rate@10"))


# What was published under a split


def of_time(split: str, model: str, like: str = "") -> dict[str, Any]:
    """The configuration of a run of `config/time.yaml`."""
    task = f"beauty-5core@{split}"
    config = resolve_cell("time", task, like or model, CONFIG.folder).model_dump(mode="json")
    return {**config, "model": model}


@pytest.mark.parametrize(
    ("split", "published"),
    [
        ("leave-one-out", 0.0895),
        ("temporal-by-time", 0.0367),
        ("temporal-by-user", 0.0524),
        ("temporal-last-item", 0.0450),
    ],
)
def test_published_values_are_judged_under_the_split_that_they_are_of(
    split: str, published: float, tmp_path: Path
) -> None:
    make_record(
        tmp_path, f"beauty-5core@{split}", "sasrec+",
        ranks=ranks_with_hits(published), config=of_time(split, "sasrec+"),
    )  # fmt: skip
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/verdicts.csv").query("metric == 'hit_rate@10'")
    assert frame.published.tolist() == [pytest.approx(published, abs=1e-4)]
    assert frame.source.tolist() == ["follow-up"]
    assert frame.ours[0] == pytest.approx(published, rel=0.2)
    assert frame.verdict[0] in ("reproduced", "better", "worse")
    assert "follow-up study" in notes(tmp_path, f"results/beauty-5core@{split}")
    assert "metrics of the follow-up study" in notes(tmp_path, "verdicts")


def test_other_settings_or_another_split_than_the_follow_ups_take_no_verdict(
    tmp_path: Path,
) -> None:
    config = of_time("temporal-by-time", "sasrec+")
    other = config | {"training": config["training"] | {"batch_size": 128}}
    make_record(tmp_path / "a", "beauty-5core@temporal-by-time", "sasrec+", config=other)
    earlier = config | {"split": config["split"] | {"quantile": 0.8}}
    make_record(tmp_path / "b", "beauty-5core@temporal-by-time", "sasrec+", config=earlier)
    for name, verdicts in (("a", {"other settings"}), ("b", set())):
        write(tmp_path / name)
        assert set(pd.read_csv(tmp_path / name / "tables/verdicts.csv").verdict) == verdicts


def test_the_papers_values_are_those_of_leave_one_out(tmp_path: Path) -> None:
    for split, rule in (("usual", None), ("temporal", TEMPORAL)):
        config = resolve_cell("paper", "ml-1m", "sasrec+", CONFIG.folder).model_dump(mode="json")
        config |= {"split": rule} if rule else {}
        make_record(tmp_path, f"ml-1m@{split}", "sasrec+", config=config)
    write(tmp_path)
    frame = pd.read_csv(tmp_path / "tables/verdicts.csv")
    assert set(frame[frame.verdict != "not run"].dataset) == {"ml-1m@usual"}
    assert "ml-1m@temporal" not in set(frame.dataset)


# Does the claim survive?


def shares(results: Path, split: str, **of_models: float) -> None:
    """Records of `config/time.yaml` on one dataset whose models hit these shares of the users."""
    for model, share in of_models.items():
        name = model.replace("plus", "+")
        config = of_time(split, name)
        ranks = ranks_with_hits(share, seed=len(name))
        make_record(results, f"beauty-5core@{split}", name, ranks=ranks, config=config)


@pytest.fixture
def survey_of_claims(tmp_path: Path) -> Path:
    """SASRec+ is better than BERT4Rec, but under one of three splits it is worse."""
    shares(tmp_path, "leave-one-out", sasrecplus=0.3, bert4rec=0.2, sasrec=0.1)
    shares(tmp_path, "temporal-by-time", sasrecplus=0.2, bert4rec=0.3, sasrec=0.1)
    shares(tmp_path, "temporal-by-user", sasrecplus=0.3, bert4rec=0.2)
    return tmp_path


def test_a_table_shows_under_which_splits_each_claim_holds(survey_of_claims: Path) -> None:
    write(survey_of_claims)
    text = (survey_of_claims / "tables/claims_by_split.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if "SASRec+ is better than BERT4Rec" in line]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[0] == "Beauty 5-core"
    assert [cell.split(",")[0].strip("*") for cell in cells[2:]] == [
        *("holds", "does not hold", "holds"),
        "2 of 3",
    ]
    frame = pd.read_csv(survey_of_claims / "tables/claims_by_split.csv")
    first = frame[frame.claim == "SASRec+ is better than BERT4Rec"].set_index("split")
    assert first.relative["leave-one-out"] > 0.2
    assert first.relative["temporal-by-time"] < -0.2
    one = frame[frame.claim.str.startswith("SASRec, with one")]
    assert set(one.split) == {"leave-one-out", "temporal-by-time"}


def test_a_table_shows_all_splits_with_intervals_and_verdicts(survey_of_claims: Path) -> None:
    write(survey_of_claims)
    frame = pd.read_csv(survey_of_claims / "tables/by_split/beauty-5core.csv").set_index(
        ["split", "model"]
    )
    assert len(frame) == 8
    for (split, model), line in frame.iterrows():
        other = pd.read_csv(survey_of_claims / f"tables/intervals/beauty-5core@{split}.csv")
        (same,) = other[(other.model == model) & (other.metric == "ndcg@10")].to_dict("records")
        assert [line["mean"], line.low, line.high] == [same["mean"], same["low"], same["high"]]
    published = frame.published.dropna()
    assert published["leave-one-out", "sasrec+"] == pytest.approx(0.055)
    assert published["temporal-by-time", "bert4rec"] == pytest.approx(0.01077)
    assert set(frame.verdict[published.index]) == {"better"}
    assert frame.verdict.drop(published.index).isna().all()
    text = (survey_of_claims / "tables/by_split/beauty-5core.md").read_text(encoding="utf-8")
    bold = {
        tuple(cell.strip() for cell in line.split("|")[1:3])
        for line in text.splitlines()
        if "**" in line
    }
    best = {("leave-one-out", "SASRec+"), ("temporal-by-time", "BERT4Rec")}
    assert bold == {*best, ("temporal-by-user", "SASRec+")}


def test_a_figure_shows_the_differences_under_each_split(survey_of_claims: Path) -> None:
    chart = survival_chart(read_evidence(survey_of_claims, CONFIG))
    first = chart.panels[0]
    assert first.title == "Beauty 5-core: SASRec+ minus BERT4Rec"
    points = {tick.label: one for one, tick in zip(first.series, first.y.ticks, strict=True)}
    assert points["temporal-by-time"].label == "opposite"
    assert points["leave-one-out"].label == points["temporal-by-user"].label == "holds"
    point = points["temporal-by-time"].points[0]
    assert point.y_interval is None
    assert "temporal-by-time: opposite" in chart.alternative
    assert write_figures(survey_of_claims, CONFIG)


def test_without_several_splits_there_is_no_such_table(tmp_path: Path) -> None:
    make_record(tmp_path, "ml-1m", "sasrec+")
    assert not any("by_split" in str(path) for path in write(tmp_path))


def test_the_page_of_several_splits_shows_which_claims_survive(survey_of_claims: Path) -> None:
    text = write_page(survey_of_claims, CONFIG).read_text(encoding="utf-8")
    ids = re.findall(r' id="([^"]*)"', re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))
    assert len(ids) == len(set(ids))
    assert {"by_split", "claims_by_split", "survival"} <= set(ids)
    alike = "on Beauty 5-core (leave-one-out, temporal-by-user) "
    assert alike not in text, "they have other claims"
    assert "on Beauty 5-core (leave-one-out) " in text
