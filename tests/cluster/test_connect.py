"""A Ray of our own."""

from __future__ import annotations

from typing import Any

import pytest
import ray

from cluster.spec import Embedded
from tuner.errors import ClusterError
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
