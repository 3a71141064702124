"""What a sweep recorded without a server is delivered later, once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tuner.errors import CommandError
from tuner.tracking import reader
from tuner.tracking.outbox import RECORDS, Outbox
from tuner.tracking.run_ids import FILE
from tuner.tracking.sync import sync
from tuner.tracking.tracker import OUTBOX, Tracker


def offline(folder: Path, experiment: str) -> None:
    """A sweep that broke off in its second trial."""
    tracker = Tracker(None, experiment, folder)
    tracker.run("sweep", "A sweep", None, {"seed": 1}, {})
    for key in ("trial-0000", "trial-0001"):
        tracker.run(key, key, "sweep", {"lr": 0.1}, {})
        for step in range(3):
            tracker.metrics(key, step, {"loss": 1 / (step + 1)})
    tracker.end("trial-0000", "FINISHED")
    tracker.close(0)


def pending(folder: Path, destination: str) -> int:
    outbox = Outbox(folder / OUTBOX, destination)
    waiting = outbox.pending()
    outbox.close()
    return waiting


def states(uri: str, experiment: str) -> dict[str | None, str]:
    return {run.key: run.status for run in reader.runs(uri, experiment)}


EXPECTED = {"sweep": "KILLED", "trial-0000": "FINISHED", "trial-0001": "KILLED"}


def test_orphans_are_closed_and_a_second_sync_sends_nothing(uri: str, tmp_path: Path) -> None:
    offline(tmp_path, "orphans")
    assert sync(tmp_path, uri, timeout=60) is None
    assert states(uri, "orphans") == EXPECTED
    assert reader.num_running(uri, "orphans") == 0
    run = next(r for r in reader.runs(uri, "orphans") if r.key == "trial-0001")
    assert [(p.step, p.value) for p in reader.history(uri, run.run_id, "loss")] == [
        (0, 1.0),
        (1, 1 / 2),
        (2, 1 / 3),
    ]
    records = (tmp_path / OUTBOX / RECORDS).read_bytes()
    before = reader.runs(uri, "orphans")

    assert sync(tmp_path, uri, timeout=60) is None
    assert (tmp_path / OUTBOX / RECORDS).read_bytes() == records
    assert pending(tmp_path, uri) == 0
    assert reader.runs(uri, "orphans") == before


def test_a_sweep_resumed_after_a_sync_continues_its_runs(uri: str, tmp_path: Path) -> None:
    offline(tmp_path, "resumed")
    assert sync(tmp_path, uri, timeout=60) is None
    before = {run.key: run.run_id for run in reader.runs(uri, "resumed")}
    tracker = Tracker(uri, "resumed", tmp_path)
    tracker.start()
    tracker.run("trial-0001", "trial-0001", "sweep", {"lr": 0.1}, {})
    tracker.metrics("trial-0001", 3, {"loss": 0.25})
    tracker.end("trial-0001", "FINISHED")
    assert tracker.close(60)
    assert {run.key: run.run_id for run in reader.runs(uri, "resumed")} == before
    assert states(uri, "resumed") == EXPECTED | {"trial-0001": "FINISHED"}
    assert tracker.run_id("trial-0001") == before["trial-0001"]


@pytest.mark.parametrize("left", [b"", b"{\n"])
def test_runs_are_found_again_when_their_ids_are_lost(
    uri: str, tmp_path: Path, left: bytes
) -> None:
    """All was delivered, so that only what a later process records comes after the loss."""
    name = f"lost {left!r}"
    offline(tmp_path, name)
    assert sync(tmp_path, uri, timeout=60) is None
    before = {run.key: run.run_id for run in reader.runs(uri, name)}
    (tmp_path / OUTBOX / FILE).write_bytes(left)

    tracker = Tracker(uri, name, tmp_path)
    tracker.start()
    tracker.run("trial-0002", "trial-0002", "sweep", {}, {})
    tracker.run("trial-0001", "trial-0001", "sweep", {}, {})
    tracker.metrics("trial-0001", 3, {"loss": 0.25})
    tracker.tags("trial-0000", {"outcome": "COMPLETE"})
    assert tracker.close(60)

    runs = reader.runs(uri, name)
    assert len(runs) == 4, "none was made twice"
    assert before.items() <= {run.key: run.run_id for run in runs}.items()
    assert {run.parent for run in runs if run.key != "sweep"} == {before["sweep"]}
    points = reader.history(uri, str(before["trial-0001"]), "loss")
    assert [point.step for point in points] == [0, 1, 2, 3]


def test_a_sweep_may_be_delivered_to_two_places(uri: str, tmp_path: Path) -> None:
    offline(tmp_path, "twice")
    assert sync(tmp_path, uri, timeout=60) is None
    other = f"{uri}?timeout=9"
    assert pending(tmp_path, other) > 0
    assert sync(tmp_path, other, timeout=60) is None
    assert states(uri, "twice") == EXPECTED, "the same server by another name: found, not doubled"


def test_a_damaged_first_line_does_not_hide_the_rest(
    uri: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    offline(tmp_path, "damaged")
    path = tmp_path / OUTBOX / RECORDS
    path.write_bytes(b"\x00" + path.read_bytes())
    Tracker(None, "damaged", tmp_path).close(0)
    assert sync(tmp_path, uri, timeout=60) is None
    assert states(uri, "damaged") == EXPECTED


def test_a_server_that_does_not_answer_is_told(uri: str, tmp_path: Path) -> None:
    offline(tmp_path, "nowhere")
    assert states(uri, "nowhere") == {}, "and MLflow is imported, which takes seconds"
    folder = f"sqlite:///{tmp_path}/{OUTBOX}"
    trouble = sync(tmp_path, folder, timeout=1)
    assert trouble == "unable to open database file"
    assert pending(tmp_path, folder) > 0


def test_a_folder_without_an_outbox_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="tracking/no-outbox"):
        sync(tmp_path, "sqlite:////nowhere/mlflow.db")
    assert not list(tmp_path.iterdir())


def test_a_living_sweep_is_left_alone(tmp_path: Path) -> None:
    tracker = Tracker(None, "alive", tmp_path)
    with pytest.raises(CommandError, match="tracking/outbox-busy"):
        sync(tmp_path, "sqlite:////nowhere/mlflow.db")
    tracker.close(0)
