"""What one result tells Tune: every epoch once, a rung always, an end with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster import Resources
from tuner import trainable
from tuner.context import Context
from tuner.errors import Diverged, Infeasible, LaneBroken
from tuner.search.objectives import Constraint
from tuner.training.trial import Point, Report


class PaperLane:
    """Trains nothing, quickly; `ends` says what an epoch raises, or that it is the last."""

    def __init__(self, ends: dict[int, Exception | str], reached: int = 0) -> None:
        self.ends, self.reached = ends, reached

    def start(self, job: Any) -> int:
        return self.reached

    def curve(self) -> list[Point]:
        return [(epoch, {"loss": 1 / epoch}) for epoch in range(1, self.reached + 1)]

    def costs(self, latency: bool) -> dict[str, float]:
        return {"parameters": 900.0} | ({"latency_ms": 7.0} if latency else {})

    def note(self) -> str:
        return "vanishing: all of it"

    def epoch(self) -> Report:
        self.reached += 1
        end = self.ends.get(self.reached, "")
        if isinstance(end, Exception):
            raise end
        return Report(
            epoch=self.reached,
            metrics={"loss": 1 / self.reached},
            best=1 / self.reached,
            best_epoch=self.reached,
            best_metrics={},
            seconds=0.0,
            ended=end,
        )


def made(
    folder: Path,
    lane: PaperLane,
    rungs: list[int],
    monkeypatch: pytest.MonkeyPatch,
    **changes: Any,
) -> trainable.LaneTrainable:
    context = Context(
        resources=Resources(),
        folder=str(folder),
        task={"name": "classification"},
        metric="loss",
        maximize=False,
        parts=(),
        **changes,
    )
    monkeypatch.setattr("tuner.lane.open_lane", lambda resources: lane)
    found: trainable.LaneTrainable = trainable.LaneTrainable.__new__(trainable.LaneTrainable)
    found.setup({"number": 3, "values": {}, "rungs": rungs}, context)
    return found


def epochs(result: dict[str, Any]) -> list[int]:
    return [epoch for epoch, _ in result["curve"]]


def test_short_epochs_share_a_result_that_ends_at_a_rung(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = made(tmp_path, PaperLane({9: "trained"}), [2, 5], monkeypatch)
    results = [trial.step() for _ in range(3)]
    assert [epochs(result) for result in results] == [[1, 2], [3, 4, 5], [6, 7, 8, 9]]
    assert [result["epoch"] for result in results] == [2, 5, 9]
    assert [result.get("done", False) for result in results] == [False, False, True]
    assert results[-1]["outcome"]["state"] == "COMPLETE"


def test_long_epochs_are_told_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainable, "REPORT_SECONDS", 0.0)
    trial = made(tmp_path, PaperLane({3: "trained"}), [], monkeypatch)
    assert [epochs(trial.step()) for _ in range(3)] == [[1], [2], [3]]


def test_what_a_dead_process_did_not_tell_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = made(tmp_path, PaperLane({5: "trained"}, reached=3), [4], monkeypatch)
    assert epochs(trial.step()) == [1, 2, 3, 4]
    assert epochs(trial.step()) == [5]


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (Diverged("the loss is nan"), "DIVERGED"),
        (Infeasible("out of memory"), "INFEASIBLE"),
        (ZeroDivisionError("a bug\nof two lines"), "FAILED"),
    ],
)
def test_an_end_tells_its_reason_and_the_epochs_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Exception, state: str
) -> None:
    result = made(tmp_path, PaperLane({3: end}), [], monkeypatch).step()
    assert epochs(result) == [1, 2] and result["done"]
    outcome = result["outcome"]
    assert (outcome["state"], outcome["value"], outcome["epochs"]) == (state, 0.5, 2)
    assert str(end).splitlines()[0] in outcome["reason"]
    assert ("a bug" in result.get("traceback", "")) == (state == "FAILED")
    assert not list(tmp_path.iterdir()), "a node may not see the sweep's folder"


def test_a_broken_lane_is_tunes_to_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = made(tmp_path, PaperLane({1: LaneBroken("a rank died")}), [], monkeypatch)
    with pytest.raises(LaneBroken):
        trial.step()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("parameters <= 899", "parameters <= 899 does not hold: 900"),
        ("latency_ms <= 5", "latency_ms <= 5 does not hold: 7"),
        ("latency_ms <= 7", None),
        ("accuracy >= 0.9", None),
    ],
)
def test_a_model_that_costs_too_much_is_not_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str | None
) -> None:
    asked = {"latency": text.startswith("latency"), "constraints": (Constraint.parse(text),)}
    lane = PaperLane({2: "trained"})
    outcome = made(tmp_path, lane, [], monkeypatch, **asked).step()["outcome"]
    assert outcome["costs"]["parameters"] == 900
    if reason is None:
        assert (outcome["state"], outcome["epochs"]) == ("COMPLETE", 2)
    else:
        assert (outcome["state"], outcome["epochs"]) == ("INFEASIBLE", 0)
        assert outcome["reason"] == reason and lane.reached == 0
