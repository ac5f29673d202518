"""What is said of the first edition of the results is what it said."""

import json
import subprocess

import pytest
from first_edition import COMMIT, FILE, read_first_edition
from small_runs import ROOT


def test_the_first_edition_is_that_of_the_history() -> None:
    known = subprocess.run(["git", "cat-file", "-e", COMMIT], cwd=ROOT, capture_output=True)
    if known.returncode:
        pytest.skip("a checkout without its history")
    found = json.loads(json.dumps(read_first_edition()))
    assert found == json.loads((ROOT / FILE).read_text(encoding="utf-8"))
