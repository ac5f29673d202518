# Entry of the workflow: reads the experiment, then includes its rules, one file for each stage.
#
#   snakemake                                     the demo
#   snakemake --config experiment=paper           the paper, into results/paper
#   snakemake --config experiment=paper name=quick set='training.max_epochs=2 datasets=[ml-1m]'
#
# Targets: all (default), data, runs; tables, figures and both (evidence), from the records that
# exist. Parsing changes nothing on disk: `seqrec prepare` repairs what Snakemake would overlook.
#
# Options are those of config/workflow.yaml. Other workflows may include this file or use it as a
# module, see docs/how-to/studies.md.

import sys

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from seqrec.errors import SeqrecError
from seqrec.running import making, planning, preparation


report: "workflow/report/workflow.rst"


try:
    options, plan = planning.read(config)
    if workflow.is_main_process:
        preparation.require_room()
except SeqrecError as error:
    raise WorkflowError(str(error)) from None

if workflow.is_main_process and (advice := preparation.advice(plan)):
    logger.warning(advice)


wildcard_constraints:
    dataset="[^/]+",
    task="[^/]+",
    model="[^/]+",
    seed="[0-9]+",


include: "workflow/rules/commands.smk"
include: "workflow/rules/report.smk"


if plan.grid:

    include: "workflow/rules/data.smk"
    include: "workflow/rules/train.smk"

    rule data:
        input:
            expand(rules.preprocess.output, dataset=plan.datasets),

    rule runs:
        input:
            GRID_FILE,
            plan.successes,


rule tables:
    input:
        rules.write_tables.output,


rule figures:
    input:
        rules.draw_figures.output,


# What `snakemake --report` shows.
rule evidence:
    input:
        rules.tables.input,
        rules.figures.input,


rule all:
    default_target: True
    input:
        plan.successes,
        rules.final_tables.output if plan.grid else rules.tables.input,
        rules.final_figures.output if plan.grid else rules.figures.input,


onstart:
    try:
        needed = {job.rule.name for job in workflow.dag.needrun_jobs()}
        # Where this is a module, its rules may go by other names.
        named = [name for name in ("preprocess", "train") if rules.has(name)]
        making.begin(plan, {name for name in named if getattr(rules, name).rule.name in needed})
    except SeqrecError as error:
        raise WorkflowError(str(error)) from None
