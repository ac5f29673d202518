# Entry of the workflow: reads and checks the experiment, then includes one file of rules a stage.
#
#   snakemake                                     the demo
#   snakemake --config experiment=paper           the paper, into results/paper
#   snakemake --config experiment=paper name=quick set='training.max_epochs=2 datasets=[ml-1m]'
#
# Targets: all (default), data, runs; tables, figures and both (evidence) are made from the records
# there are.

import json
import re
import shlex
import sys
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from snakemake.exceptions import WorkflowError

from seqrec.running import costs
from seqrec.data.datasets import load_dataset
from seqrec.data.manifest import own_files, replaced_file
from seqrec.errors import SeqrecError
from seqrec.experiment.workflow import WorkflowConfig
from seqrec.experiment.grid import load_experiment
from seqrec.files import date_back, require_writable
from seqrec.data.preprocessing import is_made_by, reading
from seqrec.experiment.naming import dataset_title
from seqrec.report.looks import display
from seqrec.experiment.custom import custom_module
from seqrec.records.survey import promoted_datasets, settings_of
from seqrec.typed_yaml import check_values


configfile: "config/workflow.yaml"


report: "workflow/report/workflow.rst"


if set("{}") & set(str(Path.cwd())):
    raise WorkflowError(
        f"{Path.cwd()}: Snakemake takes braces in a path for a value's name. Rename that folder."
    )

try:
    options = check_values(WorkflowConfig, config, "config/workflow.yaml or --config")
    settings = shlex.split(options.set)
    # Promoted records have no grid: nothing is ever trained into results/reference.
    GRID = (
        None
        if options.experiment == "reference"
        else load_experiment(options.experiment, settings, options.name or None)
    )
except SeqrecError as error:
    raise WorkflowError(str(error)) from None
except ValueError as error:
    raise WorkflowError(f"--config set: {options.set}: {error}.") from None

NAME = GRID.name if GRID else "reference"
RESULTS = f"results/{NAME}"
DATASETS = GRID.datasets if GRID else promoted_datasets()
RUNS = {str(run.folder): run for run in GRID.runs} if GRID else {}
SUCCESSES = [f"{RESULTS}/{folder}/.success" for folder in RUNS]

# Tables of a narrower or changed experiment, made without saying so, would miss what it never was.
if options.name and not settings and (begun_with := settings_of(Path(RESULTS))):
    raise WorkflowError(
        f"{RESULTS}: was begun with SET={shlex.join(begun_with)!r}; give the same again. Its tables "
        f"and figures alone: `seqrec tables {RESULTS}`, `seqrec figures {RESULTS}`."
    )

EXPERIMENT = shlex.join(
    [options.experiment, *settings, *(["--name", NAME] if options.name else [])]
)
CHUNK = options.logits_per_chunk
ENGINE = shlex.join(
    [
        *("--device", options.device, "--precision", options.precision),
        *(() if CHUNK == "auto" else ("--logits-per-chunk", CHUNK)),
        *("--runs-per-gpu", str(options.runs_per_gpu)),
        "--compile" if options.compile else "--no-compile",
        *(part for tracker in options.track.split() for part in ("--track", tracker)),
    ]
)
RETRAIN = "--retrain-stale" if options.retrain == "stale" else ""

# What every shell command knows beside its rule's own values. Python is named in full, so that
# jobs find the package wherever they run, whether or not its environment is activated (the rules'
# `conda:` only names what that environment holds); none of this is a parameter of a rule, because
# another Python, device or tracker is no reason to train again. A signal to stop is left to the
# training, which saves its state: the shell must not end before it. A failure whose reason did not
# fit into the log is told on the terminal (3).
shell.prefix(
    "set -euo pipefail; trap : TERM USR1 HUP; "
    "results={RESULTS:q}; engine=({ENGINE}); retrain={RETRAIN:q}; "
    'exec 3>&2; seqrec() {{ {sys.executable:q} -m seqrec "$@" || {{ status=$?; echo >&2 || '
    'echo "The log cannot be written: free some disk space, then run again." >&3; '
    "return $status; }}; }}; "
)


wildcard_constraints:
    dataset="[^/]+",
    model="[^/]+",
    seed="[0-9]+",


include: "workflow/rules/common.smk"
include: "workflow/rules/report.smk"


onstart:
    refuse_read_only_results()


# What has to be written anew is checked before anything starts, the grid first of all.
if GRID and Path(GRID_FILE).exists() and Path(GRID_FILE).read_text() != f"{GRID.json()}\n":
    refuse_read_only_results()


# Files dated after today, as a clock that was set back leaves them, are dated now.
INPUTS = [
    *records_and_failures(None),
    *(f"data/raw/{dataset}.json" for dataset in DATASETS),
    *(f"data/processed/{dataset}/digest.json" for dataset in DATASETS),
    *(GRID_FILE, *PUBLISHED, *TABLES_CODE, *FIGURES_CODE),
]
date_back(map(Path, INPUTS), time.time())

# A run whose record has been deleted or changed since is no success any more: it is looked at again,
# and a record that is its result is kept.
for success in map(Path, SUCCESSES) if workflow.is_main_process else ():
    record = success.with_name("metrics.json")
    with suppress(OSError):  # absent, or in the hands of another workflow
        if not record.exists() or success.read_bytes() != record.read_bytes():
            success.unlink()

# Snakemake does not know by which settings `seqrec` has made a log, or that a file of one's own was
# replaced by an older one. A log by other settings than the dataset's YAML has now counts as absent,
# and what was had of the former file is dated before this one; so they are made again.
for dataset in DATASETS if GRID and workflow.is_main_process else ():
    log, file = Path("data/processed", dataset, "digest.json"), replaced_file(dataset)
    with suppress(OSError):  # somebody else's
        if log.exists() and not is_made_by(log.parent, load_dataset(dataset)):
            log.unlink()
    # A failure from before there was a log, which another experiment or `seqrec` has made since.
    failure = Path(RESULTS, "data-failures", f"{dataset}.json")
    with suppress(OSError):
        if failure.stat().st_mtime < log.stat().st_mtime:
            failure.unlink()
    if file:
        date_back([Path(f"data/raw/{dataset}.json")], file.stat().st_mtime - 1)


localrules:
    all,
    data,
    runs,
    tables,
    figures,
    evidence,


if GRID:

    include: "workflow/rules/data.smk"
    include: "workflow/rules/train.smk"

    rule all:
        default_target: True
        input:
            SUCCESSES,
            rules.final_tables.output,
            rules.final_figures.output,

    rule data:
        input:
            expand("data/processed/{dataset}/digest.json", dataset=DATASETS),

    rule runs:
        input:
            GRID_FILE,
            SUCCESSES,

else:

    rule all:
        default_target: True
        input:
            rules.write_tables.output,
            rules.draw_figures.output,


rule tables:
    input:
        rules.write_tables.output,


rule figures:
    input:
        rules.draw_figures.output,


# What `snakemake --report` shows.
rule evidence:
    input:
        rules.write_tables.output,
        rules.draw_figures.output,
