"""What a head says of its nodes before it is joined."""

from __future__ import annotations

import pytest

from cluster import join
from cluster.refused import Refused


def test_waits_for_a_head_that_has_no_node_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[list[str]] = [[], [], ["127.0.0.1"]]
    monkeypatch.setattr(join, "_alive", lambda address: answers.pop(0))
    join._probe_head("head:6379")
    assert not answers


@pytest.mark.parametrize(
    ("nodes", "got"), [([], "its nodes, for it has none"), (["192.0.2.7"], "192.0.2.7")]
)
def test_refuses_a_head_without_this_machine(
    nodes: list[str], got: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join, "_alive", lambda address: nodes)
    monkeypatch.setattr(join, "ANSWER_SECONDS", 0.5)
    with pytest.raises(Refused, match=f"none of {got}"):
        join._probe_head("head:6379")
