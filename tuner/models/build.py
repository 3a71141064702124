"""From a configuration to a network: the one public door of the models.

A model of one's own is named by its import path, `package.module:ClassName`. It is a torch module
that is built with `(config, shape)` and called with (x_BTF, lengths_B) → y_BO; a second input, of
which `shape.side` tells, comes by the name `side_BX`. Its settings, if it has any, are a nested
`class Config(tuner.part.Config)`. Dropout and initial weights are its own.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import create_model

from tuner import registry
from tuner.errors import Mistake, SpecError
from tuner.models.initialization import InitializationConfig, initialize
from tuner.models.shape import ArchitectureConfig, Dropouts, SettingsRefused, Shape
from tuner.part import Config

if TYPE_CHECKING:
    from torch import nn


@cache
def architecture_config(name: str) -> type[ArchitectureConfig]:
    """The configuration that an architecture takes; torch is imported for one's own only.

    Raises:
        registry.UnknownPart: no such part, module or class.
    """
    module = registry.get("architectures", name)
    if ":" not in name:
        config: type[ArchitectureConfig] = module.Config
        return config
    own: type[Config] | None = getattr(_own_class(name), "Config", None)
    bases: tuple[type[Config], ...] = (own, ArchitectureConfig) if own else (ArchitectureConfig,)
    # The name joins the settings, so that a trial's configuration alone can be rebuilt.
    this_name: Any = Literal[name]
    named = create_model(f"{name.partition(':')[2]}Config", __base__=bases, name=(this_name, name))
    return cast("type[ArchitectureConfig]", named)


def build(
    model: ArchitectureConfig,
    initialization: InitializationConfig,
    dropouts: Dropouts,
    shape: Shape,
    seed: int,
) -> nn.Module:
    """The network of one trial, on the CPU: (x, lengths_B) → y, as `Shape` says.

    The weights follow from the arguments alone: torch's global random state is neither read nor
    moved, and since they are drawn on the CPU, a GPU starts from the same ones.

    Raises:
        SpecError: a dropout or an initialization for an architecture that would ignore it.
        SettingsRefused: the architecture makes no network of this shape with these settings.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if ":" in model.name:
            if mistakes := ignored(model.name, initialization, dropouts):
                raise SpecError(mistakes)
            refuse_without_side(model.name, shape)
            own: nn.Module = _own_class(model.name)(model, shape)
            return own
        part = registry.get("architectures", model.name)
        module: nn.Module = part.build(model, dropouts, shape)
        initialize(module, part.gates(model), initialization)
        return module


def _own_class(name: str) -> type[nn.Module]:
    class_name = name.partition(":")[2]
    own: type[nn.Module] | None = getattr(registry.get("architectures", name), class_name, None)
    if own is None:
        raise registry.UnknownPart("architectures", name, registry.names("architectures"))
    return own


def refuse_without_side(name: str, shape: Shape) -> None:
    """Refuses a model of one's own that does not take the second input that there is.

    Raises:
        SettingsRefused: its `forward` knows no `side_BX`.
    """
    taken = signature(_own_class(name).forward).parameters
    if shape.side is None or "side_BX" in taken:
        return
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    raise SettingsRefused(
        "a model of one's own must take `side_BX`, the second input, where `data/static` or "
        "`data/picture` stands beside sequences",
        got=f"forward({', '.join(taken)})",
        fix="Add the argument, or take the second input out of the spec.",
    )


def ignored(name: str, initialization: InitializationConfig, dropouts: Dropouts) -> list[Mistake]:
    """The settings that a model of one's own would ignore."""
    given = {
        **{
            f"initialization/{k}": v
            for k, v in initialization.model_dump(exclude_defaults=True).items()
        },
        **{f"regularization/{k}": v for k, v in asdict(dropouts).items() if v},
    }
    return [
        Mistake(
            code="model/ignored",
            rule=f"`{parameter}` shapes the shipped architectures, not a model of one's own",
            where=f"a trial of `{name}`",
            got=repr(value),
            fix="Leave it out, or make it a setting of the model's own Config.",
        )
        for parameter, value in given.items()
    ]


def shared(model: ArchitectureConfig, num_networks: int) -> ArchitectureConfig:
    """What each of several networks is built with: `model/parameters` is of all together."""
    whole: int | None = getattr(model, "parameters", None)
    if num_networks == 1 or whole is None:
        return model
    return model.model_copy(update={"parameters": round(whole / num_networks)})
