"""Copy or download one file and verify that it is the one wanted."""

import hashlib
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin

from seqrec.data.datasets import Source
from seqrec.data.local_files import exists, in_home
from seqrec.data.raw_bytes import open_raw
from seqrec.errors import SeqrecError
from seqrec.files import git_blob_id, replacing, sha256
from seqrec.wording import shortened

if TYPE_CHECKING:
    import requests

ATTEMPTS = 3
BACKOFF_SECONDS = 1.0
TIMEOUT_SECONDS = (10, 60)
"""To connect, and between two pieces of an answer."""
PIECE_BYTES = 1 << 16
MAX_DOWNLOAD_BYTES = 1 << 34
"""This package is not meant for larger files."""
MAX_DOWNLOAD_SECONDS = 12 * 3600.0
"""A server that sends a byte now and then must not hold everything up."""
HTTP_OK = 200
HTTP_TOO_MANY_REQUESTS = 429


class Unusable(Exception):
    """A place did not give the file; `retry` says whether another attempt may succeed."""

    def __init__(self, reason: str, retry: bool = False) -> None:
        super().__init__(shortened(reason))
        self.retry = retry


def fetch(place: str, file: Path, source: Source, record: Callable[[Path], None]) -> None:
    """Copy the path or download the URL `place` to `file`, which appears only whole and verified.

    Before it does, `record` is called with a temporary path of its content. Raises `Unusable` with
    the reason if the place does not give the file.
    """
    if not place.startswith(("http://", "https://")):
        _copy(in_home(place), file, source, record)
        return
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with replacing(file) as part:
                _http_get(place, part, file.name)
                verify(part, source)
                record(part)
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


def _copy(origin: Path, file: Path, source: Source, record: Callable[[Path], None]) -> None:
    if not exists(origin):
        raise Unusable("no such file")
    verify(origin, source)
    with replacing(file) as part:
        shutil.copyfile(origin, part)
        record(part)


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
    if source.member_sha256 is not None:
        try:
            with open_raw(file, source.member) as stream:
                found = hashlib.file_digest(cast("Any", stream), "sha256").hexdigest()
        except SeqrecError as error:
            reason = str(error).removeprefix(f"{file}: ")
            raise Unusable(f"truncated or altered: {reason}", retry=True) from None
        if found != source.member_sha256:
            raise Unusable(
                f"truncated or altered: SHA-256 {found} of {source.member}, expected "
                f"{source.member_sha256}",
                retry=True,
            )


def _http_get(url: str, file: Path, label: str) -> None:
    """Download `url` to `file`; raises `Unusable`. `label` names the progress bar."""
    import requests
    import urllib3

    def stay_on_https(answer: requests.Response, **_: Any) -> None:
        if answer.is_redirect and url.startswith("https://"):
            target = urljoin(answer.url, answer.headers["location"])
            if not target.startswith("https://"):
                raise Unusable(f"redirects to {without_secrets(target)}, which is not https")

    try:
        with requests.get(
            url,
            stream=True,
            timeout=TIMEOUT_SECONDS,
            # Only without compression can the promised length be compared with what arrives.
            headers={"Accept-Encoding": "identity"},
            hooks={"response": stay_on_https},
        ) as answer:
            _require_whole_file(answer)
            _save(answer, file, label)
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise Unusable("no answer in time", retry=True) from None
    except (urllib3.exceptions.LocationValueError, UnicodeError):  # a host that cannot exist
        raise Unusable("not a usable URL") from None
    except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError):
        raise Unusable("the connection broke before the end of the file", retry=True) from None
    except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
        raise Unusable(f"no connection ({_root_cause(error)})", retry=True) from None
    except (requests.RequestException, ValueError) as error:  # such as a redirect to no address
        raise Unusable(f"not a usable URL, or it leads to none ({type(error).__name__})") from None


def _require_whole_file(answer: "requests.Response") -> None:
    """Raise `Unusable` unless the answer promises the whole file, of a plausible size."""
    status = answer.status_code
    if status != HTTP_OK:  # 206, for one, is a part of the file
        retry = status >= 500 or status == HTTP_TOO_MANY_REQUESTS
        raise Unusable(f"HTTP {status} {answer.reason or ''}".rstrip(), retry)
    if (_promised(answer) or 0) > MAX_DOWNLOAD_BYTES:
        raise Unusable(_too_large())


def _save(answer: "requests.Response", file: Path, label: str) -> None:
    """Write what the server sends as it is; raises `Unusable` if it is too much or takes too long.

    An answer that is compressed unasked is not unpacked: either the file itself is meant, or its
    checksum does not match.
    """
    from tqdm import tqdm

    promised, received, began = _promised(answer), 0, time.monotonic()
    # disable=None: no bar in a log file.
    with (
        tqdm(
            total=promised, desc=label, unit="B", unit_scale=True, disable=None, leave=False
        ) as bar,
        file.open("wb") as stream,
    ):
        # read1 waits for no more than the next piece, so that a slow server is noticed.
        while piece := answer.raw.read1(PIECE_BYTES, decode_content=False):
            stream.write(piece)
            received += len(piece)
            bar.update(len(piece))
            if received > MAX_DOWNLOAD_BYTES:
                raise Unusable(_too_large())
            if time.monotonic() - began > MAX_DOWNLOAD_SECONDS:
                raise Unusable(
                    f"{received:,} bytes in {MAX_DOWNLOAD_SECONDS / 3600:.1f} hours, too slow"
                )
    if promised is not None and received < promised:
        raise Unusable("the connection broke before the end of the file", retry=True)


def _promised(answer: "requests.Response") -> int | None:
    """Return how many bytes the server announces, if it does."""
    length = answer.headers.get("Content-Length", "")
    is_chunked = "Transfer-Encoding" in answer.headers
    return int(length) if re.fullmatch("[0-9]{1,18}", length) and not is_chunked else None


def _too_large() -> str:
    return f"more than {MAX_DOWNLOAD_BYTES:,} bytes; download it by hand if it is the right file"


def without_password(place: str) -> str:
    """Return a path or address, with the name and password in an address hidden."""
    return re.sub(r"^([a-z][a-z0-9+.-]*://)[^/?#]*@", r"\1***@", place, flags=re.IGNORECASE)


def without_secrets(place: str) -> str:
    """Return a path or address as messages show it, without passwords and keys."""
    place = without_password(place)
    return shortened(re.sub(r"\?.*", "?***", place) if "://" in place else place)


def _root_cause(error: BaseException) -> str:
    """Return the first cause in a chain of network errors, in the operating system's words."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
