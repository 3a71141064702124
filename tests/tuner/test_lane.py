"""How a gang meets: again on another port if it must, and with a named error if it cannot."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import RayActorError

from cluster import Resources
from tuner import lane
from tuner.errors import LaneBroken
from tuner.training.rank import JOIN_SECONDS, REACH_SECONDS, Rank


class PaperRank:
    """Listens on ports that it makes up."""

    def __init__(self) -> None:
        self.met: list[str] = []
        self.left = 0

    def listen(self, host: str, size: int) -> str:
        return f"tcp://{host}:{5000 + self.left}"

    def join(self, rank: int, size: int, address: str, timeout: float) -> None:
        self.met.append(address)

    def leave(self) -> None:
        self.left += 1


class PaperActor:
    """Another rank, with an error for each of its calls or None."""

    def __init__(self, reach: list[Exception | None], join: list[Exception | None]) -> None:
        self.reach, self.join = (_Method(errors) for errors in (reach, join))


class _Method:
    def __init__(self, errors: list[Exception | None]) -> None:
        self.errors = list(errors)

    def remote(self, *arguments: Any) -> Exception | None:
        return self.errors.pop(0)


def gang(monkeypatch: pytest.MonkeyPatch, *actors: PaperActor) -> tuple[lane.GangLane, PaperRank]:
    monkeypatch.setattr(lane, "_watched", lambda others: nullcontext())
    monkeypatch.setattr("ray.util.get_node_ip_address", lambda: "host")
    monkeypatch.setattr(lane, "_error_of", lambda future: future)
    found = lane.GangLane.__new__(lane.GangLane)
    rank = PaperRank()
    found._rank, found._others = rank, list(actors)  # type: ignore[assignment]
    found._resources, found._joined = Resources(workers=1 + len(actors)), False
    return found, rank


def test_a_blocked_port_is_left_for_another_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = PaperActor([TimeoutError("timed out"), None], [None])
    found, rank = gang(monkeypatch, PaperActor([None, None], [None]), blocked)
    found._join()
    assert rank.met == ["tcp://host:5001"] and found._joined


def test_a_group_that_does_not_form_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    actor = PaperActor([None, None], [RuntimeError("Connection reset"), None])
    found, rank = gang(monkeypatch, actor)
    found._join()
    assert rank.met == ["tcp://host:5000", "tcp://host:5001"] and found._joined


def test_ranks_that_cannot_meet_say_where_they_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    actor = PaperActor([TimeoutError("timed out"), OSError("no route to host")], [])
    found, rank = gang(monkeypatch, actor)
    with pytest.raises(LaneBroken) as caught:
        found._join()
    said = str(caught.value)
    assert "tcp://host:5000: timed out" in said and "tcp://host:5001: no route to host" in said
    assert not found._joined and rank.met == []
    assert lane.MEETINGS * (lane.MEETING_SECONDS + REACH_SECONDS) <= JOIN_SECONDS


def test_a_rank_that_died_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = RayActorError()
    found, rank = gang(monkeypatch, PaperActor([gone], []))
    with pytest.raises(LaneBroken, match="a rank died before the ranks met"):
        found._join()
    assert rank.left == 1


RANK = """
import sys
from tuner.training.rank import Rank
rank = Rank("cpu", 1)
address = sys.argv[1]
rank.reach(address)
rank.join(1, 2, address, timeout=110)
print(rank.ranks.add(__import__("torch").ones(1)).item())
rank.leave()
"""


def test_ranks_meet_on_a_port_that_the_system_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    import torch

    first = Rank("cpu", 1)
    address = first.listen("127.0.0.1", 2)
    other = subprocess.Popen([sys.executable, "-c", RANK, address], stdout=subprocess.PIPE)
    try:
        first.join(0, 2, address, timeout=110)
        assert first.ranks.add(torch.ones(1)).item() == 2
        said, _ = other.communicate(timeout=200)
    finally:
        first.leave()
        other.kill()
        other.wait()
    assert json.loads(said) == 2
    with socket.socket() as probe, pytest.raises(OSError):
        probe.settimeout(2)
        probe.connect(("127.0.0.1", int(address.rpartition(":")[2])))


def test_no_way_to_the_place_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        Rank("cpu", 1).reach(f"tcp://127.0.0.1:{port}")
