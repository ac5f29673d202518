"""Fetch a dataset's raw file, verify its checksum, and record where it came from.

Nothing here looks at the interactions in it.
"""

import os
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from urllib.parse import urljoin

from seqrec.data.datasets import Dataset, Source
from seqrec.data.manifest import RAW, is_there, local_file, write_manifest
from seqrec.errors import SeqrecError
from seqrec.files import git_blob_id, replacing, sha256

ATTEMPTS = 3


BACKOFF_SECONDS = 1.0


TIMEOUT_SECONDS = (10, 60)  # to connect, and between two pieces of an answer


HTTP_TOO_MANY_REQUESTS = 429


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
    _announce(name, dataset)
    path = raw / f"{name}.json"
    if dataset.simulate is not None:
        from seqrec.data.simulation import simulate_dataset, write_text_log

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
        return write_manifest(path, name, file, None, "simulated", settings)

    sources = list(enumerate(dataset.sources))
    present = {
        index: file for index, source in sources if is_there(file := local_file(source, raw))
    }
    for index, file in present.items():
        try:
            _verify(file, dataset.sources[index])
        except _Unusable as problem:
            raise SeqrecError(
                f"{file}: {problem}. Nothing was changed. "
                "Move the file away or put the right one there, then run again."
            ) from None
        if dataset.sources[index].checksummed:
            return write_manifest(path, name, file, index, "user file")

    tried = [f"{local_file(s, raw)}: not there" for index, s in sources if index not in present]

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
            return write_manifest(path, name, raw / source.file, index, "mirror")
    for index, file in present.items():
        return write_manifest(path, name, file, index, "user file")
    for index, source in sources:
        for url in source.urls:
            if fetched(index, url):
                return write_manifest(path, name, raw / source.file, index, url)
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


def _announce(name: str, dataset: Dataset) -> None:
    """Say once where the data comes from and on what terms."""
    for label, text in (
        ("origin", dataset.origin),
        ("terms", dataset.licence),
        ("cite", dataset.citation),
    ):
        if text:
            print(f"{name}: {label}: {text}", file=sys.stderr)


def _fetch(place: str, file: Path, source: Source) -> None:
    """Copy or download `place` to `file`, which comes into being only whole and verified."""
    if not place.startswith(("http://", "https://")):
        origin = Path(place).expanduser()
        if not is_there(origin):
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
