"""Notes below tables: what marks mean, and what the lines of a dataset have in common."""

from collections.abc import Iterable

from seqrec.experiment.naming import dataset_title, dataset_titles
from seqrec.records.record import Record
from seqrec.records.survey import grouped, in_short
from seqrec.report.cells import Mark, MarkedText, marked_note
from seqrec.report.evidence import Evidence

MEANINGS = {
    Mark.STALE: "Trained by another version of the training code than the present one; "
    "RETRAIN=stale trains such runs again, and so does `seqrec train` with --retrain-stale.",
    Mark.OUTDATED: "Has runs with another configuration than the experiment asks for now, or than "
    "the other seeds have; run the experiment again to replace them, or delete them.",
    Mark.OTHER_SETTINGS: "Trained with other settings than config/paper.yaml has for this model, "
    "or with another network or loss. Such a model gets no verdict and decides no claim; the table "
    "of verdicts lists the differences.",
}


def mark_notes(marks: Mark) -> list[MarkedText]:
    """Explain the marks of a table's models."""
    return [marked_note(mark, meaning) for mark, meaning in MEANINGS.items() if mark in marks]


def other_settings_notes(evidence: Evidence) -> list[MarkedText]:
    """List how models differ from the paper's, all that differ alike in one note."""
    found = evidence.found
    ordered = sorted(evidence.other_settings, key=found.order)
    notes = []
    for settings, runs in grouped(ordered, lambda run: tuple(evidence.other_settings[run])).items():
        names = dict.fromkeys(
            f"{found.title(run.model)} on {dataset_title(run.task)}" for run in runs
        )
        note = f"{', '.join(names)}: {', '.join(settings)}."
        notes.append(marked_note(Mark.OTHER_SETTINGS, note))
    return notes


def missing_notes(evidence: Evidence, dataset: str) -> list[MarkedText]:
    """Say which runs of a dataset are missing and why, all that share a reason in one note."""
    lost = [one for one in evidence.found.missing if one.run.task == dataset]
    notes = []
    for why, some in grouped(lost, lambda one: (one.reason, one.remedy)).items():
        runs = in_short((one.run for one in some), evidence.found.title)
        if len(some) == evidence.wanted(dataset).total():
            runs = "No run has finished"
        notes.append(marked_note(Mark.NOT_FINISHED, f"{runs}: {' '.join(filter(None, why))}"))
    return notes


def not_run_note(evidence: Evidence, datasets: Iterable[str]) -> list[MarkedText]:
    """Say which of some datasets no run has finished on and why, in one note for each reason."""
    reasons = {}
    for dataset in datasets:
        if not evidence.records(dataset):
            lost = [one for one in evidence.found.missing if one.run.task == dataset]
            reasons[dataset] = " ".join(dict.fromkeys(one.reason for one in lost))
    notes = []
    for reason, some in grouped(reasons, lambda dataset: reasons[dataset]).items():
        note = f"No run has finished on {', '.join(dataset_titles(some))}: {reason}"
        notes.append(marked_note(Mark.NOT_FINISHED, note))
    return notes


def elsewhere_note(evidence: Evidence, dataset: str) -> list[MarkedText]:
    """Name the models that other libraries have trained."""
    records = [one for one in evidence.records(dataset) if one.predictions is not None]
    titles = dict.fromkeys(evidence.found.title(record.model) for record in records)
    if not titles:
        return []
    return [
        f"Trained by other libraries and judged by what these predict: {', '.join(titles)}. A "
        "target that is not in their lists is a miss."
    ]


def follow_up_note(evidence: Evidence, datasets: Iterable[str]) -> list[MarkedText]:
    """Say where the published values come from that are not the paper's."""
    tasks = {task for task, _ in evidence.paper.follow_up}
    some = dataset_titles(dataset for dataset in datasets if dataset in tasks)
    if not some:
        return []
    return [
        f"Published values on {', '.join(some)} are those of the follow-up study (Gusak et al., "
        "RecSys 2025, arXiv 2507.16289), of one run each."
    ]


def none_comparable_notes(evidence: Evidence, dataset: str) -> list[MarkedText]:
    """Say why no two models of a dataset can be compared."""
    if not evidence.records(dataset):
        return missing_notes(evidence, dataset)
    return ["Not all finished models were trained on the same data, so none are compared."]


def trained_on_different_data(records: Iterable[Record]) -> bool:
    """Whether the runs of a dataset saw more than one log."""
    return len({record.data.sha256 for record in records}) > 1
