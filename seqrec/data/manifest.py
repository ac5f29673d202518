"""The manifest of a raw file: what it is, where it came from, and whether it still is that.

The manifest `<raw>/<dataset>.json` tells preprocessing which file to read.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seqrec.data.datasets import Dataset, Source
from seqrec.errors import SeqrecError
from seqrec.files import git_blob_id, sha256, write_text

RAW = Path("data/raw")


@dataclass(frozen=True)
class Manifest:
    """What was had, in words that change only when the file does."""

    dataset: str
    file: str
    """Relative to the manifest's folder, or absolute."""
    size: int
    sha256: str
    git_blob: str
    source: int | None
    """Which of the dataset's sources; none for a simulated one."""
    origin: str
    """A URL, `mirror`, `user file` or `simulated`."""
    simulate: dict[str, Any] | None = None
    """The simulator's settings."""

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read a manifest."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise SeqrecError(
                f"{path}: missing, or no record of a download. Run `seqrec download {path.stem}`."
            ) from None

    def path(self, manifest: Path) -> Path:
        """Where the file is, given where the manifest is."""
        return manifest.parent / self.file

    def is_of(self, name: str, dataset: Dataset) -> bool:
        """Whether the dataset's YAML, as it is now, would still have this file."""
        if self.dataset != name:
            return False
        if dataset.simulate is not None:
            return self.simulate == dataset.simulate.model_dump(mode="json")
        if self.source is None or self.source >= len(dataset.sources):
            return False
        source = dataset.sources[self.source]
        return (
            Path(source.file).name == Path(self.file).name
            and source.sha256 in (None, self.sha256)
            and source.git_blob in (None, self.git_blob)
        )


def local_file(source: Source, raw: Path) -> Path:
    """Where the user may have put the file: in `raw`, or at the path that the YAML gives."""
    inside = raw / source.file
    given = Path(source.file).expanduser()
    return given if given.name != source.file and not is_there(inside) else inside


def own_files(name: str, dataset: Dataset, raw: Path = RAW) -> list[Path]:
    """The dataset's files that their owner put there, and may change; not those that were had."""
    with suppress(SeqrecError):
        if Manifest.load(raw / f"{name}.json").origin != "user file":
            return []
    return [file for source in dataset.sources if is_there(file := local_file(source, raw))]


def replaced_file(name: str, raw: Path = RAW) -> Path | None:
    """The file that a dataset's owner put there, if it is no longer the one that was had."""
    manifest = raw / f"{name}.json"
    with suppress(SeqrecError, OSError):
        had = Manifest.load(manifest)
        file = had.path(manifest)
        found = file.stat()
        # Whatever date it was given: the system notes when a file was changed or put in its place.
        if had.origin == "user file" and found.st_ctime >= manifest.stat().st_mtime:
            return file if (found.st_size, sha256(file)) != (had.size, had.sha256) else None
    return None


def is_there(path: Path) -> bool:
    """Also where it may not be looked at: then reading it says so."""
    try:
        return path.exists()
    except OSError:
        return True


def write_manifest(
    path: Path,
    name: str,
    file: Path,
    source: int | None,
    origin: str,
    simulate: dict[str, Any] | None = None,
) -> Path:
    digest = sha256(file)
    if origin == "user file" and path.exists():
        try:
            before = Manifest.load(path)
        except SeqrecError:
            pass
        else:
            # An earlier run of ours put it there: keep saying where it came from.
            if before.sha256 == digest and before.source == source:
                origin = before.origin
    within = file.parent.resolve() == path.parent.resolve()
    manifest = Manifest(
        dataset=name,
        file=file.name if within else str(file.resolve()),
        size=file.stat().st_size,
        sha256=digest,
        git_blob=git_blob_id(file),
        source=source,
        origin=origin,
        simulate=simulate,
    )
    write_text(path, json.dumps(asdict(manifest), indent=2) + "\n")
    return path
