"""Find the raw files that users provide themselves, and notice when one was replaced."""

from contextlib import suppress
from pathlib import Path, PurePath

from seqrec.data.datasets import Dataset, Source
from seqrec.data.manifest import USER_FILE, Manifest
from seqrec.errors import SeqrecError
from seqrec.files import sha256
from seqrec.layout import RAW, manifest
from seqrec.wording import shortened


def local_file(source: Source, raw: Path = RAW) -> Path:
    """Return where a user may have put the file: in `raw`, or at the path that the YAML gives."""
    inside = raw / source.file
    given = in_home(source.file)
    return given if given.name != source.file and not exists(inside) else inside


def in_home(path: str) -> Path:
    """Expand `~` or `~user` in a path; raises `SeqrecError` if there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        user = PurePath(path).parts[0]
        raise SeqrecError(
            f"{shortened(path)}: no home folder is known for {shortened(user)!r}. Write the whole "
            f"path, or './{shortened(user)}' for a folder of that name."
        ) from None


def exists(path: Path) -> bool:
    """Whether `path` exists; True also if that may not be looked up, so that reading it says so."""
    try:
        return path.exists()
    except OSError:
        return True


def user_files(name: str, dataset: Dataset, raw: Path = RAW) -> list[Path]:
    """List the dataset's files that a user provides and may change; downloads are left out."""
    with suppress(SeqrecError):
        if Manifest.load(manifest(name, raw)).origin != USER_FILE:
            return []
    return [file for source in dataset.sources if exists(file := local_file(source, raw))]


def replaced_user_file(name: str, raw: Path = RAW) -> Path | None:
    """Return the user's file if its content is no longer that of the manifest, else None."""
    path = manifest(name, raw)
    with suppress(SeqrecError, OSError):
        recorded = Manifest.load(path)
        file = recorded.path(path)
        found = file.stat()
        # A file's modification time can be set to anything; the change time cannot. Only a file
        # changed since the manifest was written is worth a checksum.
        if recorded.origin == USER_FILE and found.st_ctime >= path.stat().st_mtime:
            same = (found.st_size, sha256(file)) == (recorded.size, recorded.sha256)
            return None if same else file
    return None
