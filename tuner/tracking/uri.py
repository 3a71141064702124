"""Where runs go: addresses of tracking servers and databases, and whether one answers."""

from __future__ import annotations

import http.client
import os
import re
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from tuner.errors import Mistake

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql")
"""What a tracking address may start with; a driver may follow, as in `postgresql+psycopg2`."""

_PORTS = {"postgresql": 5432, "mysql": 3306}
_USERINFO = re.compile(r"(?<=://)(?:[^\s/@]*:(?!\d+/)\S*|[^\s/'\"]*)@")
"""What stands before a host, a password with slashes and quotes included; but in the address
`http://host:5000/team@home` nothing does."""
_SECRET = re.compile(r"(?i)\b([\w-]*(?:password|passwd|pwd|token|secret)[\w-]*=)[^&\s'\"]+")


def local_uri(home: Path) -> str:
    """The database that a machine keeps for itself under `home`."""
    return f"sqlite:///{home.resolve()}/mlflow.db"


def local_artifacts(home: Path) -> str:
    """Where artifacts of `local_uri(home)` lie."""
    return (home.resolve() / "artifacts").as_uri()


def database_path(uri: str) -> Path | None:
    """The file behind a SQLite address; None for any other."""
    if not uri.startswith("sqlite:"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0])


def redact(text: str) -> str:
    """The same text without user names, passwords and tokens inside addresses."""
    return _SECRET.sub(r"\1***", _USERINFO.sub("***@", text))


def check_uri(uri: str) -> list[Mistake]:
    """Everything wrong with a tracking address, short of asking it."""
    scheme = _scheme(uri)
    mistakes = []
    if scheme not in SCHEMES or "://" not in uri:
        mistakes.append(_bad_scheme(uri, scheme))
    elif scheme == "sqlite":
        path = database_path(uri)
        if not uri.startswith("sqlite:///") or path is None or not path.name:
            mistakes.append(
                Mistake(
                    code="tracking/uri-path",
                    rule="a SQLite address names a file after three slashes",
                    where="tracking/uri",
                    got=redact(uri),
                    fix="Write `sqlite:////absolute/path/mlflow.db`, or `local`.",
                )
            )
    elif not _host(uri):
        mistakes.append(
            Mistake(
                code="tracking/uri-host",
                rule="a tracking address names a host, and a port up to 65535 if any",
                where="tracking/uri",
                got=redact(uri),
                fix="Write `http://host:5000`.",
            )
        )
    if redact(uri) != uri:
        mistakes.append(
            Mistake(
                code="tracking/uri-secret",
                rule="a tracking address carries no user name, password or token",
                where="tracking/uri",
                got=redact(uri),
                fix="Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD for a server, "
                "or PGUSER and PGPASSWORD for PostgreSQL.",
            )
        )
    return mistakes


def reachable(uri: str, timeout: float = 10.0) -> Mistake | None:
    """Ask an address whether it answers within `timeout` seconds; name resolution counts."""
    answers: list[str | None] = []
    # A thread of its own, because no timeout covers a resolver that hangs.
    thread = threading.Thread(target=lambda: answers.append(_ask(uri, timeout)), daemon=True)
    thread.start()
    thread.join(timeout)
    trouble = answers[0] if answers else f"no answer in {timeout:g} s"
    if trouble is None:
        return None
    return Mistake(
        code="tracking/unreachable",
        rule="the tracking server must answer",
        where="tracking/uri",
        got=redact(f"{uri}: {trouble}"),
        fix="Start it, or mend the address; with --offline a sweep trains without it, and "
        "`tuner sync` delivers later.",
    )


def _bad_scheme(uri: str, scheme: str) -> Mistake:
    files = scheme in ("", "file")
    return Mistake(
        code="tracking/uri-scheme",
        rule="a tracking address is `local` or starts with one of "
        + ", ".join(f"`{known}://`" for known in SCHEMES),
        where="tracking/uri",
        got=redact(uri) or "nothing",
        fix="MLflow keeps no runs in plain folders any more: write `local` or "
        "`sqlite:////absolute/path/mlflow.db`."
        if files
        else "Write `local` or `http://host:5000`.",
    )


def _scheme(uri: str) -> str:
    return uri.partition(":")[0].partition("+")[0].lower() if ":" in uri else ""


def _host(uri: str) -> str | None:
    try:
        parts = urllib.parse.urlsplit(uri)
        # Reading the port is what checks it.
        return parts.hostname if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _ask(uri: str, timeout: float) -> str | None:
    """What is wrong, or None."""
    path = database_path(uri)
    try:
        if path is not None:
            return _ask_database(path)
        if _scheme(uri) in _PORTS:
            parts = urllib.parse.urlsplit(uri)
            address = (parts.hostname or "", parts.port or _PORTS[_scheme(uri)])
            socket.create_connection(address, timeout=timeout).close()
            return None
        # The version rather than the health page: any web server may answer 200 to the latter.
        with urllib.request.urlopen(f"{uri.rstrip('/')}/version", timeout=timeout) as answer:
            said = answer.read(64).decode("ascii", "replace").strip()
        return None if re.match(r"\d+\.\d+", said) else "it is not an MLflow server"
    except urllib.error.HTTPError as error:
        # A proxy that asks for credentials is there; the writer carries them.
        return None if error.code in (401, 403) else f"it answers with HTTP {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(error)


def _ask_database(path: Path) -> str | None:
    target = path if path.exists() else next(p for p in path.absolute().parents if p.exists())
    if path.exists() and not path.is_file():
        return "it is not a file"
    return None if os.access(target, os.W_OK) else f"{target} cannot be written"
