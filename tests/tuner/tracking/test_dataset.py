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


def test_of_thousands_of_files_some_are_named() -> None:
    files = [SimpleNamespace(path=f"frames/{i:06d}.png", sha256="a" * 64) for i in range(5000)]
    card: Any = SimpleNamespace(
        files=files, features=("x",), labels=(), num_sequences={"train": 3}, num_steps={"train": 30}
    )
    source = dataset("sweep", card).source
    assert source.startswith("frames/000000.png, ") and source.endswith(" and 4,980 more")
