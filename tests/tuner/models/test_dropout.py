"""What is dropped, for how long, and that nothing is outside training."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from tuner import registry
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.dropout import drop
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape

WORDS = Shape(0, 4, vocabulary=40, per_step=True)
NUMBERS = Shape(3, 4, per_step=True)


def network(dropouts: Dropouts, shape: Shape = NUMBERS, **options: Any) -> torch.nn.Module:
    config = RecurrentConfig(**({"hidden_size": 32, "layers": 2} | options))
    return build(config, InitializationConfig(), dropouts, shape, seed=1)


def batch(shape: Shape, steps: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    if shape.vocabulary:
        x = torch.randint(1, shape.vocabulary, (4, steps, 1), generator=generator)
    else:
        x = torch.randn(4, steps, 3, generator=generator)
    return x, torch.full((4,), steps)


def seen_by(module: torch.nn.Module, path: str, shape: Shape) -> torch.Tensor:
    """What a module inside reads in one training pass."""
    seen: list[torch.Tensor] = []
    module.get_submodule(path).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    torch.manual_seed(0)
    module(*batch(shape))
    return seen[0]


PLACES = {"input_dropout": "encoder", "layer_dropout": "encoder.layers.1", "output_dropout": "head"}


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("field", PLACES)
def test_a_locked_mask_holds_for_all_steps_of_a_sequence(field: str, locked: bool) -> None:
    shape = WORDS if field == "input_dropout" else NUMBERS
    module = network(Dropouts(locked=locked, **{field: 0.5}), shape)

    zero_BTF = seen_by(module, PLACES[field], shape) == 0

    assert zero_BTF.float().mean() == pytest.approx(0.5, abs=0.1)
    assert (zero_BTF == zero_BTF[:, :1]).all() == locked
    assert not (zero_BTF == zero_BTF[:1]).all(), "each sequence has a mask of its own"


@pytest.mark.parametrize("locked", [False, True])
def test_what_is_kept_is_scaled_up(locked: bool) -> None:
    dropped_BTF = drop(torch.ones(8, 5, 50), 0.2, training=True, locked=locked)

    assert set(dropped_BTF.unique().tolist()) == {0.0, 1.25}
    assert dropped_BTF.mean().item() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("own", ["layer_dropout", "output_dropout"])
def test_dropout_is_both_unless_one_is_given(own: str) -> None:
    share = {}
    for field in ("layer_dropout", "output_dropout"):
        module = network(Dropouts(dropout=0.5, **{own: 0.0}))
        share[field] = (seen_by(module, PLACES[field], NUMBERS) == 0).float().mean().item()

    other = next(field for field in share if field != own)
    assert share[own] == 0.0 and share[other] == pytest.approx(0.5, abs=0.1)


def test_embedding_dropout_drops_a_token_wherever_it_stands() -> None:
    module = network(Dropouts(embedding_dropout=0.5), WORDS)
    x_BTK, _ = batch(WORDS)

    dropped_BT = (seen_by(module, "encoder", WORDS) == 0).all(dim=-1)

    per_token = [dropped_BT[x_BTK[..., 0] == token] for token in x_BTK.unique().tolist()]
    assert all(found.all() or not found.any() for found in per_token)
    share = sum(bool(found.all()) for found in per_token) / len(per_token)
    assert share == pytest.approx(0.5, abs=0.25)


@pytest.mark.parametrize("state", ["zero", "learned"])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", registry.names("cells"))
def test_recurrent_dropout_drops_weights_of_the_recurrence(
    cell: str, directions: int, state: str
) -> None:
    """Equal to a network whose hidden-to-hidden weights have the same zeros."""
    options: dict[str, Any] = {"cell": cell, "directions": directions, "initial_state": state}
    module = network(Dropouts(recurrent_dropout=0.5), **options)
    names = [name for name, _ in module.named_parameters() if "weight_hh" in name]
    before = copy.deepcopy(module.state_dict())
    torch.manual_seed(0)
    y_BTO = module(*batch(NUMBERS))
    y_BTO.square().sum().backward()

    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    copy.deepcopy(module)  # as an average of weights needs: no dropped ones may stay behind
    plain = network(Dropouts(), **options)
    torch.manual_seed(0)
    weights = dict(plain.named_parameters())
    with torch.no_grad():
        for name in names:
            weights[name].copy_(torch.nn.functional.dropout(weights[name], 0.5))
    expected_BTO = plain(*batch(NUMBERS))
    expected_BTO.square().sum().backward()
    torch.testing.assert_close(y_BTO, expected_BTO)
    for name in names:
        raw, dropped = module.get_parameter(name), weights[name]
        assert raw.grad is not None and dropped.grad is not None
        kept = dropped != 0
        assert raw.grad[~kept].abs().sum() == 0
        torch.testing.assert_close(raw.grad[kept], 2 * dropped.grad[kept], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", registry.names("cells"))
def test_recurrent_dropout_goes_on_from_a_state(cell: str) -> None:
    shape = Shape(3, 4, per_step=True, carries=True)
    module = network(Dropouts(recurrent_dropout=0.5), shape, cell=cell)
    x_BTF, lengths_B = batch(NUMBERS)
    _, state = module(x_BTF, lengths_B, None)

    found = []
    for start in (state, None):
        torch.manual_seed(0)
        found.append(module(x_BTF, lengths_B, start)[0])

    assert not torch.allclose(*found, atol=1e-3)


@pytest.mark.parametrize(
    "dropouts",
    [
        Dropouts(input_dropout=0.5),
        Dropouts(embedding_dropout=0.5),
        Dropouts(layer_dropout=0.5),
        Dropouts(output_dropout=0.5),
        Dropouts(recurrent_dropout=0.5),
        Dropouts(dropout=0.5, locked=True),
    ],
    ids=str,
)
def test_nothing_is_dropped_outside_training(dropouts: Dropouts) -> None:
    module, plain = network(dropouts, WORDS), network(Dropouts(), WORDS)
    torch.manual_seed(0)
    assert not torch.allclose(module(*batch(WORDS)), plain(*batch(WORDS)))

    torch.testing.assert_close(module.eval()(*batch(WORDS)), plain(*batch(WORDS)))
