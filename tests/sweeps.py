"""Whole sweeps in the test's own process: the parts of a real one, without Ray and Tune."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from command import write_spec

from tuner.create import create
from tuner.files import write_text
from tuner.results.live import Silent
from tuner.results.tables import to_csv
from tuner.sweep import Sweep


def swept(folder: Path, write_rows: Callable[[Path], Any], **changes: Any) -> Sweep:
    """A sweep of `write_spec` on the file that `write_rows` makes; two trials, if nothing else is
    said, recorded in MLflow beside it."""
    from tuner.lane import SoloLane
    from tuner.record import Recorder
    from tuner.tracking.tracker import Tracker
    from tuner.trainable import LaneTrainable

    write_rows(folder / "rows.csv")
    changes.setdefault("search", {"trials": 2, "seed": 3})
    path = write_spec(folder / "small.yaml", **changes)
    sweep = Sweep.from_file(path, home=folder / "sweeps")
    create(sweep, Silent())
    search = sweep.study()
    uri = sweep.home.tracking_uri(sweep.spec.tracking.uri)
    tracker = Tracker(uri, sweep.spec.name, sweep.folder)
    recorder = Recorder(sweep.spec, sweep.folder, search, tracker, Silent(), lambda: None)
    recorder.open(sweep.card())
    with patch("tuner.lane.open_lane", lambda resources: SoloLane("cpu", 1)):
        for _ in range(sweep.spec.search.trials):
            trial = search.ask()
            assert trial is not None
            config = {"number": trial.number, "values": trial.values, "rungs": []}
            lane: Any = LaneTrainable.__new__(LaneTrainable)
            lane.setup(config, sweep.context)
            recorder.on_trial_start(0, [], SimpleNamespace(config=config))
            result: dict[str, Any] = {}
            while not result.get("done"):
                result = lane.step()
                recorder.on_trial_result(0, [], None, result)
    board = sweep.board(search.records())
    write_text(sweep.folder / "leaderboard.csv", to_csv(board))
    recorder.close(board)
    search.close()
    assert tracker.close(60)
    return sweep
