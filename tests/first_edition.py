"""What differs between the first edition of the reference results and today's, and why.

The first edition is `results/README.md` in the last commit before the statistics were renewed. Its
verdicts, claims and bold entries lie in `results/reference/first-edition.json`, which this module,
called as a program, reads from git once more.
"""

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from seqrec.experiment.naming import DATASET_TITLES, MODEL_TITLES, dataset_title
from seqrec.layout import ConfigFiles, Run
from seqrec.report.claims import claims
from seqrec.report.differences import leaders
from seqrec.report.evidence import Evidence, read_evidence
from seqrec.report.metrics import metric_title
from seqrec.report.verdicts import BEST_EPOCH, ShownIn, verdicts

COMMIT = "5e5d300"
PROJECT = Path(__file__).parent.parent
FILE = "results/reference/first-edition.json"

METRICS = ("hit_rate@10", "ndcg@10")
"""Those of the first edition's tables."""

VERDICT, CLAIM, BOLD = "verdicts", "claims", "bold"

RENAMED = {
    "SASRec, with one negative, is worse than both": (
        "SASRec, with one negative, is worse than SASRec+ and than BERT4Rec"
    ),
    "SASRec+ N is the better, the more negatives it has": (
        "SASRec+ N catches up as N grows: NDCG@10 rises over log N, and the largest N is above the "
        "smallest"
    ),
    "SASRec+ is at its best after less training time than BERT4Rec": (
        "SASRec+ reaches its best epoch in less training time than BERT4Rec"
    ),
}
"""Claims that have other words today."""

NEW_RULES = {
    VERDICT: (
        "A published value is plausible if one more run of ours may reach it; the first edition "
        "asked whether it lies in our interval over users, as if seeds did not matter."
    ),
    BOLD: (
        "Bold is tested at the 5% level over the models above; the first edition corrected for all "
        "pairs. A model with three seeds has its own scatter instead of that of all networks."
    ),
    CLAIM: (
        "Times are best epochs times seconds per epoch, measured on one quiet machine; the first "
        "edition compared the times of trainings on shared machines."
    ),
}
"""How the rules for each kind of statement changed."""

RULE, SEEDS, BOTH = "new rule", "more seeds", "both"
"""Why a statement differs."""


class Key(NamedTuple):
    """What a statement is about."""

    kind: str
    dataset: str
    subject: str
    """A model or a claim."""
    metric: str = ""


def said_by(evidence: Evidence) -> dict[Key, str]:
    """Collect what today's rules say of some records: verdicts, claims and bold entries."""
    found: dict[Key, str] = {}
    for dataset in evidence.datasets:
        models = evidence.comparable[dataset]
        for claim in claims(evidence, dataset) if models else []:
            found[Key(CLAIM, dataset, claim.claim)] = claim.verdict.value
        for metric in METRICS if models else []:
            best = leaders(models, metric)
            for model in models:
                found[Key(BOLD, dataset, model, metric)] = "bold" if model in best else "not bold"
    for one in verdicts(evidence):
        value = one.published
        in_table = value.source is ShownIn.TABLE and value.quantity != BEST_EPOCH
        if in_table and one.ours is not None:
            key = Key(VERDICT, value.dataset, value.model, value.quantity)
            found[key] = one.outcome.value
    return found


def changes_table(project: Path) -> str:
    """Tabulate the statements that differ, with the reason for each."""
    edition = json.loads((project / FILE).read_text(encoding="utf-8"))
    then: dict[Key, str] = {Key(*key): value for *key, value in edition["statements"]}
    runs = {Run(*run) for run in edition["runs"]}
    evidence = read_evidence(project / "results/reference", ConfigFiles(project / "config"))
    of_then = replace(evidence.found, records=[r for r in evidence.found.records if r.run in runs])
    same_records = said_by(Evidence.of(of_then, evidence.paper, evidence.timing))
    now = said_by(evidence)
    changed = [key for key in now if key in then and then[key] != now[key]]
    rows = [
        [
            dataset_title(key.dataset),
            key.subject if key.kind == CLAIM else evidence.found.title(key.subject),
            metric_title(key.metric) if key.metric else "",
            *(then[key], now[key], _why(then[key], same_records[key], now[key])),
        ]
        for key in changed
    ]
    headings = ["Dataset", "Model or claim", "Metric", "first edition", "today", "because of"]
    return "\n\n".join(
        [
            tabulate(rows, headings, tablefmt="pipe", disable_numparse=True),
            f"Of {len(then)} statements, {len(changed)} differ. {_added(then, now)}",
            *(f"{RULE} for {kind}: {text}" for kind, text in NEW_RULES.items()),
            f"{SEEDS}: of the first edition's records alone, today's rules say what it said.",
        ]
    )


def _why(then: str, same_records: str, now: str) -> str:
    """Tell whether a statement differs already for the first edition's records."""
    if same_records == now:
        return RULE
    return SEEDS if same_records == then else BOTH


def _added(then: Iterable[Key], now: Iterable[Key]) -> str:
    """Say which claims only today's edition has."""
    old = {key.subject for key in then if key.kind == CLAIM}
    new = dict.fromkeys(key.subject for key in now if key.kind == CLAIM)
    return "New claims: " + "; ".join(claim for claim in new if claim not in old) + "."


def read_first_edition() -> dict[str, object]:
    """Read the first edition's statements, and the runs that they were made from, from git."""
    page = _git("show", f"{COMMIT}:results/README.md") + _git("show", f"{COMMIT}:README.md")
    datasets = {title: name for name, title in DATASET_TITLES.items()}
    metrics = {metric_title(metric): metric for metric in METRICS}
    statements: list[list[str]] = []
    for row in _rows(page, "verdicts"):
        if row["ours"] != "—":
            key = VERDICT, datasets[row["Dataset"]], _name(row["Model"]), metrics[row["Metric"]]
            statements.append([*key, row["Verdict"].strip("*")])
    for row in _rows(page, "claims"):
        if not row["Evidence"].startswith("Not finished"):
            claim = RENAMED.get(row["Claim"], row["Claim"])
            key = CLAIM, datasets[row["Dataset"]], claim, ""
            statements.append([*key, row["Verdict"].strip("*")])
    for dataset in ("ml-1m", "beauty"):
        for row in _rows(page, dataset):
            for title, metric in metrics.items():
                said = "bold" if row[title].startswith("**") else "not bold"
                statements.append([BOLD, dataset, _name(row["Model"]), metric, said])
    files = _git("ls-tree", "-r", "--name-only", COMMIT, "results/reference/runs").splitlines()
    folders = [Path(file).parent for file in files if file.endswith("/metrics.json")]
    return {"commit": COMMIT, "statements": statements, "runs": [Run.of(one) for one in folders]}


def _rows(page: str, table: str) -> list[dict[str, str]]:
    """Parse the rows of a table of the page, by their headings; later of two alike are dropped."""
    block = re.search(rf"<!-- reference: {re.escape(table)} -->\n(.*?)\n\n", page, re.DOTALL)
    if not block:
        raise ValueError(f"no table {table}")
    head, _, *lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in block[1].splitlines()
    ]
    return [dict(zip(reversed(head), reversed(line), strict=True)) for line in lines]


def _name(title: str) -> str:
    """Return the name of a model of the paper."""
    names = {title: name for name, title in MODEL_TITLES.items()}
    return names.get(title) or title.lower().replace(" ", "")


def _git(*words: str) -> str:
    command = ["git", *words]
    return subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    lines = ",\n".join(
        f"  {json.dumps(key)}: [\n"
        + ",\n".join(f"    {json.dumps(line, ensure_ascii=False)}" for line in value)
        + "\n  ]"
        if isinstance(value, list)
        else f"  {json.dumps(key)}: {json.dumps(value)}"
        for key, value in read_first_edition().items()
    )
    (PROJECT / FILE).write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
