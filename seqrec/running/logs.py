"""Make sure that the log of a dataset is there before a run needs it."""

import click

from seqrec.data.datasets import load_dataset
from seqrec.data.download import download
from seqrec.data.freshness import log_is_current, raw_file_is_newer
from seqrec.data.local_files import replaced_user_file
from seqrec.data.preprocessing import preprocess
from seqrec.layout import LogFiles
from seqrec.running.folder_lock import alone_in


def up_to_date_log(dataset: str) -> LogFiles:
    """Download and preprocess `dataset` unless its log is up to date.

    A log is out of date after a change of the dataset's YAML or of a file that the user provides.
    """
    entry, log = load_dataset(dataset), LogFiles.of(dataset)

    def is_up_to_date() -> bool:
        replaced = replaced_user_file(dataset) or raw_file_is_newer(log, dataset)
        return log_is_current(log, entry) and not replaced

    if not is_up_to_date():
        with alone_in(log.folder, wait=True, doing="preprocessing this dataset"):
            if not is_up_to_date():  # another process may have made it in the meantime
                statistics = preprocess(dataset, entry, download(dataset, entry), log.folder)
                for warning in statistics.warnings():
                    click.echo(f"{dataset}: {warning}.", err=True)
    return log
