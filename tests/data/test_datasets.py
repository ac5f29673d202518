"""The registry of datasets: what it holds, and how it reports mistakes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from shipped import DATASETS, copied_config

from seqrec.data.datasets import Dataset, dataset_names, load_dataset
from seqrec.data.formats import Format
from seqrec.errors import SeqrecError
from seqrec.layout import ConfigFiles

ROOT = Path(__file__).parents[2]
REGISTRY = ConfigFiles(ROOT / "config")
PAPER = {"ml-1m": 200, "ml-20m": 200, "steam": 50, "beauty": 50, "yelp": 50}


def written(folder: Path, text: str) -> tuple[ConfigFiles, Path]:
    """Write a dataset `mine` into a registry of its own."""
    registry = ConfigFiles(folder)
    path = registry.dataset("mine")
    path.parent.mkdir()
    path.write_text("title: Mine\nmax_length: 50\n" + text, encoding="utf-8")
    return registry, path


def test_the_registry_holds_the_papers_datasets_the_demo_and_stand_ins() -> None:
    assert {*PAPER, *DATASETS} <= set(dataset_names(REGISTRY))  # users add theirs


@pytest.mark.parametrize("name", sorted(PAPER))
def test_a_dataset_of_the_paper_names_terms_and_can_be_verified(name: str) -> None:
    dataset = load_dataset(name, REGISTRY)
    assert dataset.max_length == PAPER[name]
    assert dataset.licence
    assert dataset.origin
    assert dataset.citation
    assert dataset.expected is not None
    downloads = [source for source in dataset.sources if source.urls]
    assert downloads
    for source in downloads:
        assert source.git_blob is not None
        for url in source.urls:
            # A revision, not a branch: what it names can never change.
            assert url.startswith("https://raw.githubusercontent.com/")
            assert len(url.split("/")[5]) == 40
            assert url.endswith(f"/data/{source.file}")


def test_the_registry_is_read_without_loading_anything_heavy(tmp_path: Path) -> None:
    copied_config(tmp_path)
    code = (
        "import sys; from seqrec.data.datasets import dataset_names, load_dataset;"
        "[load_dataset(name) for name in dataset_names()];"
        "heavy = {'torch', 'pandas', 'pyarrow', 'numpy', 'requests'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)


def test_for_an_unknown_name_the_nearest_one_is_suggested() -> None:
    with pytest.raises(SeqrecError, match=r"no dataset 'ml1m' \(did you mean 'ml-1m'\?"):
        load_dataset("ml1m", REGISTRY)


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    registry, path = written(tmp_path, "sources: [{file: a.txt}]\n")
    path.rename(tmp_path / "mine.yaml")
    with pytest.raises(SeqrecError, match=r"dataset '\.\./mine'"):
        load_dataset("../mine", registry)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sorces: []\n", "unknown key 'sorces'; did you mean 'sources'?"),
        ("sources: [{file: a, format: {kind: csv, colums: {}}}]\n", "did you mean 'columns'?"),
        ("", "give either 'sources' or 'simulate'"),
        ("sources: [{file: a, urls: ['http://x.org/a']}]\n", "sources.0.urls.0"),
        ("sources: [{file: b/a, urls: ['https://x.org/a']}]\n", "plain name"),
        ("sources: [{file: a.txt, member: b}]\n", "inside a .zip"),
        ("sources: [{file: a, sha256: beef}]\n", "sources.0.sha256"),
        ("sources: [{file: a}]\nformat: {kind: jsonl}\n", "give them by name"),
        ("sources: [{file: a}]\nformat: {kind: parquet, header: true}\n", "has no header line"),
        (
            "sources: [{file: a}]\nformat: {kind: csv, header: false, columns: {user: u}}\n",
            "need a header line",
        ),
        ("sources: [{file: a}]\nformat: {columns: {user: 1, item: 1}}\n", "different columns"),
        ("sources: [{file: a}]\nformat: {columns: {user: -1}}\n", "user"),
        (
            "sources: [{file: a}]\nformat: {columns: {user: on}}\n",
            "YAML reads yes, no, on and off so",
        ),
        ("sources: {file: a}\n", "sources: must be a list"),
        ("sources: [{file: a, urls: 'https://x.org/a'}]\n", "sources.0.urls: must be a list"),
        ("sources: [{file: a}]\nformat: {missing: NA}\n", "format.missing: "),
        ("sources: [{file: a}]\nformat: {missing: [no]}\n", "format.missing.0: must be"),
        (f"sources: [{{file: {'a' * 256}}}]\n", "at most 255 bytes"),
        (f"sources: [{{file: x/{'ü' * 128}/b}}]\n", "at most 255 bytes"),
        ("simulate: {users: 9, items: 9, mean_length: 6, max_length: 10}\n", "must not exceed"),
    ],
)
def test_a_mistake_in_a_yaml_is_shown_with_file_and_remedy(
    tmp_path: Path, text: str, message: str
) -> None:
    registry, path = written(tmp_path, text)
    with pytest.raises(SeqrecError) as error:
        load_dataset("mine", registry)
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_words_for_a_missing_id_may_be_words_that_yaml_reads_otherwise(tmp_path: Path) -> None:
    text = "sources: [{file: a}]\nformat: {missing: [NA, -1, null, ' - ']}\n"
    registry, _ = written(tmp_path, text)
    words = load_dataset("mine", registry).format.missing_words
    assert words == {"NA", "-1", "null", "Null", "NULL", "-"}
    assert Format().missing_words is Format(missing="keep").missing_words is None


def test_columns_by_name_imply_a_header() -> None:
    def header(format: dict[str, object]) -> bool:
        data = {"title": "x", "max_length": 9, "sources": [{"file": "a"}], "format": format}
        return Dataset.model_validate(data).format.has_header

    assert header({"kind": "csv", "columns": {"user": "u", "item": "i"}})
    assert not header({"kind": "csv"})
    assert header({"kind": "csv", "header": True})
