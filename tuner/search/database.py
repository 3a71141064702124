"""A study in the team's PostgreSQL: where it is, what it is called there, and whether it answers.

User name and password come as `psql` takes them, from PGUSER, PGPASSWORD or ~/.pgpass.
"""

from __future__ import annotations

import importlib.util
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tuner.errors import Mistake, StudyUnreachable
from tuner.files import write_text
from tuner.tracking.uri import check_uri, redact

_FILE = "study.json"
_SECONDS = 10
_WHERE = "search/storage"


@dataclass(frozen=True, kw_only=True)
class Database:
    """One study among many: no secrets, to be kept in the sweep's folder."""

    url: str
    name: str
    """Of the study: the sweep's, and a number that no other sweep of this name has."""

    @property
    def driver_url(self) -> str:
        """The address with the driver that we ask for."""
        return re.sub(r"^postgresql(\+psycopg)?://", "postgresql+psycopg://", self.url)


def of(folder: Path, url: str | None) -> Database | None:
    """The study of a sweep's folder, named when it is first opened; None if it is a file there."""
    if (known := in_folder(folder)) is not None or url is None:
        return known
    made = Database(url=url, name=f"{folder.name}-{secrets.token_hex(4)}")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _FILE, json.dumps(asdict(made)))
    return made


def in_folder(folder: Path) -> Database | None:
    """The study that a sweep's folder points to; None if it points nowhere."""
    path = folder / _FILE
    return Database(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


@contextmanager
def answering() -> Iterator[None]:
    """What is asked of the database in here.

    Raises:
        StudyUnreachable: it does not answer.
    """
    from sqlalchemy.exc import InterfaceError, OperationalError

    try:
        yield
    except (InterfaceError, OperationalError) as error:
        lines = redact(str(error.orig)).strip().splitlines()
        raise StudyUnreachable(
            f"the study's database does not answer: {lines[0] if lines else 'no reason given'}; "
            "`tuner resume` goes on when it does"
        ) from error


def check_address(url: str) -> list[Mistake]:
    """Everything wrong with a study's address, short of asking it."""
    if not re.match(r"postgresql(\+psycopg)?://", url):
        return [
            Mistake(
                code="search/storage-scheme",
                rule="a study's address must start with `postgresql://`",
                where=_WHERE,
                got=redact(url),
                fix="Leave it out to keep the study in the sweep's folder.",
            )
        ]
    return [replace(mistake, where=_WHERE) for mistake in check_uri(url)]


def trouble(url: str) -> Mistake | None:
    """What keeps a study from being kept there; asks the database."""
    if importlib.util.find_spec("psycopg") is None:
        return Mistake(
            code="search/storage-extra",
            rule="a study in PostgreSQL must have its driver",
            where=_WHERE,
            got="no psycopg in this environment",
            fix="Run `pip install 'rnn-tuner[postgresql]'`.",
        )
    import psycopg

    try:
        address = url.replace("postgresql+psycopg:", "postgresql:", 1)
        psycopg.connect(address, connect_timeout=_SECONDS).close()
    except psycopg.Error as error:
        lines = str(error).strip().splitlines()
        return Mistake(
            code="search/storage-unreachable",
            rule="the study's database must answer",
            where=_WHERE,
            got=redact(f"{url}: {lines[0] if lines else type(error).__name__}"),
            fix="Start it, mend the address, or give PGUSER and PGPASSWORD.",
        )
    return None
