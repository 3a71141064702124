"""A trained network of any task, exported, answers raw files as it did itself."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tuner import cli
from tuner.export.bundle import Bundle
from tuner.predict import predict
from tuner.tasks._base import Batch, Outputs
from tuner.training.fit import Fit


def answers(fit: Fit, batch: Batch) -> Outputs:
    given = [batch.inputs, batch.lengths, *([batch.targets] if fit.task.reads_targets else [])]
    with torch.no_grad():
        outputs = fit.module(*map(torch.from_numpy, given), **batch.to_torch("cpu").named)
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
    found = predict(bundle.folder, [str(raw)], str(folder / "answers.csv")).scores
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


def test_the_smaller_graph_answers_if_it_is_asked(bundle: Bundle, folder: Path) -> None:
    (raw,) = folder.glob("rows.*")
    line = ["predict", str(bundle.folder), str(raw)]
    assert cli.main([*line, "--output", str(folder / "exact.csv")]) == 0
    rounded = ["--model-format", "int8", "--output", str(folder / "rounded.csv")]
    if bundle.contents.about.signature.decoder is not None:
        assert cli.main([*line, *rounded]) == 2, "its two graphs have no smaller form"
        return
    assert cli.main([*line, *rounded]) == 0
    exact, near = ((folder / f"{name}.csv").read_text() for name in ("exact", "rounded"))
    assert len(exact.splitlines()) == len(near.splitlines())
    if re.search(r",-?\d+\.\d+", exact.splitlines()[1]):
        assert exact != near, "its numbers are rounded"


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
