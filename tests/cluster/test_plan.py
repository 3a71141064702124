"""Lanes are counted, never guessed, and what can never fit is refused with the most that does."""

from __future__ import annotations

import pytest

from cluster import Capacity, Refused, Resources, plan


def nodes(*sizes: tuple[float, float]) -> tuple[Capacity, ...]:
    return tuple(Capacity(cpus=cpus, gpus=gpus) for cpus, gpus in sizes)


@pytest.mark.parametrize(
    ("sizes", "workers", "cpus", "gpus", "lanes"),
    [
        ([(1, 0)], 1, 1, 0, 1),
        ([(8, 0)], 1, 1, 0, 8),
        ([(8, 0)], 2, 1, 0, 4),
        ([(8, 0)], 3, 1, 0, 2),
        ([(8, 0)], 1, 3, 0, 2),
        ([(8, 4)], 1, 1, 0, 8),
        # Workers of one lane may lie on several nodes, one worker may not.
        ([(2, 0), (2, 0)], 4, 1, 0, 1),
        ([(3, 0), (3, 0)], 1, 2, 0, 2),
        ([(3, 0), (3, 0)], 2, 2, 0, 1),
        # The scarcer of the two counts, node by node.
        ([(8, 4)], 1, 1, 1, 4),
        ([(2, 4)], 1, 1, 1, 2),
        ([(2, 4), (8, 1)], 1, 1, 1, 3),
        ([(16, 8), (16, 0)], 1, 1, 1, 8),
        # A share never straddles two devices.
        ([(16, 1)], 1, 1, 0.5, 2),
        ([(16, 2)], 1, 1, 0.6, 2),
        ([(16, 3)], 1, 1, 0.4, 6),
        ([(16, 3)], 2, 1, 0.4, 3),
        ([(16, 2)], 1, 1, 0.75, 2),
        # Of what is free, a part of one may be left.
        ([(16, 0.5)], 1, 1, 0.5, 1),
        ([(16, 1.5)], 1, 1, 0.5, 3),
        ([(16, 1.5)], 1, 1, 0.75, 1),
        # Floating point does not lose a slot.
        ([(16, 1)], 1, 1, 0.1, 10),
        ([(16, 1)], 1, 1, 1 / 3, 3),
        ([(0.3, 0)], 1, 0.1, 0, 3),
    ],
)
def test_lanes(
    sizes: list[tuple[float, float]], workers: int, cpus: float, gpus: float, lanes: int
) -> None:
    resources = Resources(workers=workers, cpus_per_worker=cpus, gpus_per_worker=gpus)
    planned = plan(nodes(*sizes), resources)
    assert planned.lanes == lanes
    assert (planned.resources, planned.nodes) == (resources, nodes(*sizes))


@pytest.mark.parametrize(
    ("cpus", "fewest", "workers", "lanes"),
    [(8, 1, 4, 2), (5, 1, 4, 1), (4, 4, 4, 1), (3, 1, 3, 1), (2, 2, 2, 1), (1, 1, 1, 1)],
)
def test_fewer_workers_where_there_is_no_room_for_all(
    cpus: int, fewest: int, workers: int, lanes: int
) -> None:
    planned = plan(nodes((cpus, 0)), Resources(workers=4, fewest=fewest))
    assert (planned.resources.workers, planned.lanes) == (workers, lanes)


def test_the_fewest_workers_must_fit() -> None:
    with pytest.raises(Refused, match="3 where 2 fit. Set it to 2 or less."):
        plan(nodes((2, 0)), Resources(workers=4, fewest=3))


@pytest.mark.parametrize(
    ("sizes", "workers", "cpus", "gpus", "rule", "got", "fix"),
    [
        ([], 1, 1, 0, "one worker", "largest node has 0 CPUs", "cpus_per_worker"),
        ([(2, 0)], 3, 1, 0, "workers", "3 where 2 fit", "Set it to 2 or less."),
        ([(3, 0), (3, 0)], 3, 2, 0, "workers", "3 where 2 fit", "Set it to 2 or less."),
        ([(2, 0), (3, 0)], 1, 4, 0, "one worker", "largest node has 3 CPUs", "cpus_per_worker"),
        ([(8, 0)], 1, 1, 1, "gpus_per_worker", "1 where no node has a GPU", "Set it to 0"),
        ([(8, 0)], 1, 1, 0.5, "gpus_per_worker", "0.5 where no node has a GPU", "Set it to 0"),
        ([(8, 1)], 2, 1, 1, "workers", "2 where 1 fit", "Set it to 1 or less."),
        ([(8, 1)], 2, 1, 0.6, "workers", "2 where 1 fit", "Set it to 1 or less."),
        ([(1, 4), (8, 0)], 1, 2, 1, "one worker", "2 CPUs and 1 GPUs", "gpus_per_worker"),
    ],
)
def test_refusals(
    sizes: list[tuple[float, float]],
    workers: int,
    cpus: float,
    gpus: float,
    rule: str,
    got: str,
    fix: str,
) -> None:
    resources = Resources(workers=workers, cpus_per_worker=cpus, gpus_per_worker=gpus)
    with pytest.raises(Refused) as refused:
        plan(nodes(*sizes), resources)
    found = refused.value
    assert rule in found.rule and got in found.got and fix in found.fix
    assert str(found) == f"{found.rule}; got {found.got}. {found.fix}"


@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize("gpus", [0, 0.3, 1])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_lanes_can_be_placed(workers: int, cpus: float, gpus: float) -> None:
    """Bundle by bundle, first fit on whole devices, and not one lane more."""
    sizes = nodes((3, 2), (8, 1), (16, 3), (1, 1))
    planned = plan(sizes, Resources(workers=workers, cpus_per_worker=cpus, gpus_per_worker=gpus))
    free_cpus = [node.cpus for node in sizes]
    devices = [[1.0] * int(node.gpus) for node in sizes]

    def place() -> bool:
        for i, free in enumerate(free_cpus):
            device = next((d for d, left in enumerate(devices[i]) if left >= gpus - 1e-9), None)
            if free >= cpus and (device is not None or not gpus):
                free_cpus[i] -= cpus
                if device is not None:
                    devices[i][device] -= gpus
                return True
        return False

    assert all(place() for _ in range(planned.lanes * workers))
    assert not all(place() for _ in range(workers))


def test_one_bundle_per_rank() -> None:
    assert Resources(workers=2).bundles() == [{"CPU": 1}, {"CPU": 1}]
    shared = Resources(cpus_per_worker=2, gpus_per_worker=0.5)
    assert shared.bundles() == [{"CPU": 2, "GPU": 0.5}]


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        (Resources(), "8 lanes of 1 worker, 1 CPU each"),
        (Resources(workers=5), "1 lane of 5 workers, 1 CPU each"),
        (Resources(workers=2, gpus_per_worker=0.5), "2 lanes of 2 workers, 1 CPU and 0.5 GPU each"),
    ],
)
def test_a_plan_reads_as_a_sentence(resources: Resources, text: str) -> None:
    assert str(plan(nodes((8, 2)), resources)) == text


def test_memory_that_was_measured_counts_like_cpus_and_is_told() -> None:
    gib = 2**30
    node = Capacity(cpus=16, memory=10 * gib)
    small = Capacity(cpus=16, memory=2 * gib)
    needed = Resources(memory_per_worker=3 * gib)
    found = plan((node, small), needed)
    assert found.lanes == 3, "none on the small one"
    assert str(found) == "3 lanes of 1 worker, 1 CPU and 3.0 GiB each"
    assert needed.bundles() == [{"CPU": 1, "memory": 3 * gib}], "Ray keeps to it, node by node"
    with pytest.raises(Refused, match="3.0 GiB, as measured, where the largest has 2.0 GiB"):
        plan((small,), needed)
    assert plan((Capacity(cpus=2),), needed).lanes == 2, "a node that says nothing has enough"
