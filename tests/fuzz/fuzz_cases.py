"""The kinds of cases: what of a project is damaged, and which commands must bear it."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from damages import bytes_changed, lines_changed, yaml_changed
from dice import Dice
from fuzz_case import Case, Make, Words
from fuzz_projects import RESULTS, RUNS, entry_of
from odd_commands import ODD_WORDS, USERS, odd_command_line
from small_runs import small_config
from valid_files import FRAGMENTS, RAW_FILES

from seqrec.experiment.grid import load_experiment
from seqrec.running.workflow import WorkflowConfig

# Records

R = str(RESULTS)
THEIRS = ["--experiment", "theirs"]
POPULARITY, MINE, UNFINISHED = (str(RUNS[name]) for name in ("popularity", "mine", "unfinished"))
ON_RESULTS: list[Words] = [
    *(["missing", R], ["stale", R], ["status", R], ["metrics", R, "10", "1"], ["best", R]),
    *(["compare", R, R], ["compare", MINE, POPULARITY], ["promote", R], ["prepare", "theirs"]),
    *(["recommend", MINE, "--history", "1,2,3"], ["recommend", POPULARITY, "--history", "1"]),
    *(["summary", R], ["export", MINE, "--all-users", "--output", "vectors"]),
    ["train", "small", "popularity", *THEIRS, "--retrain-stale"],
]
SLOW_ON_RESULTS: list[Words] = [*[["tables", R]] * 6, ["report", R], ["figures", R]]
ON_CPU = ["--device", "cpu", "--precision", "float32", "--threads", "1"]


def damaged_results(project: Path, dice: Dice) -> Case:
    """Damage one or two files of the results or of the log that they were trained on."""
    if dice.chance(0.2):
        case = Case([_execute(project, dice)])
    else:
        slow = dice.chance(0.12)
        case = Case([dice.among(SLOW_ON_RESULTS if slow else ON_RESULTS)])
    places = [*_files(project, R), *_files(project, f"{R}/runs/small")]
    places += _files(project, "data/processed/small")
    case.damage(project, *dice.some(places, 2), dice=dice)
    return case


def _files(project: Path, folder: str) -> list[Path]:
    paths = sorted((project / folder).rglob("*"))
    return [path.relative_to(project) for path in paths if path.is_file()]


def _execute(project: Path, dice: Dice) -> Words:
    """Do one of the runs again that are there."""
    grid = {run.model: run for run in load_experiment("theirs", config=project / "config").runs}
    folder, config = dice.among(
        [
            (POPULARITY, grid["popularity"]),
            (MINE, grid["mine"]),
            (UNFINISHED, small_config("sasrec", model="unfinished")),
        ]
    )
    words = ["execute", "--config", config.json(), "--data", "data/processed/small"]
    return [*words, "--output", folder, *ON_CPU, *dice.among([[], ["--retrain-stale"]])]


# Configurations

OF_CONFIGURATIONS: list[tuple[str, list[Words]]] = [
    ("config/small.yaml", [["check", "small"], ["check", "small", "--json"], ["prepare", "small"]]),
    ("config/small.yaml", [["check", "small", "max_length=5", "seeds=[1]", "--name", "x"]]),
    ("config/datasets/own.yaml", [["download", "own"], ["preprocess", "own"]]),
    (
        "config/datasets/of-shop-csv.yaml",
        [["download", "of-shop-csv"], ["preprocess", "of-shop-csv"]],
    ),
    ("config/datasets/simulated.yaml", [["download", "simulated"], ["preprocess", "simulated"]]),
    ("data/raw/plain.json", [["preprocess", "plain"]]),
    ("config/models/mine.yaml", [["check", "uses-mine"], ["grid", "uses-mine", "--output", "g"]]),
]


def damaged_configuration(project: Path, dice: Dice) -> Case:
    """Damage a configuration that an experiment of its own uses."""
    file, commands = dice.among(OF_CONFIGURATIONS)
    case = Case(commands)
    case.damage(project, file, dice=dice)
    return case


ON_CONFIGURATIONS: list[tuple[str, Words]] = [
    *(
        (f"config/published/{name}.csv", ["tables", R])
        for name in ("results", "datasets", "beyond")
    ),
    ("config/published/num_negatives.csv", ["figures", R]),
    *((name, ["tables", R]) for name in ("config/paper.yaml", "config/datasets/ml-1m.yaml")),
    ("config/published/datasets.csv", ["check", "paper"]),
    *(("config/models/sasrec+N.yaml", words) for words in (["tables", R], ["check", "paper"])),
    ("config/theirs.yaml", ["prepare", "theirs"]),
    ("config/theirs.yaml", ["train", "small", "mine", *THEIRS, "--seed", "1"]),
]


def damaged_background(project: Path, dice: Dice) -> Case:
    """Damage a configuration that commands on results read beside the results."""
    file, words = dice.among(ON_CONFIGURATIONS)
    case = Case([words])
    case.damage(project, file, dice=dice)
    return case


DRY_RUN = ["snakemake", "--dry-run", "--quiet", "all", "--config", "experiment=theirs"]
PLAN: list[Words] = [["prepare", "theirs"], DRY_RUN]  # as make does
VARIANT: list[Words] = [
    ["prepare", "theirs", "seeds=[1]", "--name", "changed"],
    [*DRY_RUN, "name=changed", "set=seeds=[1]"],
]
IN_PLAN = [
    *("config/theirs.yaml", "config/datasets/small.yaml", "config/models/sasrec.yaml"),
    *("data/raw/small.json", "data/processed/small/digest.json", f"{POPULARITY}/.success"),
    *("data/processed/small/statistics.json", "data/processed/small/reading.json"),
    *(f"{POPULARITY}/metrics.json", f"{R}/data-failures/steam.json", f"{R}/grid.json"),
]


def damaged_workflow(project: Path, dice: Dice) -> Case:
    """Damage what Snakemake plans by, or give it odd options."""
    case = Case(dice.among([PLAN, VARIANT]))
    kind = dice.below(4)
    if kind == 0:  # Snakemake itself reads this file
        options = Path("config/workflow.yaml")
        (project / options).write_bytes(yaml_changed((project / options).read_bytes(), dice))
        return Case(case.commands, [options], ["workflow.yaml: yaml_changed"])
    if kind == 1:
        option = dice.among([*WorkflowConfig.model_fields, "none"])
        value = dice.among([*FRAGMENTS, *ODD_WORDS]).strip()  # Snakemake fails over blanks alone
        return Case([[*DRY_RUN, f"{option}={value}"]])
    case.damage(project, *dice.some(IN_PLAN, 2), dice=dice)
    return case


# Data files


def damaged_data(project: Path, dice: Dice) -> Case:
    """Damage a raw file as it is, or what it holds before it is packed."""
    name = dice.among([*RAW_FILES])
    content, write, _ = RAW_FILES[name]
    file = Path("data/raw", name)
    dataset = entry_of(name)
    case = Case([["download", dataset], ["preprocess", dataset]])
    kind = dice.below(3)
    if kind == 0 or file.suffix == ".parquet":
        if file.suffix == ".parquet" and kind:
            names = pq.read_schema(project / file).names
            pq.write_table(_odd_table(names, dice), project / file)
            case.damages.append("odd columns")
        else:
            case.damage(project, file, dice=dice)
    else:
        change = dice.among([bytes_changed, lines_changed])
        write(change(content, dice), project / file)
        case.damages.append(f"{change.__name__} inside")
    case.damaged = [file]
    return case


PLAUSIBLE = pa.array([1, 2, 3, 3, 2, 1] * 3, pa.int64())
COLUMNS: list[pa.Array] = [
    pa.array(values, kind)
    for values, kind in (
        ([1, 2, None] * 6, pa.int64()),
        ([2**63] * 18, pa.uint64()),
        ([0.5, float("nan"), 1e300] * 6, pa.float64()),
        ([1.0, 2.0, 3.0] * 6, pa.float16()),
        (["a", "", None] * 6, pa.string()),
        (["a", "b", "a"] * 6, pa.dictionary(pa.int8(), pa.string())),
        ([b"\xff", b"b", b""] * 6, pa.binary()),
        ([[1], [2, 3], None] * 6, pa.list_(pa.int32())),
        ([{"a": 1}, None, {}] * 6, pa.struct([("a", pa.int8())])),
        ([True, False, None] * 6, pa.bool_()),
        ([None] * 18, pa.null()),
        ([1, 2, 3] * 6, pa.date32()),
        ([2**62, -(2**62), 0] * 6, pa.timestamp("us", "UTC")),
        ([2**62, 1, 0] * 6, pa.duration("s")),
        ([1, 2, 3] * 6, pa.decimal128(38, 10)),
        (list(range(18)), pa.int16()),
    )
]


def _odd_table(names: Sequence[str], dice: Dice) -> pa.Table:
    """Make a table with some columns of odd types, and of the wrong names now and then."""
    given = [dice.among([name] * 12 + ["user", "item", "x"]) for name in names]
    count = dice.among([18, 18, 18, 0, 1])
    columns = [dice.among(COLUMNS) if dice.chance(0.4) else PLAUSIBLE for _ in names]
    return pa.table([column.slice(0, count) for column in columns], names=given)


def damaged_users(project: Path, dice: Dice) -> Case:
    """Damage a table of users that somebody wants recommendations for."""
    file = Path("users" + dice.among([".csv", ".csv", ".parquet"]))
    output = dice.among([[], ["--output", "top.csv"], ["--output", "top.parquet"]])
    case = Case([["recommend", MINE, "--users", str(file), *output]], [file], ["odd columns"])
    if file.suffix == ".parquet":
        pq.write_table(_odd_table(("user", "item", "timestamp"), dice), project / file)
    else:
        (project / file).write_bytes(lines_changed(USERS, dice) if dice.chance(0.5) else USERS)
        if dice.chance(0.5):
            case.damage(project, file, dice=dice)
    return case


KINDS: dict[str, tuple[str, Make]] = {
    "results": ("results", damaged_results),
    "configuration": ("inputs", damaged_configuration),
    "background": ("results", damaged_background),
    "workflow": ("results", damaged_workflow),
    "data": ("inputs", damaged_data),
    "users": ("results", damaged_users),
    "command": ("results", odd_command_line),
}
"""The project that a kind's cases start from, and what makes a case of it."""
