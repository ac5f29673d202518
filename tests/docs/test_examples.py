"""What the pages tell users to write and to type is valid; what is quick enough is run."""

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from documentation import PAGES, Block, blocks, shown_files
from shipped import copied_config
from small_runs import ROOT

from seqrec.cli.main import main
from seqrec.data.datasets import load_dataset
from seqrec.experiment.grid import load_experiment
from seqrec.experiment.schema import Experiment
from seqrec.layout import ConfigFiles
from seqrec.typed_yaml import check_values

OURS = {"sh", "yaml", "toml", "python"}
LANGUAGES = {"", "text", "latex", "{include}", "{toctree}", "{eval-rst}", *OURS}
SHELL_WORDS = {
    ".",
    "eval",
    "git",
    "jupyter",
    "pip",
    "python3",
    "rm",
    "squeue",
    "sudo",
    "tensorboard",
}
"""First words of commands that are not ours."""
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SNAKEFILES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
)


def place(block: Block) -> str:
    return block.place


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the commands of a shell block as words, without redirections of variables."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        command: list[str] = []
        for word in [*words, "&&"]:
            if word in ("&&", "||", "|", ";"):
                if command:
                    yield command
                command = []
            elif command or not re.fullmatch(r"[A-Z_]+=\S*", word):
                command.append(word)


def known_experiments() -> set[str]:
    shown = {Path(name).stem for name in shown_files() if Path(name).parent == Path("config")}
    return {*ConfigFiles(ROOT / "config").experiments(), *shown, "reference"}


def check_seqrec(words: list[str]) -> None:
    name, *arguments = words
    command = main.commands[name]
    context = click.Context(command, info_name=name)
    _, rest, order = command.make_parser(context).parse_args(list(arguments))
    assert not rest, f"{rest} is no argument of seqrec {name}"
    given = {parameter.name for parameter in order}
    for parameter in command.params:
        assert not parameter.required or parameter.name in given, f"{parameter.name} is missing"


def check_make(words: list[str]) -> None:
    variables = re.search(r"^export (.*)$", MAKEFILE, re.M)
    assert variables
    for word in words:
        name, given, value = word.partition("=")
        if given:
            assert name in {*variables[1].split(), "PYTHON"}, name
            assert name != "EXPERIMENT" or value in known_experiments(), value
            assert name != "PROFILE" or (ROOT / "profiles" / value).is_dir(), value
        else:
            assert re.search(rf"^(\S+ )*{name}( \S+)*:", MAKEFILE, re.M), name


def check_snakemake(words: list[str]) -> None:
    settings = yaml.safe_load((ROOT / "config/workflow.yaml").read_text(encoding="utf-8"))
    for word in words:
        name, given, _ = word.partition("=")
        if given and not word.startswith("-"):
            assert name in settings, name
        elif re.fullmatch("[a-z]+", word):
            assert re.search(rf"^ *rule {word}:", SNAKEFILES, re.M), word


def test_code_blocks_are_in_languages_that_these_tests_know() -> None:
    for block in blocks():
        assert block.language in LANGUAGES, block.place


@pytest.mark.parametrize("block", [*blocks("sh")], ids=place)
def test_commands_exist_with_their_options_and_targets(block: Block) -> None:
    checks = {"seqrec": check_seqrec, "make": check_make, "snakemake": check_snakemake}
    for program, *words in commands(block):
        if program == "python":
            assert words[0] in shown_files() or (ROOT / words[0]).exists(), words
        elif program in checks:
            checks[program](words)
        else:
            assert program in SHELL_WORDS, program


@pytest.mark.parametrize("block", [*blocks("toml")], ids=place)
def test_what_is_shown_of_a_pyproject_can_be_read(block: Block) -> None:
    assert tomllib.loads(block.text)


def test_a_file_that_is_shown_is_named_before_it() -> None:
    """The mark above it is for these tests alone: nobody sees it."""
    for block in blocks():
        if block.file:
            before = block.page.read_text(encoding="utf-8").splitlines()[: block.line - 1]
            section = "\n".join(before).rpartition("\n## ")[2]
            assert f"`{block.file}`" in section, block.place


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_within_sentences_exist(page: Path) -> None:
    for code in re.findall(r"`((?:seqrec|make) [^`\n]+)`", page.read_text(encoding="utf-8")):
        for program, name in re.findall(r"\b(seqrec|make) ([a-z][a-z-]*)", code):
            if program == "seqrec":
                assert name in main.commands, code
            else:
                check_make([name])


@pytest.fixture
def config(tmp_path: Path) -> ConfigFiles:
    """The shipped configuration with the files that pages show."""
    copied_config(tmp_path)
    for name, content in shown_files().items():
        if name.startswith("config/"):
            (tmp_path / name).write_text(content, encoding="utf-8")
    return ConfigFiles(tmp_path / "config")


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if b.file], ids=place)
def test_configuration_files_are_valid(block: Block, config: ConfigFiles) -> None:
    """Entries of models are trained by `experiment/test_custom_model.py`."""
    path = Path(str(block.file))
    if path.parent.name == "datasets":
        assert load_dataset(path.stem, config)
    elif path.parent.name == "config":
        assert load_experiment(path.stem, config=config.folder).runs


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if not b.file], ids=place)
def test_parts_of_configuration_are_valid(block: Block, config: ConfigFiles) -> None:
    shown = yaml.safe_load(block.text)
    if "sources" in shown:
        config.dataset("shown").write_text(block.text)
        assert load_dataset("shown", config)
    else:
        models = ["bpr-mf", "gru4rec", "bert4rec", "sasrec"]
        whole = {"datasets": ["demo", "ml-20m"], "models": models, **shown}
        assert check_values(Experiment, whole, block.place)
        config.experiment("shown").write_text(yaml.safe_dump(whole))
        assert load_experiment("shown", config=config.folder).runs


def test_the_demo_experiment_is_shown_as_it_is() -> None:
    demo = yaml.safe_load((ROOT / "config/demo.yaml").read_text(encoding="utf-8"))
    demo.pop("description")
    assert demo in [yaml.safe_load(block.text) for block in blocks("yaml")]


def test_the_grid_of_learning_rates_differs_in_nothing_else(config: ConfigFiles) -> None:
    grid = load_experiment("rates", config=config.folder)
    rates = {run.model: run.training.learning_rate for run in grid.runs if run.training}
    assert sorted(rates.values()) == [0.0001, 0.0003, 0.001, 0.003]
    others = {
        run.model_copy(
            update={"model": "", "training": run.training.model_copy(update={"learning_rate": 1.0})}
        ).json()
        for run in grid.runs
        if run.training and run.seed == 0
    }
    assert len(others) == 1


def test_python_reads_the_reference_records(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (block,) = blocks("python", pages=[ROOT / "docs/how-to/evaluate.md"])
    exec(compile(block.text, block.place, "exec"), {})
    assert capsys.readouterr().out.count("ndcg@20") == 3


def test_every_other_python_block_is_run_by_a_test() -> None:
    """Tests of `running/` and `audit` run theirs; test_tutorials.py runs the files."""
    pages = ("recommend", "export", "watch", "evaluate", "audit", "search")
    run_elsewhere = {ROOT / f"docs/how-to/{name}.md" for name in pages}
    for block in blocks("python"):
        assert block.file or block.page in run_elsewhere, block.place


def test_commands_that_only_read_records_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the page on reading results, which users try first in a fresh clone."""
    runs = "runs/ml-1m"
    others = {path.name for path in (ROOT / "results/reference" / runs).iterdir() if path.is_dir()}
    others -= {"sasrec+", "bert4rec"}
    for name in ("reference", "paper", "mine"):
        shutil.copytree(
            ROOT / "results/reference" / runs,
            tmp_path / "results" / name / runs,
            ignore=lambda folder, names: others.intersection(names),
        )
    copied_config(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = 0
    for block in blocks("sh", pages=[ROOT / "docs/how-to/evaluate.md"]):
        for program, *words in commands(block):
            if program == "seqrec":
                with pytest.raises(SystemExit) as ended:
                    main(words)
                assert ended.value.code == 0, words
                done += 1
    assert done >= 3
