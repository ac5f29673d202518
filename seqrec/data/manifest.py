"""Record what a dataset's raw file is and where it came from, in a manifest beside it.

The manifest tells preprocessing which file to read. It changes only when the file does.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from seqrec.data.datasets import Dataset
from seqrec.errors import SeqrecError
from seqrec.files import git_blob_id, sha256, write_text
from seqrec.json_files import read_json
from seqrec.typed_yaml import check_values

USER_FILE = "user file"
MIRROR = "mirror"
SIMULATED = "simulated"


@dataclass(frozen=True)
class RawFile:
    """A verified raw file, and where it came from."""

    path: Path
    source: int | None
    """Index of the dataset's source; None for a simulated file."""
    origin: str
    """A URL, `USER_FILE`, `MIRROR` or `SIMULATED`."""
    simulate: dict[str, Any] | None = None
    """Settings of the simulator."""


class Manifest(BaseModel):
    """The content of a manifest file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    dataset: str
    file: str
    """Path of the raw file, relative to the manifest's folder or absolute."""
    size: int
    """Size of the raw file in bytes."""
    sha256: str
    git_blob: str
    source: NonNegativeInt | None
    """Index of the dataset's source; None for a simulated file."""
    origin: str
    """A URL, `USER_FILE`, `MIRROR` or `SIMULATED`."""
    simulate: dict[str, Any] | None = None
    """Settings of the simulator."""

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read a manifest; raises `SeqrecError` if it is missing or damaged."""
        try:
            return check_values(cls, read_json(path), str(path))
        except PermissionError as error:
            raise SeqrecError(f"{path}: cannot be read ({error.strerror}).") from None
        except (OSError, SeqrecError):
            raise SeqrecError(
                f"{path}: missing or not a manifest. Run `seqrec download {path.stem}`."
            ) from None

    def path(self, manifest: Path) -> Path:
        """Return the raw file's path, given the manifest's."""
        return manifest.parent / self.file

    def matches(self, name: str, dataset: Dataset) -> bool:
        """Whether the dataset's YAML, as it is now, still asks for this file."""
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


def write_manifest(path: Path, dataset: str, raw: RawFile, content: Path) -> None:
    """Write the manifest of `raw` to `path`; its bytes are still in `content`, or already there."""
    digest = sha256(content)
    origin = raw.origin
    if origin == USER_FILE and path.exists():
        try:
            before = Manifest.load(path)
        except SeqrecError:
            pass
        else:
            # An earlier download put the file there: keep saying where it came from.
            if before.sha256 == digest and before.source == raw.source:
                origin = before.origin
    is_beside = raw.path.parent.resolve() == path.parent.resolve()
    manifest = Manifest(
        dataset=dataset,
        file=raw.path.name if is_beside else str(raw.path.resolve()),
        size=content.stat().st_size,
        sha256=digest,
        git_blob=git_blob_id(content),
        source=raw.source,
        origin=origin,
        simulate=raw.simulate,
    )
    write_text(path, json.dumps(manifest.model_dump(), indent=2) + "\n")
