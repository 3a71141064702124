"""What every task shows of a final model: kept whole, read back, drawn as sound SVG."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import made
import pytest

from tuner.data.store import CARD
from tuner.plots.style import alone
from tuner.tasks import _tables as tables
from tuner.training.rank import Rank

SHOWN = {
    "captioning": {"errors", "attention-1"},
    "classification": {"confusion", "attention"},
    "ctc": {"words", "errors"},
    "control": {"actions-1", "actions-2"},
    "forecasting": {"forecast-1", "forecast-2", "error-ahead"},
    "fused": {"confusion"},
    "language_modelling": {"samples"},
    "recommendation": {"rankings", "ranks"},
    "regression": {"predicted-1", "predicted-2"},
    "seq2seq": {"errors", "attention-1"},
    "synthesis": {"frames-1", "truth-1", "attention-1"},
    "tagging": {"tags", "errors", "self-attention"},
    "video": {"confusion"},
}
VALUES: dict[str, dict[str, Any]] = {
    "classification": {"model/pooling": "attention"},
    "tagging": {"model/attention_layer": True},
}


@pytest.fixture(scope="module", params=list(made.TASKS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["test", "validation"])
def split(request: pytest.FixtureRequest) -> str:
    """The rows that a final model is looked at on: of a sweep without test data its validation."""
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, split: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial's folder after its final model was scored."""
    place = tmp_path_factory.mktemp(name)
    data = made.of_task(name, place)
    card = json.loads((data / CARD).read_text())
    assert card["num_sequences"]["test"] > 0
    if split != "test":
        del card["num_sequences"]["test"]
        (data / CARD).write_text(json.dumps(card))
    values = {"training/epochs": 1, **VALUES.get(name, {})}
    rank = Rank("cpu", 1)
    rank.start(made.job_of(name, data, place / "trial", values))
    rank.epoch()
    rank.stop()
    rank.evaluate(split)
    return place / "trial"


def test_something_is_shown(name: str, split: str, folder: Path) -> None:
    found = {path.stem.removeprefix(f"{split}-") for path in folder.glob(f"{split}-*.json")}
    assert found >= SHOWN[name]


def test_what_is_kept_is_read_back_and_drawn(folder: Path) -> None:
    tables.draw(folder)
    for path in tables.kept(folder):
        exhibit = tables.read(path)
        assert exhibit.about.endswith(f", {path.stem.partition('-')[0]} data.")
        assert exhibit.files()["json"] == path.read_text()
        json.loads(path.read_text(), parse_constant=pytest.fail)
        if path.with_suffix(".svg").exists():
            root = ElementTree.fromstring(alone(exhibit.draw()))
            assert exhibit.about in "".join(root.itertext())
    assert {path.suffix for path in tables.written(folder)} <= {".json", ".md", ".svg", ".txt"}
    assert any(path.suffix in (".svg", ".txt") for path in tables.written(folder))
