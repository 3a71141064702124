"""A trained network of any task, exported, answers raw files as it did itself."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner import registry
from tuner.export.bundle import Bundle
from tuner.export.contents import About, TaskUsed
from tuner.export.model import signature_of
from tuner.export.write import write
from tuner.predict import predict
from tuner.tasks._base import Batch, Outputs
from tuner.training.fit import Fit
from tuner.training.rank import Rank

SETTINGS: dict[str, dict[str, Any]] = {
    "classification": {"model/directions": 2, "model/pooling": "attention"},
    "tagging": {"model/crf": True, "data/characters": 3},
    "language_modelling": {"data/window": 24, "model/tied": True, "model/initial_state": "learned"},
    "forecasting": {"data/normalization": "last"},
}


@pytest.fixture(scope="module", params=registry.names("tasks"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(name)


@pytest.fixture(scope="module")
def fit(name: str, folder: Path) -> Fit:
    data = made.of_task(name, folder)
    values = {"model/hidden_size": 12, "training/epochs": 2, "optimizer/lr": 0.02}
    rank = Rank("cpu", 1)
    job = made.job_of(name, data, folder / "trial", values | SETTINGS.get(name, {}))
    rank.start(job)
    while not rank.epoch().ended:
        pass
    assert rank._trial is not None
    (found,) = rank._trial.fits
    found.module.eval()
    return found


@pytest.fixture(scope="module")
def bundle(name: str, folder: Path, fit: Fit) -> Bundle:
    task, store = fit.task, fit.store
    batch = task.batch(store, task.rows(store, "validation", None))
    preprocessing = {
        "layout": store.card.layout.to_json(),
        "facts": task.facts.to_json(),
        "inputs": fit.config.data.model_dump(),
    }
    x = torch.from_numpy(batch.inputs)
    about = About(
        name=name,
        trial=0,
        task=TaskUsed(
            name=name, options={k: v for k, v in made.TASKS[name].items() if k != "name"}
        ),
        parameters={},
        signature=signature_of(fit.module, x, task.shape),
        preprocessing=json.loads(json.dumps(preprocessing)),
        scores=(),
    )
    return write(folder / "model", fit.module, about, [(x, torch.from_numpy(batch.lengths))])


def answers(fit: Fit, batch: Batch) -> Outputs:
    with torch.no_grad():
        outputs = fit.module(*(torch.from_numpy(a) for a in (batch.inputs, batch.lengths)))
    if isinstance(outputs, tuple):
        return outputs[0] if fit.task.window else tuple(part.detach() for part in outputs)
    return outputs


def arrays(outputs: Outputs) -> Outputs:
    if isinstance(outputs, tuple):
        return tuple(part.numpy() for part in outputs)
    return outputs.numpy()


def test_raw_files_get_what_the_network_says_of_their_rows(
    bundle: Bundle, folder: Path, fit: Fit
) -> None:
    (raw,) = folder.glob("rows.*")
    found = predict(bundle.folder, [raw], folder / "answers.csv")
    task, store = fit.task, fit.store
    rows = task.prediction_rows(store)
    batch = task.batch(store, rows)
    outputs = answers(fit, batch)
    if task.is_labelled(store):
        sums = task.statistics(outputs, batch.to_torch("cpu")).tolist()
        assert found == pytest.approx(task.metrics(sums), rel=1e-5, abs=1e-6)
        assert found
    columns = task.decode(store, rows, arrays(outputs), batch)
    with (folder / "answers.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(columns["id"]) > 0
    for column, values in columns.items():
        said = [line[column] for line in lines]
        if isinstance(values[0], float):
            np.testing.assert_allclose([float(v) for v in said], values, rtol=1e-4, atol=1e-5)
        else:
            assert said == [str(value) for value in values], column


def test_a_stream_is_scored_through_its_states_as_by_the_network(bundle: Bundle, fit: Fit) -> None:
    task, store = fit.task, fit.store
    if not task.window:
        assert not bundle.contents.about.signature.states
        return
    num = task.num_streams(store, "validation")
    states, sums = bundle.start(num), []
    for rows in task.streams(store, "validation", None, num):
        batch = task.batch(store, rows)
        outputs, states = bundle.carry(batch.inputs, batch.lengths, states)
        sums.append(task.statistics(torch.from_numpy(outputs), batch.to_torch("cpu")))
    expected = fit.evaluate(fit.validation)
    found = task.metrics(torch.stack(sums).sum(0).tolist())
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)
