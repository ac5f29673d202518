"""Downloads from a real server that misbehaves on purpose."""

import gzip
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from http_server import (
    CONTENT,
    GIT_BLOB,
    SHA256,
    Behaviour,
    Server,
    drop,
    html,
    send,
    silence,
    status,
    truncated,
    whole,
)

from seqrec.data import fetching
from seqrec.data.datasets import Dataset, Simulation, Source, load_dataset
from seqrec.data.download import download
from seqrec.data.manifest import Manifest
from seqrec.errors import SeqrecError
from seqrec.files import git_blob_id, sha256
from seqrec.layout import ConfigFiles


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetching, "BACKOFF_SECONDS", 0.01)
    monkeypatch.delenv("SEQREC_MIRROR", raising=False)
    server = Server()
    yield server
    server.close()


def dataset(*urls: str, **more: Any) -> Dataset:
    # The registry accepts https only, but this server speaks http: bypass the check.
    source = Source(file="log.txt", sha256=SHA256, git_blob=GIT_BLOB)
    source = source.model_copy(update={"urls": urls})
    return Dataset(title="Log", max_length=9, sources=(source,), **more)


def leftovers(raw: Path) -> list[str]:
    return sorted(path.name for path in raw.iterdir()) if raw.exists() else []


def test_a_download_is_verified_and_recorded(server: Server, tmp_path: Path) -> None:
    server.behaviours["/log.txt"] = [whole]
    manifest = download("log", dataset(f"{server.url}/log.txt"), tmp_path)
    assert manifest == tmp_path / "log.json"
    assert json.loads(manifest.read_text()) == {
        "dataset": "log",
        "file": "log.txt",
        "size": len(CONTENT),
        "sha256": SHA256,
        "git_blob": GIT_BLOB,
        "source": 0,
        "origin": f"{server.url}/log.txt",
        "simulate": None,
    }
    assert Manifest.load(manifest).path(manifest).read_bytes() == CONTENT
    assert leftovers(tmp_path) == ["log.json", "log.txt"]


def test_the_file_is_requested_uncompressed_so_that_its_length_can_be_checked(
    server: Server, tmp_path: Path
) -> None:
    def picky(handler: Any) -> None:
        (status(406) if "gzip" in handler.headers["Accept-Encoding"] else whole)(handler)

    server.behaviours["/log.txt"] = [picky]
    download("log", dataset(f"{server.url}/log.txt"), tmp_path)


def test_a_second_download_sends_no_request_and_changes_nothing(
    server: Server, tmp_path: Path
) -> None:
    server.behaviours["/log.txt"] = [whole]
    wanted = dataset(f"{server.url}/log.txt")
    before = download("log", wanted, tmp_path).read_bytes()
    assert download("log", wanted, tmp_path).read_bytes() == before
    assert server.asked == ["/log.txt"]


@pytest.mark.parametrize("fault", [drop, truncated, status(500), status(503), status(429)])
def test_a_temporary_fault_is_overcome_by_retrying(
    server: Server, tmp_path: Path, fault: Behaviour
) -> None:
    server.behaviours["/log.txt"] = [fault, fault, whole]
    download("log", dataset(f"{server.url}/log.txt"), tmp_path)
    assert (tmp_path / "log.txt").read_bytes() == CONTENT
    assert len(server.asked) == 3


def test_a_silent_server_times_out(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT_SECONDS", (0.2, 0.2))
    server.behaviours["/log.txt"] = [silence]
    with pytest.raises(SeqrecError, match="no answer in time"):
        download("log", dataset(f"{server.url}/log.txt"), tmp_path)


@pytest.mark.parametrize(
    ("fault", "reason", "attempts"),
    [
        (drop, "no connection", 3),
        (truncated, "broke before the end", 3),
        (send(CONTENT[:-4] + b"7 7\n"), "truncated or altered: SHA-256", 3),
        (send(CONTENT[:1000]), "truncated or altered: SHA-256", 3),
        (send(b""), "empty", 3),
        (html, "HTML page", 1),
        (status(404), "HTTP 404", 1),
        (status(500), "HTTP 500", 3),
    ],
)
def test_a_lasting_fault_is_one_clear_error_and_leaves_no_file(
    server: Server,
    tmp_path: Path,
    fault: Behaviour,
    reason: str,
    attempts: int,
) -> None:
    server.behaviours["/log.txt"] = [fault]
    url = f"{server.url}/log.txt"
    with pytest.raises(SeqrecError) as error:
        download("log", dataset(url, manual="Or ask its owner."), tmp_path)
    message = str(error.value)
    assert url in message
    assert reason in message
    assert f"put log.txt into {tmp_path}/" in message
    assert "SEQREC_MIRROR" in message
    assert "Or ask its owner." in message
    assert len(server.asked) == attempts
    assert leftovers(tmp_path) == []


def answer(code: int, content: bytes = b"", reason: str | None = None, **more: str) -> Behaviour:
    """Answer with headers that `send` does not have; `_` in their names stands for a hyphen."""

    def behave(handler: Any) -> None:
        handler.send_response(code, reason)
        for name, value in more.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return behave


def without_checksum(*urls: str) -> Dataset:
    source = Source(file="log.txt").model_copy(update={"urls": urls})
    return Dataset(title="Log", max_length=9, sources=(source,))


def refusal(wanted: Dataset, raw: Path, mirror: str = "") -> str:
    with pytest.raises(SeqrecError) as error:
        download("log", wanted, raw, mirror=mirror)
    assert leftovers(raw) == []
    return str(error.value)


@pytest.mark.parametrize("code", [201, 203, 206])
def test_an_answer_that_is_not_the_whole_file_is_not_taken_for_it(
    server: Server, tmp_path: Path, code: int
) -> None:
    part = {"Content_Length": "1000", "Content_Range": f"bytes 0-999/{len(CONTENT)}"}
    server.behaviours["/log.txt"] = [answer(code, CONTENT[:1000], **part)]
    assert f"HTTP {code} " in refusal(without_checksum(f"{server.url}/log.txt"), tmp_path)


@pytest.mark.parametrize(
    "target", ["http://[::1", "http://.x/", "http:///", "ftp://x/log", "\udc80"]
)
def test_a_redirect_to_no_address_is_reported(server: Server, tmp_path: Path, target: str) -> None:
    location = target.encode("utf-8", "surrogateescape").decode("latin-1")
    server.behaviours["/log.txt"] = [answer(302, Location=location, Content_Length="0")]
    message = refusal(without_checksum(f"{server.url}/log.txt"), tmp_path)
    assert "not a usable URL" in message or "HTTP 404" in message


@pytest.mark.parametrize("host", ["a" * 64 + ".org", ".example.org", "a..b", "xn--", "[::1"])
def test_a_host_that_cannot_exist_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setattr(fetching, "ATTEMPTS", 1)
    message = refusal(without_checksum(f"https://{host}/log.txt"), tmp_path)
    assert "not a usable URL" in message or "no connection" in message


def test_an_answer_is_kept_as_it_is_sent_and_never_unpacked(server: Server, tmp_path: Path) -> None:
    packed = gzip.compress(bytes(1 << 22))
    sent = {"Content_Encoding": "gzip", "Content_Length": str(len(packed))}
    server.behaviours["/log.txt"] = [answer(200, packed, **sent)]
    download("log", without_checksum(f"{server.url}/log.txt"), tmp_path)
    assert (tmp_path / "log.txt").read_bytes() == packed


@pytest.mark.parametrize("promised", [{"Content_Length": str(len(CONTENT))}, {}])
def test_an_answer_is_limited_in_size_whether_it_says_so_or_not(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, promised: dict[str, str]
) -> None:
    monkeypatch.setattr(fetching, "MAX_DOWNLOAD_BYTES", 1000)
    server.behaviours["/log.txt"] = [answer(200, CONTENT, **promised)]
    message = refusal(without_checksum(f"{server.url}/log.txt"), tmp_path)
    assert "more than 1,000 bytes" in message
    assert len(server.asked) == 1


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MAX_DOWNLOAD_SECONDS", 0.2)

    def drip(handler: Any) -> None:
        answer(200, Content_Length="1000")(handler)
        for _ in range(100):
            handler.wfile.write(b"1")
            time.sleep(0.05)

    server.behaviours["/log.txt"] = [drip]
    assert "too slow" in refusal(without_checksum(f"{server.url}/log.txt"), tmp_path)


def test_what_a_server_says_cannot_steer_a_terminal(server: Server, tmp_path: Path) -> None:
    server.behaviours["/log.txt"] = [answer(404, reason="\x1b[2J\x07Gone" + 500 * "!")]
    message = refusal(without_checksum(f"{server.url}/log.txt"), tmp_path)
    assert r"HTTP 404 \x1b[2J\x07Gone!!" in message
    assert len(max(message.splitlines(), key=len)) < 400


def test_passwords_and_keys_in_an_address_are_used_but_not_shown(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = server.url.replace("http://", "http://me:hush@")

    def guarded(handler: Any) -> None:
        (whole if "Authorization" in handler.headers else status(401))(handler)

    server.behaviours["/log.txt?key=hush"] = server.behaviours["/log.txt"] = [guarded]
    manifest = download("log", dataset(f"{secret}/log.txt"), tmp_path / "a", mirror="")
    assert Manifest.load(manifest).origin == server.url.replace("//", "//***@") + "/log.txt"
    manifest = download("log", dataset(), tmp_path / "b", mirror=secret)
    assert "hush" not in manifest.read_text()
    shown = ""
    for place in (f"{secret}/none?key=hush", "https://me:hush@[::1", "https://me:hush@a..b/?hush"):
        shown += refusal(without_checksum(place), tmp_path / "c", mirror=f"{secret}/none")
    assert "hush" not in shown + capsys.readouterr().err
    assert "//***@127.0.0.1" in shown


def test_a_killed_download_leaves_no_file_that_passes_for_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file appears only once its manifest says where it came from."""
    mirror, raw = tmp_path / "mirror", tmp_path / "raw"
    mirror.mkdir()
    (mirror / "log.txt").write_bytes(CONTENT)
    replace, renamed = Path.replace, []

    def killed(self: Path, target: Path) -> Path:
        if len(renamed) == 1:
            raise KeyboardInterrupt
        renamed.append(Path(target).name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        download("log", dataset(), raw, mirror=str(mirror))
    monkeypatch.undo()
    assert renamed == leftovers(raw) == ["log.json"]
    assert Manifest.load(download("log", dataset(), raw, mirror=str(mirror))).origin == "mirror"
    assert Manifest.load(download("log", dataset(), raw, mirror="")).origin == "mirror"


def test_a_home_that_nobody_has_is_reported(tmp_path: Path) -> None:
    for wanted, mirror in (("~nosuchuser/x.csv", ""), ("log.txt", "~nosuchuser/mirror")):
        own = Dataset(title="Own", max_length=9, sources=(Source(file=wanted),))
        with pytest.raises(SeqrecError, match="no home folder is known for '~nosuchuser'"):
            download("own", own, tmp_path, mirror=mirror)


def test_a_missing_network_is_reported(server: Server, tmp_path: Path) -> None:
    url = f"{server.url}/log.txt"
    server.close()
    with pytest.raises(SeqrecError, match="no connection \\(Connection refused\\)"):
        download("log", dataset(url), tmp_path)


def test_every_url_is_tried_in_order_and_named(server: Server, tmp_path: Path) -> None:
    server.behaviours["/c"] = [whole]
    urls = [f"{server.url}/{name}" for name in "abc"]
    download("log", dataset(*urls), tmp_path)
    assert server.asked == ["/a", "/b", "/c"]
    with pytest.raises(SeqrecError) as error:
        download("log", dataset(*urls[:2]), tmp_path / "other")
    assert f"{urls[0]}: HTTP 404" in str(error.value)
    assert f"{urls[1]}: HTTP 404" in str(error.value)


def test_the_git_blob_id_is_checked_even_if_the_sha256_is_right(
    server: Server, tmp_path: Path
) -> None:
    server.behaviours["/log.txt"] = [whole]
    wanted = dataset(f"{server.url}/log.txt")
    wrong = wanted.sources[0].model_copy(update={"git_blob": "0" * 40})
    with pytest.raises(SeqrecError, match="git blob id"):
        download("log", wanted.model_copy(update={"sources": (wrong,)}), tmp_path)
    assert leftovers(tmp_path) == []


def test_a_mirror_folder_comes_before_the_network(server: Server, tmp_path: Path) -> None:
    mirror = tmp_path / "mir ror"
    mirror.mkdir()
    (mirror / "log.txt").write_bytes(CONTENT)
    raw = tmp_path / "raw"
    manifest = download("log", dataset(f"{server.url}/log.txt"), raw, mirror=str(mirror))
    assert Manifest.load(manifest).origin == "mirror"
    assert (raw / "log.txt").read_bytes() == CONTENT
    assert server.asked == []


def test_a_mirror_may_be_an_http_prefix_from_the_environment(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.behaviours["/mirror/log.txt"] = [whole]
    monkeypatch.setenv("SEQREC_MIRROR", f"{server.url}/mirror/")
    manifest = download("log", dataset("https://127.0.0.1:1/log.txt"), tmp_path)
    assert Manifest.load(manifest).origin == "mirror"
    assert server.asked == ["/mirror/log.txt"]


def test_a_mirror_without_the_file_or_with_a_wrong_one_is_skipped(
    server: Server, tmp_path: Path
) -> None:
    server.behaviours["/log.txt"] = [whole]
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for wrong in (False, True):
        if wrong:
            (mirror / "log.txt").write_bytes(b"1 2\n")
        raw = tmp_path / f"raw-{wrong}"
        manifest = download("log", dataset(f"{server.url}/log.txt"), raw, mirror=str(mirror))
        assert Manifest.load(manifest).origin == f"{server.url}/log.txt"


def test_a_file_that_the_user_put_there_is_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(CONTENT)
    manifest = download("log", dataset(f"{server.url}/log.txt"), tmp_path)
    assert Manifest.load(manifest).origin == "user file"
    assert server.asked == []


@pytest.mark.parametrize(
    ("content", "reason"), [(b"1 2\n", "truncated or altered"), (b"<html>no", "HTML page")]
)
def test_a_wrong_file_of_the_user_is_reported_and_kept(
    server: Server, tmp_path: Path, content: bytes, reason: str
) -> None:
    server.behaviours["/log.txt"] = [whole]
    (tmp_path / "log.txt").write_bytes(content)
    with pytest.raises(SeqrecError) as error:
        download("log", dataset(f"{server.url}/log.txt"), tmp_path)
    assert str(tmp_path / "log.txt") in str(error.value)
    assert reason in str(error.value)
    assert (tmp_path / "log.txt").read_bytes() == content


def test_a_later_source_is_enough(server: Server, tmp_path: Path) -> None:
    wanted = dataset(f"{server.url}/log.txt")
    other = Source(file="other.json")
    (tmp_path / "other.json").write_text('{"user": 1}\n')
    manifest = download(
        "log", wanted.model_copy(update={"sources": (*wanted.sources, other)}), tmp_path
    )
    assert Manifest.load(manifest).source == 1
    assert server.asked == []


def test_a_mirror_comes_before_a_users_file_without_a_known_checksum(tmp_path: Path) -> None:
    mirror, raw = tmp_path / "mirror", tmp_path / "raw"
    for file in (mirror / "log.txt", raw / "other.json"):
        file.parent.mkdir()
        file.write_bytes(CONTENT)
    both = Dataset(title="L", max_length=9, sources=(*dataset().sources, Source(file="other.json")))
    manifest = download("log", both, raw, mirror=str(mirror))
    assert Manifest.load(manifest).origin == "mirror"
    (raw / "log.txt").unlink()
    assert Manifest.load(download("log", both, raw, mirror="")).file == "other.json"


def test_a_users_file_may_lie_anywhere(tmp_path: Path) -> None:
    file = tmp_path / "my data" / "log.csv"
    file.parent.mkdir()
    file.write_bytes(b"1,2\n")
    own = Dataset(title="Own", max_length=9, sources=(Source(file=str(file)),))
    manifest = download("own", own, tmp_path / "raw", mirror="")
    assert Manifest.load(manifest).path(manifest) == file
    file.unlink()
    with pytest.raises(SeqrecError, match="give its path in the dataset's YAML"):
        download("own", own, tmp_path / "raw", mirror="")


def test_terms_origin_and_citation_are_printed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.txt").write_bytes(CONTENT)
    download("log", dataset(licence="Be kind.", origin="A lab.", citation="Them."), tmp_path, "")
    said = capsys.readouterr().err
    assert [said.count(text) for text in ("Be kind.", "A lab.", "Them.")] == [1, 1, 1]


def test_a_simulated_dataset_is_the_same_file_each_time(tmp_path: Path) -> None:
    settings = Simulation(users=50, items=40, mean_length=8, max_length=20, seed=4)
    simulated = Dataset(title="S", max_length=9, simulate=settings)
    first = download("s", simulated, tmp_path / "a", mirror="")
    second = download("s", simulated, tmp_path / "b", mirror="")
    assert first.read_bytes() == second.read_bytes()
    manifest = Manifest.load(first)
    assert manifest.origin == "simulated"
    assert manifest.simulate == settings.model_dump(mode="json")
    assert sha256(manifest.path(first)) == manifest.sha256
    assert git_blob_id(manifest.path(first)) == manifest.git_blob


def test_a_users_file_under_a_simulations_name_is_kept(tmp_path: Path) -> None:
    settings = Simulation(users=50, items=40, mean_length=8, max_length=20, seed=4)
    simulated = Dataset(title="S", max_length=9, simulate=settings)
    manifest = download("s", simulated, tmp_path, mirror="")
    made = (tmp_path / "s.txt").read_bytes()
    manifest.unlink()
    download("s", simulated, tmp_path, mirror="")  # its own, whose manifest was lost
    manifest.unlink()
    (tmp_path / "s.txt").write_bytes(b"mine\n")
    with pytest.raises(SeqrecError, match=r"s.txt: differs from the simulated s .*Move it away"):
        download("s", simulated, tmp_path, mirror="")
    assert (tmp_path / "s.txt").read_bytes() == b"mine\n"
    assert {path.name for path in tmp_path.iterdir()} == {"s.txt"}
    (tmp_path / "s.txt").unlink()
    download("s", simulated, tmp_path, mirror="")
    assert (tmp_path / "s.txt").read_bytes() == made


def test_a_file_under_the_name_of_its_own_record_is_refused(tmp_path: Path) -> None:
    shop = {"title": "Shop", "max_length": 9, "sources": [{"file": "shop.json"}]}
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "shop.yaml").write_text(yaml.safe_dump(shop))
    with pytest.raises(SeqrecError, match=r"shop.yaml: sources: 'shop.json' is the name of the do"):
        load_dataset("shop", ConfigFiles(tmp_path))


def test_unreadable_files_are_reported(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(self: Path, **_: object) -> bool:
        if "locked" in self.parts:
            raise PermissionError(13, "Permission denied", str(self))
        return is_file(self)

    is_file = Path.is_file
    monkeypatch.setattr(Path, "is_file", locked)
    mirror, raw = tmp_path / "locked", tmp_path / "raw"
    mirror.mkdir()
    (mirror / "log.txt").write_bytes(CONTENT)
    server.behaviours["/log.txt"] = [whole]
    manifest = download("log", dataset(f"{server.url}/log.txt"), raw, mirror=str(mirror))
    assert Manifest.load(manifest).origin == f"{server.url}/log.txt"
    own = Dataset(title="Own", max_length=9, sources=(Source(file=str(mirror / "log.txt")),))
    with pytest.raises(SeqrecError, match=r"log.txt: cannot be read \(Permission denied\)"):
        download("own", own, raw, mirror="")


def test_the_real_files_are_verified_by_both_checksums(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    mirror = root.parent / "shared" / "data"
    if not (mirror / "beauty.txt").exists():
        pytest.skip(f"the published file is not in {mirror}")
    beauty = load_dataset("beauty", ConfigFiles(root / "config"))
    manifest = download("beauty", beauty, tmp_path, mirror=str(mirror))
    assert Manifest.load(manifest).size == 3_912_093


def test_a_member_is_verified_where_the_archives_checksum_is_unknown(
    server: Server, tmp_path: Path
) -> None:
    def archive(text: str) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as file:
            file.writestr("folder/log.txt", text)
        return stream.getvalue()

    right, wrong = archive("1 2\n"), archive("1 3\n")
    source = Source(
        file="log.zip",
        member="folder/log.txt",
        member_sha256=hashlib.sha256(b"1 2\n").hexdigest(),
    )
    assert source.checksummed
    source = source.model_copy(update={"urls": (f"{server.url}/log.zip",)})
    wanted = Dataset(title="Log", max_length=9, sources=(source,))
    for content in (wrong, right[:-10], archive("").replace(b"log", b"gol")):
        server.behaviours["/log.zip"] = [send(content)]
        with pytest.raises(SeqrecError, match="truncated or altered"):
            download("log", wanted, tmp_path)
        assert leftovers(tmp_path) == []
    server.behaviours["/log.zip"] = [send(right)]
    download("log", wanted, tmp_path)
    assert leftovers(tmp_path) == ["log.json", "log.zip"]
