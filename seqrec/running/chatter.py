"""What Snakemake says of every workflow: not shown beside the status, as its own log has it too."""

import re

ROUTINE = re.compile(
    r"(Using (workflow specific profile|profile|shell)|Config files? .* (is|are) extended by "
    r"|Assuming unrestricted shared filesystem|Building DAG of jobs|Conda environments: ignored"
    r"|Select jobs to execute|Execute \d+ jobs|Complete log|Elapsed time: |Nothing to be done"
    r"|Exiting because a job execution failed|WorkflowError:$|At least one job did not complete"
    r"|Shutting down, this might take some time|Will exit after finishing currently running jobs"
    r"|Terminating processes on user request|Cancelling snakemake on user request)"
)
"""How such lines begin. Whatever else is said is shown."""

LOG = re.compile(r"Complete log\(s\): (.+)")


def is_routine(line: str) -> bool:
    """Tell whether Snakemake says this of every workflow."""
    return bool(ROUTINE.match(line))


def log_named_in(line: str) -> str | None:
    """Return the path of Snakemake's own log, if this line names it."""
    found = LOG.match(line)
    return found[1] if found else None
