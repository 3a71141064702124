"""A host of more CPUs than memory gets as many lanes as its memory holds, as measured."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import hosts
import made
import pytest
from command import write_spec
from hosts import Lab

REASON = hosts.why_not()
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]


def test_lanes_follow_from_what_one_of_them_takes(tmp_path: Path) -> None:
    with Lab((4,), memory=900 * 2**20) as lab:
        lab.start_all()
        made.sequences_csv(tmp_path / "rows.csv", num=60)
        file = write_spec(tmp_path / "small.yaml", search={"trials": 4, "seed": 3})
        place = lab.cluster_file(tmp_path / "storage")
        command = [sys.executable, "-m", "tuner", "sweep", str(file), "--cluster", str(place)]
        done = lab.run(lab.head, *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "measuring the memory of a lane" in done.stderr
    told = re.search(r"training on (\d) lanes? of 1 worker, 1 CPU and 0\.\d GiB each", done.stderr)
    assert told and 1 <= int(told[1]) < 4, done.stderr
