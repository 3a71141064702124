"""Truncated back-propagation: the same outputs, shorter gradients, in both directions."""

from __future__ import annotations

from pathlib import Path

import made
import numpy as np
import pytest
import torch

from tuner import registry
from tuner.models.encoder import truncate
from tuner.models.steps import Steps
from tuner.training.gradients import IN_TIME


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("cell", registry.names("cells"))
def test_the_state_goes_on_and_the_gradient_does_not(data: Path, tmp_path: Path, cell: str) -> None:
    fit = made.fit(data, tmp_path, {"model/cell": cell, "model/directions": 2})
    encoder = fit.module.encoder.train()
    x_BTF = torch.randn(3, 10, 2, requires_grad=True)
    steps = Steps(x_BTF, torch.tensor([10, 10, 10]))
    whole_D, _ = encoder(x_BTF, steps)

    def reached(bptt: int) -> list[list[int]]:
        """Steps that move what each direction says last."""
        truncate(fit.module, bptt)
        h_D, _ = encoder(x_BTF, steps)
        for h_BTH, whole_BTH in zip(h_D, whole_D, strict=True):
            torch.testing.assert_close(h_BTH, whole_BTH)
        ends = (h_D[0][:, -1], h_D[1][:, 0])
        found = [torch.autograd.grad(end.sum(), x_BTF, retain_graph=True)[0] for end in ends]
        return [g.abs().sum(dim=(0, 2)).nonzero().flatten().tolist() for g in found]

    assert reached(0) == [[*range(10)], [*range(10)]]
    # Pieces of 4, 4 and 2 steps, counted from the other end on the way back.
    assert reached(4) == [[8, 9], [0, 1]]


def test_training_cuts_and_scoring_does_not(data: Path, tmp_path: Path) -> None:
    values = {"optimizer/name": "sgd", "training/batch_size": 64, "training/bptt": 2}
    cut = made.fit(data, tmp_path / "cut", values)
    free = made.fit(data, tmp_path / "free", values | {"training/bptt": 0})
    longer = made.fit(data, tmp_path / "longer", values | {"training/bptt": 9})
    losses = [fit.epoch(1, []) for fit in (cut, free, longer)]
    assert losses[0]["train_loss"] == pytest.approx(losses[1]["train_loss"], rel=1e-5)
    name = "encoder.layers.0.cells.0.weight_hh_l0"
    grads = [fit.module.get_parameter(name).grad for fit in (cut, free, longer)]
    assert all(grad is not None for grad in grads)
    assert not torch.allclose(grads[0], grads[1], rtol=0.01)  # type: ignore[arg-type]
    torch.testing.assert_close(grads[2], grads[1])
    assert IN_TIME not in losses[0] and IN_TIME in losses[1], "what is cut does not vanish"
    cut.module.load_state_dict(free.module.state_dict())
    places = np.arange(len(cut.validation))
    assert len(places) and cut.evaluate(cut.validation) == free.evaluate(free.validation)
