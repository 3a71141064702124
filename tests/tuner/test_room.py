"""A shortage is shown with its reason, and ends the sweep after a limit."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cluster import Capacity, Resources
from tuner.errors import NoRoom
from tuner.results.live import Silent
from tuner.room import FewerWorkers, Room


@dataclass
class Trial:
    status: str


class Told(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        self.said.append(text)


class World:
    """Time that passes when somebody sleeps, and free CPUs that change with it."""

    def __init__(self, free: dict[float, float], nodes: float = 8) -> None:
        self.now, self._free, self._nodes = 0.0, free, nodes

    def nodes(self) -> tuple[Capacity, ...]:
        return (Capacity(cpus=self._nodes),)

    def free(self) -> tuple[Capacity, ...]:
        last = max(moment for moment in self._free if moment <= self.now)
        return (Capacity(cpus=self._free[last]),)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def room(world: World, display: Told, limit: float = 60) -> Room:
    return Room(world, Resources(cpus_per_worker=2), limit, display, world.clock, world.sleep)


def test_lanes_come_from_what_is_free() -> None:
    told = Told()
    assert room(World({0: 5}), told).first().lanes == 2
    assert told.said == []


def test_a_sweep_waits_for_its_first_lane() -> None:
    world, told = World({0: 1, 30: 2}), Told()
    assert room(world, told).first().lanes == 1
    assert world.now == pytest.approx(30)
    assert told.said == [
        "WAITING: one worker must fit on one node; free now: 2 CPUs and 0 GPUs where the largest "
        "node has 1 CPUs and 0 GPUs",
        "there is room again",
    ]


def test_waiting_for_the_first_lane_has_an_end() -> None:
    world = World({0: 1})
    with pytest.raises(NoRoom, match=r"within 60 s: one worker must fit on one node; .* 1 CPUs"):
        room(world, Told()).first()
    assert world.now == pytest.approx(60)


def look(seen: Room, world: World, seconds: int, status: str) -> None:
    for _ in range(seconds):
        world.sleep(1)
        seen.check([Trial("TERMINATED"), Trial(status), Trial("PENDING")])


def test_a_lane_that_starts_is_no_shortage() -> None:
    world, told = World({0: 1}), Told()
    seen = room(world, told)
    look(seen, world, 10, "PENDING")
    look(seen, world, 300, "RUNNING")
    assert told.said == []


def test_trials_that_can_never_start_end_the_sweep() -> None:
    world, told = World({0: 1}), Told()
    seen = room(world, told)
    with pytest.raises(NoRoom):
        look(seen, world, 90, "PENDING")
    assert 60 <= world.now <= 64
    assert [text.partition(":")[0] for text in told.said] == ["WAITING"]


def test_room_that_comes_back_starts_the_limit_anew() -> None:
    world, told = World({0: 1, 50: 2, 60: 1}), Told()
    seen = room(world, told)
    look(seen, world, 110, "PENDING")
    assert [text.partition(":")[0] for text in told.said] == [
        "WAITING",
        "there is room again",
        "WAITING",
    ]


def test_a_trial_goes_on_with_fewer_workers_where_a_node_is_lost() -> None:
    world = World({0: 3, 10: 0}, nodes=3)
    resources = Resources(workers=3, fewest=1)
    seen = Room(world, resources, 60, Told(), world.clock, world.sleep)
    assert seen.first().resources.workers == 3
    world.now, world._nodes = 10, 2
    with pytest.raises(FewerWorkers, match="room for 2 of a trial's 3 workers"):
        look(seen, world, 60, "PENDING")
    assert 20 <= world.now <= 24


def test_what_others_hold_for_a_while_is_waited_for() -> None:
    world, told = World({0: 3, 10: 0}, nodes=3), Told()
    seen = Room(world, Resources(workers=3, fewest=1), 60, told, world.clock, world.sleep)
    seen.first()
    world.now = 10
    with pytest.raises(NoRoom):
        look(seen, world, 90, "PENDING")


def test_a_sweep_starts_with_as_many_workers_as_there_is_room_for() -> None:
    world = World({0: 2})
    seen = Room(world, Resources(workers=4, fewest=1), 60, Told(), world.clock, world.sleep)
    assert (seen.first().lanes, seen.first().resources.workers) == (1, 2)
