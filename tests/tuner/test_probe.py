"""A lane's memory: when it is measured, what is measured, and what follows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import made
import pytest

from cluster import Capacity, Plan, Resources
from tuner import probe
from tuner.probe import Measured

GIB = 2**30


@pytest.mark.parametrize(
    ("node", "resources", "parameters", "wanted"),
    [
        (Capacity(cpus=2, memory=4 * GIB), Resources(), 10_000, False),
        (Capacity(cpus=2, memory=4 * GIB), Resources(), 100_000_000, True),
        (Capacity(cpus=2, memory=4 * GIB), Resources(), 0, False),
        (Capacity(cpus=64, memory=48 * GIB), Resources(), 0, True),
        (Capacity(cpus=64, memory=48 * GIB), Resources(), 10_000, False),
        (Capacity(cpus=64, memory=24 * GIB), Resources(), 10_000, True),
        (Capacity(cpus=64, memory=24 * GIB), Resources(cpus_per_worker=4), 10_000, False),
        (Capacity(cpus=8, memory=512 * GIB, gpus=1), Resources(gpus_per_worker=0.25), 1, True),
        (Capacity(cpus=8, memory=512 * GIB, gpus=8), Resources(gpus_per_worker=1), 10**12, False),
        (Capacity(cpus=64), Resources(), 10**12, False),
    ],
)
def test_it_is_measured_where_it_may_be_scarce(
    node: Capacity, resources: Resources, parameters: int, wanted: bool
) -> None:
    plan = Plan(lanes=1, resources=resources, nodes=(node,))
    assert probe.is_wanted(plan, lambda: parameters) == wanted


@pytest.mark.parametrize(
    ("share", "gpu", "expected"),
    [(0.1, 3.0, 0.25), (0.5, 3.0, 0.5), (0.25, 9.0, 1.0), (1.0, 9.0, 1.0), (0.1, 0.0, 0.1)],
)
def test_a_share_of_a_gpu_holds_what_was_measured(
    share: float, gpu: float, expected: float
) -> None:
    measured = Measured(cpu=GIB, gpu=gpu * GIB, gpu_has=16 * GIB)
    needed = measured.needed(Resources(gpus_per_worker=share))
    assert needed.gpus_per_worker == pytest.approx(expected)
    assert needed.memory_per_worker == pytest.approx(probe.HEADROOM * GIB, abs=1)


MEASURE = """
import sys
from cluster import Resources
from tuner.context import Context
from tuner.probe import measure
context = Context(resources=Resources(), folder=sys.argv[1], task={"name": "classification"},
                  metric="accuracy", maximize=True, parts=())
print(measure(context, {"model/hidden_size": int(sys.argv[2]), "optimizer/name": "adam"}).cpu)
"""


def test_a_larger_model_takes_more(tmp_path: Path) -> None:
    made.classification(tmp_path)
    # No cluster that ended elsewhere on this machine and left its address.
    environment = os.environ | {"RAY_ADDRESS": "local"}
    took = []
    for size in (8, 1536):
        command = [sys.executable, "-c", MEASURE, str(tmp_path), str(size)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        took.append(float(done.stdout))
    assert 2**26 < took[0] < 2**31
    # Weights, gradients and two moments of the recurrent matrix, in four bytes.
    assert took[1] - took[0] > 4 * 4 * 4 * 1536 * 1536
    assert not (tmp_path / "trials").exists()
