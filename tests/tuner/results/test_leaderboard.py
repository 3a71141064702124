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
from tuner.repeats import Repeat, Repeats
from tuner.results import tables
from tuner.results.leaderboard import Leaderboard
from tuner.search.config import SearchConfig
from tuner.search.objectives import Objective
from tuner.search.records import TrialRecord
from tuner.spec import SweepSpec
from tuner.spec_file import ResourcesConfig, TrackingConfig

BASELINES = {
    "validation": {"majority class": {"accuracy": 0.4}},
    "test": {"majority class": {"accuracy": 0.35}},
}


def spec(
    *, maximize: bool = True, others: tuple[str, ...] = (), constraints: tuple[str, ...] = ()
) -> SweepSpec:
    space = {"parameters": {"model/cell": ["lstm", "gru"], "training/epochs": 5}}
    return SweepSpec(
        name="made",
        task={"name": "classification"},
        data=DataConfig(train="rows.csv"),
        space=Space.parse(space, lambda name: pytest.fail(name)),
        search=SearchConfig(constraints=list(constraints)),
        resources=ResourcesConfig(),
        tracking=TrackingConfig(),
        metric="accuracy",
        maximize=maximize,
        others=tuple(Objective(name=name, maximize=False) for name in others),
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


def test_of_equal_scores_the_lower_loss_goes_first() -> None:
    def lossy(number: int, value: float, loss: float) -> TrialRecord:
        metrics = {"accuracy": value, "loss": loss}
        outcome = Outcome(state=State.COMPLETE, value=value, epochs=3, metrics=metrics)
        return TrialRecord(number=number, values={}, outcome=outcome, rungs={})

    records = [lossy(0, 0.8, 0.1), lossy(1, 0.9, 0.5), lossy(2, 0.9, 0.2), lossy(3, 0.9, 0.2)]
    found = Leaderboard.of(spec(), records, baselines=BASELINES, finals={})
    assert [row.number for row in found.rows] == [2, 3, 1, 0]


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


def repeated(seeds: dict[int, list[float | None]]) -> Repeats:
    """Candidates in this order, on as many seeds as they have scores; None diverged."""
    count = max(map(len, seeds.values()))
    made = Repeats(candidates=tuple(seeds), seeds=tuple(range(1, count + 1)))
    for number, values in seeds.items():
        for seed, value in enumerate(values, 1):
            state = State.COMPLETE if value is not None else State.DIVERGED
            outcome = Outcome(state=state, value=value, reason="" if value else "it blew up")
            test = {} if value is None else {"accuracy": value - 0.1}
            made = made.with_repeat(number, seed, Repeat(outcome=outcome, test=test))
    return made


def confirmed(seeds: dict[int, list[float | None]], **changes: Any) -> Leaderboard:
    repeats = repeated(seeds)
    return Leaderboard.of(spec(**changes), RECORDS, baselines={}, finals={}, repeats=repeats)


def test_the_winner_is_the_best_on_fresh_seeds() -> None:
    found = confirmed({2: [0.80, 0.81, 0.82], 6: [0.79, 0.79, 0.80], 0: [0.9, 0.91, 0.9]})
    assert found.confirmed
    assert [row.number for row in found.rows] == [0, 2, 6, 3, 1, 4, 5]
    assert [row.rank for row in found.rows[:4]] == [1, 2, 3, 4]
    best = found.best
    assert best is not None and best.interval is not None and best.test_interval is not None
    assert best.interval.values == (0.9, 0.91, 0.9) and best.seeds == (1, 2, 3)
    assert best.interval.low < best.interval.mean == pytest.approx(0.9033, abs=1e-4)
    assert best.test_interval.mean == pytest.approx(0.8033, abs=1e-4)
    assert [row.tie for row in found.rows[:4]] == [False, False, False, None]
    assert found.tied == ()
    lowest = confirmed({3: [0.3, 0.31], 0: [0.29, 0.29]}, maximize=False).best
    assert lowest is not None and lowest.number == 0


def test_what_noise_cannot_tell_apart_is_a_tie() -> None:
    found = confirmed({2: [0.88, 0.90, 0.92], 6: [0.87, 0.90, 0.91], 0: [0.5, 0.51, 0.5]})
    assert [(row.number, row.tie) for row in found.rows[:3]] == [(2, True), (6, True), (0, False)]
    assert [row.number for row in found.tied] == [6]


def test_a_configuration_that_a_seed_breaks_never_wins() -> None:
    found = confirmed({2: [0.99, None], 6: [0.8, 0.81], 0: [0.7, 0.71]})
    assert [row.number for row in found.rows[:4]] == [6, 0, 2, 3]
    broken = found.rows[2]
    assert broken.interval is None and broken.tie is None
    assert broken.unstable == "seed 2: DIVERGED, it blew up"


def test_before_all_are_trained_the_search_ranks() -> None:
    found = confirmed({2: [0.8, 0.8], 0: [0.9]})
    assert not found.confirmed
    assert [(row.number, row.rank, row.tie) for row in found.rows[:2]] == [
        (2, 1, None),
        (6, 2, None),
    ]
    assert found.rows[0].interval is not None and found.rows[2].interval is None


def costly(number: int, value: float, parameters: int) -> TrialRecord:
    outcome = Outcome(
        state=State.COMPLETE,
        value=value,
        best_epoch=1,
        epochs=1,
        metrics={"accuracy": value},
        costs={"parameters": parameters},
    )
    return TrialRecord(number=number, values={}, outcome=outcome, rungs={})


COSTLY = [costly(0, 0.9, 900), costly(1, 0.8, 100), costly(2, 0.7, 300), costly(3, 0.95, 5000)]


def test_the_front_is_marked_and_the_first_objective_ranks() -> None:
    made = spec(others=("parameters",))
    found = Leaderboard.of(made, COSTLY, baselines={}, finals={})
    assert [(row.number, row.pareto) for row in found.rows] == [
        (3, True),
        (0, True),
        (1, True),
        (2, False),
    ]
    assert found.objectives == ("accuracy", "parameters")
    assert found.columns()["parameters"] == [5000, 900, 100, 300]
    alone = Leaderboard.of(spec(), COSTLY, baselines={}, finals={})
    assert not any(row.pareto for row in alone.rows)


def test_what_breaks_a_constraint_never_wins() -> None:
    made = spec(constraints=("parameters <= 1e3", "accuracy >= 0.75"), others=("parameters",))
    found = Leaderboard.of(made, COSTLY, baselines={}, finals={})
    assert [(row.number, row.rank, row.violated) for row in found.rows] == [
        (0, 1, ()),
        (1, 2, ()),
        (2, None, ("accuracy >= 0.75",)),
        (3, None, ("parameters <= 1000",)),
    ]
    assert [row.pareto for row in found.rows] == [True, True, False, False]
    none = Leaderboard.of(spec(constraints=("parameters <= 1",)), COSTLY, baselines={}, finals={})
    assert none.best is None
