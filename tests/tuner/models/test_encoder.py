"""What joins the layers of a stack, and where its sequences start."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tuner import registry
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.encoder import join
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape
from tuner.models.steps import Steps

X_BTF = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(3))
LENGTHS_B = torch.tensor([6, 2, 4])


def network(shape: Shape | None = None, **options: Any) -> torch.nn.Module:
    config = RecurrentConfig(**({"hidden_size": 5} | options))
    shape = shape or Shape(4, 2, per_step=True)
    return build(config, InitializationConfig(), Dropouts(), shape, seed=1)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_deep_stack_is_torchs_of_as_many_layers(cell: str, directions: int) -> None:
    encoder = network(cell=cell, layers=8, directions=directions).encoder
    theirs = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell](
        4, 5, num_layers=8, bidirectional=directions == 2, batch_first=True
    )
    weights = {
        name.replace("_l0", f"_l{level}" + "_reverse" * direction): weight
        for level, layer in enumerate(encoder.layers)
        for direction, part in enumerate(layer.cells)
        for name, weight in part.named_parameters()
    }
    # As many weights as theirs, or this refuses.
    theirs.load_state_dict(weights)

    h_D, _ = encoder(X_BTF, Steps(X_BTF, torch.tensor([6, 6, 6])))

    torch.testing.assert_close(torch.cat(h_D, dim=-1), theirs(X_BTF)[0])


@pytest.mark.parametrize(("directions", "how"), [(1, "concat"), (2, "concat"), (2, "mean")])
@pytest.mark.parametrize("cell", registry.names("cells"))
def test_a_residual_adds_what_a_layer_reads_direction_by_direction(
    cell: str, directions: int, how: str
) -> None:
    encoder = network(
        cell=cell, layers=3, directions=directions, join=how, residual=True, norm="layer"
    ).encoder
    steps = Steps(X_BTF, LENGTHS_B)
    expected_D, _ = encoder.layers[0](X_BTF, steps, ())
    for layer in encoder.layers[1:]:
        above_D, _ = layer(join(expected_D, encoder.join), steps, ())
        expected_D = [h + below for h, below in zip(above_D, expected_D, strict=True)]

    h_D, _ = encoder(X_BTF, steps)

    for h_BTH, expected_BTH in zip(h_D, expected_D, strict=True):
        torch.testing.assert_close(h_BTH, expected_BTH)


def test_without_a_residual_nothing_is_added() -> None:
    with_it, without = (
        network(layers=2, residual=residual)(X_BTF, LENGTHS_B) for residual in (True, False)
    )
    single = [network(residual=residual)(X_BTF, LENGTHS_B) for residual in (True, False)]

    assert not torch.allclose(with_it, without, atol=1e-3)
    torch.testing.assert_close(*single)  # the first layer reads something of another size


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", registry.names("cells"))
def test_a_learned_initial_state_starts_at_zero_and_learns(cell: str, directions: int) -> None:
    options: dict[str, Any] = {"cell": cell, "layers": 2, "directions": directions}
    learned, zero = (network(initial_state=how, **options) for how in ("learned", "zero"))
    parts = [p for name, p in learned.named_parameters() if ".initials." in name]
    assert len(parts) == 2 * directions * len(registry.get("cells", cell).STATE)
    torch.testing.assert_close(learned(X_BTF, LENGTHS_B), zero(X_BTF, LENGTHS_B))

    learned(X_BTF, LENGTHS_B).square().sum().backward()

    for part_H in parts:
        assert part_H.grad is not None and part_H.grad.abs().sum() > 0


@pytest.mark.parametrize("cell", registry.names("cells"))
def test_a_sequence_starts_from_what_was_learned_and_goes_on_from_its_state(cell: str) -> None:
    shape = Shape(4, 2, per_step=True, carries=True)
    learned, zero = (
        network(shape, cell=cell, layers=2, initial_state=how) for how in ("learned", "zero")
    )
    with torch.no_grad():
        starts = [p.fill_(0.3) for name, p in learned.named_parameters() if ".initials." in name]
    given = [part_H.expand(1, 3, -1) for part_H in starts]
    lengths_B = torch.tensor([3, 3, 3])

    y_BTO, state = learned(X_BTF[:, :3], lengths_B, None)

    torch.testing.assert_close(y_BTO, zero(X_BTF[:, :3], lengths_B, given)[0])
    torch.testing.assert_close(
        learned(X_BTF[:, 3:], lengths_B, state)[0], zero(X_BTF[:, 3:], lengths_B, state)[0]
    )
