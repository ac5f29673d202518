"""Names of files and folders that hold for results that exist."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from seqrec.layout import ResultFiles, Run, results_of, run_folder
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
