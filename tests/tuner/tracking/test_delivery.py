"""Delivery to a real MLflow: everything arrives, and whatever is repeated doubles nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tuner.tracking import reader
from tuner.tracking.client import connect
from tuner.tracking.delivery import KEY_TAG, Delivery
from tuner.tracking.faults import Forgotten, Unreachable
from tuner.tracking.reader import TrackedRun
from tuner.tracking.records import (
    Artifact,
    Dataset,
    Entry,
    Header,
    Metrics,
    Params,
    Record,
    RunEnded,
    RunStarted,
    Tags,
    View,
)
from tuner.tracking.run_ids import FILE, RunIds


@dataclass
class Sweep:
    """A sweep's side of a delivery."""

    uri: str
    experiment: str
    folder: Path
    refused: list[tuple[str, str]] = field(default_factory=list)

    def delivery(self, *known: str) -> Delivery:
        """As a new process makes it; `known` are the runs that an earlier one recorded."""
        run_ids = RunIds(self.folder, self.uri)
        run_ids.uid = "a0"
        return Delivery(
            uri=self.uri,
            experiment=self.experiment,
            folder=self.folder,
            artifact_root=None,
            run_ids=run_ids,
            known=known,
            refuse=lambda key, what, reason: self.refused.append((key, what)),
        )

    def runs(self) -> dict[str, TrackedRun]:
        """The server's runs by key; two of one key are an error."""
        found = reader.runs(self.uri, self.experiment)
        assert len({run.key for run in found}) == len(found), "a run was made twice"
        return {str(run.key): run for run in found}

    def curve(self, key: str, metric: str) -> list[tuple[int, int, float]]:
        points = reader.history(self.uri, self.runs()[key].run_id, metric)
        return [(point.step, point.time_ms, point.value) for point in points]

    def client(self) -> MlflowClient:
        return connect(self.uri)


@pytest.fixture
def sweep(uri: str, tmp_path: Path, request: pytest.FixtureRequest) -> Sweep:
    return Sweep(uri, request.node.name, tmp_path)


def numbered(*records: Record, start: int = 1) -> list[Entry]:
    return [Entry(number=start + i, record=record) for i, record in enumerate(records)]


def started(key: str, parent: str | None = None) -> RunStarted:
    return RunStarted(key=key, name=f"Run {key}", parent=parent, time_ms=1_700_000_000_000)


def point(key: str, step: int) -> Metrics:
    values = {"loss": 1 / (step + 1), "accuracy": step / 7}
    return Metrics(key=key, step=step, time_ms=1_700_000_000_001 + step, values=values)


def whole(folder: Path) -> list[Entry]:
    """One record of each kind, on two runs."""
    (folder / "model" / "deep").mkdir(parents=True)
    (folder / "model" / "weights.bin").write_bytes(b"\x00\x01")
    (folder / "model" / "deep" / "card.txt").write_text("card")
    (folder / "model" / "link").symlink_to("/etc/hostname")
    return numbered(
        Header(uid="a0", experiment="x"),
        started("sweep"),
        started("trial", "sweep"),
        Params(key="trial", values={"model/cell": "gru", "lr": "0.001", "empty": ""}),
        Tags(key="sweep", values={"outcome": "COMPLETE", "mlflow.note.content": "#/{experiment}"}),
        View(key="sweep", id="all", name="All trials", state="{}", time_ms=7),
        *(point("trial", step) for step in range(3)),
        Dataset(
            key="trial", name="rows", digest="d" * 64, source="rows.csv", schema="", profile=""
        ),
        Artifact(key="trial", path="model", folder="best"),
        RunEnded(key="trial", status="FINISHED", time_ms=1_700_000_009_000),
    )


def check_whole(sweep: Sweep) -> None:
    runs = sweep.runs()
    assert set(runs) == {"sweep", "trial"} and sweep.refused == []
    top, trial = runs["sweep"], runs["trial"]
    assert (top.parent, trial.parent) == (None, top.run_id)
    assert (top.status, trial.status) == ("RUNNING", "FINISHED")
    assert (top.name, trial.name) == ("Run sweep", "Run trial")
    assert trial.params == {"model/cell": "gru", "lr": "0.001", "empty": ""}
    experiment = sweep.client().get_experiment_by_name(sweep.experiment)
    assert top.tags["outcome"] == "COMPLETE"
    assert top.tags["mlflow.note.content"] == f"#/{experiment.experiment_id}"
    view = json.loads(experiment.tags["mlflow.sharedViewState.all"])
    assert view == {"name": "All trials", "createdAt": 7, "updatedAt": 7, "state": "{}"}
    assert trial.tags[KEY_TAG] == "a0/trial"
    assert trial.metrics == {"loss": 1 / 3, "accuracy": 2 / 7}
    times = [1_700_000_000_001 + step for step in range(3)]
    assert sweep.curve("trial", "loss") == list(
        zip(range(3), times, (1, 1 / 2, 1 / 3), strict=True)
    )
    run = sweep.client().get_run(trial.run_id)
    assert (run.info.start_time, run.info.end_time) == (1_700_000_000_000, 1_700_000_009_000)
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("rows", "d" * 36)
    assert json.loads(dataset.dataset.source) == {"uri": "rows.csv"}
    files = {p.path for p in sweep.client().list_artifacts(trial.run_id, "best")}
    assert files == {"best/weights.bin", "best/deep"}, "links are left out"
    (deep,) = sweep.client().list_artifacts(trial.run_id, "best/deep")
    assert (deep.path, deep.file_size) == ("best/deep/card.txt", 4)


@pytest.mark.parametrize("is_server", [False, True])
def test_all_kinds_arrive_and_a_replay_doubles_nothing(sweep: Sweep, is_server: bool) -> None:
    """To a server, runs go side by side in MLflow's own calls; they do so here to a database."""
    entries = whole(sweep.folder)
    delivery = sweep.delivery()
    delivery._is_server = is_server
    delivery.deliver(entries)
    check_whole(sweep)

    delivery.deliver(entries)
    delivery.forget()
    delivery.deliver(entries)
    check_whole(sweep)

    (sweep.folder / FILE).unlink()
    sweep.delivery("sweep", "trial").deliver(entries)
    check_whole(sweep)
    assert sweep.client().get_run(sweep.runs()["trial"].run_id).info.status == "FINISHED"


@pytest.mark.parametrize("is_server", [False, True])
def test_many_runs_of_one_visit_have_their_parents(sweep: Sweep, is_server: bool) -> None:
    keys = [f"trial-{number}" for number in range(20)]
    below = [started(f"{key}-again", key) for key in keys]
    records: list[Record] = [started("sweep"), *(started(key, "sweep") for key in keys), *below]
    delivery = sweep.delivery()
    delivery._is_server = is_server
    delivery.deliver(numbered(*records[::-1], *(point(key, 0) for key in keys)))
    runs = sweep.runs()
    assert {runs[key].parent for key in keys} == {runs["sweep"].run_id}
    assert all(runs[run.key].parent == runs[str(run.parent)].run_id for run in below)
    assert all(runs[key].metrics == {"loss": 1.0, "accuracy": 0.0} for key in keys)


def test_ids_are_on_file_before_the_first_metric(sweep: Sweep) -> None:
    sweep.delivery().deliver(numbered(started("trial")))
    assert RunIds(sweep.folder, sweep.uri).get("trial") == sweep.runs()["trial"].run_id
    assert RunIds(sweep.folder, "elsewhere").get("trial") is None


def test_a_server_that_lost_a_run_gets_it_again(sweep: Sweep) -> None:
    ids = RunIds(sweep.folder, sweep.uri)
    ids.uid = "a0"
    ids.add({"trial": "0" * 32})
    entries = numbered(started("trial"), point("trial", 0))
    delivery = sweep.delivery("trial")
    with pytest.raises(Forgotten):
        delivery.deliver(entries)
    delivery.forget()
    delivery.deliver(entries)
    assert sweep.curve("trial", "accuracy") == [(0, 1_700_000_000_001, 0.0)]


def test_a_refused_item_takes_no_others_with_it(sweep: Sweep) -> None:
    """A param cannot change its value, and a file can be gone: neither stops the rest."""
    delivery = sweep.delivery()
    delivery.deliver(numbered(started("trial"), Params(key="trial", values={"lr": "0.1"})))
    delivery.deliver(
        numbered(
            Params(key="trial", values={"cell": "gru", "lr": "0.2", "layers": "2"}),
            Tags(key="trial", values={"outcome": "COMPLETE"}),
            point("trial", 0),
            Artifact(key="trial", path="absent.bin", folder=""),
            RunEnded(key="trial", status="FINISHED", time_ms=1_700_000_009_000),
            start=3,
        )
    )
    trial = sweep.runs()["trial"]
    assert trial.status == "FINISHED"
    assert trial.tags["outcome"] == "COMPLETE"
    assert sweep.curve("trial", "loss") == [(0, 1_700_000_000_001, 1.0)]
    assert delivery.refused is not None and "lr" in delivery.refused, "the last one is shown"
    assert trial.params == {"lr": "0.1", "cell": "gru", "layers": "2"}
    assert sweep.refused == [("trial", "artifact"), ("trial", "lr")]


def test_many_params_and_tags_fit(sweep: Sweep) -> None:
    """More than MLflow takes in one call, at their longest."""
    params = {f"p{i:03d}": chr(97 + i % 26) * 6000 for i in range(120)}
    tags = {f"t{i:03d}": "é" * 8000 for i in range(120)}
    records = [Params(key="trial", values=params), Tags(key="trial", values=tags)]
    sweep.delivery().deliver(numbered(started("trial"), *records))
    trial = sweep.runs()["trial"]
    assert trial.params == params and sweep.refused == []
    assert {name: trial.tags[name] for name in tags} == tags


def test_20000_points_are_read_back_exactly(sweep: Sweep) -> None:
    entries = numbered(started("trial"), *(point("trial", step) for step in range(10_000)))
    delivery = sweep.delivery()
    for start in range(0, len(entries), 2000):
        delivery.deliver(entries[start : start + 2000])
    delivery.deliver(entries[-2000:])
    for metric, value in (("loss", lambda s: 1 / (s + 1)), ("accuracy", lambda s: s / 7)):
        expected = [(s, 1_700_000_000_001 + s, value(s)) for s in range(10_000)]
        assert sweep.curve("trial", metric) == expected


def test_an_experiment_deleted_is_not_written_to(sweep: Sweep) -> None:
    sweep.delivery().deliver(numbered(started("trial")))
    found = sweep.client().get_experiment_by_name(sweep.experiment)
    assert (
        found is not None and Path(found.artifact_location.removeprefix("file://")).parent.is_dir()
    )
    sweep.client().delete_experiment(found.experiment_id)
    with pytest.raises(Unreachable, match="restore it in MLflow"):
        sweep.delivery().deliver(numbered(point("trial", 0), start=2))


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\x00 torn"])
def test_a_database_that_is_none_is_unreachable(sweep: Sweep, content: bytes) -> None:
    path = sweep.folder / "broken.db"
    path.write_bytes(content)
    sweep.uri = f"sqlite:///{path}"
    with pytest.raises(Unreachable):
        sweep.delivery().deliver(numbered(started("trial")))
    assert path.read_bytes() == content
