"""The UI is for this machine's own browser: only its command line is made, nothing is started."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from tuner.tracking.ui import command, environment
from tuner.tracking.uri import local_artifacts, local_uri

OPENING = {
    "--app-name",
    "--cors-allowed-origins",
    "--disable-security-middleware",
    "--gunicorn-opts",
    "--serve-artifacts",
    "--uvicorn-opts",
    "--waitress-opts",
}
"""Options that let others in, or take the checks of Host and Origin away."""


def mlflow_file(name: str) -> str:
    """A source file of the MLflow that is installed; importing its commands takes seconds."""
    spec = importlib.util.find_spec("mlflow")
    assert spec is not None and spec.origin is not None
    return (Path(spec.origin).parent / name).read_text()


def options(line: list[str]) -> dict[str, str]:
    return {a: b for a, b in zip(line, [*line[1:], ""], strict=True) if a.startswith("--")}


def test_listens_on_loopback_for_its_own_hosts_alone(tmp_path: Path) -> None:
    line = command(tmp_path, 5050)
    assert line[:4] == [sys.executable, "-m", "mlflow", "ui"]
    given = options(line)
    assert given["--host"] == "127.0.0.1" and given["--port"] == "5050"
    assert given["--allowed-hosts"] == "127.0.0.1:5050,localhost:5050"
    assert given["--backend-store-uri"] == local_uri(tmp_path)
    assert given["--default-artifact-root"] == local_artifacts(tmp_path)
    assert "--no-serve-artifacts" in given
    assert "*" not in " ".join(line[4:])


def test_every_option_exists_and_none_opens_the_server(tmp_path: Path) -> None:
    source = mlflow_file("cli/__init__.py") + mlflow_file("utils/cli_args.py")
    known = set(re.findall(r'"(--[a-z-]+)', source)) | set(re.findall(r"/(--[a-z-]+)", source))
    given = set(options(command(tmp_path, 5050)))
    assert given | OPENING <= known
    assert not given & OPENING


def test_the_environment_cannot_open_it_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", "*")
    monkeypatch.setenv("MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", "true")
    monkeypatch.setenv("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    monkeypatch.setenv("PGUSER", "me")
    found = environment()
    assert "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS" not in found
    assert found["MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE"] == "false"
    assert found["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert found["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert found["PGUSER"] == "me", "the rest is handed on"


@pytest.mark.parametrize(
    "name",
    [
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS",
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION",
        "MLFLOW_DISABLE_TELEMETRY",
    ],
)
def test_the_names_are_those_that_mlflow_reads(name: str) -> None:
    assert re.search(rf'{name} = \w+\(\s*"{name}"', mlflow_file("environment_variables.py"))
