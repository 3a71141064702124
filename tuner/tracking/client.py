"""Opens MLflow quietly, and puts its errors in our terms."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.tracking.faults import Forgotten, Refused, Unreachable
from tuner.tracking.uri import database_path

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A model must not take in what lies in the folder that a command is called in.
    "MLFLOW_UV_AUTO_DETECT": "false",
    # MLflow repeats a request whose answer is lost, and so makes a run twice. The writer repeats
    # it too, and first looks whether the run is there.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""Set before mlflow is imported; what the user has set already stays."""


def connect(uri: str) -> MlflowClient:
    """A client whose store is open; the first time in a process takes seconds.

    Raises:
        MlflowException: the database cannot be opened, or is another version's.
    """
    _quieten()
    from mlflow import MlflowClient

    path = database_path(uri)
    if path is None:
        return MlflowClient(tracking_uri=uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.with_name(path.name + ".lock")):
        # Readers and other sweeps then no longer fail with "database is locked" (mlflow#20014).
        database = sqlite3.connect(path)
        database.execute("PRAGMA journal_mode=WAL")
        database.close()
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return client


@contextmanager
def translated() -> Iterator[None]:
    """Raise what MLflow, its database driver and the network raise as one of the three."""
    _quieten()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise Forgotten(_line(error)) from error
        if error.error_code == "INVALID_PARAMETER_VALUE":
            raise Refused(_line(error)) from error
        raise Unreachable(_line(error)) from error
    except (OSError, SQLAlchemyError, sqlite3.Error, HTTPError) as error:
        raise Unreachable(_line(error)) from error


def _quieten() -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a file lock: two processes that make the same database's tables break each other."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
