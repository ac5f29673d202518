"""`seqrec audit` and the line that `seqrec preprocess` prints, as a user meets them."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from shipped import copied_config

from seqrec.audit.audit import read_audit
from seqrec.cli.main import main
from seqrec.json_files import read_json
from seqrec.layout import LogFiles

TIMES = "".join(f"{user},{item},{10 * user + item}\n" for user in range(9) for item in range(5))


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a small log that has times."""
    config = copied_config(tmp_path)
    dataset = {
        "title": "Shop",
        "max_length": 5,
        "sources": [{"file": "shop.csv"}],
        "format": {"kind": "csv", "columns": {"user": 0, "item": 1, "timestamp": 2}},
    }
    (config / "datasets/shop.yaml").write_text(yaml.safe_dump(dataset))
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/shop.csv").write_text(TIMES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEQREC_MIRROR", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception  # a mistake of a user is never a traceback
    return result


def test_it_makes_the_log_if_there_is_none_and_writes_the_page_and_the_numbers() -> None:
    result = run("audit", "shop")
    assert result.exit_code == 0
    files = LogFiles.of("shop")
    assert result.stdout.splitlines()[-1] == str(files.audit_page)
    assert "Audit of Shop" in files.audit_page.read_text(encoding="utf-8")
    audit = read_audit(files.folder, read_json(files.digest)["sha256"])
    assert audit is not None
    assert audit.leaks is not None
    assert audit.statistics.users == 9


def test_preprocessing_ends_with_a_line_of_it() -> None:
    run("download", "shop")
    last = run("preprocess", "shop").stdout.splitlines()[-1]
    assert last.startswith("shop: the most popular tenth of the items has 20.0%")
    assert last.endswith("`seqrec audit shop` says more.")
    assert not LogFiles.of("shop").audit.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("shp",), "did you mean 'shop'?"),
        (("shop", "--run", "nowhere"), "nowhere: holds no finished run"),
        (("shop", "--run", ""), "must not be empty"),
        (("shop", "--run", ".", "--device", "moon"), "--device moon"),
    ],
)
def test_a_mistake_is_one_message_and_writes_no_audit(
    arguments: tuple[str, ...], says: str
) -> None:
    result = run("audit", *arguments)
    assert result.exit_code != 0
    assert says in result.stderr
    assert not LogFiles.of("shop").audit.exists()
    assert not LogFiles.of("shop").audit_page.exists()
