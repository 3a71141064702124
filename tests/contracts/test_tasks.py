"""What every task promises: sums that add up anywhere, and targets that no search moves."""

from __future__ import annotations

import math
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner import registry
from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.refused_values import ValuesRefused
from tuner.tasks._base import Batch, Outputs, Task


@pytest.fixture(scope="module", params=list(made.TASKS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def store(name: str, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(made.of_task(name, tmp_path_factory.mktemp(name)))


def task_of(name: str, store: Store, **values: Any) -> Task:
    options = (
        registry.get("tasks", made.TASKS[name]["name"]).Config(**made.TASKS[name]).model_dump()
    )
    return make_task(options, TrialConfig.from_values(values, options), store.card, None)


@pytest.fixture(scope="module")
def task(name: str, store: Store) -> Task:
    return task_of(name, store)


def outputs_of(task: Task, num: int, steps: int = 64) -> torch.Tensor:
    """Made outputs of rows in training; where steps have outputs, of as many as a row may have."""
    shape = [num, *([steps] if task.per_step or task.reads_targets else []), task.num_outputs]
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def heard(task: Task, outputs: torch.Tensor, batch: Batch, seed: int = 1) -> Outputs:
    """What a loss reads where it would read these outputs: of a text that is decoded, those of its
    tokens; of what follows, the factors of scores at every step, whose vectors begin with the
    outputs."""
    if task.shape.decodes:
        return cut(task, outputs, batch)[batch.targets > 0]
    if not task.shape.following:
        return cut(task, outputs, batch)
    chance = torch.Generator().manual_seed(seed)
    num_steps = batch.inputs.shape[1]
    h_BTJ = outputs[:, None, :5] + torch.arange(num_steps)[:, None]
    items_OJ = torch.randn(task.num_outputs, 5, generator=chance)
    return h_BTJ, items_OJ, torch.randn(task.num_outputs, generator=chance)


def cut(task: Task, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Those of the steps that a batch, or its targets, have."""
    if task.reads_targets:
        return outputs[:, : batch.targets.shape[1]]
    return outputs[:, : batch.inputs.shape[1]] if task.per_step else outputs


def scored(task: Task, outputs: torch.Tensor, batch: Batch) -> Outputs:
    """The same as a model that is scored gives them: of one that says texts or frames, what it
    says."""
    if not task.reads_targets:
        return cut(task, outputs, batch)
    if task.most_frames:
        return cut(task, outputs, batch), outputs[:, :4, :-1], torch.full((len(outputs),), 4)
    return -cut(task, outputs, batch)[..., 0].abs(), outputs[:, :4, 3:].argmax(dim=-1) + 3


def num_outputs(task: Task, store: Store, rows: np.ndarray) -> int:
    """Model rows that some rows make: more where channels are read one by one."""
    return len(task.batch(store, rows).inputs)


def test_statistics_add_up_over_any_batches(task: Task, store: Store) -> None:
    rows = task.rows(store, "validation", None)[:20]
    outputs = outputs_of(task, num_outputs(task, store, rows))
    each = len(outputs) // len(rows)

    def sums(begin: int, end: int) -> torch.Tensor:
        batch = task.batch(store, rows[begin:end]).to_torch("cpu")
        return task.statistics(scored(task, outputs[begin * each : end * each], batch), batch)

    whole = sums(0, len(rows))
    parts = [sums(*part) for part in ((0, 1), (1, 7), (7, len(rows)))]
    assert whole.dtype == torch.float64
    torch.testing.assert_close(torch.stack(parts).sum(0), whole, rtol=1e-6, atol=1e-9)


def test_the_loss_is_a_sum_over_what_is_counted(task: Task, store: Store) -> None:
    rows = task.rows(store, "train", None)[:12]
    outputs = outputs_of(task, num_outputs(task, store, rows))
    batch = task.batch(store, rows).to_torch("cpu")
    assert task.count(store, rows) == int(batch.weights.sum())
    each = len(outputs) // len(rows)
    losses = []
    for i in range(len(rows)):
        alone = task.batch(store, rows[[i]]).to_torch("cpu")
        losses.append(task.loss(heard(task, outputs[i * each : (i + 1) * each], alone), alone))
    together = task.loss(heard(task, outputs, batch), batch)
    torch.testing.assert_close(torch.stack(losses).sum(), together, rtol=1e-5, atol=1e-5)


def test_an_idle_row_adds_nothing(task: Task, store: Store) -> None:
    rows = task.rows(store, "train", None)[:1]
    batch = task.batch(store, rows).idle().to_torch("cpu")
    outputs = cut(task, outputs_of(task, len(batch.inputs)), batch).requires_grad_()
    loss = task.loss(heard(task, outputs, batch), batch)
    (gradient,) = torch.autograd.grad(loss, outputs)
    assert loss.item() == 0 and not gradient.any()


def test_metrics_are_those_declared_and_nan_for_what_is_not_finite(
    name: str, task: Task, store: Store
) -> None:
    declared = registry.get("tasks", made.TASKS[name]["name"]).METRICS
    assert set(declared.values()) <= {"minimize", "maximize"} and declared
    rows = task.rows(store, "validation", None)[:5]
    batch = task.batch(store, rows).to_torch("cpu")
    outputs = outputs_of(task, len(batch.inputs))
    found = task.metrics(task.statistics(scored(task, outputs, batch), batch).tolist())
    assert found.keys() == declared.keys() and all(map(math.isfinite, found.values()))
    outputs[-1, 0] = float("inf")
    broken = task.metrics(task.statistics(scored(task, outputs, batch), batch).tolist())
    assert broken.keys() == declared.keys() and not any(map(math.isfinite, broken.values()))


def test_baselines_score_every_metric_on_every_split(name: str, task: Task, store: Store) -> None:
    for split in ("validation", "test"):
        found = task.baselines(store, split, None)  # type: ignore[arg-type]
        assert found
        for scores in found.values():
            assert scores.keys() == registry.get("tasks", made.TASKS[name]["name"]).METRICS.keys()
            assert all(map(math.isfinite, scores.values()))


COMPANIONS = {"data/channel_embedding": {"data/channels": "shared"}}
"""Without which a setting is refused."""


def choices(name: str) -> list[dict[str, Any]]:
    """Every choice of every input setting, one at a time."""
    found = []
    for field, info in registry.get(
        "tasks", made.TASKS[name]["name"]
    ).InputConfig.model_fields.items():
        options = getattr(info.annotation, "__args__", None) or [info.default + 7]
        if info.annotation is bool:
            options = [not info.default]
        path = f"data/{field}"
        found += [{path: option, **COMPANIONS.get(path, {})} for option in options]
    return found


def test_no_input_setting_moves_what_is_scored(name: str, task: Task, store: Store) -> None:
    for values in choices(name):
        try:
            other = task_of(name, store, **values)
        except ValuesRefused:
            # What does not suit the task cannot move anything.
            continue
        for split in ("validation", "test"):
            rows = task.rows(store, split, None)  # type: ignore[arg-type]
            theirs = other.rows(store, split, None)  # type: ignore[arg-type]
            # A longer window cuts the same stream into fewer rows.
            assert task.window or theirs.tolist() == rows.tolist(), values
            assert other.count(store, theirs) == task.count(store, rows), values
            assert other.baselines(store, split, None) == task.baselines(store, split, None)  # type: ignore[arg-type]
            few = slice(None) if task.window else slice(4)
            scored = [task.batch(store, rows[few]), other.batch(store, theirs[few])]
            targets = [np.sort(b.targets[b.weights > 0], axis=None) for b in scored]
            np.testing.assert_allclose(targets[0], targets[1], rtol=1e-6)


def test_predictions_come_in_columns_of_one_length(task: Task, store: Store) -> None:
    rows = task.prediction_rows(store)[:3]
    batch = task.batch(store, rows)
    outputs = scored(task, outputs_of(task, len(batch.inputs)), batch)
    several = isinstance(outputs, tuple)
    arrays = tuple(part.numpy() for part in outputs) if several else outputs.numpy()
    columns = task.decode(store, rows, arrays, batch)
    assert columns["id"] and len({len(column) for column in columns.values()}) == 1


def test_padding_is_never_seen(task: Task, store: Store) -> None:
    rows = task.rows(store, "train", None)[:12]
    together = task.batch(store, rows)
    each = len(together.inputs) // len(rows)
    for place, row in enumerate(rows):
        alone = task.batch(store, np.array([row]))
        length = int(alone.lengths[0])
        mine = together.inputs[place * each : (place + 1) * each]
        np.testing.assert_array_equal(mine[:, :length], alone.inputs[:, :length])
        assert not mine[:, length:].any()
