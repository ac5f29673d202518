"""What to make of an audit: a sentence for every number, and where a dataset is unfit."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from seqrec.audit.audit import Audit
from seqrec.audit.order import CONFIDENCE, SUPPORT, Rules, Shuffling
from seqrec.audit.shape import RARE, tails
from seqrec.audit.timing import CUT, Drift, Leaks, Ties, leaks
from seqrec.data.interactions import Interactions
from seqrec.wording import counted

FEW_RULES = 20
"""Fewer rules than this tell nothing about a log."""
KEPT_RULES = 0.25
"""Where shuffling leaves more of the rules, they are no sign of order: the share in the datasets
that the authors of the test find without sequential structure, but for Steam and Yelp."""
LITTLE_LOSS = 0.15
"""A dataset on which shuffling takes less of NDCG@10 has no sequential structure to speak of: of
the datasets that the authors of the test find without, Steam lost most, 12%."""
FEW_HITS = 50
"""A model that hits fewer test targets than this loses or gains a share of them by luck."""
MANY = 0.1
"""A share of the targets, or of training, that decides results."""


class Kind(StrEnum):
    """The parts of an audit, in their order."""

    SHAPE = "Sizes and long tails"
    REPEATS = "Repeats"
    TIES = "Ties in time"
    UNSEEN = "Targets never seen in training"
    LEAKS = "What leave-one-out leaks"
    DRIFT = "How popularity drifts"
    ORDER = "How sequential it is"


class Finding(NamedTuple):
    """A number, and what to make of it."""

    kind: Kind
    name: str
    value: str
    meaning: str
    warns: bool = False
    """Whether it speaks against the dataset or the split."""


def findings(audit: Audit) -> list[Finding]:
    """List every number of an audit with what to make of it."""
    found = [*_shape(audit), *_repeats(audit), *_unseen(audit)]
    if audit.ties and audit.leaks and audit.drift:
        users = audit.statistics.users
        found += [*_ties(audit.ties, users), *_leaks(audit.leaks), *_drift(audit.drift)]
    found += [*_rules(audit.rules), *(_shuffling(audit.shuffling) if audit.shuffling else [])]
    return sorted(found, key=lambda one: list(Kind).index(one.kind))


def unknown(audit: Audit) -> list[str]:
    """Say what cannot be computed, and how it could be."""
    lines = []
    if audit.ties is None:
        lines.append(
            "The log has no times. Ties, what leave-one-out leaks and how popularity drifts cannot "
            "be computed. If the raw file has times, name their column in the dataset's YAML "
            "(format: {columns: {timestamp: ...}})."
        )
    if audit.shuffling is None:
        lines.append(
            "No trained model was tested on shuffled histories. Rules alone miss order that spans "
            f"more than three items: `seqrec audit {audit.dataset} --run RUN` tests a run."
        )
    return lines


def verdicts(audit: Audit) -> list[str]:
    """Say plainly whether the dataset is fit for comparing sequential models, and what for not."""
    lines = [_sequential(audit)]
    lines += [one.meaning for one in findings(audit) if one.warns and one.kind is not Kind.ORDER]
    return lines


def in_short(log: Interactions) -> str:
    """Say the most important about a log in one line, without counting rules."""
    share = percent(tails(log).popular_items[0.1])
    line = f"the most popular tenth of the items has {share} of the interactions"
    if log.times is None:
        return line
    later = percent(leaks(log, log.times).later_training)
    return f"{line}; {later} of leave-one-out's training lies after the average test target"


def _shape(audit: Audit) -> Iterator[Finding]:
    size, long = audit.statistics, audit.tails
    yield Finding(
        Kind.SHAPE,
        "Size",
        f"{counted(size.users, 'user')}, {counted(size.items, 'item')}, "
        f"{counted(size.interactions, 'interaction')}",
        f"Of the cells of the user-item matrix, {percent(size.density)} are filled; an item has "
        f"{size.interactions / size.items:,.0f} interactions on average.",
    )
    yield Finding(
        Kind.SHAPE,
        "Length of histories",
        f"median {long.median_length:,.0f}, mean {size.mean_length:,.1f}, "
        f"from {size.min_length:,} to {size.max_length:,}",
        f"The tenth of the users with the longest histories has {percent(long.longest_tenth)} of "
        "the interactions. Models learn that much from them; in the metrics they count as a tenth.",
    )
    share = long.popular_items[0.1]
    popular = (
        "Recommending what is popular reaches much of what users want: compare with the popularity "
        "baseline, and look at coverage beside accuracy."
        if share >= 0.4
        else "Interactions are spread widely: popularity alone will not get far."
    )
    yield Finding(
        Kind.SHAPE,
        "The most popular tenth of the items",
        f"{percent(share)} of the interactions (Gini {long.gini:.2f})",
        popular,
    )
    scarce = long.rare_items > 0.3
    yield Finding(
        Kind.SHAPE,
        f"Items with fewer than {RARE} interactions",
        percent(long.rare_items),
        f"{percent(long.rare_items)} of the items occur fewer than {RARE} times: little can be "
        "learned about them, and models differ by how they treat them. Consider a minimum per item."
        if scarce
        else "Most items occur often enough to learn something about them.",
        scarce,
    )


def _repeats(audit: Audit) -> Iterator[Finding]:
    size, repeats = audit.statistics, audit.repeats
    yield Finding(
        Kind.REPEATS,
        "Interactions with an item met before",
        f"{percent(repeats.repeated)}, directly again {percent(repeats.consecutive)}",
        "Users come back to items, which is a task of its own: decide whether a model may "
        "recommend what a user knows already."
        if repeats.repeated
        else "Nobody meets an item twice, so that dropping seen items from the ranking costs no "
        "target.",
    )
    share = size.repeated_test_targets / size.users
    if share:
        yield Finding(
            Kind.REPEATS,
            "Test targets that the user has met before",
            _of(size.repeated_test_targets, size.users),
            f"{percent(share)} of the test targets are certain misses where seen items are dropped "
            f"from the ranking: no model can exceed a HitRate of {1 - share:.3f}. `filter: "
            "{duplicates: first}` in the dataset's YAML avoids this.",
            share > MANY,
        )


def _unseen(audit: Audit) -> Iterator[Finding]:
    size = audit.statistics
    for name, count in (
        ("Test targets", size.unseen_test_targets),
        ("Validation targets", size.unseen_validation_targets),
    ):
        share = count / size.users
        yield Finding(
            Kind.UNSEEN,
            f"{name} of leave-one-out that occur in nobody's training part",
            _of(count, size.users),
            f"Nothing can be learned about the items of {percent(share)} of the "
            f"{name.lower()}: they are misses for every model, in practice."
            if count
            else "Every target can be learned about.",
            share > MANY and name == "Test targets",
        )


def _ties(ties: Ties, users: int) -> Iterator[Finding]:
    yield Finding(
        Kind.TIES,
        "Successive interactions of a user within the same second",
        percent(ties.tied),
        "Times are whole days, so that the order within a day is that of the file, or of ids where "
        "the dataset says `ties: item`."
        if ties.whole_days
        else "Among them, the order is that of the file."
        if ties.tied
        else "Time alone orders every history.",
    )
    share = ties.test_targets / users
    yield Finding(
        Kind.TIES,
        "Test targets that time does not decide",
        _of(ties.test_targets, users),
        f"For {percent(share)} of the users the order of equal times, and nothing else, says which "
        "item is the test target of leave-one-out. Small differences between models may come from "
        "how the file was sorted, and a file with another order gives other results; `ties: item` "
        "makes them the same for all."
        if share > MANY
        else "Too few to change results."
        if share
        else "Time alone chooses every test target.",
        share > MANY,
    )


def _leaks(leak: Leaks) -> Iterator[Finding]:
    later = leak.later_training
    yield Finding(
        Kind.LEAKS,
        "Training interactions later than the test target, on average",
        percent(later),
        f"Under leave-one-out {percent(later)} of the training interactions happen after the "
        "average test target: models learn from its future. Check what you find under a global "
        "temporal split."
        if later > MANY
        else "Leave-one-out hardly looks ahead.",
        later > MANY,
    )
    yield Finding(
        Kind.LEAKS,
        "Test targets whose item occurs in training only later",
        percent(leak.from_the_future),
        "Whatever a model knows about these items comes from after the moment at which it is asked."
        if leak.from_the_future
        else "No item is known from the future alone.",
    )
    yield Finding(
        Kind.LEAKS,
        f"Test targets before the global cut (the {CUT:g} quantile of times)",
        percent(leak.targets_before_cut),
        "A global temporal split has no target for these users, as they do nothing after its cut."
        if leak.targets_before_cut
        else "Every user is still there after the cut of a global temporal split.",
    )
    yield Finding(
        Kind.LEAKS,
        "Test targets whose item is new after the global cut",
        percent(leak.new_items),
        "A global temporal split cannot learn these items, and neither can a system that serves "
        "users; leave-one-out can."
        if leak.new_items
        else "A global temporal split knows the item of every test target.",
    )
    yield Finding(
        Kind.LEAKS,
        "Users after the global cut that are new",
        percent(leak.new_users),
        "A global temporal split tests these cold users, but has no history of theirs to train on. "
        "A model that knows users by their numbers alone cannot tell them apart."
        if leak.new_users
        else "A global temporal split trains on every user whom it tests.",
    )


def _drift(drift: Drift) -> Iterator[Finding]:
    overlap = sum(drift.with_previous) / len(drift.with_previous)
    moves = overlap < drift.by_chance / 2
    yield Finding(
        Kind.DRIFT,
        f"Overlap of the {drift.top} most popular items of successive tenths of the log",
        f"{overlap:.2f} (by chance {drift.by_chance:.2f})",
        "What is popular changes from one tenth of the log to the next: popularity over all time "
        "is a weak baseline here, and a model is soon out of date."
        if moves
        else "What is popular changes slowly.",
    )
    yield Finding(
        Kind.DRIFT,
        "Overlap of the first tenth and the last",
        f"{drift.with_first[-1]:.2f}",
        "Old interactions say little about what is popular at the end."
        if drift.with_first[-1] < drift.by_chance / 2
        else "What was popular in the beginning still is at the end.",
    )
    yield Finding(
        Kind.DRIFT,
        "Interactions of the last tenth with items that are new in it",
        percent(drift.new_items),
        "Models that know items by their numbers alone have nothing to say about these.",
    )


def _rules(every: list[Rules]) -> Iterator[Finding]:
    for rules in every:
        after = sum(rules.after) / len(rules.after)
        if rules.before < FEW_RULES:
            meaning = "Too few to tell whether items follow each other."
        elif _kept(rules) > KEPT_RULES:
            meaning = (
                f"Shuffled histories have {percent(_kept(rules))} as many: so many of these rules "
                "come from how popular the items are, and not from their order."
            )
        else:
            meaning = (
                f"Shuffled histories have {percent(_kept(rules))} as many: the others come from "
                "the order of the items."
            )
        yield Finding(
            Kind.ORDER,
            f"Frequent rules of {rules.length} items, in order and shuffled",
            f"{rules.before:,} and {after:,.1f}",
            f"{meaning} A rule: items that follow each other directly more than {SUPPORT} times "
            f"and in more than {percent(CONFIDENCE)} of the cases; the mean of "
            f"{len(rules.after)} shufflings.",
        )


def _shuffling(shuffling: Shuffling) -> Iterator[Finding]:
    too_few = shuffling.hits < FEW_HITS
    for metric, title in (("hit_rate@10", "HitRate@10"), ("ndcg@10", "NDCG@10")):
        loss, before = shuffling.loss(metric), shuffling.before[metric]
        after = sum(shuffling.after[metric]) / len(shuffling.after[metric])
        yield Finding(
            Kind.ORDER,
            f"{title} of {shuffling.model} from histories in order and shuffled",
            f"{before:.4f} and {after:.4f} ({-100 * loss:+.0f}%)",
            f"The model hits {shuffling.hits} test targets, too few to tell."
            if too_few
            else "The model loses little when it does not know the order: what it has learned is "
            "which items, and not in which order."
            if loss < LITTLE_LOSS
            else "The model needs the order: there is a sequential structure, and it uses it.",
            loss < LITTLE_LOSS and not too_few,
        )
    overlap = sum(shuffling.overlap) / len(shuffling.overlap)
    yield Finding(
        Kind.ORDER,
        f"Overlap of the ten best items of {shuffling.model}, in order and shuffled",
        f"{overlap:.2f}",
        "The Jaccard overlap: 1 if order changes no recommendation, 0 if it changes all. The run: "
        f"{shuffling.run}.",
    )


def _sequential(audit: Audit) -> str:
    """Say whether the dataset has a sequential structure; a trained model knows more than rules."""
    if audit.shuffling:
        loss = audit.shuffling.loss("ndcg@10")
        model, hits = audit.shuffling.model, audit.shuffling.hits
        if hits < FEW_HITS:
            return (
                f"{model} hits {hits} of {audit.shuffling.targets:,} test targets, too few to tell "
                "whether there is a sequential structure. Test a model that is trained to the end."
            )
        if loss < LITTLE_LOSS:
            change = f"loses {percent(loss)}" if loss >= 0 else f"gains {percent(-loss)}"
            return (
                f"No sequential structure: {model} {change} of its NDCG@10 when histories are "
                "shuffled. Results on this dataset say next to nothing about sequential models."
            )
        return (
            f"Sequential structure: {model} loses {percent(loss)} of its NDCG@10 when histories "
            "are shuffled."
        )
    enough = [rules for rules in audit.rules if rules.before >= FEW_RULES]
    if not enough:
        return (
            "Rules cannot tell whether there is a sequential structure: there are fewer than "
            f"{FEW_RULES}. Do not compare sequential models on this dataset before a trained one "
            "has shown that order matters."
        )
    if all(_kept(rules) > KEPT_RULES for rules in enough):
        return (
            f"No sequential structure is visible: {percent(min(map(_kept, enough)))} of the rules "
            "are still there when histories are shuffled. Do not compare sequential models on this "
            "dataset before a trained one has shown that order matters."
        )
    return (
        f"Rules show a sequential structure: shuffling leaves {percent(min(map(_kept, enough)))} "
        "of them. Only a trained model shows whether the order helps to predict."
    )


def _kept(rules: Rules) -> float:
    return rules.kept or 0.0


def _of(count: int, total: int) -> str:
    return f"{count:,} of {total:,} ({percent(count / total)})"


def percent(share: float) -> str:
    """Write a share in percent, so that none is only where there is none."""
    value = 100 * share
    digits = 1 if value >= 0.1 or value == 0 else 2
    return f"{value:.{digits}f}%"
