"""Events for machines: a JSON object per line on stdout, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from boards import BOARD

from tuner.errors import CommandError, Interrupted, Mistake
from tuner.outcome import Outcome, State
from tuner.results.events import Events
from tuner.results.live import Progress, Running

PROGRESS = Progress(
    metric="accuracy",
    total=4,
    states={State.COMPLETE: 1},
    best=(0, 0.9),
    running=(Running(number=1, epoch=2, epochs=9, best=0.5),),
    problem=None,
    per_minute=12.0,
    seconds_left=15.0,
)
OUTCOME = Outcome(state=State.COMPLETE, value=0.9, epochs=3, costs={"parameters": 7})


def told(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_every_step_is_an_event(capfd: pytest.CaptureFixture[str]) -> None:
    with Events() as events:
        events.message("preparing the data")
        events.warning("one class is rare")
        events.progress(PROGRESS)
        events.progress(PROGRESS)
        events.ended(0, OUTCOME, PROGRESS)
        events.repeated(0, 1, OUTCOME, "accuracy", 1, 9)
        events.finished(BOARD)
    found = told(capfd)
    assert {event["version"] for event in found} == {1}
    kinds = ["message", "warning", "progress", "trial", "seed", "finished"]
    assert [event["event"] for event in found] == kinds, "progress is not told all the time"
    progress, trial, seed, finished = found[2:]
    assert progress["running"] == [{"trial": 1, "epoch": 2, "epochs": 9, "best": 0.5}]
    assert progress["best_so_far"] == {"trial": 0, "value": 0.9}
    assert (progress["trials_per_minute"], progress["seconds_left"]) == (12.0, 15.0)
    assert (trial["trial"], trial["state"], trial["costs"]) == (0, "COMPLETE", {"parameters": 7})
    assert (seed["seed"], seed["ended"], seed["total"]) == (1, 1, 9)
    assert (finished["best"]["trial"], finished["tied"]) == (0, [])


WORDS = """
import os
from tuner.results.events import Events

with Events() as events:
    print("a library's words")
    os.write(1, b"and those of one in C\\n")
    events.message("ours")
print("after")
"""


def test_what_others_print_goes_to_stderr() -> None:
    done = subprocess.run([sys.executable, "-c", WORDS], capture_output=True, text=True, check=True)
    event, after = done.stdout.splitlines()
    assert json.loads(event)["text"] == "ours" and after == "after"
    assert "a library's words\n" in done.stderr and "in C\n" in done.stderr


@pytest.mark.parametrize(
    ("error", "status", "codes"),
    [
        (
            CommandError(Mistake(code="a/b", rule="r", where="w", got="g", fix="f.")),
            2,
            ["a/b"],
        ),
        (Interrupted("stopped", 15), 143, []),
    ],
)
def test_a_failure_is_an_event_too(
    capfd: pytest.CaptureFixture[str], error: Exception, status: int, codes: list[str]
) -> None:
    with pytest.raises(type(error)), Events():
        raise error
    (event,) = told(capfd)
    assert (event["event"], event["exit_status"]) == ("failed", status)
    assert [mistake["code"] for mistake in event["mistakes"]] == codes


def test_a_listener_that_goes_away_stops_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    kept = os.dup(1)
    try:
        os.dup2(writing, 1)
        with Events() as events:
            os.close(reading)
            events.message("one")
            events.message("two")
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(writing)
