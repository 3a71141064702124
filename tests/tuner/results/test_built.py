"""Widths that were solved, as a leaderboard tells them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import pytest

from search_spaces import Space
from tuner.data.card import DataCard
from tuner.data.config import DataConfig
from tuner.data.store import Store
from tuner.results.built import built
from tuner.search.config import SearchConfig
from tuner.search.records import TrialRecord
from tuner.spec import SweepSpec
from tuner.spec_file import ResourcesConfig, TrackingConfig


def record(number: int, **model: Any) -> TrialRecord:
    values = {f"model/{field}": value for field, value in model.items()}
    return TrialRecord(number=number, values=values, outcome=None, rungs={})


def test_a_width_is_that_of_the_network(tmp_path: Path) -> None:
    data = made.classification(tmp_path)
    spec = SweepSpec(
        name="made",
        task=made.CLASSIFICATION,
        data=DataConfig(train="rows.csv"),
        space=Space.parse({"parameters": {"model/layers": 2}}, lambda name: pytest.fail(name)),
        search=SearchConfig(),
        resources=ResourcesConfig(),
        tracking=TrackingConfig(),
        metric="accuracy",
        maximize=True,
        root=tmp_path,
    )
    asked = {"parameters": 20_000, "layers": 2, "directions": 2}
    records = [
        record(0, hidden_size=32),
        record(1, **asked),
        record(2, **asked, cell="gru"),
        # No width has so few.
        record(3, parameters=5),
    ]

    found = built(spec, records, lambda: Store.open(data).card)

    assert found.keys() == {1, 2}
    for number, solved in found.items():
        # A made job asks for a width of its own, which goes together with no number of parameters.
        values = {"model/hidden_size": 128, **records[number].values}
        fit = made.fit(data, tmp_path / str(number), values)
        assert fit.module.encoder.layers[0].cells[0].hidden_size == solved["hidden_size"] != 128
    assert found[1] != found[2]


def test_no_card_is_read_where_nobody_asked() -> None:
    def card() -> DataCard:
        pytest.fail("read")

    spec: Any = None
    assert built(spec, [record(0, hidden_size=32)], card) == {}
