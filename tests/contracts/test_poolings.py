"""What every pooling promises: valid steps only, both directions, finite placeholders."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tuner import registry
from tuner.models.steps import Steps

pytestmark = [
    pytest.mark.parametrize("directions", [1, 2]),
    pytest.mark.parametrize("name", registry.names("poolings")),
]


def pooled(pool: nn.Module, h_BTDH: Tensor, lengths_B: Tensor) -> Tensor:
    """Directions go in and come out as a list."""
    return torch.stack(pool(list(h_BTDH.unbind(2)), Steps(h_BTDH, lengths_B)), dim=1)


def test_padding_does_not_count(name: str, directions: int) -> None:
    torch.manual_seed(0)
    pool = registry.get("poolings", name).build(directions, 4, 3)
    h_BTDH = torch.randn(3, 6, directions, 4)
    lengths_B = torch.tensor([6, 1, 4])

    together_BDH = pooled(pool, h_BTDH, lengths_B)

    vectors = getattr(registry.get("poolings", name), "VECTORS", 1)
    assert together_BDH.shape == (3, directions, 4 * vectors)
    for row, length in enumerate(lengths_B.tolist()):
        alone_BTDH = h_BTDH[row : row + 1, :length]
        alone_BDH = pooled(pool, alone_BTDH, lengths_B[row : row + 1])
        torch.testing.assert_close(together_BDH[row], alone_BDH[0])


def test_no_gradient_reaches_padding(name: str, directions: int) -> None:
    pool = registry.get("poolings", name).build(directions, 4, 3)
    h_BTDH = torch.randn(2, 5, directions, 4, requires_grad=True)

    pooled(pool, h_BTDH, torch.tensor([5, 2])).sum().backward()

    assert h_BTDH.grad is not None
    assert h_BTDH.grad[1, 2:].abs().sum() == 0
    assert h_BTDH.grad[1, :2].abs().sum() > 0


def test_a_placeholder_row_stays_finite(name: str, directions: int) -> None:
    pool = registry.get("poolings", name).build(directions, 4, 3)
    h_BTDH = torch.randn(1, 3, directions, 4, requires_grad=True)

    pooled_BDH = pooled(pool, h_BTDH, torch.tensor([0]))
    (pooled_BDH * 0).sum().backward()

    assert pooled_BDH.isfinite().all()
    assert h_BTDH.grad is not None and h_BTDH.grad.isfinite().all()


def test_its_size_is_known_without_torch(name: str, directions: int) -> None:
    part = registry.get("poolings", name)

    built = sum(p.numel() for p in part.build(directions, 4, 3).parameters())
    assert part.num_parameters(directions, 4, 3) == built
