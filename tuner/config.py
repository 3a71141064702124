"""TrialConfig: the one typed form of a trial's parameters, joined from each part's own Config.

A parameter is a path `section/field`. Sections whose part is chosen by `name` (model, optimizer,
schedule) take the Config of the part named; the others have one Config each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tuner import registry
from tuner.models.build import architecture_config
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import ArchitectureConfig
from tuner.part import Config
from tuner.refused_values import (
    Refusal,
    ValuesRefused,
    refusals_of,
    unknown,
    unknown_part,
)
from tuner.rules import broken
from tuner.training.augmentation import augmentation_config
from tuner.training.config import TrainingConfig
from tuner.training.regularization import RegularizationConfig
from tuner.training.transfer import TransferConfig

if TYPE_CHECKING:
    from tuner.data.card import DataCard
    from tuner.tasks._base import Task

_DEFAULT_PARTS = {"model": "recurrent", "optimizer": "adam", "schedule": "constant"}


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything that one trial is made of, validated."""

    model: ArchitectureConfig
    initialization: InitializationConfig
    optimizer: Any
    """The `Config` of a part in `tuner/training/optimizers`."""
    schedule: Any
    """The `Config` of a part in `tuner/training/schedules`."""
    regularization: RegularizationConfig
    training: TrainingConfig
    transfer: TransferConfig
    data: Config
    """The task's `InputConfig`."""
    loss: Config
    """The task's `LossConfig`; empty where it has none."""
    augmentation: Config
    """A strength for each part in `tuner/data/augmentations` that suits the task."""

    @classmethod
    def from_values(cls, values: Mapping[str, Any], task: Mapping[str, Any]) -> TrialConfig:
        """Validates a trial's parameters; what is left out takes its part's default.

        Args:
            values: path → value.
            task: name and options of the task.

        Raises:
            ValuesRefused: with every value that its part does not take.
        """
        sections: dict[str, dict[str, Any]] = {name: {} for name in cls.__dataclass_fields__}
        refusals: list[Refusal] = []
        for path, value in values.items():
            section, _, field = path.partition("/")
            if section not in sections or not field:
                refusals.append(unknown(path, all_paths(values, task)))
            else:
                sections[section][field] = value
        parts: dict[str, Any] = {}
        for section, fields in sections.items():
            try:
                config = section_config(section, values, task)
            except registry.UnknownPart as absent:
                refusals.append(unknown_part(f"{section}/name", absent))
                continue
            try:
                parts[section] = config(**fields)
            except ValidationError as invalid:
                refusals += refusals_of(invalid, f"{section}/", config)
        if not refusals:
            refusals += broken(parts, task)
        if refusals:
            raise ValuesRefused(refusals)
        return cls(**parts)

    def to_values(self) -> dict[str, Any]:
        """Every parameter by path, defaults included."""
        return {
            f"{section}/{field}": value
            for section in self.__dataclass_fields__
            for field, value in getattr(self, section).model_dump().items()
        }


def section_config(
    section: str, values: Mapping[str, Any], task: Mapping[str, Any]
) -> type[Config]:
    """The Config of a section, given the parts that the values choose.

    Raises:
        registry.UnknownPart: a part that does not exist.
    """
    match section:
        case "model":
            return architecture_config(values.get("model/name", _DEFAULT_PARTS["model"]))
        case "optimizer" | "schedule":
            name = values.get(f"{section}/name", _DEFAULT_PARTS[section])
            part: type[Config] = registry.get(f"{section}s", str(name)).Config
            return part
        case "initialization":
            return InitializationConfig
        case "regularization":
            return RegularizationConfig
        case "training":
            return TrainingConfig
        case "transfer":
            return TransferConfig
        case "data":
            inputs: type[Config] = registry.get("tasks", task["name"]).InputConfig
            return inputs
        case "loss":
            losses: type[Config] = getattr(
                registry.get("tasks", task["name"]), "LossConfig", Config
            )
            return losses
        case "augmentation":
            changes = getattr(registry.get("tasks", task["name"]), "AUGMENTED", frozenset[str]())
            return augmentation_config(changes)
    raise KeyError(section)


def all_paths(values: Mapping[str, Any], task: Mapping[str, Any]) -> list[str]:
    """Every path that a trial with these parts knows."""
    found = []
    for section in TrialConfig.__dataclass_fields__:
        try:
            config = section_config(section, values, task)
        except registry.UnknownPart:
            continue
        found += [f"{section}/{field}" for field in config.model_fields]
    return found


def make_task(
    task: Mapping[str, Any], config: TrialConfig, card: DataCard, fold: int | None
) -> Task:
    """The task of a trial on its data; statistics are those fitted without the fold."""
    from tuner.tasks._base import Facts

    module = registry.get("tasks", task["name"])
    facts = Facts(
        features=tuple(card.features),
        target_channels=tuple(card.target_channels),
        labels=tuple(card.labels),
        vocabulary=card.vocabulary,
        tokens=card.layout.tokens,
        statistics=card.statistics["all" if fold is None else str(fold)],
        step_seconds=card.step_seconds,
        targets=card.layout.targets,
        roles=card.layout.roles,
        target_vocabulary=card.target_vocabulary,
        target_tokens=card.layout.target_tokens if card.layout.target_text else "",
        picture=card.layout.picture.shape if card.layout.picture else None,
        frame=card.layout.frames.shape if card.layout.frames else None,
        static=card.layout.static,
        side_picture=card.layout.side_picture.shape if card.layout.side_picture else None,
    )
    losses = [config.loss] if hasattr(module, "LossConfig") else []
    made: Task = module.create(module.Config(**task), config.data, facts, *losses)
    return made
