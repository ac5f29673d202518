"""Files are complete or absent."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from seqrec.errors import SeqrecError
from seqrec.files import (
    MAX_NAME_BYTES,
    date_back,
    git_blob_id,
    holds,
    read_regular,
    replacing,
    sha256,
    write_text,
)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file.csv"
    write_text(path, "old")
    with replacing(path) as part:
        part.write_text("ne")
        assert path.read_text() == "old"
        assert part.parent == path.parent
        assert part.suffix == path.suffix
        part.write_text("new")
    assert path.read_text() == "new"
    assert names(path.parent) == ["file.csv"]


@pytest.mark.parametrize("before", [None, "old"])
def test_a_failure_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, before: str | None
) -> None:
    path = tmp_path / "file"
    if before is not None:
        path.write_text(before)
    with pytest.raises(RuntimeError, match="half"), replacing(path) as part:
        part.write_text("ha")
        raise RuntimeError("half")
    assert names(tmp_path) == ([] if before is None else ["file"])
    assert before is None or path.read_text() == before


def test_temporary_files_of_killed_writers_are_removed_and_those_of_living_ones_kept(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file.csv"
    (tmp_path / ".file.csv.dead.part.csv").write_text("ha")
    (tmp_path / ".file.csv.notes").write_text("somebody's own")
    with replacing(path) as living:
        living.write_text("first")
        write_text(path, "second")
        assert living.read_text() == "first"
    assert path.read_text() == "first"
    assert sorted(names(tmp_path)) == [".file.csv.notes", "file.csv"]


def test_a_file_dated_in_the_future_is_dated_back_and_others_are_left_alone(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("old", "future", "absent")]
    for path, moment in zip(paths[:2], (1_000, 3_000), strict=True):
        path.touch()
        os.utime(path, (moment, moment))
    for path in paths:
        date_back(path, 2_000)
    assert [path.stat().st_mtime for path in paths[:2]] == [1_000, 2_000]


def test_an_operating_system_error_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "below"
    with pytest.raises(SeqrecError) as caught:
        write_text(path, "text")
    assert str(path) in str(caught.value)
    assert "run again" in str(caught.value)

    with pytest.raises(SeqrecError, match="No space left"), replacing(tmp_path / "full"):
        raise OSError(28, "No space left on device")
    assert names(tmp_path) == ["file"]


def test_a_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "ours", "text")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_content_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    synced: list[bytes] = []

    def fsync(handle: int) -> None:
        assert not path.exists()
        synced.append(os.pread(handle, 9, 0))

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(path, "text")
    assert synced == [b"text"]


def test_a_name_may_have_all_the_bytes_that_a_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 124 + "abc.csv")
    assert len(path.name.encode()) == MAX_NAME_BYTES
    write_text(path, "text")
    assert names(tmp_path) == [path.name]
    with pytest.raises(SeqrecError, match="cannot be written"):
        write_text(tmp_path / ("a" * (MAX_NAME_BYTES + 1)), "text")


def test_a_name_may_be_any_bytes(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.\xfe")
    for text in ("old", "new"):
        write_text(path, text)
    assert names(tmp_path) == [path.name]
    assert path.read_text() == "new"


def test_text_is_written_byte_for_byte(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "ä\r\nb\n")
    assert (tmp_path / "file").read_bytes() == b"\xc3\xa4\r\nb\n"


@pytest.mark.parametrize("content", [b"", b"abc\0\n", bytes(100_000)])
def test_checksums_are_those_of_hashlib_and_git(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert sha256(path) == hashlib.sha256(content).hexdigest()
    git = subprocess.run(
        ["git", "hash-object", "--no-filters", path], capture_output=True, text=True, check=True
    )
    assert git_blob_id(path) == git.stdout.strip()


def in_place_of_a_file(folder: Path) -> dict[str, Path]:
    """What is no file, or never ends, at the paths where a file might be."""
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    for name, target in (("link", "file"), ("endless", "/dev/zero"), ("loop", "loop")):
        (folder / name).symlink_to(target)
    (folder / "large").touch()
    os.truncate(folder / "large", 1 << 36)
    return {path.name: path for path in folder.iterdir()}


def test_only_a_regular_file_of_the_expected_size_is_read(tmp_path: Path) -> None:
    found = in_place_of_a_file(tmp_path)
    (tmp_path / "file").write_bytes(b"text")
    assert read_regular(tmp_path / "file", 4) == b"text"
    assert read_regular(found["link"], 4, follow=True) == b"text"
    for name, path in found.items():
        with pytest.raises(SeqrecError, match=f"{name}: (is a link|is not a regular|has .* bytes)"):
            read_regular(path, 1000)
        if name not in ("link", "loop"):
            with pytest.raises(SeqrecError, match=f"{name}: (is not a regular file|has .* bytes)"):
                read_regular(path, 1000, follow=True)


def test_only_a_regular_file_is_replaced(tmp_path: Path) -> None:
    found = in_place_of_a_file(tmp_path)
    (tmp_path / "file").write_bytes(b"text")
    for name, path in found.items():
        kind = path.lstat().st_mode
        if name in ("pipe", "folder", "endless"):
            with pytest.raises(SeqrecError, match=f"{name}: is not a regular file"):
                write_text(path, "new")
            assert path.lstat().st_mode == kind
        else:
            write_text(path, "new")
            assert path.read_text() == "new"
    assert (tmp_path / "file").read_bytes() == b"text", "a link is replaced, not what it leads to"
    assert not list(tmp_path.glob(".*"))


def test_a_file_holds_its_content_and_no_other(tmp_path: Path) -> None:
    found = in_place_of_a_file(tmp_path)
    (tmp_path / "file").write_bytes(b"text")
    assert holds(tmp_path / "file", b"text")
    for other in (b"", b"tex", b"texts", b"Text"):
        assert not holds(tmp_path / "file", other)
    assert not any(holds(path, b"text") for path in (*found.values(), tmp_path / "none"))
