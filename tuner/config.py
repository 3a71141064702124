"""TrialConfig: the one typed form of a trial's parameters, joined from each part's own Config.

A parameter is a path `section/field`. Sections whose part is chosen by `name` (model, optimizer,
schedule) take the Config of the part named; the others have one Config each.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from tuner import registry
from tuner.models.build import architecture_config
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import ArchitectureConfig
from tuner.part import Config
from tuner.training.augmentation import augmentation_config
from tuner.training.config import TrainingConfig
from tuner.training.regularization import RegularizationConfig
from tuner.training.transfer import TransferConfig

if TYPE_CHECKING:
    from tuner.data.card import DataCard
    from tuner.tasks._base import Task

_DEFAULT_PARTS = {"model": "recurrent", "optimizer": "adam", "schedule": "constant"}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why one value cannot stand in a trial."""

    code: str
    path: str
    rule: str
    got: str
    fix: str


class ValuesRefused(ValueError):
    """All refusals of one set of values."""

    def __init__(self, refusals: list[Refusal]) -> None:
        self.refusals = refusals
        super().__init__("; ".join(f"{r.rule}, got {r.got}" for r in refusals))


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
                refusals.append(_unknown(path, all_paths(values, task)))
            else:
                sections[section][field] = value
        parts: dict[str, Any] = {}
        for section, fields in sections.items():
            try:
                config = section_config(section, values, task)
            except registry.UnknownPart as unknown:
                refusals.append(_unknown_part(f"{section}/name", unknown))
                continue
            try:
                parts[section] = config(**fields)
            except ValidationError as invalid:
                refusals += refusals_of(invalid, f"{section}/", config)
        if not refusals:
            refusals += _across(parts, task)
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


def refusals_of(invalid: ValidationError, prefix: str, config: type[BaseModel]) -> list[Refusal]:
    """Pydantic's errors in our words: a rule, the value received, and a way out."""
    found = []
    for error in invalid.errors():
        where = "/".join(str(step) for step in error["loc"])
        path = f"{prefix}{where}"
        if error["type"] == "extra_forbidden":
            found.append(_unknown(path, [f"{prefix}{field}" for field in config.model_fields]))
            continue
        if error["type"] == "missing":
            found.append(
                Refusal(
                    code="spec/missing-key",
                    path=path,
                    rule=f"`{path}` must be given",
                    got="nothing",
                    fix="Add it.",
                )
            )
            continue
        rule = error["msg"].replace("Input should be", "must be").removeprefix("Value error, ")
        if error["type"] == "path_type":
            rule = "must be a path"
        elif not rule.startswith("must"):
            rule = f"must be valid ({rule})"
        found.append(
            Refusal(
                code=f"spec/{'type' if error['type'].endswith('_type') else 'value'}",
                path=path,
                rule=f"`{path}` {rule}",
                got=repr(error["input"]),
                fix=_explained(config, str(error["loc"][0]) if error["loc"] else ""),
            )
        )
    return found


def _explained(config: type[BaseModel], field: str) -> str:
    info = config.model_fields.get(field)
    text = " ".join((info.description or "").split()) if info else ""
    return f"Change it. It means: {text}" if text else "Change it, or leave it out."


def _unknown(path: str, known: list[str]) -> Refusal:
    close = difflib.get_close_matches(path, known, n=1, cutoff=0.6)
    prefix = path.rpartition("/")[0]
    beside = [k for k in known if k.rpartition("/")[0] == prefix] or known
    fix = f"Did you mean `{close[0]}`?" if close else f"Known here: {', '.join(beside)}."
    return Refusal(
        code="spec/unknown-key",
        path=path,
        rule=f"`{path}` must be something that is known here",
        got=repr(path.rpartition("/")[2]),
        fix=fix,
    )


def _unknown_part(path: str, unknown: registry.UnknownPart) -> Refusal:
    near = f"Did you mean `{unknown.nearest}`? " if unknown.nearest else ""
    return Refusal(
        code="spec/unknown-part",
        path=path,
        rule=f"`{path}` must be a known part or an import path",
        got=repr(unknown.name),
        fix=f"{near}Known: {', '.join(unknown.known)}.",
    )


def _across(parts: Mapping[str, Any], task: Mapping[str, Any]) -> list[Refusal]:
    """Rules that bind values of one trial together."""
    found = [*_patch_fits(parts), *_reads_one_way(parts, task)]
    found += [*_keeps_steps(parts, task), *_scores_tags(parts, task)]
    return [*found, *_says(parts, task), *_own_model(parts, task), *_training(parts)]


def _keeps_steps(parts: Mapping[str, Any], task: Mapping[str, Any]) -> list[Refusal]:
    """A bag of words leaves no step that could have a tag, or say a token."""
    module = registry.get("tasks", task["name"])
    about = module.data(module.Config(**task))
    needed = about.target == "tags" or about.aligned
    if not needed or getattr(parts["data"], "encoding", "ids") != "bag_of_words":
        return []
    return [
        _bound(
            "data/encoding",
            "must keep the steps of a sequence where each has a tag or gives a token",
            repr(parts["data"].encoding),
            "Take ids or one_hot.",
        )
    ]


def _reads_one_way(parts: Mapping[str, Any], task: Mapping[str, Any]) -> list[Refusal]:
    causal = getattr(registry.get("tasks", task["name"]), "CAUSAL", False)
    if not causal or getattr(parts["model"], "directions", 1) == 1:
        return []
    return [
        Refusal(
            code="spec/value",
            path="model/directions",
            rule=f"`model/directions` must be 1 where {task['name']} predicts what it reads",
            got=repr(parts["model"].directions),
            fix="Leave it out: what is read backwards would be the answer.",
        )
    ]


def _scores_tags(parts: Mapping[str, Any], task: Mapping[str, Any]) -> list[Refusal]:
    if not getattr(parts["model"], "crf", False):
        return []
    module = registry.get("tasks", task["name"])
    # A best path is known at its end; what acts must know its step's answer at once.
    causal = getattr(module, "CAUSAL", False)
    if module.data(module.Config(**task)).target == "tags" and not causal:
        return []
    return [
        _bound(
            "model/crf",
            "must be false where steps have no tags that could follow one another",
            f"true for {task['name']}",
            "Leave it out, or take `task: tagging`.",
        )
    ]


def _says(parts: Mapping[str, Any], task: Mapping[str, Any]) -> list[Refusal]:
    """What belongs to a decoder, and what a decoder belongs to."""
    decodes = getattr(registry.get("tasks", task["name"]), "DECODES", False)
    own, sampled = ":" in parts["model"].name, parts["regularization"].scheduled_sampling
    if decodes and own:
        rule = f"must be a shipped one where {task['name']} decodes texts"
        return [_bound("model/name", rule, repr(parts["model"].name), "Leave it out.")]
    if sampled and not decodes:
        rule = "must be 0 where there is no decoder"
        path = "regularization/scheduled_sampling"
        return [_bound(path, rule, f"{sampled} for {task['name']}", "Leave it out.")]
    return []


def _patch_fits(parts: Mapping[str, Any]) -> list[Refusal]:
    data = parts["data"]
    refusals = []
    look_back, patch = getattr(data, "look_back", None), getattr(data, "patch", None)
    if look_back is not None and patch is not None and patch > look_back:
        refusals.append(
            Refusal(
                code="spec/value",
                path="data/patch",
                rule="`data/patch` must be at most `data/look_back`",
                got=f"{patch} with a look-back of {look_back}",
                fix="Shorten the patch or lengthen the look-back.",
            )
        )
    elif look_back is not None and getattr(data, "spectral", 0) > look_back // 2 + 1:
        refusals.append(
            Refusal(
                code="spec/value",
                path="data/spectral",
                rule="`data/spectral` must be at most half of `data/look_back` and one",
                got=f"{data.spectral} with a look-back of {look_back}",
                fix="Take fewer magnitudes or lengthen the look-back.",
            )
        )
    if getattr(data, "channel_embedding", False) and data.channels != "shared":
        refusals.append(
            Refusal(
                code="spec/value",
                path="data/channel_embedding",
                rule="`data/channel_embedding` must come with `data/channels: shared`",
                got=f"it with `{data.channels}`",
                fix="Share the channels, or leave it out.",
            )
        )
    if getattr(data, "decoding", "direct") != "direct":
        refusals += _stepwise(data, parts["model"])
    return refusals


def _stepwise(data: Any, model: Any) -> list[Refusal]:
    """What does not go with a horizon that is decoded step by step."""
    with_steps = f"with `data/decoding: {data.decoding}`"
    found = []
    if data.patch > 1:
        found.append(("data/patch", "1", data.patch, "A step of input is then a step of time."))
    if getattr(model, "directions", 1) != 1:
        found.append(
            (
                "model/directions",
                "1",
                model.directions,
                "What predicts what it reads goes forwards.",
            )
        )
    if ":" in model.name:
        found.append(
            ("model/name", "a shipped one", model.name, "Decode directly with one of your own.")
        )
    if data.decoding == "recursive":
        if data.smooth > 1:
            found.append(("data/smooth", "1", data.smooth, "Forecasts are fed back as they are."))
        if data.scaling != "standard":
            found.append(
                ("data/scaling", "standard", data.scaling, "Forecasts come in deviations.")
            )
    return [
        Refusal(
            code="spec/value",
            path=path,
            rule=f"`{path}` must be {rule} {with_steps}",
            got=repr(got),
            fix=fix,
        )
        for path, rule, got, fix in found
    ]


def _own_model(parts: Mapping[str, Any], task: Mapping[str, Any]) -> list[Refusal]:
    """What only works where the platform knows the encoder, and where there is one."""
    name = parts["model"].name
    if ":" in name and getattr(registry.get("tasks", task["name"]), "SHIPPED", False):
        return [
            _bound(
                "model/name",
                f"must be a shipped architecture for {task['name']}, whose loss takes it apart",
                repr(name),
                "Leave it out.",
            )
        ]
    decoding = getattr(parts["data"], "decoding", "direct")
    regularization, training = parts["regularization"], parts["training"]
    given = {
        "regularization/activation": regularization.activation,
        "regularization/temporal_activation": regularization.temporal_activation,
        "training/bptt": training.bptt,
    }
    return [
        _bound(
            path,
            "reaches into the encoder of a shipped architecture, which a model of one's own "
            "lacks, and one that decodes step by step",
            f"{value} for `{name}`, decoded {decoding}",
            "Leave it out, or do the same in the model's own code.",
        )
        for path, value in given.items()
        if value and (":" in name or decoding != "direct")
    ]


def _training(parts: Mapping[str, Any]) -> list[Refusal]:
    found, training = [], parts["training"]
    if training.accumulate > training.batch_size:
        found.append(
            _bound(
                "training/accumulate",
                "must be at most `training/batch_size`",
                f"{training.accumulate} pieces of {training.batch_size} rows",
                "Take fewer pieces.",
            )
        )
    optimizer = parts["optimizer"].name
    if training.ema and hasattr(registry.get("optimizers", optimizer), "averages"):
        found.append(
            _bound(
                "training/ema",
                "must be 0 with an optimizer that averages the weights itself",
                f"{training.ema} with {optimizer}",
                "Leave it out, or take another `optimizer/name`, such as sgd.",
            )
        )
    return found


def _bound(path: str, rule: str, got: str, fix: str) -> Refusal:
    return Refusal(code="spec/value", path=path, rule=f"`{path}` {rule}", got=got, fix=fix)
