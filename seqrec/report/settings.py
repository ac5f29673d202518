"""Settings of run records: which differ among them, and from those of the paper."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from seqrec.errors import SeqrecError
from seqrec.experiment.settings import flat_settings
from seqrec.layout import Run
from seqrec.records.record import Record

OF_THE_RUN = ("dataset", "model", "seed")
"""Parts of a configuration that name the run."""

Settings: TypeAlias = Mapping[str, Any]
"""Settings by flat names, such as `training.learning_rate`."""


def differing_settings(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Select from each record, in their order, the settings that are not the same in all."""
    configs = [flat_settings(record.config) for record in records]
    names = dict.fromkeys(name for config in configs for name in config if name not in OF_THE_RUN)
    differ = [name for name in names if any(c.get(name) != configs[0].get(name) for c in configs)]
    return [{name: config.get(name) for name in differ} for config in configs]


def other_settings(
    records: Iterable[Record], papers: Mapping[tuple[str, str], Settings | SeqrecError]
) -> dict[Run, list[str]]:
    """Find the runs that bear the name of a model of the paper but were trained otherwise.

    `papers` holds by dataset and model the settings that count, or why they are unknown. Returns
    the settings that differ for each such run. Settings absent from a record are ignored.
    """
    found: dict[Run, list[str]] = {}
    for record in records:
        asked = papers.get((record.task, record.model), {})
        if isinstance(asked, SeqrecError):
            found[record.run] = [str(asked)]
            continue
        ours = flat_settings(record.config)
        differing = [key for key in asked if ours.get(key, asked[key]) != asked[key]]
        if differing:
            found[record.run] = [f"{k} {ours[k]} instead of {asked[k]}" for k in differing]
    return found
