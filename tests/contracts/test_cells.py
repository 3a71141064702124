"""What every cell promises: its gates, its shapes, its state, and gradients to every weight."""

from __future__ import annotations

import pytest
import torch

from tuner import registry

pytestmark = pytest.mark.parametrize("name", registry.names("cells"))


def test_maps_padded_steps_to_outputs_and_a_state(name: str) -> None:
    layer = registry.get("cells", name).build(3, 5)

    h_BTH, _ = layer(torch.randn(2, 4, 3))

    assert h_BTH.shape == (2, 4, 5)


def test_gates_count_the_stacked_blocks(name: str) -> None:
    part = registry.get("cells", name)

    parameters = dict(part.build(3, 5).named_parameters())
    assert {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0"} <= set(parameters)
    for parameter_name, parameter in parameters.items():
        if "_ih_" in parameter_name or "_hh_" in parameter_name:
            assert parameter.shape[0] == len(part.GATES) * 5, parameter_name


def test_a_state_goes_on_where_it_ended(name: str) -> None:
    layer = registry.get("cells", name).build(3, 5)
    x_BTF = torch.randn(2, 6, 3)

    h_BTH, end = layer(x_BTF[:, :4])
    more_BTH, _ = layer(x_BTF[:, 4:], end)

    torch.testing.assert_close(torch.cat([h_BTH, more_BTH], dim=1), layer(x_BTF)[0])
    parts = end if isinstance(end, tuple) else (end,)
    assert [part.shape for part in parts] == [(1, 2, 5)] * len(registry.get("cells", name).STATE)


def test_its_size_is_known_without_torch(name: str) -> None:
    part = registry.get("cells", name)

    assert part.num_parameters(3, 5) == sum(p.numel() for p in part.build(3, 5).parameters())


def test_outputs_look_at_no_later_step(name: str) -> None:
    layer = registry.get("cells", name).build(3, 5)
    x_BTF = torch.randn(2, 6, 3)
    other_BTF = x_BTF.clone()
    other_BTF[:, 4:] = 7.0

    assert torch.equal(layer(x_BTF)[0][:, :4], layer(other_BTF)[0][:, :4])


def test_every_weight_learns(name: str) -> None:
    torch.manual_seed(0)
    layer = registry.get("cells", name).build(3, 5)

    layer(torch.randn(8, 6, 3))[0].square().sum().backward()

    for parameter_name, parameter in layer.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, parameter_name
