"""A bundle in MLflow's registry: a model from code, with its lineage, that answers raw rows."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made
import pytest
import sweeps
import yaml
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from tuner.errors import InputError
from tuner.predictor import Predictor
from tuner.sweep import Sweep
from tuner.tracking.client import connect
from tuner.tracking.uri import local_uri


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep's folder, with its best model in `model` and in the registry."""
    folder = tmp_path_factory.mktemp("registry")
    sweep = sweeps.swept(folder, made.sequences_csv)
    sweep.export(folder / "model")
    said = sweep.register(folder / "model", "drift")
    assert "drift version 1 is now @best" in said
    return folder


@pytest.fixture(scope="module")
def client(place: Path) -> MlflowClient:
    return connect(local_uri(place / "sweeps"))


@pytest.fixture(scope="module")
def version(client: MlflowClient) -> ModelVersion:
    return client.get_model_version_by_alias("drift", "best")


@pytest.fixture(scope="module")
def folder(version: ModelVersion) -> Path:
    """The model's artifacts."""
    return Path(version.source.removeprefix("file://"))


def test_the_version_leads_to_the_trials_run_and_its_data(
    place: Path, client: MlflowClient, version: ModelVersion
) -> None:
    sweep = Sweep.open("small", home=place / "sweeps")
    best = sweep.leaderboard().best
    assert best is not None
    run = client.get_run(version.run_id)
    assert run.info.run_name == f"trial-{best.number:04d}"
    assert version.tags == {"sweep": "small", "trial": str(best.number), "task": "classification"}
    card = (place / "model" / "card.md").read_text()
    assert version.description[:4000] == card[:4000] and len(version.description) <= 5000
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "rows.csv"
    (output,) = run.outputs.model_outputs
    logged = client.get_logged_model(output.model_id)
    assert str(logged.status) == "READY" and logged.source_run_id == version.run_id
    measured = {metric.key: (metric.value, metric.dataset_name) for metric in logged.metrics}
    assert measured["exported/accuracy"] == (best.value, "rows.csv")


def test_a_script_and_nothing_pickled_is_stored(folder: Path) -> None:
    about = yaml.safe_load((folder / "MLmodel").read_text())
    flavour = about["flavors"]["python_function"]
    assert flavour["loader_module"] == "mlflow.pyfunc.loaders.code_model"
    assert "python_model" not in flavour and flavour["model_code_path"].endswith("served.py")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if path.read_bytes().startswith(b"\x80")]
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".pyc", ".joblib")]
    required = (folder / "requirements.txt").read_text().split()
    names = {line.partition("==")[0] for line in required}
    assert names == {"mlflow", "numpy", "onnxruntime", "pandas", "pyarrow", "pydantic"}


def test_the_schema_is_that_of_a_training_file(folder: Path) -> None:
    signature = yaml.safe_load((folder / "MLmodel").read_text())["signature"]
    takes = {column["name"]: column["type"] for column in json.loads(signature["inputs"])}
    assert takes == {"id": "string", "step": "double", "x": "double", "y": "double"}
    gives = {column["name"]: column["type"] for column in json.loads(signature["outputs"])}
    assert gives["label"] == "string" and gives["probability a"] == "double"


def test_the_next_version_takes_the_alias(place: Path, client: MlflowClient) -> None:
    sweep = Sweep.open("small", home=place / "sweeps")
    assert "drift version 2 is now @next" in sweep.register(place / "model", "drift", "next")
    assert client.get_model_version_by_alias("drift", "best").version in (1, "1")


@pytest.mark.parametrize(
    ("model", "alias", "codes"),
    [
        ("../drift", "best", ["register/name"]),
        ("drift", "latest", ["register/alias"]),
        ("a/b", "v7", ["register/name", "register/alias"]),
    ],
)
def test_names_are_refused_before_anything_is_made(
    place: Path, tmp_path: Path, model: str, alias: str, codes: list[str]
) -> None:
    sweep = Sweep.open("small", home=place / "sweeps")
    with pytest.raises(InputError) as raised:
        sweep.register(tmp_path / "none", model, alias)
    assert [mistake.code for mistake in raised.value.mistakes] == codes


def test_a_run_that_was_never_delivered_is_asked_for(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place, tmp_path / "copy")
    (tmp_path / "copy" / "sweeps" / "small" / "outbox" / "runs.jsonl").unlink()
    sweep = Sweep.open("small", home=tmp_path / "copy" / "sweeps")
    with pytest.raises(InputError, match=r"tuner sync small.*register/no-run"):
        sweep.register(tmp_path / "copy" / "model", "drift")


@pytest.fixture(scope="module")
def server(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `mlflow models serve`, which must not fall back on a package of ours."""
    poison = tmp_path_factory.mktemp("poison")
    (poison / "tuner.py").write_text("raise SystemExit('not the copy in the model')")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": local_uri(place / "sweeps"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONPATH": str(poison),
        # MLflow calls uvicorn by its name.
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    line = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/drift@best"]
    line += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    log = poison / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            line, env=environment, cwd=poison, stdout=file, stderr=file, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            try:
                urllib.request.urlopen(f"{address}/ping", timeout=5).close()
                break
            except OSError:
                time.sleep(0.3)
        yield address
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def ask(address: str, body: str, kind: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"{address}/invocations", body.encode(), {"Content-Type": kind}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def test_the_server_answers_raw_rows_as_predict_does(place: Path, server: str) -> None:
    raw = (place / "rows.csv").read_text()
    columns = Predictor.open(place / "model").read([place / "rows.csv"]).columns
    expected = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    status, said = ask(server, raw, "text/csv")
    assert status == 200 and said["predictions"] == expected

    rows = list(csv.DictReader(io.StringIO(raw)))
    kinds = {"id": str, "step": int, "x": float, "y": float}
    records = [{name: kind(row[name]) for name, kind in kinds.items()} for row in rows]
    status, said = ask(server, json.dumps({"dataframe_records": records}), "application/json")
    assert status == 200 and said["predictions"] == expected

    # One sequence by itself, column by column.
    first = [record for record in records if record["id"] == records[0]["id"]]
    alone = {"x": [r["x"] for r in first], "y": [r["y"] for r in first]}
    status, said = ask(server, json.dumps({"inputs": alone}), "application/json")
    assert status == 200
    (only,) = said["predictions"]
    assert only["label"] == expected[0]["label"]
    assert only["probability a"] == pytest.approx(expected[0]["probability a"], abs=1e-6)

    status, said = ask(server, "id,step,x\na,0,1\n", "text/csv")
    assert status == 400 and "data/absent-column" in said["message"]
    assert "no column 'y'" in said["message"]
    status, said = ask(server, "id,step,x,y\na,0,1,\n", "text/csv")
    assert status == 400 and "data/all-missing" in said["message"]
