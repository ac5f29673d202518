"""A server that speaks https, with a certificate of its own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_download import Server


@contextmanager
def https_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server; what the test starts trusts its certificate, which is written to `folder`."""
    certificate = folder / "localhost.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(certificate), "-out", str(folder / "public.pem")]
    subprocess.run(command, check=True, capture_output=True)
    with certificate.open("a") as file:
        file.write((folder / "public.pem").read_text())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder / "public.pem"))
    server = Server(certificate)
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
