"""What float32 rounds by is allowed to an export, and no more."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tuner.errors import ExportMismatch
from tuner.export.exact import TOLERANCE, exact, tolerance
from tuner.export.verify import differs


class Steep(nn.Module):
    """Rounds: a large sum is taken away again from what it was added to."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = nn.Parameter(torch.tensor(size))

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.size) - self.size


class OfItsOwn(nn.Module):
    """Makes float32 numbers of its own, which go with no others."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.ones(1, 3) @ self.weight + x


X = torch.linspace(0, 1, 12).reshape(4, 3)


def compared(network: nn.Module, found: np.ndarray) -> float:
    with torch.no_grad():
        expected = network(X).numpy()

        def exactly() -> list[np.ndarray]:
            return [exact(network)(X).numpy()]

        return differs("an export", X, [found], [expected], exactly)


def test_an_export_may_be_as_far_as_the_network_rounds() -> None:
    network = Steep(3000.0)
    with torch.no_grad():
        rounding = float((network(X).double() - exact(network)(X)).abs().max())
    assert rounding > 10 * TOLERANCE, "nothing to round"
    assert compared(network, X.numpy()) == pytest.approx(rounding, rel=1e-3)


def test_it_may_be_no_further() -> None:
    network = Steep(3000.0)
    with pytest.raises(ExportMismatch, match="a difference of"):
        compared(network, X.numpy() + np.float32(0.01))
    with pytest.raises(ExportMismatch, match="a difference of"):
        compared(Steep(1.0), X.numpy() + np.float32(2e-5))


def test_a_network_that_cannot_be_widened_is_its_own_measure() -> None:
    network = OfItsOwn()
    with torch.no_grad():
        assert torch.equal(exact(network)(X), network(X))
    with pytest.raises(ExportMismatch):
        compared(network, network(X).detach().numpy() + np.float32(2e-4))


def test_what_is_no_number_allows_nothing_more() -> None:
    assert tolerance(float("nan")) == TOLERANCE
    assert tolerance(float("inf")) == TOLERANCE
    assert tolerance(1e-7) == TOLERANCE
    assert tolerance(1e-5) == pytest.approx(4e-5)


def test_a_network_that_rounds_much_does_not_let_all_pass() -> None:
    assert tolerance(1.0) == 1e-3
    with pytest.raises(ExportMismatch):
        compared(Steep(3e6), X.numpy() + np.float32(0.01))
