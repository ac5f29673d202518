"""Fetch a dataset's raw file, verify its checksum, and record where it came from.

This module decides where to look, in which order. It does not look at the interactions in a file.
"""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from seqrec.data.datasets import Dataset, Simulation, Source
from seqrec.data.fetching import Unusable, fetch, verify, without_password, without_secrets
from seqrec.data.local_files import exists, local_file
from seqrec.data.manifest import MIRROR, SIMULATED, USER_FILE, RawFile, write_manifest
from seqrec.errors import SeqrecError
from seqrec.files import sha256
from seqrec.layout import RAW, manifest, simulated_file
from seqrec.wording import listed


def download(name: str, dataset: Dataset, raw: Path = RAW, mirror: str | None = None) -> Path:
    """Fetch one source of `dataset` into `raw`, or simulate it; return the path of the manifest.

    A file in `raw` is never overwritten. If its checksum is known it must be right, and the file is
    used. Otherwise the sources are tried in order: first in `mirror` (a folder or a URL prefix, by
    default the environment variable SEQREC_MIRROR), then among the user's files without a known
    checksum, then at their public URLs. Raises `SeqrecError` if none gives the data.
    """
    if mirror is None:
        mirror = os.environ.get("SEQREC_MIRROR", "")
    _announce(name, dataset)
    path = manifest(name, raw)
    if dataset.simulate is not None:
        file = _simulate(name, dataset.simulate, raw)
        write_manifest(path, name, file, file.path)
    else:
        _Search(name, dataset, raw).obtain(mirror.rstrip("/"))
    return path


def _announce(name: str, dataset: Dataset) -> None:
    """Print where the data come from, and on what terms."""
    for label, text in (
        ("origin", dataset.origin),
        ("terms", dataset.licence),
        ("cite", dataset.citation),
    ):
        if text:
            print(f"{name}: {label}: {text}", file=sys.stderr)


def _simulate(name: str, settings: Simulation, raw: Path) -> RawFile:
    """Write the simulated log, but not over a user's file of that name."""
    from seqrec.data.simulation import simulate_dataset, write_text_log

    log = simulate_dataset(settings)
    file = simulated_file(name, raw)
    if file.exists() and not manifest(name, raw).exists():
        # Either an earlier simulation whose manifest was lost, or a file of the user's.
        with TemporaryDirectory(dir=raw) as folder:
            again = Path(folder, file.name)
            write_text_log(again, log)
            if sha256(again) != sha256(file):
                raise SeqrecError(
                    f"{file}: differs from the simulated {name} and would be overwritten. "
                    "Move it away or rename the dataset, then run again."
                )
    write_text_log(file, log)
    return RawFile(file, None, SIMULATED, settings.model_dump(mode="json"))


@dataclass(frozen=True)
class _Candidate:
    """A place that may give the file of a source."""

    index: int
    """Index of the source."""
    source: Source
    place: str
    """A path or a URL."""
    origin: str
    """What the manifest calls the place."""


@dataclass(frozen=True)
class _Search:
    """Finds or fetches the file of one source, and writes the manifest."""

    name: str
    dataset: Dataset
    raw: Path
    tried: list[str] = field(default_factory=list)
    """Where the file was looked for in vain, and why."""

    def obtain(self, mirror: str) -> None:
        """Look among the user's files, in `mirror` and at the public URLs, in this order.

        A user's file without a known checksum comes after the mirror.
        """
        sources = list(enumerate(self.dataset.sources))
        present = {i: file for i, source in sources if exists(file := local_file(source, self.raw))}
        for index, file in present.items():
            _verify_user_file(file, self.dataset.sources[index])
            if self.dataset.sources[index].checksummed:
                self._record(RawFile(file, index, USER_FILE), file)
                return
        missing = [(i, source) for i, source in sources if i not in present]
        self.tried.extend(f"{local_file(source, self.raw)}: no such file" for _, source in missing)
        mirrored = [
            _Candidate(i, source, _in_mirror(mirror, source.file), MIRROR)
            for i, source in missing
            if mirror and Path(source.file).name == source.file
        ]
        if self._fetch_first(mirrored):
            return
        for index, file in present.items():
            self._record(RawFile(file, index, USER_FILE), file)
            return
        public = [
            _Candidate(i, source, url, without_password(url))
            for i, source in sources
            for url in source.urls
        ]
        if not self._fetch_first(public):
            raise SeqrecError(_nothing_found(self.name, self.dataset, self.raw, self.tried))

    def _fetch_first(self, candidates: Iterable[_Candidate]) -> bool:
        """Fetch from the first candidate that works; note why others do not."""
        for candidate in candidates:
            file = self.raw / candidate.source.file
            # If this process is killed between the two, the file is missing rather than the
            # manifest: without one, the file would be taken for the user's.
            record = partial(self._record, RawFile(file, candidate.index, candidate.origin))
            try:
                fetch(candidate.place, file, candidate.source, record)
                return True
            except Unusable as problem:
                self.tried.append(f"{without_secrets(candidate.place)}: {problem}")
        return False

    def _record(self, file: RawFile, content: Path) -> None:
        """Write the manifest of `file`, whose bytes are in `content`."""
        write_manifest(manifest(self.name, self.raw), self.name, file, content)


def _in_mirror(mirror: str, file: str) -> str:
    """Return the place of a file in a mirror, which is a folder or the start of a URL."""
    return f"{mirror}/{quote(file) if '://' in mirror else file}"


def _verify_user_file(file: Path, source: Source) -> None:
    try:
        verify(file, source)
    except Unusable as problem:
        raise SeqrecError(
            f"{file}: {problem}. Nothing was changed. "
            "Move the file away or put the right one there, then run again."
        ) from None


def _nothing_found(name: str, dataset: Dataset, raw: Path, tried: list[str]) -> str:
    """Return the message that lists what was tried and says what to do."""
    files = " or ".join(source.file for source in dataset.sources)
    lines = [f"{name}: none of its files could be obtained. Tried:"]
    lines += [f"  {line}" for line in listed(tried)]
    if any(source.urls for source in dataset.sources):
        lines.append(
            f"Check the network and run again, or put {files} into {raw}/, "
            "or set SEQREC_MIRROR to a folder or URL that holds it."
        )
    else:
        lines.append(f"Put {files} into {raw}/, or give its path in the dataset's YAML.")
    if dataset.manual:
        lines.append(dataset.manual)
    return "\n".join(lines)
