"""Batch normalisation over the global batch: any number of ranks is one rank."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp

from tuner.models.norm import BatchNorm
from tuner.models.steps import Steps


def test_equals_torch_on_the_valid_steps() -> None:
    ours, theirs = BatchNorm(4), torch.nn.BatchNorm1d(4)
    h_BTH = torch.randn(3, 5, 4) * 2 + 100
    steps = Steps(h_BTH, torch.tensor([5, 1, 3]))

    normal_BTH = ours(h_BTH, steps)

    torch.testing.assert_close(
        normal_BTH[steps.valid_BT], theirs(h_BTH[steps.valid_BT]), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    ours.eval()
    theirs.eval()
    torch.testing.assert_close(
        ours(h_BTH, steps)[steps.valid_BT], theirs(h_BTH[steps.valid_BT]), rtol=1e-4, atol=1e-4
    )


def test_one_valid_step_is_finite() -> None:
    norm = BatchNorm(4)
    h_BTH = torch.randn(1, 3, 4, requires_grad=True)

    norm(h_BTH, Steps(h_BTH, torch.tensor([1]))).sum().backward()

    assert h_BTH.grad is not None and h_BTH.grad.isfinite().all()
    assert norm.running_var.isfinite().all()


@pytest.mark.parametrize("cuts", [[0, 1, 4], [0, 3, 4, 4]], ids=["two ranks", "third without rows"])
def test_ranks_agree_with_one_rank(
    cuts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import batch_norm_ranks as ranks

    num_ranks = len(cuts) - 1
    alone = ranks.network()
    ranks.step(alone, slice(None), num_ranks=1)
    expected = ranks.state(alone)

    mp.spawn(ranks.rank, (num_ranks, str(tmp_path), cuts), nprocs=num_ranks)

    for index in range(num_ranks):
        found = torch.load(tmp_path / f"{index}.pt", weights_only=True)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(
                found[name], value, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}"
            )


def test_half_precision_keeps_its_type_and_single_precision_statistics() -> None:
    norm = BatchNorm(4)
    h_BTH = torch.full((64, 40, 4), 60.0, dtype=torch.float16)  # the sum, 153600, exceeds float16

    normal_BTH = norm(h_BTH, Steps(h_BTH, torch.full((64,), 40)))

    assert normal_BTH.dtype == torch.float16 and normal_BTH.isfinite().all()
    assert norm.running_mean.tolist() == pytest.approx([6.0] * 4)
