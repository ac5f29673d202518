"""Names of files and folders that hold for results that exist."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from seqrec.layout import Run, run_folder
from seqrec.typed_yaml import FILE_NAME

names = st.from_regex(FILE_NAME.expression, fullmatch=True)


def test_a_runs_folder_is_that_of_every_result_so_far() -> None:
    assert run_folder("small", "sasrec+30", 2) == Path("runs/small/sasrec+30/seed-2")


@given(names, names, st.integers(0, 2**63 - 1))
def test_a_runs_folder_tells_dataset_model_and_seed(dataset: str, model: str, seed: int) -> None:
    run = Run(dataset, model, seed)
    assert Run.of("results/mine" / run_folder(*run)) == run
