"""A file server on this machine that misbehaves on purpose, over http or https."""

import hashlib
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

CONTENT = b"".join(b"%d %d\n" % (user, item) for user in range(1, 900) for item in (1, 2, 3))
"""The log that the server offers."""
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GIT_BLOB = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()

Behaviour = Callable[[Any], None]
"""Answers one request, given its handler."""


class Server:
    """Answers each path by its list of behaviours, in turn; the last one stays."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.behaviours: dict[str, list[Behaviour]] = {}
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                planned = server.behaviours.get(self.path, [status(404)])
                (planned.pop(0) if len(planned) > 1 else planned[0])(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
            self.url = self.url.replace("http://127.0.0.1", "https://localhost")
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Stop answering; whoever asks afterwards finds no connection."""
        self.http.shutdown()
        self.http.server_close()


@contextmanager
def https_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Start a server that speaks https, by a certificate in `folder` that the test trusts."""
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
        server.close()


def send(content: bytes, promised: int | None = None) -> Behaviour:
    """Send `content`, whose length may be announced as another."""

    def behave(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(promised or len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return behave


def status(code: int) -> Behaviour:
    """Answer with an HTTP status and no file."""
    return lambda handler: handler.send_error(code)


def drop(handler: Any) -> None:
    """Close the connection without an answer."""
    handler.connection.close()


def silence(handler: Any) -> None:
    """Say nothing for a second."""
    threading.Event().wait(1.0)


whole = send(CONTENT)
truncated = send(CONTENT[:1000], promised=len(CONTENT))
html = send(b"\n<!DOCTYPE html><html><body>Please log in</body></html>")
