"""A Ray of our own."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import pytest
import ray
from ray._private import utils

from cluster.spec import Embedded
from tuner.errors import ClusterError, Interrupted
from tuner.nodes import connection


def test_a_ray_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(**_: Any) -> None:
        raise Exception("The current node timed out\nduring startup.")

    monkeypatch.setattr(ray, "init", start)
    with pytest.raises(ClusterError) as refused, connection(Embedded()):
        pass
    (mistake,) = refused.value.mistakes
    assert mistake.code == "cluster/start"
    assert mistake.got == "The current node timed out during startup."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_ray_can_be_shut_down(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def start(**_: Any) -> None:
        signal.raise_signal(number)
        utils.set_sigterm_handler(lambda *_: done.append("Ray's own"))
        done.append("started")

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted("stopped", number)

    monkeypatch.setattr(ray, "init", start)
    monkeypatch.setattr(ray, "shutdown", lambda: done.append("shut down"))
    before = signal.signal(number, stop)
    try:
        with pytest.raises(Interrupted, match="stopped"), connection(Embedded()):
            done.append("entered")
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
    assert done == ["started", "shut down"]
