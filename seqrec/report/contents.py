"""The contents of a report: every table and figure with its title, category, caption and files.

The workflow reads this while it is parsed, so nothing here imports pandas or matplotlib.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from seqrec.experiment.naming import baselines, dataset_title, newcomers
from seqrec.layout import SPLIT_MARK, dataset_of
from seqrec.report.levels import ALPHA, CONFIDENCE, REPRODUCED_WITHIN

TABLE_FORMS = ("md", "tex", "csv")
PRINTED = ("png", "pdf", "svg")


class Category(StrEnum):
    """The parts of a report, in their order."""

    RESULTS = "Results"
    PAPER = "Against the paper"
    FIGURES = "Figures"
    TRAINING = "Training"
    DATA = "Data"


@dataclass(frozen=True)
class Entry:
    """A table or a figure."""

    name: str
    """Its path in `tables/` or `figures/`, without an ending; a folder if `per_dataset`."""
    title: str
    category: Category
    caption: str
    """What it shows and how to read it, in a few sentences."""
    forms: tuple[str, ...]
    """Endings of its files; a figure without any is in the report alone."""
    per_dataset: bool = False
    """Whether every dataset has one of its own, under each of its splits."""
    of_searches: bool = False
    """Whether only experiments that search for settings have it."""
    of_splits: bool = False
    """Whether only experiments with several splits have it; a dataset has one for all of them."""
    of_newcomers: bool = False
    """Whether only experiments that set other models beside the paper's have it."""


class Item(NamedTuple):
    """An entry, or what it is for one dataset."""

    entry: Entry
    dataset: str = ""

    @property
    def name(self) -> str:
        """Its path in `tables/` or `figures/`, without an ending."""
        return f"{self.entry.name}/{self.dataset}" if self.dataset else self.entry.name

    @property
    def title(self) -> str:
        """The title, which names the dataset."""
        title = self.entry.title
        return f"{dataset_title(self.dataset)}: {title}" if self.dataset else title

    @property
    def files(self) -> list[str]:
        """Paths of its files in `tables/` or `figures/`."""
        return [f"{self.name}.{form}" for form in self.entry.forms]


TABLES = (
    Entry(
        "results",
        "test metrics",
        Category.RESULTS,
        "Test metrics under full ranking, as the mean over the seeds that have finished, with "
        "their standard deviation (of two seeds, both values), beside the published values. Bold "
        "marks the models that may be the best.",
        TABLE_FORMS,
        per_dataset=True,
    ),
    Entry(
        "paper",
        "Test metrics on all datasets",
        Category.RESULTS,
        "All datasets in one table, as the paper has it; its LaTeX can be pasted into a paper.",
        TABLE_FORMS,
    ),
    Entry(
        "newcomers",
        "other models beside the paper's",
        Category.RESULTS,
        "By how much each model that is not the paper's is above SASRec+ N with the most "
        "negatives, SASRec+, BERT4Rec and GRU4Rec, in percent of these, and what its training "
        "costs.",
        TABLE_FORMS,
        per_dataset=True,
        of_newcomers=True,
    ),
    Entry(
        "by_split",
        "the same models under every split",
        Category.RESULTS,
        "What each model reaches under each split, with its interval, beside the published value "
        "and the verdict on it. Numbers of different splits are about other targets: compare the "
        "order of the models.",
        TABLE_FORMS,
        per_dataset=True,
        of_splits=True,
    ),
    Entry(
        "intervals",
        "intervals",
        Category.RESULTS,
        f"The test metrics with {CONFIDENCE:.0%} bootstrap intervals over users.",
        TABLE_FORMS,
        per_dataset=True,
    ),
    Entry(
        "tuning",
        "Tuned models",
        Category.RESULTS,
        "The setting that validation chose for each model, from how many trials, and what it "
        "reached on the test. Optimism is no result: it is by how much choosing by the test would "
        "have flattered the model.",
        TABLE_FORMS,
        of_searches=True,
    ),
    Entry(
        "seeds",
        "Every seed",
        Category.RESULTS,
        "What each seed of a model reached, and after how many epochs: how much chance there is in "
        "one training.",
        TABLE_FORMS,
    ),
    Entry(
        "pairs",
        "which models differ",
        Category.RESULTS,
        f"Every pair of models, the better one first: the difference with its {CONFIDENCE:.0%} "
        "interval, the effect size (Cohen's d over users), and the p-value of a paired t-test, "
        "without and with Holm's correction. With hundreds of thousands of users even very small "
        "differences are significant: look at the difference and the effect before the p-value.",
        TABLE_FORMS,
        per_dataset=True,
    ),
    Entry(
        "recommended",
        "Beyond accuracy",
        Category.RESULTS,
        "What the models recommend to the test users: how many of the items, how evenly, and how "
        "popular ones.",
        TABLE_FORMS,
    ),
    Entry(
        "elsewhere",
        "Published elsewhere",
        Category.RESULTS,
        "What others have published of these models, on the same file or another, with the "
        "protocol that each number was measured by. Numbers of another protocol do not compare.",
        TABLE_FORMS,
        of_newcomers=True,
    ),
    Entry(
        "verdicts",
        "Published values beside ours",
        Category.PAPER,
        "Each published value beside ours. Reproduced: our mean is within "
        f"{REPRODUCED_WITHIN:.0%} of it. Plausible: it is not, but the published value lies in "
        f"the {CONFIDENCE:.0%} prediction interval of one more run of ours.",
        TABLE_FORMS,
    ),
    Entry(
        "claims",
        "The paper's claims",
        Category.PAPER,
        "What the paper claims, dataset by dataset. A claim about quality holds if a paired test "
        "finds the difference, does not hold if it finds the opposite, and is undecided otherwise "
        "or while a run is missing. The column paper is what the paper's own numbers say.",
        TABLE_FORMS,
    ),
    Entry(
        "claims_by_split",
        "Does the claim survive?",
        Category.PAPER,
        "Each claim of the paper under each split: whether it holds, with the relative difference "
        "in test NDCG@10 that decides it. A claim that holds under leave-one-out alone may come "
        "from training on what happens after the test.",
        TABLE_FORMS,
        of_splits=True,
    ),
    Entry(
        "times",
        "Epochs and times",
        Category.TRAINING,
        "How many epochs each model trained, and how long an epoch takes where that has been "
        "measured on one quiet machine.",
        TABLE_FORMS,
    ),
    Entry(
        "runs",
        "Runs",
        Category.TRAINING,
        "How many epochs each run trained, with how much memory, on which device, and how many "
        "runs shared that device at most.",
        TABLE_FORMS,
    ),
    Entry(
        "missing",
        "Runs without a finished record",
        Category.TRAINING,
        "Runs that the experiment asks for but that have no finished record, with the reason and "
        "what to do.",
        TABLE_FORMS,
    ),
    Entry(
        "datasets",
        "Datasets",
        Category.DATA,
        "Sizes after preprocessing, as the runs saw them. Below the table: where they differ from "
        "the paper's, and how many users and targets the protocol leaves out or counts as misses.",
        TABLE_FORMS,
    ),
    Entry(
        "targets",
        "targets that occur in training, and others",
        Category.DATA,
        "Each model on the users whose test target occurs in some user's train part, and on the "
        "others, about whose targets no model can have learned anything from training.",
        TABLE_FORMS,
        per_dataset=True,
    ),
)
"""The tables, in the order of the report."""

FIGURES = (
    Entry(
        "num_negatives",
        "Quality by number of negatives",
        Category.FIGURES,
        "Test quality of SASRec+ N for each number of negatives N, beside models that do not "
        "depend on N. Thin lines and hollow markers are the published values; those of SASRec+ N "
        f"were read off the paper's figure. Bars and bands: {CONFIDENCE:.0%} interval of the mean "
        "over users, and over seeds as far as their scatter is known. Two models can differ "
        "significantly although their intervals overlap, as the test compares user by user.",
        PRINTED,
    ),
    Entry(
        "convergence",
        "Convergence",
        Category.FIGURES,
        "NDCG@10 on the validation items after every epoch: the mean over a model's seeds, in the "
        "band that they span, up to the epoch at which the first of them stopped. A filled marker "
        "stands at the mean of the best epochs, whose weights were kept, with their range; hollow "
        "markers on the axis are the published best epochs.",
        PRINTED,
    ),
    Entry(
        "convergence_seconds",
        "Convergence by training time",
        Category.FIGURES,
        "NDCG@10 on the validation items by training time, run by run. Times compare only on the "
        "same device, when it had nothing else to do.",
        PRINTED,
    ),
    Entry(
        "against_paper",
        "Ours against the paper",
        Category.FIGURES,
        "Our metrics relative to the published ones, in percent. A marker is the mean of our "
        f"seeds, and its bar is where one more training of ours would lie in {CONFIDENCE:.0%} of "
        "cases: each published value is from one training. A row without a bar is of a model "
        "whose scatter between seeds is unknown. Values marked (figure) were read off the paper's "
        "figure.",
        PRINTED,
    ),
    Entry(
        "differences",
        "Which models differ",
        Category.FIGURES,
        "By how many percent the model of a row is above the model of a column in test quality. "
        "Filled tiles are significant differences: paired t-test over users and seeds, "
        f"{ALPHA:.0%} level, Holm's correction over all pairs of the dataset. Brackets: no "
        "significant difference.",
        PRINTED,
    ),
    Entry(
        "tries",
        "the best of n trials",
        Category.FIGURES,
        "How much of a result is the number of tries: validation NDCG@10 of the best of n trials, "
        "and the test metric of the trial that this choice picks, on average over all subsets of n "
        "of the trials (after Dodge et al., 2019), with the band in which 95% of the subsets lie. "
        "Bands close towards the right because the subsets become the same trials. Compare models "
        "at equal numbers of trials above, and at equal training time below.",
        PRINTED,
        per_dataset=True,
        of_searches=True,
    ),
    Entry(
        "settings",
        "which settings matter",
        Category.FIGURES,
        "Validation NDCG@10 of every trial against each of its settings. All settings change at "
        "once, so a setting matters where its points form a slope or a hill in spite of the "
        "others.",
        PRINTED,
        per_dataset=True,
        of_searches=True,
    ),
    Entry(
        "survival",
        "Does the claim survive?",
        Category.FIGURES,
        "The differences that decide the paper's claims, in percent of what is subtracted, under "
        f"each split. Bars: {CONFIDENCE:.0%} intervals over users and seeds. To the left of zero, "
        "where it is shaded, the opposite of the claim is true.",
        PRINTED,
        of_splits=True,
    ),
    Entry(
        "popularity",
        "Quality by popularity of the target",
        Category.FIGURES,
        "Test quality by how often a user's test target occurs in the train part: targets that "
        "never do, and fifths of the others, at the median of each group. Bands: "
        f"{CONFIDENCE:.0%} interval of the mean over the group's users, and over seeds as far as "
        "their scatter is known.",
        PRINTED,
    ),
    Entry(
        "history_length",
        "Quality by length of the history",
        Category.FIGURES,
        "Test quality by how many items a user has before the test target: fifths of the targets, "
        f"at the median of each group. Bands: {CONFIDENCE:.0%} interval of the mean over the "
        "group's users, and over seeds as far as their scatter is known. Lengths are those of the "
        "data, the same for every model, also where a model reads only the last items. Records of "
        "older versions do not tell them: a dataset with no other records is left out.",
        PRINTED,
    ),
    Entry(
        "detectable",
        "Smallest difference that the test detects",
        Category.FIGURES,
        f"The relative difference between two models that the paired test at the {ALPHA:.0%} "
        "level finds in four of five cases, by how many seeds each model has: for the median pair "
        "of the trained models (the twenty best, if there are more), and the band of the middle "
        "half of the pairs. More seeds help until what remains is how much users differ.",
        PRINTED,
    ),
    Entry(
        "quality_by_cost",
        "Quality by cost of training",
        Category.FIGURES,
        "Test quality against the multiplications that a training takes for each interaction it "
        "learns from, up to its best epoch: up and left is better. Counted from the configuration, "
        "so they are the same on every machine: the network's weights, attention over sequences of "
        "mean length, and the scores of the items that the loss compares, forward and backward. "
        "Numbers along the line are N of SASRec+ N. Models below half of the best are named above "
        "the panel instead. Where seeds tell how much trainings scatter, a dotted line lies below "
        "the best of these models by the smallest difference that the paired test detects in four "
        "of five cases, for the median pair of models, at the smallest number of seeds that any of "
        "them has.",
        PRINTED,
    ),
    Entry(
        "quality_by_coverage",
        "Quality by coverage of the catalogue",
        Category.FIGURES,
        "Test quality against coverage@10: the share of all items that are among the ten "
        "recommended to any test user. Up and right is better. Records of older versions do not "
        "tell what was recommended; their models are left out.",
        PRINTED,
    ),
    Entry(
        "quality_by_time",
        "Quality by training time",
        Category.FIGURES,
        "Test quality of each run against its training time, validations included; up and left is "
        "better. More solid markers of SASRec+ N mean more negatives. Horizontal lines are models "
        "that train in less than a second. Times compare only on the same device; the table of "
        "runs names the device of each run.",
        PRINTED,
    ),
    Entry(
        "learning",
        "learning curves",
        Category.TRAINING,
        "Training loss and NDCG@10 on the validation items of every trained run, after every "
        "epoch. Markers show the best epoch; darker lines and more solid markers of SASRec+ N "
        "mean more negatives. Losses of different kinds do not compare: over all items, over "
        "some negatives, or binary.",
        (),
        per_dataset=True,
    ),
)
"""The figures, in the order of the report."""


def find(entries: Iterable[Entry], name: str, dataset: str = "") -> Item:
    """Return what is made of the entry of this name, for one dataset if it is made for each.

    Raises `KeyError` if there is none.
    """
    return Item({entry.name: entry for entry in entries}[name], dataset)


def items(
    entries: Iterable[Entry],
    datasets: Iterable[str],
    models: Iterable[str] = (),
    searched: bool = False,
) -> list[Item]:
    """List what these datasets have of each entry, in an experiment with these models.

    `searched` says whether it searches for settings.
    """
    tasks, models = list(datasets), list(models)
    with_splits = dict.fromkeys(dataset_of(one) for one in tasks if SPLIT_MARK in one)
    compared = bool(baselines(models) and newcomers(models))
    return [
        item
        for entry in entries
        if (searched or not entry.of_searches)
        and (with_splits or not entry.of_splits)
        and (compared or not entry.of_newcomers)
        for names in [with_splits if entry.of_splits else tasks]
        for item in ([Item(entry, name) for name in names] if entry.per_dataset else [Item(entry)])
    ]
