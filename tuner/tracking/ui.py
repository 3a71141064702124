"""MLflow's own UI over the runs that a machine keeps for itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from tuner.tracking.client import ENVIRONMENT
from tuner.tracking.uri import local_artifacts, local_uri

HOST = "127.0.0.1"

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": ENVIRONMENT["MLFLOW_DISABLE_TELEMETRY"],
    # Jobs run code on request and are for evaluation of language models.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    # What opens the server to other machines must not come in by the environment.
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",
}
_UNSET = (
    "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS",
    # Options of other servers, under which MLflow checks no Host and no Origin.
    "MLFLOW_GUNICORN_OPTS",
    "MLFLOW_UVICORN_OPTS",
)


def command(home: Path, port: int) -> list[str]:
    """The command line of the UI, for this machine's own browser only.

    No gunicorn and no waitress options: MLflow checks Host and Origin under its default server
    alone. No artifact proxy: it would take uploads.
    """
    hosts = f"{HOST}:{port},localhost:{port}"
    return [
        *(sys.executable, "-m", "mlflow", "ui"),
        *("--backend-store-uri", local_uri(home)),
        *("--default-artifact-root", local_artifacts(home)),
        "--no-serve-artifacts",
        *("--host", HOST),
        *("--port", str(port)),
        *("--allowed-hosts", hosts),
        *("--workers", "1"),
    ]


def environment() -> dict[str, str]:
    """The environment of the UI's process."""
    kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return {**kept, **_ENVIRONMENT}


def serve(home: Path, port: int) -> NoReturn:
    """Become the UI: this process is replaced, so that signals reach the server itself."""
    line = command(home, port)
    os.execve(line[0], line, environment())
