"""Attention as it is shown is the attention by which the model answers."""

from __future__ import annotations

from pathlib import Path

import made
import pytest
import torch

from tuner.models.attention import SelfAttention
from tuner.models.steps import Steps
from tuner.plots.exhibits import Heat
from tuner.training import looks


@pytest.mark.parametrize("pooling", ["attention", "dot_attention", "multihead_attention"])
def test_weights_are_shares_of_the_valid_steps(pooling: str, tmp_path: Path) -> None:
    data = made.classification(tmp_path, test=0.2)
    fit = made.fit(data, tmp_path / "trial", {"model/pooling": pooling, "model/directions": 2})
    rows = fit.batches("test").rows
    found = looks.exhibits(fit, rows)["attention"]
    assert isinstance(found, Heat)
    assert len(found.rows) == min(len(rows), 8)
    lengths = sorted(sum(share is not None for share in shares) for _, shares in found.rows)
    assert lengths[0] < lengths[-1], "sequences differ in length"
    for _, shares in found.rows:
        assert max(share for share in shares if share is not None) == pytest.approx(1)


def test_looks_give_what_self_attention_gives() -> None:
    torch.manual_seed(0)
    module = SelfAttention(2, 6, 3)
    h_D = [torch.randn(4, 7, 6), torch.randn(4, 7, 6)]
    steps = Steps(h_D[0], torch.tensor([7, 3, 1, 5]))
    look_BTT = module.looks(h_D, steps)
    assert torch.allclose(look_BTT.sum(-1), torch.ones(4, 7))
    assert not look_BTT[1, :, 3:].any()
    one = SelfAttention(1, 6, 1)
    (given,) = one([h_D[0]], steps)
    value_BTW = one.read(h_D[0]).unflatten(-1, (3, 1, 6))[..., 2, 0, :]
    shown = one.write(one.looks([h_D[0]], steps) @ value_BTW)
    assert torch.allclose(given, shown, atol=1e-6)


def test_a_model_without_attention_shows_none(tmp_path: Path) -> None:
    data = made.classification(tmp_path, test=0.2)
    fit = made.fit(data, tmp_path / "trial", {"model/pooling": "mean"})
    assert "attention" not in looks.exhibits(fit, fit.batches("test").rows)


def test_a_window_is_shown_token_by_token_as_it_moves_on(tmp_path: Path) -> None:
    data = made.of_task("synthesis", tmp_path)
    job = {"task": {"name": "synthesis"}, "metric": "dtw", "maximize": False}
    fit = made.fit(data, tmp_path / "trial", {"model/frames_per_step": 3}, **job)
    with torch.no_grad():
        # No frame is the last one.
        fit.module.decoder.head.bias.fill_(-9.0)  # type: ignore[union-attr]
    rows = fit.batches("test").rows
    found = looks.exhibits(fit, rows)["attention-1"]
    assert isinstance(found, Heat)
    assert [token for token, _ in found.rows] == fit.task.step_names(fit.store, int(rows[0]))
    assert len(found.columns) > 30 and found.columns[0] == "1"
    looked_TU = torch.tensor([shares for _, shares in found.rows])
    first = looked_TU.argmax(dim=1).tolist()
    assert first == sorted(first) and first[0] < first[-1]
    assert looked_TU.max() == 1
