"""What every ready-made space promises: the engine takes each end in each branch."""

from __future__ import annotations

from pathlib import Path

import made
import pytest
import studied

import search_spaces
from search_spaces import Space
from tuner import registry
from tuner.combinations import refused
from tuner.config import TrialConfig, all_paths
from tuner.data.store import Store

TASKS = {
    "captioning": {"name": "captioning"},
    "classification": {"name": "classification"},
    "ctc": {"name": "ctc"},
    "control": {"name": "control"},
    "forecasting": {"name": "forecasting", "horizon": 24},
    "language_modelling": {"name": "language_modelling"},
    "recommendation": {"name": "recommendation"},
    "regression": {"name": "regression"},
    "seq2seq": {"name": "seq2seq"},
    "synthesis": {"name": "synthesis"},
    "tagging": {"name": "tagging"},
}
READY_MADE = [name for name in search_spaces.names() if "/" not in name]


def tasks_of(space: Space) -> list[dict[str, object]]:
    return [TASKS[space.task]] if space.task else list(TASKS.values())


@pytest.mark.parametrize("name", search_spaces.names())
def test_every_corner_is_a_trial(name: str) -> None:
    space = search_spaces.load(name)

    for task in tasks_of(space):
        for values, _ in space.corners():
            assert space.contains(values) == []
            config = TrialConfig.from_values(values, task)
            assert config.to_values().items() >= values.items()


@pytest.mark.parametrize("name", READY_MADE)
def test_no_two_of_its_values_are_refused_together(name: str, tmp_path: Path) -> None:
    card = Store.open(made.of_task(name, tmp_path)).card
    space = search_spaces.load(name).suited("texts" if card.vocabulary else "numbers")
    spec = studied.spec(task=made.TASKS[name], space=space)
    assert refused(spec, card) == []


ONE_KIND = {"language_modelling", "recommendation"}
"""Spaces of tasks that read tokens alone."""


@pytest.mark.parametrize("part", registry.names("augmentations"))
def test_what_reads_one_kind_of_inputs_is_of_that_kind(part: str) -> None:
    reads = registry.get("augmentations", part).TOKENS
    for name in search_spaces.names():
        parameter = search_spaces.load(name).parameters.get(f"augmentation/{part}")
        if parameter is not None and name not in ONE_KIND:
            assert parameter.of == (None if len(reads) > 1 else "numbers"), name


@pytest.mark.parametrize("name", search_spaces.names())
def test_says_what_it_is(name: str) -> None:
    space = search_spaces.load(name)

    assert space.about.endswith(".")
    assert space.warnings == []
    assert name.startswith("papers/") == bool(space.source)


@pytest.mark.parametrize("name", search_spaces.names())
def test_reads_back_as_it_is_shown(name: str) -> None:
    space = search_spaces.load(name)

    assert Space.parse(space.to_data(), search_spaces.load) == space


@pytest.mark.parametrize("name", registry.names("tasks"))
def test_every_task_has_a_space(name: str) -> None:
    assert search_spaces.load(name).task == name


@pytest.mark.parametrize("name", READY_MADE)
def test_untuned_it_is_an_ordinary_lstm(name: str) -> None:
    space = search_spaces.load(name)
    untuned = TrialConfig.from_values(space.defaults(), TASKS[space.task]).to_values()

    assert (
        untuned.items()
        >= {
            "model/name": "recurrent",
            "model/cell": "lstm",
            "model/hidden_size": 128,
            "model/layers": 1,
            "optimizer/name": "adam",
            "optimizer/lr": 1e-3,
            "schedule/name": "constant",
        }.items()
    )


@pytest.mark.parametrize("name", READY_MADE)
def test_schedules_suit_trials_that_are_stopped_early(name: str) -> None:
    names = search_spaces.load(name).parameters["schedule/name"].domain.ends()

    assert all(registry.get("schedules", str(schedule)).ANYTIME for schedule in names)


@pytest.mark.parametrize("name", READY_MADE)
def test_gives_way_to_a_model_of_ones_own(name: str) -> None:
    own = search_spaces.load(name).override({"model/name": "mine:Mine"})

    sections = {path.partition("/")[0] for path in own.defaults()}
    assert [path for path in own.defaults() if path.startswith("model/")] == ["model/name"]
    assert not sections & {"regularization", "initialization"}


def test_parts_and_spaces_know_no_parameter_that_the_engine_does_not() -> None:
    for name in READY_MADE:
        space = search_spaces.load(name)
        for values, _ in space.corners():
            assert set(values) <= set(all_paths(values, TASKS[space.task]))


def test_a_short_look_back_leaves_the_patch_out() -> None:
    short = search_spaces.load("forecasting").override({"data/look_back": {"int": [7, 30]}})

    assert {values.get("data/patch", 1) for values, _ in short.corners()} == {1, 12, 24}
    for values, _ in short.corners():
        TrialConfig.from_values(values, TASKS["forecasting"])
