"""Have a dataset's file under data/raw/: find or fetch it, verify it, write down what it is.

The manifest `<raw>/<dataset>.json` tells preprocessing which file to read; nothing here looks at
the interactions in it.
"""

import json
import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from urllib.parse import urljoin

from seqrec.datasets import Dataset, Source
from seqrec.errors import SeqrecError
from seqrec.files import git_blob_id, replacing, sha256, write_text

RAW = Path("data/raw")
ATTEMPTS = 3
BACKOFF_SECONDS = 1.0
TIMEOUT_SECONDS = (10, 60)  # to connect, and between two pieces of an answer
HTTP_TOO_MANY_REQUESTS = 429


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


class _Unusable(Exception):
    """Why one place did not give the file; `again` when another try may help."""

    def __init__(self, reason: str, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


def download(name: str, dataset: Dataset, raw: Path = RAW, mirror: str | None = None) -> Path:
    """Have one source of `dataset` in `raw`, verified; return the path of its manifest.

    A file that already lies in `raw` is never overwritten: where its checksum is known it must be
    right, and is then used. Otherwise sources are tried in order: first in `mirror` (a folder or a
    URL prefix; None: the environment's SEQREC_MIRROR), then among the user's files of which no
    checksum is known, then at their public URLs.
    """
    if mirror is None:
        mirror = os.environ.get("SEQREC_MIRROR", "")
    _tell(name, dataset)
    path = raw / f"{name}.json"
    if dataset.simulate is not None:
        from seqrec.simulation import simulate_dataset, write_text_log

        log = simulate_dataset(dataset.simulate)
        file = raw / f"{name}.txt"
        if file.exists() and not path.exists():
            # Made before, perhaps; or somebody's own.
            with TemporaryDirectory(dir=raw) as folder:
                again = Path(folder, file.name)
                write_text_log(again, *log)
                if sha256(again) != sha256(file):
                    raise SeqrecError(
                        f"{file}: is not what {name} is simulated to be, and would be overwritten. "
                        "Move it away or rename the dataset, then run again."
                    )
        write_text_log(file, *log)
        settings = dataset.simulate.model_dump(mode="json")
        return _write_manifest(path, name, file, None, "simulated", settings)

    sources = list(enumerate(dataset.sources))
    present = {index: file for index, source in sources if _is_there(file := _local(source, raw))}
    for index, file in present.items():
        try:
            _verify(file, dataset.sources[index])
        except _Unusable as problem:
            raise SeqrecError(
                f"{file}: {problem}. Nothing was changed. "
                "Move the file away or put the right one there, then run again."
            ) from None
        if dataset.sources[index].checksummed:
            return _write_manifest(path, name, file, index, "user file")

    tried = [f"{_local(s, raw)}: not there" for index, s in sources if index not in present]

    def fetched(index: int, place: str) -> bool:
        try:
            _fetch(place, raw / dataset.sources[index].file, dataset.sources[index])
        except _Unusable as problem:
            tried.append(f"{place}: {problem}")
            return False
        return True

    for index, source in sources:
        wanted = mirror and index not in present and Path(source.file).name == source.file
        if wanted and fetched(index, f"{mirror.rstrip('/')}/{source.file}"):
            return _write_manifest(path, name, raw / source.file, index, "mirror")
    for index, file in present.items():
        return _write_manifest(path, name, file, index, "user file")
    for index, source in sources:
        for url in source.urls:
            if fetched(index, url):
                return _write_manifest(path, name, raw / source.file, index, url)
    raise SeqrecError(_nothing_found(name, dataset, raw, tried))


def _nothing_found(name: str, dataset: Dataset, raw: Path, tried: list[str]) -> str:
    files = " or ".join(source.file for source in dataset.sources)
    lines = [f"{name}: none of its files could be had. Tried:"]
    lines += [f"  {line}" for line in tried]
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


def _tell(name: str, dataset: Dataset) -> None:
    """Say once where the data comes from and on what terms."""
    for label, text in (
        ("origin", dataset.origin),
        ("terms", dataset.licence),
        ("cite", dataset.citation),
    ):
        if text:
            print(f"{name}: {label}: {text}", file=sys.stderr)


def _local(source: Source, raw: Path) -> Path:
    """Where the user may have put the file: in `raw`, or at the path that the YAML gives."""
    inside = raw / source.file
    given = Path(source.file).expanduser()
    return given if given.name != source.file and not _is_there(inside) else inside


def own_files(name: str, dataset: Dataset, raw: Path = RAW) -> list[Path]:
    """The dataset's files that their owner put there, and may change; not those that were had."""
    with suppress(SeqrecError):
        if Manifest.load(raw / f"{name}.json").origin != "user file":
            return []
    return [file for source in dataset.sources if _is_there(file := _local(source, raw))]


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


def _is_there(path: Path) -> bool:
    """Also where it may not be looked at: then reading it says so."""
    try:
        return path.exists()
    except OSError:
        return True


def _write_manifest(
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


def _fetch(place: str, file: Path, source: Source) -> None:
    """Copy or download `place` to `file`, which comes into being only whole and verified."""
    if not place.startswith(("http://", "https://")):
        origin = Path(place).expanduser()
        if not _is_there(origin):
            raise _Unusable("not there")
        _verify(origin, source)
        with replacing(file) as part:
            shutil.copyfile(origin, part)
        return
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with replacing(file) as part:
                _http_get(place, part, file.name)
                _verify(part, source)
            return
        except _Unusable as problem:
            if not problem.again or attempt == ATTEMPTS:
                times = f" ({attempt} attempts)" if attempt > 1 else ""
                raise _Unusable(f"{problem}{times}") from None
        time.sleep(BACKOFF_SECONDS * 2 ** (attempt - 1))


def _http_get(url: str, file: Path, label: str) -> None:
    import requests
    from pooch import HTTPDownloader
    from tqdm import tqdm

    # Pooch wants a bar whose total is set; the true one comes with the answer. disable=None: no
    # bar in a log file.
    bar = tqdm(total=1, desc=label, unit="B", unit_scale=True, disable=None, leave=False)

    def stay_on_https(answer: requests.Response, **_: Any) -> None:
        if answer.is_redirect and url.startswith("https://"):
            onward = urljoin(answer.url, answer.headers["location"])
            if not onward.startswith("https://"):
                raise _Unusable(f"sends on to {onward}, which is not https")

    get = HTTPDownloader(
        progressbar=bar,
        chunk_size=1 << 16,
        timeout=TIMEOUT_SECONDS,
        # Without compression on the way the promised length can be held against what came.
        headers={"Accept-Encoding": "identity"},
        hooks={"response": stay_on_https},
    )
    try:
        get(url, str(file), None)
    except requests.HTTPError as error:
        answer = error.response
        status = answer.status_code if answer is not None else 0
        again = status >= 500 or status == HTTP_TOO_MANY_REQUESTS
        raise _Unusable(
            f"HTTP {status} {answer.reason if answer is not None else ''}", again
        ) from None
    except requests.Timeout:
        raise _Unusable("no answer in time", again=True) from None
    except requests.exceptions.ChunkedEncodingError:
        raise _Unusable("the connection broke before the end of the file", again=True) from None
    except requests.ConnectionError as error:
        raise _Unusable(f"no connection ({_innermost(error)})", again=True) from None
    except requests.RequestException as error:
        raise _Unusable(f"not a usable URL ({error})") from None
    finally:
        bar.close()


def _innermost(error: BaseException) -> str:
    """What lies at the bottom of a chain of network errors, in the operating system's words."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _verify(file: Path, source: Source) -> None:
    """Raise `_Unusable` unless `file` can be read and is what `source` promises."""
    try:
        _check(file, source)
    except OSError as error:
        raise _Unusable(f"cannot be read ({error.strerror})") from None


def _check(file: Path, source: Source) -> None:
    if not file.is_file():
        raise _Unusable("not a file")
    size = file.stat().st_size
    if size == 0:
        raise _Unusable("empty", again=True)
    with file.open("rb") as stream:
        start = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise _Unusable("an HTML page came instead of data (an error or log-in page?)")
    checks: list[tuple[Literal["SHA-256", "git blob id"], str | None, Any]] = [
        ("SHA-256", source.sha256, sha256),
        ("git blob id", source.git_blob, git_blob_id),
    ]
    for kind, expected, compute in checks:
        if expected is not None and (found := compute(file)) != expected:
            # A proxy may cut or alter a file once and not the next time.
            raise _Unusable(
                f"truncated or altered: {kind} {found} of {size:,} bytes, expected {expected}",
                again=True,
            )
