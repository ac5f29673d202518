"""Other libraries are judged by our metrics, from lists and without having seen the targets."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import ROOT, log_of


def test_a_target_is_left_out_and_items_are_numbered_without_gaps(benchmark: Any) -> None:
    import peer_runs  # the fixture makes it known

    items, offsets, targets = peer_runs.known_histories(log_of([[5, 2, 9], [2, 7, 7, 5]], 9))
    assert items.tolist() == [2, 1, 1, 3, 3]
    assert offsets.tolist() == [0, 2, 5]
    assert targets.tolist() == [0, 2]  # nobody's history holds item 9


def test_lists_are_judged_by_the_place_of_the_target(benchmark: Any) -> None:
    import peer_runs  # the fixture makes it known

    lists, targets = np.array([[3, 1], [2, 4], [5, 6], [0, 0]]), np.array([3, 4, 9, 0])
    found = peer_runs.quality(lists, targets)
    assert found["hit_rate@2"] == pytest.approx(2 / 4)
    assert found["ndcg@2"] == pytest.approx((1 + 1 / np.log2(3)) / 4)


def test_ours_learns_and_a_library_that_is_not_installed_is_named_with_the_reason(
    benchmark: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import peer_runs  # the fixture makes it known

    monkeypatch.setattr(peer_runs, "ENVIRONMENTS", tmp_path / "environments")
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/replay.log").write_text("Collecting\nERROR: no such version\n")
    output = tmp_path / "peers.json"
    peer_runs.main(["--quick", "--output", str(output), "--threads", "1"])
    result = json.loads(output.read_text())["epochs"]["1"]
    assert [*result] == ["seqrec", "rectools", "replay", "recbole"]
    assert len(result["seqrec"]["epoch seconds"]) == 1
    assert result["seqrec"]["quality"]["ndcg@10"] > 0.06  # by chance 0.04
    assert "make peers" in result["rectools"]["absent"]
    assert result["replay"]["absent"] == "ERROR: no such version"
    assert "no such version" in capsys.readouterr().out

    called: list[str] = []

    def instead(peer: str, *_: Any) -> dict[str, Any]:
        called.append(peer)
        return {"absent": "again"}

    monkeypatch.setattr(peer_runs, "measure", instead)
    peer_runs.main(["--quick", "--output", str(output), "--threads", "1"])
    assert called == ["rectools", "replay", "recbole"], "ours has been measured"
    monkeypatch.setattr(peer_runs, "training_code_fingerprint", lambda: "changed")
    peer_runs.main(["--quick", "--output", str(output), "--threads", "1", "--only", "seqrec"])
    peer_runs.main(["--quick", "--output", str(output), "--threads", "1", "--anew"])
    assert called[3:] == ["seqrec", "seqrec", "rectools", "replay", "recbole"]


@pytest.mark.parametrize("peer", ["rectools", "replay", "recbole"])
def test_every_library_has_an_adapter_and_exact_versions(benchmark: Any, peer: str) -> None:
    import peer_runs  # the fixture makes it known

    assert (peer_runs.ADAPTERS / f"{peer}_sasrec.py").is_file()
    lines = (peer_runs.ADAPTERS / f"{peer}.txt").read_text().splitlines()
    needed = [line for line in lines if not line.startswith("#")]
    assert all(re.match(r"[\w.-]+==[^ ]+", line) for line in needed)
    assert "torch==2.13.0" in needed


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["rectools", "replay", "recbole"])
def test_the_adapter_of_an_installed_library_works(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: str
) -> None:
    import peer_runs  # the fixture makes it known

    if not (ROOT / peer_runs.ENVIRONMENTS / peer / ".ready").is_file():
        pytest.skip(f"{peer} is not installed; `make peers` does that")
    monkeypatch.chdir(ROOT)
    output = tmp_path / "peers.json"
    words = ["--quick", "--only", peer, "--output", str(output), "--threads", "1"]
    peer_runs.main(words)
    found = json.loads(output.read_text())["epochs"]["1"][peer]
    assert len(found["epoch seconds"]) == 1
    assert 0 < found["quality"]["ndcg@10"] < 1
    assert found["resident bytes"] > 1e8
