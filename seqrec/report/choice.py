"""Choose among the settings of a network by validation."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from seqrec.experiment.naming import dataset_order
from seqrec.protocol.metrics import STOPPING_METRIC
from seqrec.records.record import Record
from seqrec.records.survey import grouped
from seqrec.report.settings import differing_settings


class Choice(NamedTuple):
    """The best model of one network and kind of loss on one dataset."""

    records: list[Record]
    """Its seeds."""
    candidates: int
    """How many models it was chosen from."""
    settings: dict[str, Any]
    """Its settings that vary among the candidates."""


def choose(records: Sequence[Record]) -> list[Choice]:
    """Choose the best model of each network and kind of loss on each dataset.

    The choice is by validation alone, averaged over seeds: the best of many on the test set would
    owe that to luck, too. Models of one name in several experiments are several models.
    """
    chosen = []
    for candidates in grouped(records, _data_network_and_loss).values():
        settings = dict(
            zip((r.folder for r in candidates), differing_settings(candidates), strict=True)
        )
        models = grouped(candidates, _folder_of_model).values()
        best = max(models, key=lambda seeds: fmean(r.validation[STOPPING_METRIC] for r in seeds))
        chosen.append(Choice(best, len(models), settings[best[0].folder]))
    return sorted(chosen, key=lambda one: dataset_order(one.records[0].dataset))


def _folder_of_model(record: Record) -> Path:
    return record.folder.parent


def _data_network_and_loss(record: Record) -> tuple[object, ...]:
    config = record.known_config
    return record.data.sha256, config.implementation, config.loss_kind
