"""What is written straight into the tables is what MLflow's own calls write."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text

from tuner.tracking import delivery
from tuner.tracking.batch import Batch, Point
from tuner.tracking.changes import Change
from tuner.tracking.client import connect
from tuner.tracking.database import Database
from tuner.tracking.delivery import KEY_TAG, Delivery
from tuner.tracking.records import (
    Artifact,
    Entry,
    Metrics,
    Params,
    Record,
    RunEnded,
    RunStarted,
    Status,
    Tags,
)
from tuner.tracking.run_ids import RunIds

START = 1_700_000_000_000
TABLES = ("runs", "metrics", "latest_metrics", "params", "tags")


@dataclass
class Way:
    """A sweep delivered in one of both ways."""

    uri: str
    experiment: str
    folder: Path
    refused: set[tuple[str, str]] = field(default_factory=set)

    def delivery(self, *known: str) -> Delivery:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "file.txt").write_text("x")
        run_ids = RunIds(self.folder, self.uri)
        run_ids.uid = "a0"
        return Delivery(
            uri=self.uri,
            experiment=self.experiment,
            folder=self.folder,
            artifact_root=None,
            run_ids=run_ids,
            known=known,
            refuse=lambda key, what, reason: self.refused.add((key, what)),
        )

    def rows(self) -> dict[str, list[str]]:
        """All rows of the experiment's runs as texts, with keys in place of ids."""
        client = connect(self.uri)
        experiment = client.get_experiment_by_name(self.experiment)
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        keys = {run.info.run_id: run.data.tags[KEY_TAG] for run in runs}
        found: dict[str, list[str]] = {}
        with create_engine(self.uri, poolclass=NullPool).connect() as database:
            for table in TABLES:
                rows = map(dict, database.execute(text(f"SELECT * FROM {table}")).mappings())
                told = [
                    json.dumps(row | {"experiment_id": 0})
                    for row in rows
                    if row["run_uuid"] in keys
                ]
                for run_id, key in keys.items():
                    told = [line.replace(run_id, key) for line in told]
                place = f"{experiment.artifact_location}/"
                found[table] = sorted(line.replace(place, "") for line in told)
        return found


@pytest.fixture
def ways(uri: str, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Way, Way]:
    """Ours, and that of MLflow's calls."""
    name = request.node.name
    return Way(uri, f"{name} ours", tmp_path / "ours"), Way(
        uri, f"{name} calls", tmp_path / "calls"
    )


def deliver(ways: tuple[Way, Way], *visits: list[Record], straight: bool = True) -> None:
    """Deliver in so many visits by both ways, and compare after each.

    Args:
        straight: our way makes none of MLflow's calls.
    """
    ours, calls = (way.delivery() for way in ways)
    for number, visit in enumerate(visits):
        entries = [Entry(number=i + 1, record=record) for i, record in enumerate(visit)]
        with pytest.MonkeyPatch.context() as patch:
            if straight:
                patch.setattr(ours, "_make", None)
                patch.setattr(ours, "_tell", None)
            ours.deliver(entries)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(delivery, "_database", lambda client: None)
            calls.deliver(entries)
        assert ways[0].rows() == ways[1].rows(), f"visit {number}"
        assert ways[0].refused == ways[1].refused


def started(key: str, parent: str | None = None) -> RunStarted:
    return RunStarted(key=key, name=f"Run {key}", parent=parent, time_ms=START)


def ended(key: str, status: Status, time_ms: int) -> RunEnded:
    return RunEnded(key=key, status=status, time_ms=START + time_ms)


def point(key: str, step: int, *, time_ms: int | None = None, **values: float) -> Metrics:
    moment = START + (step if time_ms is None else time_ms)
    return Metrics(key=key, step=step, time_ms=moment, values=values)


def test_two_sweeps_of_everything_are_equal_row_by_row(ways: tuple[Way, Way]) -> None:
    opened: list[Record] = [
        started("sweep"),
        Params(key="sweep", values={"seed": "1"}),
        *(started(key, "sweep") for key in "abc"),
        *(Params(key=key, values={"lr": "0.1", "empty": ""}) for key in "abc"),
        *(Tags(key=key, values={"state": "RUNNING", "é": "ü"}) for key in "ab"),
        *(point(key, step, loss=1 / (step + 1)) for step in range(5) for key in "abc"),
    ]
    closed: list[Record] = [
        point("a", 5, loss=0.0, accuracy=1),
        Params(key="a", values={"lr": "0.1", "layers": "2"}),
        Tags(key="a", values={"state": "COMPLETE"}),
        Tags(key="a", values={"state": "PRUNED"}),
        Artifact(key="a", path="file.txt", folder="model"),
        ended("a", "FINISHED", 9),
        ended("b", "FAILED", 8),
        started("b", "sweep"),
        point("b", 9, loss=3.0),
    ]
    deliver(ways, opened, closed, opened, [*opened, *closed], [ended("b", "KILLED", 99)])
    rows = ways[0].rows()
    assert len(rows["runs"]) == 4 and len(rows["metrics"]) == 3 * 5 + 2 + 1
    assert ways[0].refused == set()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_stored_alike(ways: tuple[Way, Way], bad: float) -> None:
    first: list[Record] = [started("a"), point("a", 0, loss=bad), point("a", 1, loss=0.5)]
    again: list[Record] = [point("a", 1, loss=bad), point("a", 1, time_ms=7, loss=bad)]
    deliver(ways, first, again, again, first)


@pytest.mark.parametrize("times", [(0, 1, 2), (2, 1, 0), (1, 1, 1), (1, 0, 1)])
@pytest.mark.parametrize("steps", [(0, 1, 2), (2, 0, 1), (1, 1, 1)])
def test_the_latest_is_the_one_that_mlflow_takes(
    ways: tuple[Way, Way], steps: tuple[int, ...], times: tuple[int, ...]
) -> None:
    runs: list[list[Record]] = [
        [
            point(key, step, time_ms=time, loss=value, zero=zero)
            for step, time, value, zero in zip(
                steps, times, (0.5, -1.0, 0.7), (0.0, -0.0, math.nan), strict=True
            )
        ]
        for key in "ab"
    ]
    # All of a at once, b in as many visits as it has points; at last both again.
    visits = [[record] for record in runs[1]]
    deliver(ways, [started("a"), started("b"), *runs[0]], *visits, [*runs[0], *runs[1][::-1]])


def test_what_is_refused_of_one_run_takes_no_others_with_it(ways: tuple[Way, Way]) -> None:
    runs: list[Record] = [started(key) for key in "abcde"]
    told: list[Record] = [
        *(point(key, 0, loss=0.5) for key in "abcde"),
        Params(key="a", values={"lr": "0.1"}),
        Params(key="b", values={"b//ad": "1", "lr": "0.1"}),
        Params(key="c", values={"long": "x" * 6001, "lr": "0.1"}),
        Tags(key="c", values={"long": "x" * 8001, "state": "RUNNING"}),
        point("d", 1, **{"é" * 251: 1.0, "loss": 0.25}),
        Tags(key="e", values={"mlflow.runName": "another", "state": "RUNNING"}),
    ]
    changed: list[Record] = [
        *(Params(key=key, values={"lr": "0.2", "layers": "2"}) for key in "ad"),
        point("a", 2, loss=0.1),
        Artifact(key="b", path="absent.txt", folder=""),
        *(ended(key, "FINISHED", 9) for key in "abcde"),
    ]
    deliver(ways, runs, told, changed, changed, straight=False)
    assert ways[0].refused == {("a", "lr"), ("b", "b//ad"), ("b", "artifact"), ("d", "é" * 251)}
    assert all('"FINISHED"' in text for text in ways[0].rows()["runs"])


def test_a_run_that_is_gone_is_not_written_and_nor_are_others(uri: str, tmp_path: Path) -> None:
    way = Way(uri, "gone", tmp_path / "gone")
    way.delivery().deliver([Entry(number=i, record=started(key)) for i, key in enumerate("ab")])
    client, before = connect(uri), way.rows()
    database = Database.behind(client)
    ids = RunIds(way.folder, uri)
    run_id = ids.get("a")
    assert database is not None and run_id is not None
    change = Change(batch=Batch(metrics=[Point("loss", 0, START, 0.5)], tags={"state": "x"}))
    assert not database.write({run_id: change, "0" * 32: Change()})
    assert way.rows() == before
    assert database.write({run_id: change}) and database.write({run_id: change})
    assert len(way.rows()["metrics"]) == 1
    client.delete_run(run_id)
    assert not database.write({run_id: change})


def test_a_run_that_was_deleted_is_refused_and_the_others_go_on(uri: str, tmp_path: Path) -> None:
    way = Way(uri, "deleted", tmp_path / "deleted")
    ours = way.delivery()
    ours.deliver([Entry(number=i, record=started(key)) for i, key in enumerate("ab")])
    run_id = RunIds(way.folder, uri).get("a")
    assert run_id is not None
    connect(uri).delete_run(run_id)
    told = [started("a"), *(point(key, 0, loss=0.5) for key in "ab"), ended("a", "FINISHED", 9)]
    ours.deliver([Entry(number=i, record=record) for i, record in enumerate(told)])
    assert way.refused == {("a", "run_started"), ("a", "loss"), ("a", "run_ended")}
    assert len(way.rows()["metrics"]) == 1


def test_runs_whose_ids_are_lost_are_found_again(uri: str, tmp_path: Path) -> None:
    way, number = Way(uri, "lost", tmp_path / "lost"), 300
    keys = [f"trial-{i:04d}" for i in range(number)]
    entries = [Entry(number=i + 1, record=started(key)) for i, key in enumerate(keys)]
    way.delivery().deliver(entries)
    before = way.rows()
    later = Way(uri, "lost", tmp_path / "elsewhere")
    later.delivery(*keys).deliver(entries)
    assert later.rows() == before and len(before["runs"]) == number
