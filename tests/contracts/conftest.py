"""A trained and exported model of every task, made once for all contracts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bundles
import made
import pytest

from tuner.export.bundle import Bundle
from tuner.training.fit import Fit

SETTINGS: dict[str, dict[str, Any]] = {
    "ctc": {"data/subsampling": 4, "model/directions": 2},
    "classification": {"model/directions": 2, "model/pooling": "attention"},
    "tagging": {"model/crf": True, "data/characters": 3},
    "language_modelling": {"data/window": 24, "model/tied": True, "model/initial_state": "learned"},
    "forecasting": {"data/normalization": "last"},
    "fused": {"model/fusion": "gated", "model/initial_state": "conditioned"},
    "seq2seq": {"model/directions": 2, "model/cell": "gru"},
    "synthesis": {"model/frames_per_step": 3, "model/directions": 2, "model/cell": "gru"},
    "recommendation": {"model/tied": True, "data/history": 6},
}


@pytest.fixture(scope="session", params=list(made.TASKS))
def task_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def folder(task_name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its raw file is `rows.*`, its bundle `model`."""
    return tmp_path_factory.mktemp(task_name)


@pytest.fixture(scope="session")
def fit(task_name: str, folder: Path) -> Fit:
    return bundles.trained(task_name, folder, **SETTINGS.get(task_name, {}))


@pytest.fixture(scope="session")
def bundle(task_name: str, folder: Path, fit: Fit) -> Bundle:
    formats = [] if fit.task.reads_targets else ["int8"]
    return bundles.exported(task_name, folder, fit, formats)
