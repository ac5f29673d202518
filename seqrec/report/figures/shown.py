"""What figures show of an experiment: its datasets, models, numbers and intervals."""

from collections.abc import Callable, Iterable, Sequence

from seqrec.experiment.naming import sampled_negatives
from seqrec.records.record import Record
from seqrec.report.differences import scatters
from seqrec.report.evidence import Evidence
from seqrec.report.figures.chart import Axis, Panel, Tick
from seqrec.report.inference import Difference, contrast
from seqrec.report.looks import Look, looks
from seqrec.report.numbers import number

NO_RUN = "no finished run"

NO_RUN_SHOWN_HERE = "no finished run\nof a model shown here"

PAPER_ONLY = "paper only"

CURVE = "SASRec+ N"
"""The title of all models SASRec+ N together."""

CONVERGING = ("sasrec+", "bert4rec", "gru4rec")
"""The models of the paper's figure of convergence, beside SASRec+ N."""

PAPERS_OWN = {"popularity", "bpr-mf", "sasrec", *CONVERGING}
"""The paper's models other than SASRec+ N."""


def looks_in(evidence: Evidence) -> dict[str, Look]:
    """Assign looks to all models of an experiment, the same in all of its figures."""
    return looks(run.model for run in evidence.found.runs)


def panels_of(evidence: Evidence, panel: Callable[[str], Panel]) -> list[Panel]:
    """Make a panel for each dataset, in the paper's order.

    Panels that show nothing are left out as long as another shows something.
    """
    made = [panel(dataset) for dataset in evidence.datasets]
    return [one for one in made if not one.empty] or made


def nothing(records: Sequence[Record]) -> str:
    """Say why a panel shows nothing, although there may be `records` of its dataset."""
    return NO_RUN_SHOWN_HERE if records else NO_RUN


def compared_models(models: Sequence[str]) -> list[str]:
    """Choose SASRec+ with most negatives, the paper's others, and all models not of the paper."""
    numbers = [n for model in models if (n := sampled_negatives(model)) is not None]
    most = [f"sasrec+{max(numbers)}"] if numbers else []
    others = [model for model in models if model not in PAPERS_OWN]
    chosen = [*most, *CONVERGING, *(m for m in others if sampled_negatives(m) is None)]
    return [model for model in chosen if model in models]


def estimates(evidence: Evidence, dataset: str, metric: str) -> dict[str, Difference]:
    """Estimate each model's mean on a dataset with its interval over users and seeds."""
    measured, together = evidence.measured[dataset], evidence.comparable[dataset]
    groups = [together] if together else [{name: one} for name, one in measured.items()]
    return {
        name: contrast([models[name].scores[metric]], [1.0], [scatter])
        for models in groups
        for name, scatter in scatters(models, metric).items()
    }


def number_ticks(values: Iterable[float]) -> list[Tick]:
    """Label these values on an axis."""
    return [Tick(value, number(value)) for value in sorted(set(values))]


def log_axis(label: str, values: Sequence[float]) -> Axis:
    """Make a logarithmic axis for these values, labelled at 1, 2 and 5 times powers of ten."""
    places = [digit * 10.0**power for power in range(-3, 16) for digit in (1, 2, 5)]
    low, high = min(values), max(values)
    around = [place for place in places if low / 1.5 <= place <= high * 1.5]
    decimals = [0 if place >= 1 else len(f"{place:g}") - 2 for place in around]
    ticks = [Tick(place, number(place, d)) for place, d in zip(around, decimals, strict=True)]
    return Axis(label, log=True, ticks=ticks)
