"""Names of files and folders that hold for results that exist."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from seqrec.layout import PACKAGE, PROJECT, ConfigFiles, ResultFiles, Run, results_of, run_folder
from seqrec.typed_yaml import FILE_NAME

names = st.from_regex(FILE_NAME.expression, fullmatch=True)


def test_a_runs_folder_is_that_of_every_result_so_far() -> None:
    assert run_folder("small", "sasrec+30", 2) == Path("runs/small/sasrec+30/seed-2")


@given(names, names, st.integers(0, 2**63 - 1))
def test_a_runs_folder_tells_dataset_model_and_seed(dataset: str, model: str, seed: int) -> None:
    run = Run(dataset, model, seed)
    results = Path("results/mine")
    folder = ResultFiles(results).run(*run).folder
    assert folder == results / run_folder(*run)
    assert Run.of(folder) == run
    assert results_of(folder) == results
    assert results_of(folder.absolute()) == results.absolute()
    assert results_of(results / "copies" / dataset / model / f"seed-{seed}") is None
    assert results_of(Path(model)) is None


def written(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_the_packages_files_are_found_and_those_of_the_folder_come_first(tmp_path: Path) -> None:
    packaged = written(tmp_path / "packaged", "a.yaml", "models/m.yaml", "published/results.csv")
    own = written(tmp_path / "config", "a.yaml", "b.yaml", "models/n.yaml")
    files = ConfigFiles(own, packaged)
    assert files.experiment("a") == own / "a.yaml"
    assert files.replaced(own / "a.yaml") == packaged / "a.yaml"
    assert files.replaced(own / "b.yaml") is None
    assert files.model("m") == packaged / "models/m.yaml"
    assert files.published("results") == packaged / "published/results.csv"
    assert files.dataset("new") == own / "datasets/new.yaml"  # where to write it
    assert (files.experiments(), files.models(), files.datasets()) == (["a", "b"], ["m", "n"], [])


def test_a_link_that_leads_nowhere_does_not_stand_for_the_packages_file(tmp_path: Path) -> None:
    packaged = written(tmp_path / "packaged", "models/m.yaml")
    own = written(tmp_path / "config", "models/n.yaml")
    (own / "models/m.yaml").symlink_to("gone.yaml")
    assert ConfigFiles(own, packaged).model("m") == own / "models/m.yaml"


def test_without_a_configuration_folder_nothing_is_found(tmp_path: Path) -> None:
    packaged = written(tmp_path / "packaged", "a.yaml", "models/m.yaml")
    files = ConfigFiles(tmp_path / "config", packaged)
    assert files.model("m") == tmp_path / "config/models/m.yaml"
    assert (files.experiments(), files.models()) == ([], [])


def test_in_a_checkout_the_package_carries_the_folders_at_the_top() -> None:
    for path in (path for path in PROJECT.iterdir() if path.name != "study"):
        assert path.samefile(PACKAGE.parent / path.name)
