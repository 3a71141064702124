"""A second input beside each sequence: joined late, early or by a gate, and where states start."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from tuner.models.architectures.recurrent import RecurrentConfig, build, num_parameters, solved
from tuner.models.fusion import Gated, Late
from tuner.models.network import Network
from tuner.models.shape import Dropouts, SettingsRefused, Shape, Side

BOTH = Side(numbers=2, picture=(6, 5, 3))
LENGTHS_B = torch.tensor([5, 2, 1])


def network(side: Side = BOTH, *, per_step: bool = False, **options: Any) -> Network:
    torch.manual_seed(0)
    config = RecurrentConfig(
        **{"hidden_size": 4, "picture_layers": 2, "convolution_filters": 8} | options
    )
    module = build(config, Dropouts(), Shape(3, 2, per_step=per_step, side=side))
    assert isinstance(module, Network)
    return module.eval()


def batch(side: Side = BOTH) -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(1)
    return torch.randn(3, 5, 3, generator=chance), torch.randn(3, side.size, generator=chance)


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("initial_state", ["zero", "conditioned"])
@pytest.mark.parametrize("fusion", ["late", "early", "gated"])
def test_each_number_and_pixel_is_heard(fusion: str, initial_state: str, per_step: bool) -> None:
    module = network(fusion=fusion, initial_state=initial_state, directions=2, per_step=per_step)
    x_BTF, side_BX = batch()
    before = module(x_BTF, LENGTHS_B, side_BX=side_BX)
    for place in (0, 1, 2, BOTH.size - 1):
        other_BX = side_BX.clone()
        other_BX[1, place] += 3
        after = module(x_BTF, LENGTHS_B, side_BX=other_BX)
        assert torch.equal(after[0], before[0]), "another sequence's"
        assert not torch.allclose(after[1], before[1]), place


def test_late_is_a_layer_over_both_before_the_head() -> None:
    module = network(Side(numbers=2), pooling="mean")
    x_BTF, side_BX = batch(Side(numbers=2))
    assert module.side is not None and isinstance(module.side.fusion, Late)
    alone = network(Side(numbers=2), fusion="early")
    h_BTH, _ = module.encoder.layers[0].cells[0](x_BTF[:, :1])
    both = module.side.fusion.both
    h_BU = torch.tanh(torch.cat([h_BTH[:, 0], side_BX], 1) @ both.weight.T + both.bias)
    found = module(x_BTF[:, :1], torch.ones(3, dtype=torch.int64), side_BX=side_BX)
    torch.testing.assert_close(found, module.head(h_BU))
    assert alone.side is not None and alone.side.fusion is None


def test_early_stands_at_each_step_that_the_first_layer_reads() -> None:
    module = network(Side(numbers=2), fusion="early", layers=2)
    x_BTF, side_BX = batch(Side(numbers=2))
    read_BTF = torch.cat([x_BTF, side_BX[:, None].expand(-1, 5, -1)], dim=2)
    assert [layer.cells[0].input_size for layer in module.encoder.layers] == [5, 4]
    torch.manual_seed(0)
    plain = build(RecurrentConfig(hidden_size=4, layers=2), Dropouts(), Shape(5, 2)).eval()
    plain.load_state_dict(module.state_dict())
    found = module(x_BTF, LENGTHS_B, side_BX=side_BX)
    torch.testing.assert_close(found, plain(read_BTF, LENGTHS_B))


def test_gated_is_the_unit_of_arevalo() -> None:
    unit, (x_BTF, side_BX) = Gated(3, 2, 4), batch(Side(numbers=2))
    x_BF = x_BTF[:, 0]
    share = torch.sigmoid(unit.gate(torch.cat([x_BF, side_BX], dim=1)))
    expected = share * unit.sequence(x_BF).tanh() + (1 - share) * unit.side(side_BX).tanh()
    torch.testing.assert_close(unit(x_BF, side_BX), expected)
    torch.testing.assert_close(unit(x_BTF, side_BX)[:, 0], expected)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_conditioned_state_is_a_tanh_of_the_second_input(cell: str) -> None:
    side = Side(numbers=2)
    module = network(side, cell=cell, fusion="early", initial_state="conditioned", directions=2)
    x_BTF, side_BX = batch(side)
    layer = module.encoder.layers[0]
    read_BTF = torch.cat([x_BTF, side_BX[:, None].expand(-1, 5, -1)], dim=2)
    whole_B = torch.full((3,), 5)
    outputs = []
    for direction, read in enumerate((read_BTF, read_BTF.flip(1))):
        maps = layer.initials[direction].parts
        start = [torch.tanh(part(side_BX))[None] for part in maps]
        assert len(start) == (2 if cell == "lstm" else 1)
        given = tuple(start) if len(start) > 1 else start[0]
        outputs.append(layer.cells[direction](read, given)[0])
    expected = torch.cat([outputs[0][:, -1], outputs[1][:, -1]], dim=1)
    torch.testing.assert_close(module(x_BTF, whole_B, side_BX=side_BX), module.head(expected))


SIDES = [Side(numbers=2), Side(picture=(6, 5, 1)), BOTH]


@pytest.mark.parametrize("fusion", ["late", "early", "gated"])
def test_the_parameters_are_counted_and_solved(fusion: str) -> None:
    for side, initial, words in itertools.product(SIDES, ("zero", "conditioned"), (0, 9)):
        config = RecurrentConfig(
            hidden_size=5,
            layers=2,
            directions=2,
            pooling="last_max_mean",
            fusion=fusion,
            initial_state=initial,
        )
        shape = Shape(0 if words else 3, 2, vocabulary=words, side=side)
        counted = sum(p.numel() for p in build(config, Dropouts(), shape).parameters())
        assert counted == num_parameters(config, shape)
        given = config.model_dump(exclude={"hidden_size", "parameters"})
        wanted = RecurrentConfig(parameters=counted, **given)
        assert solved(wanted, shape).hidden_size == 5


@pytest.mark.parametrize(
    ("options", "value"),
    [({"fusion": "early"}, "early"), ({"initial_state": "conditioned"}, "conditioned")],
)
def test_without_a_second_input_nothing_can_be_joined(options: dict[str, Any], value: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        num_parameters(RecurrentConfig(**options), Shape(3, 2))
    assert value in refused.value.rule and "data/static" in refused.value.fix


def test_what_goes_on_or_decodes_has_no_second_input() -> None:
    for options in ({"carries": True}, {"following": True}, {"decodes": True}):
        with pytest.raises(ValueError, match="second input"):
            Shape(3, 2, side=BOTH, **options)  # type: ignore[arg-type]
