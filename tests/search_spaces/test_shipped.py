"""Finding the ready-made spaces, and reading their numbers as YAML 1.2 does."""

from __future__ import annotations

import pytest
import yaml

import search_spaces
from search_spaces import SpaceErrors
from search_spaces.shipped import _Loader


def test_names_spaces_and_parts() -> None:
    assert {"classification", "forecasting", "parts/cells", "papers/greff2017"} <= set(
        search_spaces.names()
    )


def test_an_unknown_name_gets_its_neighbour() -> None:
    with pytest.raises(SpaceErrors, match="Did you mean `classification`"):
        search_spaces.load("clasification")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("3e2", 300.0), ("0.5", 0.5), ("10", 10), ("no", "no"), ("on", "on")],
)
def test_numbers_are_numbers_and_words_are_words(text: str, value: object) -> None:
    read = _Loader(text).get_single_data()
    assert read == value and type(read) is type(value)
    assert yaml.safe_load("1e-3") == "1e-3"  # the shortfall that the loader works around


@pytest.mark.parametrize("name", ["classification", "regression", "tagging"])
def test_only_what_is_read_is_searched(name: str) -> None:
    space = search_spaces.load(name)
    numbers, texts = space.suited("numbers").parameters, space.suited("texts").parameters
    assert numbers.keys() | texts.keys() == space.parameters.keys() - {"model/fusion"}
    assert "model/fusion" in space.suited("numbers", "fused").parameters
    assert "model/embedding" not in numbers and "data/characters" not in numbers
    assert "data/scaling" not in texts
    assert ("model/embedding" in texts) == (name != "regression")
