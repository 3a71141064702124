"""Configurations of architectures: what they refuse, and a model of one's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from tuner import registry
from tuner.errors import SpecError
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import architecture_config, build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, SettingsRefused, Shape, Side

OWN = """
import torch
from tuner.part import Config

class LastStep(torch.nn.Module):
    class Config(Config):
        bias: bool = True

    def __init__(self, config, shape):
        super().__init__()
        self.linear = torch.nn.Linear(shape.inputs, shape.outputs, bias=config.bias)

    def forward(self, x_BTF, lengths_B):
        return self.linear(x_BTF[torch.arange(len(x_BTF)), lengths_B - 1])
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "models_of_mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return "models_of_mine:LastStep"


def test_a_model_of_ones_own(own: str) -> None:
    config = architecture_config(own)(bias=False)

    module = build(config, InitializationConfig(), Dropouts(), Shape(3, 2), seed=0)

    assert config.model_dump() == {"name": own, "bias": False}
    assert module(torch.randn(4, 5, 3), torch.tensor([5, 1, 2, 3])).shape == (4, 2)
    assert [name for name, _ in module.named_parameters()] == ["linear.weight"]


def test_a_model_of_ones_own_must_take_the_second_input_where_there_is_one(
    own: str, tmp_path: Path
) -> None:
    config, shape = architecture_config(own)(), Shape(3, 2, side=Side(numbers=1))
    with pytest.raises(SettingsRefused, match=r"side_BX.* got forward\(self, x_BTF, lengths_B\)"):
        build(config, InitializationConfig(), Dropouts(), shape, seed=0)

    text = OWN.replace("lengths_B):", "lengths_B, side_BX):")
    (tmp_path / "two_inputs_of_mine.py").write_text(text)
    takes_two = architecture_config("two_inputs_of_mine:LastStep")()
    assert build(takes_two, InitializationConfig(), Dropouts(), shape, seed=0) is not None


def test_a_model_of_ones_own_refuses_unknown_settings(own: str) -> None:
    with pytest.raises(ValidationError, match="hidden_size"):
        architecture_config(own)(hidden_size=3)


def test_a_model_of_ones_own_starts_from_the_seed(own: str) -> None:
    config = architecture_config(own)()

    first, again, other = (
        build(config, InitializationConfig(), Dropouts(), Shape(3, 2), seed=seed).state_dict()
        for seed in (0, 0, 1)
    )

    assert torch.equal(first["linear.weight"], again["linear.weight"])
    assert not torch.equal(first["linear.weight"], other["linear.weight"])


def test_settings_that_a_model_of_ones_own_would_ignore_are_refused(own: str) -> None:
    config = architecture_config(own)()

    with pytest.raises(SpecError) as refused:
        build(
            config,
            InitializationConfig(forget_bias=2.0),
            Dropouts(dropout=0.5),
            Shape(3, 2),
            seed=0,
        )

    assert {mistake.code for mistake in refused.value.mistakes} == {"model/ignored"}
    assert [mistake.got for mistake in refused.value.mistakes] == ["2.0", "0.5"]


@pytest.mark.parametrize("name", ["recurent", "no_such_module:Net", "tuner.models.shape:Nothing"])
def test_an_unknown_architecture_is_named(name: str) -> None:
    with pytest.raises(registry.UnknownPart) as unknown:
        architecture_config(name)

    assert unknown.value.name.startswith(name.partition(":")[0])


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "lstmm"},
        {"pooling": "lasst"},
        {"hidden_size": 0},
        {"layers": 0},
        {"layers": 9},
        {"directions": 3},
        {"convolution": 4},
        {"parameters": 0},
        {"parameters": 1000, "hidden_size": 64},
        {"norm": "group"},
    ],
)
def test_refused_settings(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(settings))):
        RecurrentConfig(**settings)  # type: ignore[arg-type]


def test_configurations_are_read_without_torch() -> None:
    script = (
        "import sys\n"
        "from tuner import registry\n"
        "from tuner.models.build import architecture_config\n"
        "architecture_config('recurrent')(cell='gru', pooling='attention')\n"
        "for kind in ('architectures', 'cells', 'poolings'):\n"
        "    for name in registry.names(kind):\n"
        "        registry.get(kind, name)\n"
        "print('torch' in sys.modules)\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(registry.__file__).parents[1],
    )

    assert result.stdout.strip() == "False"


@pytest.mark.parametrize("inputs, outputs", [(0, 1), (1, 0)])
def test_a_shape_is_at_least_one(inputs: int, outputs: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Shape(inputs, outputs)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"inputs": 3, "vocabulary": 9}, "either numbers or tokens"),
        ({"inputs": 3, "characters": 9}, "need a vocabulary"),
        ({"inputs": 3, "crf": True}, "outputs per step"),
        ({"inputs": 3, "crf": True, "per_step": True, "carries": True}, "carry nothing"),
        ({"inputs": 3, "following": True, "per_step": True}, "no output per step"),
    ],
)
def test_a_shape_does_not_contradict_itself(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Shape(outputs=2, **options)


@pytest.mark.parametrize(
    ("options", "shape", "rule"),
    [
        ({"directions": 2}, Shape(3, 2, carries=True), "`model/directions` must be 1, got 2"),
        (
            {"attention_layer": True},
            Shape(3, 2, carries=True, per_step=True),
            "`model/attention_layer` must be false, got true",
        ),
        ({"directions": 2}, Shape(3, 2, following=True), "`model/directions` must be 1, got 2"),
        (
            {"parameters": 10},
            Shape(3, 2),
            "`model/parameters` must be within 2%.*, got 10. .* 1, gives 28",
        ),
        ({"tied": True}, Shape(0, 8, per_step=True, vocabulary=9), "`model/tied` must be false"),
        ({"tied": True}, Shape(0, 9, vocabulary=9), "`model/tied` must be false"),
    ],
)
def test_what_a_shape_does_not_take_is_refused(
    options: dict[str, Any], shape: Shape, rule: str
) -> None:
    part = registry.get("architectures", "recurrent")
    config = RecurrentConfig(**options)

    with pytest.raises(SettingsRefused, match=rule):
        part.build(config, Dropouts(), shape)
    with pytest.raises(SettingsRefused, match=rule):
        part.num_parameters(config, shape)


SHAPES = [
    Shape(5, 4),
    Shape(5, 4, per_step=True, crf=True),
    Shape(0, 4, vocabulary=9),
    Shape(0, 9, vocabulary=9, characters=7, per_step=True),
]


@pytest.mark.parametrize("shape", SHAPES, ids=["numbers", "tags", "tokens", "characters"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": 3, "directions": 2},
        {"layers": 8, "directions": 2, "join": "sum", "norm": "layer"},
        {"norm": "batch", "layers": 2},
        {"embedding": 7, "character_filters": 3},
        {"initial_state": "learned", "directions": 2, "layers": 2},
        {"convolution": 5, "convolution_filters": 6},
        {"attention_layer": True, "heads": 3, "directions": 2},
        {"crf": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("cell", registry.names("cells"))
def test_the_formula_counts_what_is_built(cell: str, options: dict[str, Any], shape: Shape) -> None:
    part = registry.get("architectures", "recurrent")
    for tied in (False, True) if shape.vocabulary == shape.outputs else (False,):
        for pooling in registry.names("poolings"):
            config = part.Config(cell=cell, hidden_size=7, pooling=pooling, tied=tied, **options)
            module = part.build(config, Dropouts(), shape)
            assert part.num_parameters(config, shape) == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("shape", SHAPES, ids=["numbers", "tags", "tokens", "characters"])
@pytest.mark.parametrize("parameters", [500_000, 2_000_000])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": 3, "directions": 2, "norm": "layer"},
        {"tied": True, "embedding": 40, "layers": 2},
        {"tied": True, "embedding": 48, "directions": 2, "pooling": "multihead_attention"},
    ],
    ids=str,
)
@pytest.mark.parametrize("cell", registry.names("cells"))
def test_a_number_of_parameters_solves_the_width(
    cell: str, options: dict[str, Any], parameters: int, shape: Shape
) -> None:
    if options.get("tied") and shape.outputs != shape.vocabulary:
        options = options | {"tied": False}
    part = registry.get("architectures", "recurrent")
    config = part.Config(cell=cell, parameters=parameters, **options)

    with torch.device("meta"):
        module = part.build(config, Dropouts(), shape)

    count = sum(p.numel() for p in module.parameters())
    assert count == pytest.approx(parameters, rel=0.02)
    assert part.num_parameters(config, shape) == count
    width = part.solved(config, shape).hidden_size
    others = [
        config.model_copy(update={"hidden_size": w, "parameters": None})
        for w in (width - 1, width + 1)
    ]
    for other in others:
        assert abs(part.num_parameters(other, shape) - parameters) >= abs(count - parameters)


def test_a_tied_head_without_a_projection_is_solved_too() -> None:
    part = registry.get("architectures", "recurrent")
    shape = Shape(0, 500, vocabulary=500, per_step=True)
    exact = part.num_parameters(part.Config(embedding=64, hidden_size=64, tied=True), shape)

    solved = part.solved(part.Config(embedding=64, parameters=exact, tied=True), shape)

    assert solved.hidden_size == 64


def test_a_configuration_without_parameters_keeps_its_width() -> None:
    part = registry.get("architectures", "recurrent")

    assert part.solved(part.Config(hidden_size=77), Shape(3, 2)).hidden_size == 77


def test_the_solved_width_is_the_same_after_a_round_trip() -> None:
    """A bundle holds what the trial was told, every default included."""
    config = RecurrentConfig(parameters=30_000)

    again = RecurrentConfig(**config.model_dump())

    states = [
        build(c, InitializationConfig(), Dropouts(), Shape(3, 2), seed=0).state_dict()
        for c in (config, again)
    ]
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())
