"""What MLflow is told of a sweep's data."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from tuner.tracking.dataset import dataset


def test_it_is_named_by_its_first_file_and_tells_no_secret() -> None:
    files = [
        SimpleNamespace(path=f"s3://key:secret@bucket/{name}.csv", sha256=mark * 64)
        for name, mark in (("rows", "a"), ("more", "b"))
    ]
    card: Any = SimpleNamespace(
        files=files,
        features=("x",),
        labels=("yes", "no"),
        num_sequences={"train": 3},
        num_steps={"train": 30},
    )
    found = dataset("sweep", card)
    assert (found.key, found.name, found.digest) == ("sweep", "rows.csv", "a" * 36)
    assert found.source == "s3://***@bucket/rows.csv, s3://***@bucket/more.csv"
    assert json.loads(found.schema) == {"features": ["x"], "labels": ["yes", "no"]}
    assert json.loads(found.profile) == {"sequences": {"train": 3}, "steps": {"train": 30}}
