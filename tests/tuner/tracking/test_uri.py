"""Tracking addresses: what is wrong with one is said before a sweep starts, and without secrets."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tuner.tracking.uri import (
    check_uri,
    database_path,
    local_artifacts,
    local_uri,
    reachable,
    redact,
)


@pytest.mark.parametrize(
    "uri",
    [
        "http://host", "http://host:5000", "https://host:8443/mlflow", "http://[::1]:5000",
        "http://host:5000/team@home", "sqlite:////data/mlflow.db", "sqlite:///mlflow.db",
        "sqlite:////home/me@work/mlflow.db", "postgresql://host/runs",
        "postgresql+psycopg2://host:5432/runs", "mysql+pymysql://host/runs", "HTTP://host",
    ],
)  # fmt: skip
def test_good_addresses(uri: str) -> None:
    assert check_uri(uri) == []


@pytest.mark.parametrize(
    ("uri", "codes"),
    [
        ("", ["uri-scheme"]),
        ("./mlruns", ["uri-scheme"]),
        ("file:///mlruns", ["uri-scheme"]),
        ("host:5000", ["uri-scheme"]),
        ("databricks", ["uri-scheme"]),
        ("ftp://host/x", ["uri-scheme"]),
        ("javascript:alert(1)", ["uri-scheme"]),
        ("http:host", ["uri-scheme"]),
        ("sqlite://", ["uri-path"]),
        ("sqlite:///", ["uri-path"]),
        ("sqlite://mlflow.db", ["uri-path"]),
        ("http://", ["uri-host"]),
        ("http://:5000", ["uri-host"]),
        ("http://host:0", ["uri-host"]),
        ("http://host:65536", ["uri-host"]),
        ("http://host:port", ["uri-host"]),
        ("http://[::1", ["uri-host"]),
        ("http://me:hunter2@host", ["uri-secret"]),
        ("postgresql://me@host/runs", ["uri-secret"]),
        ("http://host/?access_token=hunter2", ["uri-secret"]),
        ("postgresql://host/runs?user=me&password=hunter2", ["uri-secret"]),
        ("ftp://me:hunter2@host", ["uri-scheme", "uri-secret"]),
        ("http://me:hunter2@", ["uri-host", "uri-secret"]),
    ],
)
def test_every_mistake_is_named_without_the_secret(uri: str, codes: list[str]) -> None:
    mistakes = check_uri(uri)
    assert [mistake.code for mistake in mistakes] == [f"tracking/{code}" for code in codes]
    assert all(mistake.where == "tracking/uri" for mistake in mistakes)
    assert "hunter2" not in "".join(map(str, mistakes))


@pytest.mark.parametrize("password", ["hunter2", "hunt@er2", "hunter2:x", "hun'ter2", "hun/ter2"])
def test_no_password_of_an_address_is_ever_told(password: str) -> None:
    """Some of them are not allowed inside an address, but typed all the same."""
    uri = f"postgresql+psycopg2://me:{password}@host:5432/runs"
    mistakes = check_uri(uri)
    assert mistakes and "ter2" not in "".join(map(str, mistakes))
    assert "ter2" not in redact(f"cannot reach '{uri}' now")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("http://host:5000/x", "http://host:5000/x"),
        (
            "see http://me:pw@host and https://you@there",
            "see http://***@host and https://***@there",
        ),
        ("http://h?MLFLOW_TRACKING_TOKEN=abc&x=1", "http://h?MLFLOW_TRACKING_TOKEN=***&x=1"),
        ("password=abc pwd=def Secret=ghi", "password=*** pwd=*** Secret=***"),
        ("mail me@host", "mail me@host"),
        ("'http://me:pw@host'", "'http://***@host'"),
    ],
)
def test_redaction(text: str, redacted: str) -> None:
    assert redact(text) == redacted == redact(redacted)


def test_local_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    uri = local_uri(Path("a home"))
    assert check_uri(uri) == []
    assert database_path(uri) == tmp_path / "a home" / "mlflow.db"
    assert local_artifacts(Path("a home")) == f"file://{tmp_path}/a%20home/artifacts"
    assert database_path("http://host") is None
    assert database_path("sqlite:////a/b.db?timeout=9") == Path("/a/b.db")


@contextmanager
def website(status: int, body: bytes) -> Iterator[str]:
    """A web server that gives the same answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        (200, b"3.17.2", None),
        (200, b"3.18.0.dev0\n", None),
        (200, b"<html>It works!", "it is not an MLflow server"),
        (200, b"OK", "it is not an MLflow server"),
        (200, b"", "it is not an MLflow server"),
        (200, b"\xff\xfe", "it is not an MLflow server"),
        (401, b"who are you?", None),
        (403, b"no", None),
        (404, b"3.17.2", "it answers with HTTP 404"),
        (500, b"3.17.2", "it answers with HTTP 500"),
    ],
)
def test_a_server_says_that_it_is_mlflow(status: int, body: bytes, trouble: str | None) -> None:
    with website(status, body) as uri:
        mistake = reachable(uri)
    if trouble is None:
        assert mistake is None
    else:
        assert mistake is not None and mistake.code == "tracking/unreachable"
        assert mistake.got == f"{uri}: {trouble}" and "--offline" in mistake.fix


@pytest.mark.parametrize("scheme", ["http", "https", "postgresql", "mysql+pymysql"])
def test_a_closed_port_is_unreachable(scheme: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    mistake = reachable(f"{scheme}://127.0.0.1:{port}/?token=hunter2")
    assert mistake is not None and mistake.code == "tracking/unreachable"
    assert "refused" in mistake.got and "hunter2" not in mistake.got


def test_a_server_that_stays_silent_is_unreachable() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        mistake = reachable(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.1)
    assert mistake is not None and re.search("no answer in 0.1 s|timed out", mistake.got)


def test_a_server_of_another_protocol_is_named_as_such() -> None:
    """Such as SSH, and without a traceback of a thread."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
            connection.close()

        thread = threading.Thread(target=greet)
        thread.start()
        mistake = reachable(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=1)
        thread.join()
    assert mistake is not None and "no answer in" not in mistake.got


def folder(path: Path) -> None:
    path.mkdir()


def absent(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    ("make", "trouble"), [(folder, "it is not a file"), (absent, None), (Path.touch, None)]
)
def test_a_database_must_be_a_file(
    tmp_path: Path, make: Callable[[Path], None], trouble: str | None
) -> None:
    path = tmp_path / "mlflow.db"
    make(path)
    mistake = reachable(f"sqlite:///{path}")
    assert (mistake and mistake.got) == (trouble and f"sqlite:///{path}: {trouble}")
