"""MLflow's model registry: bundles as models from code, with their lineage."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tuner.errors import CommandError, Mistake
from tuner.tracking.client import connect, translated
from tuner.tracking.delivery import dataset_input
from tuner.tracking.faults import Refused, Unreachable
from tuner.tracking.records import Dataset
from tuner.tracking.run_ids import RunIds
from tuner.tracking.tracker import OUTBOX
from tuner.tracking.uri import redact

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

SCRIPT = Path(__file__).with_name("served.py")
REQUIREMENTS = ("numpy", "onnxruntime", "pandas", "pyarrow", "pydantic")
"""All that a served model needs besides MLflow and its own copy of this package."""

_MAX_DESCRIPTION = 5000
"""Of a version, in characters, as MLflow's databases hold it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ALIAS = re.compile(r"(?!(?:latest|v\d+)$)[a-z0-9][a-z0-9_-]{0,127}", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the registry is told of a bundle."""

    name: str
    """Of the registered model, whose next version it becomes."""
    alias: str
    """Points to that version from now on."""
    bundle: Path
    description: str
    """In markdown."""
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    run_id: str
    """The trial's run."""
    data: Dataset
    """What it was trained on."""
    takes: Mapping[str, str]
    """Column of a request → MLflow's type."""
    gives: Mapping[str, str]
    example: Mapping[str, Sequence[Any]]
    """Columns of a request that the model answers."""


def check_names(name: str, alias: str) -> list[Mistake]:
    """What is wrong with the names of a model and its alias."""
    mistakes = []
    if not _NAME.fullmatch(name):
        rule = "--register must be a name of letters, digits, `.`, `_` and `-`"
        mistakes.append(_mistake("name", rule, repr(name), "Take another name."))
    if not _ALIAS.fullmatch(alias):
        rule = "--alias must be letters, digits, `_` and `-`, and neither `latest` nor `v` and "
        rule += "a number, which MLflow keeps for itself"
        mistakes.append(_mistake("alias", rule, repr(alias), "Take another, such as `best`."))
    return mistakes


def run_id(folder: Path, uri: str, key: str) -> str:
    """MLflow's id of a run that a sweep has delivered.

    Raises:
        CommandError: `register/no-run`, it was not delivered there.
    """
    found = RunIds(folder / OUTBOX, redact(uri)).get(key)
    if found is None:
        rule = "a model is registered with the run that trained it"
        got = f"no run of {key} at {redact(uri)}"
        raise CommandError(_mistake("no-run", rule, got, f"Run `tuner sync {folder.name}` first."))
    return found


def put(uri: str, entry: Entry) -> str:
    """Makes the next version of a registered model; gives its number.

    Raises:
        CommandError: `register/refused`, by the server; `register/unreachable`.
    """
    try:
        with translated():
            client = connect(uri)
            return _put(client, entry)
    except Refused as refused:
        fix = "Take another name, or ask who runs the server."
        raise CommandError(
            _mistake("refused", "MLflow must take the model", str(refused), fix)
        ) from refused
    except Unreachable as gone:
        rule, fix = "the tracking server must take the model", "Export again when it answers."
        raise CommandError(_mistake("unreachable", rule, redact(str(gone)), fix)) from gone


def _put(client: MlflowClient, entry: Entry) -> str:
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.exceptions import MlflowException

    run = client.get_run(entry.run_id)
    logged = client.create_logged_model(
        experiment_id=run.info.experiment_id,
        name=entry.name,
        source_run_id=entry.run_id,
        tags=dict(entry.tags),
        params=dict(run.data.params),
    )
    try:
        with TemporaryDirectory(prefix="register-") as name:
            folder = Path(name) / "model"
            _save(folder, logged.artifact_location, logged.model_id, entry)
            client.log_model_artifacts(logged.model_id, str(folder))
    except BaseException:
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.FAILED)
        raise
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_inputs(entry.run_id, datasets=[dataset_input(entry.data)])
    client.log_outputs(entry.run_id, [LoggedModelOutput(logged.model_id, step=0)])
    for metric, value in entry.metrics.items():
        client.log_metric(
            entry.run_id,
            metric,
            value,
            dataset_name=entry.data.name,
            dataset_digest=entry.data.digest,
            model_id=logged.model_id,
        )
    try:
        client.create_registered_model(entry.name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = client.create_model_version(
        entry.name,
        # Not `models:/`: MLflow would look it up at its global address.
        source=logged.artifact_location,
        run_id=entry.run_id,
        tags=dict(entry.tags),
        description=_shortened(entry.description),
        model_id=logged.model_id,
    )
    client.set_registered_model_alias(entry.name, entry.alias, version.version)
    return str(version.version)


def _save(folder: Path, location: str, model_id: str, entry: Entry) -> None:
    """Writes the model as MLflow loads it: the script, the bundle and this package."""
    import pandas as pd

    # MLflow warns of its own types at import, and of columns of whole numbers.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.models import Model
        from mlflow.pyfunc import save_model

        save_model(
            str(folder),
            python_model=str(SCRIPT),
            artifacts={"bundle": str(entry.bundle)},
            code_paths=[str(SCRIPT.parents[1]), str(SCRIPT.parents[2] / "cluster")],
            pip_requirements=list(_pinned()),
            signature=_signature(entry),
            input_example=pd.DataFrame(entry.example),
            mlflow_model=Model(
                artifact_path=location, run_id=entry.run_id, model_uuid=model_id, model_id=model_id
            ),
        )


def _signature(entry: Entry) -> ModelSignature:
    """Every input is optional, so that the reader tells what is missing, as for a file."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    return ModelSignature(
        Schema([ColSpec(kind, name, required=False) for name, kind in entry.takes.items()]),
        Schema([ColSpec(kind, name) for name, kind in entry.gives.items()]),
    )


def _pinned() -> Sequence[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in REQUIREMENTS]


def _shortened(text: str) -> str:
    most = _MAX_DESCRIPTION
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _mistake(code: str, rule: str, got: str, fix: str) -> Mistake:
    where = "the registry"
    return Mistake(code=f"register/{code}", rule=rule, where=where, got=got, fix=fix)
