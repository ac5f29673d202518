"""The plain products of exported vectors are the model's scores, in its order."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from small_runs import ROOT, preprocessed_log, small_config

from seqrec.cli.main import main
from seqrec.running.export import export
from seqrec.running.options import EngineOptions
from seqrec.running.recommend import Recommender
from seqrec.running.run import run

CPU = EngineOptions("cpu", 1, "float32")
MODELS = ["sasrec", "bert4rec", "gru4rec", "gsasrec", "hstu", "ligr", "popularity", "bpr-mf"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preprocessed_log(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", params=MODELS)
def recommender(
    request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Recommender:
    folder = tmp_path_factory.mktemp(request.param) / "run"
    run(small_config(request.param), data, folder, CPU)
    return Recommender.load(folder, data, "cpu")


def test_products_are_the_models_scores_in_its_order(
    recommender: Recommender, tmp_path: Path
) -> None:
    users = pd.DataFrame({"user": recommender.log.user_ids()[:40]})
    export(recommender, tmp_path, users)
    items, of_items = (
        np.load(tmp_path / "item_vectors.npy"),
        pq.read_table(tmp_path / "item_vectors.parquet"),
    )
    of_users = pq.read_table(tmp_path / "user_vectors.parquet").to_pandas()
    assert items.shape[0] == recommender.log.num_items
    assert of_items["item"].to_pylist() == recommender.log.item_ids().tolist()
    assert np.array_equal(np.stack(of_items["vector"].to_pylist()).astype(np.float32), items)
    assert np.array_equal(
        np.stack(of_users["vector"].to_list()), np.load(tmp_path / "user_vectors.npy")
    )
    found = recommender.recommend_users(users, 10_000, seen="keep")
    place = {item: n for n, item in enumerate(of_items["item"].to_pylist())}
    for user, vector in zip(of_users["user"], of_users["vector"], strict=True):
        ranked = found[found["user"] == user]
        products = (items @ vector)[[place[item] for item in ranked["item"]]]
        assert products == pytest.approx(ranked["score"].to_numpy(), rel=1e-5, abs=1e-5)
        assert (np.diff(products) <= 1e-5).all()


def test_the_contents_say_what_was_exported_and_an_older_export_is_replaced_whole(
    recommender: Recommender, tmp_path: Path
) -> None:
    export(recommender, tmp_path, pd.DataFrame({"user": recommender.log.user_ids()}))
    contents = json.loads((tmp_path / "export.json").read_text())
    assert contents["users"] == recommender.log.num_users
    assert contents["config_hash"] == recommender.config.hash()
    export(recommender, tmp_path)
    contents = json.loads((tmp_path / "export.json").read_text())
    width = np.load(tmp_path / "item_vectors.npy").shape[1]
    assert (contents["items"], contents["width"]) == (recommender.log.num_items, width)
    assert "users" not in contents
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["export.json", "item_vectors.npy", "item_vectors.parquet"]


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    run(small_config(), data, folder, CPU)
    return folder


def seqrec(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_histories_of_new_users_have_vectors_too(data: Path, trained: Path, tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    users.write_text("user,item\nanna,7\nanna,gone\nbert,7\nanna,3\n")
    out = tmp_path / "out"
    done = seqrec("export", trained, "--data", data, "--users", users, "--output", out)
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        f"{out}/: item_vectors, user_vectors (npy, parquet)\n{out}/: export (json)\n"
    )
    assert "row 2: item gone is not among" in done.stderr
    table = pq.read_table(out / "user_vectors.parquet")
    assert table["user"].to_pylist() == ["anna", "bert"]
    items = np.load(out / "item_vectors.npy")
    best = np.argsort(-items @ np.load(out / "user_vectors.npy")[0])
    expected = Recommender.load(trained, data).recommend([7, 3], k=20, seen="keep")
    assert (best[:20] + 1).tolist() == expected["item"].tolist()
    refused = seqrec(
        "export", trained, "--data", data, "--users", users, "--strict", "--output", out
    )
    assert refused.exit_code == 1
    assert "gone" in refused.stderr


def test_the_documented_lines_find_what_recommend_finds(
    data: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        seqrec(*("export", trained, "--data", data, "--all-users", "--output", "vectors")).exit_code
        == 0
    )
    page = (ROOT / "docs/how-to/export.md").read_text(encoding="utf-8")
    exact, *approximate, encoder = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "onnxruntime" in encoder  # see test_onnx_encoder.py
    names: dict[str, Any] = {}
    exec(exact, names)
    recommender = Recommender.load(trained, data)
    first = pd.DataFrame({"user": recommender.log.user_ids()[:1]})
    found = recommender.recommend_users(first, 10, seen="keep")["item"]
    assert recommender.log.item_ids()[names["best"]].tolist() == found.tolist()
    for code in approximate:
        compile(code, "docs/how-to/export.md", "exec")
        if find_spec(code.split()[1]):  # the library that it imports
            exec(code, names)
            assert len(set(names["rows"][0]) & set(names["best"])) >= 8


def test_nothing_is_written_through_a_link_that_leads_out(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/item_vectors.npy").write_text("theirs")
    out = tmp_path / "out"
    out.mkdir()
    (out / "item_vectors.npy").symlink_to(tmp_path / "theirs/item_vectors.npy")
    refused = seqrec("export", trained, "--data", data, "--output", out)
    assert refused.exit_code == 1
    assert "leads through a link" in refused.stderr
    assert (tmp_path / "theirs/item_vectors.npy").read_text() == "theirs"
    assert [path.name for path in out.iterdir()] == ["item_vectors.npy"]


OWN = """
import torch
from seqrec.models import Fitted

class Constant(Fitted):
    def fit(self, split, seed, threads):
        self.value = torch.ones(1)
    def score(self, users):
        return self.value.expand(len(users), self.num_items)
    def state(self):
        return {"value": self.value}
"""


def test_a_custom_model_is_imported_only_with_trust_and_one_without_vectors_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "constant_of_mine.py").write_text(OWN)
    config = small_config("constant_of_mine:Constant", model="constant")
    run(config, data, tmp_path / "run", CPU)
    words = ("export", "run", "--data", data, "--output", "out")
    refused = seqrec(*words)
    assert refused.exit_code == 1
    assert "give --trust" in refused.stderr
    refused = seqrec(*words, "--trust")
    assert refused.exit_code == 1
    assert "nothing tells whether its scores are products of vectors" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_mistake_is_one_message(data: Path, trained: Path, tmp_path: Path) -> None:
    words = ("export", trained, "--data", data, "--output", tmp_path / "out")
    both = seqrec(*words, "--all-users", "--users", tmp_path / "x.csv")
    assert "give either --users or --all-users" in both.stderr
    assert "x.csv: no such file" in seqrec(*words, "--users", tmp_path / "x.csv").stderr
    assert "holds no finished run" in seqrec("export", tmp_path, "--output", tmp_path / "o").stderr
    assert not (tmp_path / "out").exists()
