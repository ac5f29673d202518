"""Copy or download one file and verify that it is the one wanted."""

import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from seqrec.data.datasets import Source
from seqrec.data.local_files import exists
from seqrec.files import git_blob_id, replacing, sha256

ATTEMPTS = 3
BACKOFF_SECONDS = 1.0
TIMEOUT_SECONDS = (10, 60)
"""To connect, and between two pieces of an answer."""
HTTP_TOO_MANY_REQUESTS = 429


class Unusable(Exception):
    """A place did not give the file; `retry` says whether another attempt may succeed."""

    def __init__(self, reason: str, retry: bool = False) -> None:
        super().__init__(reason)
        self.retry = retry


def fetch(place: str, file: Path, source: Source) -> None:
    """Copy the path or download the URL `place` to `file`, which appears only whole and verified.

    Raises `Unusable` with the reason if that fails.
    """
    if not place.startswith(("http://", "https://")):
        _copy(Path(place).expanduser(), file, source)
        return
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with replacing(file) as part:
                _http_get(place, part, file.name)
                verify(part, source)
            return
        except Unusable as problem:
            if not problem.retry or attempt == ATTEMPTS:
                times = f" ({attempt} attempts)" if attempt > 1 else ""
                raise Unusable(f"{problem}{times}") from None
        time.sleep(BACKOFF_SECONDS * 2 ** (attempt - 1))


def verify(file: Path, source: Source) -> None:
    """Raise `Unusable` unless `file` can be read and has the checksums of `source`."""
    try:
        _verify(file, source)
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror})") from None


def _copy(origin: Path, file: Path, source: Source) -> None:
    if not exists(origin):
        raise Unusable("no such file")
    verify(origin, source)
    with replacing(file) as part:
        shutil.copyfile(origin, part)


def _verify(file: Path, source: Source) -> None:
    if not file.is_file():
        raise Unusable("not a file")
    size = file.stat().st_size
    if size == 0:
        raise Unusable("empty", retry=True)
    with file.open("rb") as stream:
        start = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise Unusable("an HTML page instead of data (an error or login page?)")
    for kind, expected, compute in (
        ("SHA-256", source.sha256, sha256),
        ("git blob id", source.git_blob, git_blob_id),
    ):
        if expected is not None and (found := compute(file)) != expected:
            # A proxy may cut or alter a file once and not the next time.
            raise Unusable(
                f"truncated or altered: {kind} {found} of {size:,} bytes, expected {expected}",
                retry=True,
            )


def _http_get(url: str, file: Path, label: str) -> None:
    """Download `url` to `file`; raises `Unusable`. `label` names the progress bar."""
    import requests
    from pooch import HTTPDownloader
    from tqdm import tqdm

    # Pooch wants a bar whose total is set; the true one comes with the answer. disable=None: no
    # bar in a log file.
    bar = tqdm(total=1, desc=label, unit="B", unit_scale=True, disable=None, leave=False)

    def stay_on_https(answer: requests.Response, **_: Any) -> None:
        if answer.is_redirect and url.startswith("https://"):
            target = urljoin(answer.url, answer.headers["location"])
            if not target.startswith("https://"):
                raise Unusable(f"redirects to {target}, which is not https")

    get = HTTPDownloader(
        progressbar=bar,
        chunk_size=1 << 16,
        timeout=TIMEOUT_SECONDS,
        # Only without compression can the promised length be compared with what arrives.
        headers={"Accept-Encoding": "identity"},
        hooks={"response": stay_on_https},
    )
    try:
        get(url, str(file), None)
    except requests.HTTPError as error:
        answer = error.response
        status = answer.status_code if answer is not None else 0
        reason = answer.reason if answer is not None else ""
        retry = status >= 500 or status == HTTP_TOO_MANY_REQUESTS
        raise Unusable(f"HTTP {status} {reason}", retry) from None
    except requests.Timeout:
        raise Unusable("no answer in time", retry=True) from None
    except requests.exceptions.ChunkedEncodingError:
        raise Unusable("the connection broke before the end of the file", retry=True) from None
    except requests.ConnectionError as error:
        raise Unusable(f"no connection ({_root_cause(error)})", retry=True) from None
    except requests.RequestException as error:
        raise Unusable(f"not a usable URL ({error})") from None
    finally:
        bar.close()


def _root_cause(error: BaseException) -> str:
    """Return the first cause in a chain of network errors, in the operating system's words."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
