"""Notes below tables: what marks mean, and what the lines of a dataset have in common."""

from collections.abc import Iterable

from seqrec.experiment.naming import dataset_title, in_order, run_order
from seqrec.records.record import Record
from seqrec.records.survey import Missing, grouped
from seqrec.report.cells import Mark, Text, marked_note
from seqrec.report.evidence import Evidence
from seqrec.report.looks import display

MEANINGS = {
    Mark.STALE: "Trained by another version of the training code than the present one; "
    "RETRAIN=stale trains such runs again, and so does `seqrec train` with --retrain-stale.",
    Mark.OUTDATED: "Has runs with another configuration than the experiment asks for now, or than "
    "the other seeds have; run the experiment again to replace them, or delete them.",
    Mark.OTHER_SETTINGS: "Trained with other settings than config/paper.yaml has for this model, "
    "or with another network or loss. Such a model gets no verdict and decides no claim; the table "
    "of verdicts lists the differences.",
}


def mark_notes(marks: Mark) -> list[Text]:
    """Explain the marks of a table's models."""
    return [marked_note(mark, meaning) for mark, meaning in MEANINGS.items() if mark in marks]


def other_settings_notes(evidence: Evidence) -> list[Text]:
    """List how models differ from the paper's, all that differ alike in one note."""
    alike = grouped(evidence.other_settings, lambda run: tuple(evidence.other_settings[run]))
    notes = []
    for settings, runs in alike.items():
        names = dict.fromkeys(
            f"{display(run.model).title} on {dataset_title(run.dataset)}"
            for run in sorted(runs, key=lambda run: run_order(*run))
        )
        note = f"{', '.join(names)}: {', '.join(settings)}."
        notes.append(marked_note(Mark.OTHER_SETTINGS, note))
    return notes


def missing_notes(missing: Iterable[Missing]) -> list[Text]:
    """Give the reasons for missing runs, all that share one in one note."""
    notes = []
    for (reason, remedy), lines in grouped(missing, lambda m: (m.reason, m.remedy)).items():
        seeds = grouped((line.run for line in lines), lambda run: run.model)
        names = [
            f"{display(model).title} (seed {', '.join(str(run.seed) for run in seeds[model])})"
            for model in in_order(seeds)
        ]
        note = f"{', '.join(names)}: {reason} {remedy}"
        notes.append(marked_note(Mark.NOT_FINISHED, note))
    return notes


def trained_on_different_data(records: Iterable[Record]) -> bool:
    """Whether the runs of a dataset saw more than one log."""
    return len({record.data.sha256 for record in records}) > 1
