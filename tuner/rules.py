"""Rules that bind the values of one trial together, and to its task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner import registry
from tuner.refused_values import Refusal, bound


def broken(parts: Mapping[str, Any], task: Mapping[str, Any]) -> list[Refusal]:
    """Every rule that a trial's parts break, each part valid by itself."""
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
        bound(
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
        bound(
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
        return [bound("model/name", rule, repr(parts["model"].name), "Leave it out.")]
    if sampled and not decodes:
        rule = "must be 0 where there is no decoder"
        path = "regularization/scheduled_sampling"
        return [bound(path, rule, f"{sampled} for {task['name']}", "Leave it out.")]
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
            bound(
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
        bound(
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
            bound(
                "training/accumulate",
                "must be at most `training/batch_size`",
                f"{training.accumulate} pieces of {training.batch_size} rows",
                "Take fewer pieces.",
            )
        )
    optimizer = parts["optimizer"].name
    if training.ema and hasattr(registry.get("optimizers", optimizer), "averages"):
        found.append(
            bound(
                "training/ema",
                "must be 0 with an optimizer that averages the weights itself",
                f"{training.ema} with {optimizer}",
                "Leave it out, or take another `optimizer/name`, such as sgd.",
            )
        )
    return found
