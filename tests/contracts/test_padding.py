"""What padding cannot do, whatever the task, cell and pooling: change an output, loss or score."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import made
import pytest
import torch
from torch import Tensor, nn

from tuner import registry
from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.tasks._base import Batch, Outputs, Task
from tuner.training.fit import build_module

SETTINGS = {
    "ctc": {"data/subsampling": 6},
    "control": {"model/directions": 1},
    "fused": {"model/fusion": "early", "model/initial_state": "conditioned"},
    "tagging": {"model/crf": True, "data/characters": 3},
    "language_modelling": {"model/directions": 1, "data/window": 24},
    "seq2seq": {"data/characters": 2},
    "synthesis": {"model/frames_per_step": 3},
    "recommendation": {"model/directions": 1, "model/tied": True},
}
"""What a task's networks have besides."""


@pytest.fixture(scope="module", params=list(made.TASKS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def store(name: str, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(made.of_task(name, tmp_path_factory.mktemp(name)))


def networks(name: str, store: Store, cell: str) -> list[tuple[Task, nn.Module]]:
    """One for each pooling, or one that pools nothing; every weight drawn."""
    torch.manual_seed(0)
    found = []
    for pooling in registry.names("poolings"):
        values = {"model/cell": cell, "model/hidden_size": 6, "model/pooling": pooling}
        values |= {"model/directions": 2, **SETTINGS.get(name, {})}
        config = TrialConfig.from_values(values, made.TASKS[name])
        task = make_task(made.TASKS[name], config, store.card, None)
        module = build_module(config, task).eval()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        found.append((task, module))
        if not task.shape.pooled:
            break
    return found


def run(task: Task, module: nn.Module, batch: Batch) -> Outputs:
    """A stream starts afresh."""
    with torch.no_grad():
        given = [batch.targets] if task.reads_targets else []
        outputs = module(batch.inputs, batch.lengths, *given, **batch.named)
    if isinstance(outputs, tuple):
        return outputs[0] if task.window else tuple(part.detach() for part in outputs)
    return outputs


def loss_of(task: Task, module: nn.Module, outputs: Outputs, batch: Batch) -> Tensor:
    """Of what was answered, or of what is said in training, where that is more."""
    if task.shape.following:
        outputs = module.train()(batch.inputs, batch.lengths)
        module.eval()
    return task.loss(outputs, batch)


def steps_of(outputs: Outputs) -> Tensor:
    y: Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
    return y


def with_garbage(task: Task, batch: Batch) -> Batch:
    """Padding filled with anything that a network takes."""
    x = batch.inputs
    if task.vocabulary:
        most = [task.vocabulary, *[task.characters] * (x.shape[2] - 1)]
        garbage = torch.stack([torch.randint(m, x.shape[:2]) for m in most], dim=2)
    else:
        garbage = 100 * torch.randn_like(x)
    padded_BT = torch.arange(x.shape[1]) >= batch.lengths[:, None]
    return replace(batch, inputs=torch.where(padded_BT[..., None], garbage, x))


def valid(task: Task, outputs: Outputs, batch: Batch) -> list[Tensor]:
    """What counts of each row's outputs."""
    y = steps_of(outputs)
    if task.reads_targets:
        ends = batch.target_lengths.tolist()
        return [logp_U[:length] for logp_U, length in zip(y, ends, strict=True)]
    if not task.per_step:
        return list(y)
    steps_B = task.output_steps(batch.lengths).tolist()
    return [y_TO[:steps] for y_TO, steps in zip(y, steps_B, strict=True)]


@pytest.mark.parametrize("cell", registry.names("cells"))
def test_alone_or_beside_padding_a_row_gives_the_same(name: str, store: Store, cell: str) -> None:
    for task, module in networks(name, store, cell):
        rows = task.rows(store, "train", None)[-12:]
        batch = task.batch(store, rows).to_torch("cpu")
        dirty = with_garbage(task, batch)
        together, beside = (run(task, module, each) for each in (batch, dirty))
        loss = loss_of(task, module, together, batch)
        if not task.shape.following:
            # In training padding is 0.
            torch.testing.assert_close(task.loss(beside, dirty), loss, rtol=1e-5, atol=1e-5)
        alone, losses = [], []
        for row in range(len(rows)):
            one = task.batch(store, rows[[row]]).to_torch("cpu")
            outputs = run(task, module, one)
            alone += valid(task, outputs, one)
            losses.append(loss_of(task, module, outputs, one))
        torch.testing.assert_close(torch.stack(losses).sum(), loss, rtol=1e-5, atol=1e-5)
        kept = [valid(task, outputs, batch) for outputs in (together, beside)]
        for mine, *others in zip(alone, *kept, strict=True):
            for other in others:
                torch.testing.assert_close(other, mine, rtol=1e-5, atol=1e-5)


def test_neither_loss_nor_scores_see_what_is_said_of_padding(name: str, store: Store) -> None:
    task, module = networks(name, store, "gru")[0]
    batch = task.batch(store, task.rows(store, "train", None)[-12:]).to_torch("cpu")
    outputs = run(task, module, batch)
    if not task.per_step:
        assert steps_of(outputs).shape[0] == len(batch.inputs), "nothing is said of padding"
        return
    y_BTO = steps_of(outputs)
    padded_BT = torch.arange(y_BTO.shape[1]) >= task.output_steps(batch.lengths)[:, None]
    assert padded_BT.any()
    y_BTO = torch.where(padded_BT[..., None], 50.0, y_BTO)
    said: Any = (y_BTO, outputs[1]) if isinstance(outputs, tuple) else y_BTO
    torch.testing.assert_close(task.loss(said, batch), task.loss(outputs, batch))
    torch.testing.assert_close(task.statistics(said, batch), task.statistics(outputs, batch))


@pytest.mark.parametrize("cell", registry.names("cells"))
def test_windows_and_their_states_give_what_the_whole_stream_gives(
    name: str, store: Store, cell: str
) -> None:
    ((task, module), *_) = networks(name, store, cell)
    if not task.window:
        pytest.skip("rows stand by themselves")
    streams = task.streams(store, "validation", None, task.num_streams(store, "validation"))
    batches = [task.batch(store, rows).to_torch("cpu") for rows in streams]
    assert len(batches) > 2
    pieces, state = [], None
    with torch.no_grad():
        for batch in batches:
            outputs, state = module(batch.inputs, batch.lengths, state)
            pieces.append((outputs, batch))
        x_BTK = torch.cat([batch.inputs for batch in batches], dim=1)
        whole_BTO, _ = module(x_BTK, torch.stack([b.lengths for b in batches]).sum(0), None)
    begin = 0
    for outputs, batch in pieces:
        counted_BT = batch.weights > 0
        mine_BTO = whole_BTO[:, begin : begin + outputs.shape[1]]
        expected = outputs[counted_BT]
        torch.testing.assert_close(mine_BTO[counted_BT], expected, rtol=1e-5, atol=1e-5)
        begin += outputs.shape[1]
