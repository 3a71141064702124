"""Section `augmentation/` of a trial: how strongly training changes its rows, part by part."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from tuner import registry
from tuner.errors import Mistake
from tuner.part import Config

if TYPE_CHECKING:
    from tuner.config import TrialConfig


@cache
def augmentation_config(changes: frozenset[str]) -> type[Config]:
    """A Config with a field for each augmentation that changes no more than a task allows."""
    fields: dict[str, Any] = {}
    for name in registry.names("augmentations"):
        part = registry.get("augmentations", name)
        if part.CHANGES in changes:
            strength = part.Config.model_fields["strength"]
            fields[name] = (strength.annotation, strength)
    return create_model("AugmentationConfig", __base__=Config, **fields)


def augmentations(config: Config) -> list[tuple[str, ModuleType, float]]:
    """Name, part and strength of every augmentation that is on, in the order of their turns."""
    found = [
        (name, registry.get("augmentations", name), strength)
        for name, strength in config.model_dump().items()
        if strength
    ]
    return sorted(found, key=lambda each: (each[1].ORDER, each[0]))


def unreadable(config: TrialConfig, tokens: bool) -> list[Mistake]:
    """What of a trial cannot read its inputs.

    Args:
        tokens: whether inputs are tokens, not numbers.
    """
    found = [
        _mistake(f"augmentation/{name}", "0", tokens)
        for name, part, _ in augmentations(config.augmentation)
        if tokens not in part.TOKENS
    ]
    if tokens and getattr(config.data, "sampling", None) == "synthetic":
        found.append(_mistake("data/sampling", "none, over or under", tokens))
    return found


def _mistake(path: str, rule: str, tokens: bool) -> Mistake:
    kinds = ("numbers", "tokens")
    return Mistake(
        code="data/input-kind",
        rule=f"`{path}` must be {rule} unless the inputs are {kinds[not tokens]}",
        where=path,
        got=f"inputs of {kinds[tokens]}",
        fix="Leave it out of the search.",
    )
