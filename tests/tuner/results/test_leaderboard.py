"""Ranking, the honest lines beside it, and the formats."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from search_spaces import Space
from tuner.data.config import DataConfig
from tuner.outcome import Outcome, State
from tuner.results import tables
from tuner.results.leaderboard import Leaderboard
from tuner.search.config import SearchConfig
from tuner.search.records import TrialRecord
from tuner.spec import SweepSpec
from tuner.spec_file import ResourcesConfig, TrackingConfig

BASELINES = {
    "validation": {"majority class": {"accuracy": 0.4}},
    "test": {"majority class": {"accuracy": 0.35}},
}


def spec(*, maximize: bool = True) -> SweepSpec:
    space = {"parameters": {"model/cell": ["lstm", "gru"], "training/epochs": 5}}
    return SweepSpec(
        name="made",
        task={"name": "classification"},
        data=DataConfig(train="rows.csv"),
        space=Space.parse(space, lambda name: pytest.fail(name)),
        search=SearchConfig(),
        resources=ResourcesConfig(),
        tracking=TrackingConfig(),
        metric="accuracy",
        maximize=maximize,
        root=Path("."),
    )


def record(number: int, state: State | None, value: float | None, **values: Any) -> TrialRecord:
    outcome = None
    if state is not None:
        metrics = {} if value is None else {"accuracy": value}
        outcome = Outcome(state=state, value=value, best_epoch=2, epochs=3, metrics=metrics)
    return TrialRecord(
        number=number, values={"model/cell": "gru"} | values, outcome=outcome, rungs={}
    )


RECORDS = [
    record(0, State.COMPLETE, 0.8),
    record(1, State.DIVERGED, 0.99),
    record(2, State.COMPLETE, 0.9, **{"model/cell": "=cmd()"}),
    record(3, State.PRUNED, 0.7),
    record(4, State.FAILED, None),
    record(5, None, None),
    record(6, State.TIMEOUT, 0.9, **{"model/cell": 3}),
]


def board(**changes: Any) -> Leaderboard:
    finals = {"2": {"accuracy": 0.88}, "0": {"accuracy": 0.79}}
    return Leaderboard.of(
        spec(**changes), RECORDS, baselines=BASELINES, finals=finals, built={2: {"hidden_size": 57}}
    )


def test_a_diverged_trial_never_wins_and_ties_go_to_the_earlier() -> None:
    assert [(row.number, row.rank) for row in board().rows] == [
        (2, 1),
        (6, 2),
        (0, 3),
        (3, 4),
        (1, None),
        (4, None),
        (5, None),
    ]
    assert board().best == board().rows[0]
    assert [r.number for r in board(maximize=False).rows[:4]] == [3, 0, 2, 6]


def test_the_honest_lines_stand_beside_the_trials() -> None:
    found = board()
    assert found.default is not None and found.default.test == 0.79
    (baseline,) = found.baselines
    assert (baseline.name, baseline.validation, baseline.test) == ("majority class", 0.4, 0.35)
    assert found.counts() == {
        "RUNNING": 1,
        "COMPLETE": 2,
        "PRUNED": 1,
        "DIVERGED": 1,
        "TIMEOUT": 1,
        "FAILED": 1,
    }


def test_a_sweep_without_usable_trials_has_no_best() -> None:
    found = Leaderboard.of(spec(), RECORDS[4:6], baselines={}, finals={}, built={})
    assert found.best is None and found.default is None


def test_csv_neutralises_formulas(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(tables.to_csv(board()))))
    assert rows[0]["model/cell"] == "'=cmd()"
    assert rows[0]["test"] == "0.88"
    assert [row["trial"] for row in rows] == ["2", "6", "0", "3", "1", "4", "5"]


def test_json_and_parquet_hold_the_same(tmp_path: Path) -> None:
    data = json.loads(tables.to_json(board()))
    tables.to_parquet(board(), tmp_path / "board.parquet")
    table = pq.read_table(tmp_path / "board.parquet")
    assert table["value"].to_pylist() == [trial["value"] for trial in data["trials"]]
    assert table["model/cell"].to_pylist() == ["=cmd()", "3", "gru", "gru", "gru", "gru", "gru"]


def test_the_table_shows_the_best_the_default_and_the_baseline() -> None:
    from rich.console import Console

    console = Console(width=120, no_color=True)
    with console.capture() as captured:
        console.print(tables.to_table(board(), limit=1))
    text = captured.get()
    assert text.index("0.88") < text.index("0 (default)") < text.index("majority class")


def test_what_was_solved_is_shown_apart_from_what_was_asked_for() -> None:
    from rich.console import Console

    found = board()
    assert found.columns()["built/hidden_size"] == [57, *[None] * 6]
    assert all("model/hidden_size" not in row.values for row in found.rows)
    console = Console(width=120, no_color=True)
    with console.capture() as captured:
        console.print(tables.to_table(found))
    assert "hidden_size, built" in captured.get() and " 57 " in captured.get()
