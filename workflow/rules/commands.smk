# What every shell command knows beside its rule's own values. None of it is a parameter of a rule,
# because another Python, device or tracker is no reason to train again.
#
# Python is named in full, so that jobs find the package wherever they run, whether or not its
# environment is activated (the rules' `conda:` only names what that environment holds). The shell
# ignores signals to stop: the training saves its state first, and the shell must not end before it.
# Every command ends with Snakemake ($PPID), which cannot stop it when it is killed itself.
# If the log has no room for the reason of a failure, the terminal (3) gets it.

from seqrec.layout import RunFiles

RESULTS = str(plan.results.folder)
ENGINE = planning.engine_arguments(options)
RETRAIN = "--retrain-stale" if options.retrain == "stale" else ""
NAMES = RunFiles(Path())

# A failed command is named by its job and explained by its log: not once more, in full length.
logger.addFilter(lambda record: "CalledProcessError in file" not in record.getMessage())

shell.prefix(
    "set -euo pipefail; trap : TERM USR1 HUP; "
    "results={RESULTS:q}; record={NAMES.metrics:q}; log={NAMES.log:q}; "
    "engine=({ENGINE}); retrain={RETRAIN:q}; "
    "exec 3>&2; seqrec() {{ SEQREC_ENDS_WITH=$PPID "
    '{sys.executable:q} -m seqrec "$@" || {{ status=$?; echo >&2 || '
    'echo "The log cannot be written: free some disk space, then run again." >&3; '
    "return $status; }}; }}; "
)
