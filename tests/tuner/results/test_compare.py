"""What the comparison of two sides says; sweeps of their own are compared end to end."""

from __future__ import annotations

from typing import Any

import pytest
from boards import BOARD, row

from tuner.errors import CommandError
from tuner.results.compare import Difference, _differences, _parse, _verdict
from tuner.results.interval import Interval
from tuner.results.leaderboard import Row


def test_what_a_side_lacks_is_a_difference() -> None:
    assert _differences({"a": 1, "b": 2, "c": None}, {"a": 1, "b": 3, "d": 4}) == [
        Difference(what="b", one=2, other=3),
        Difference(what="d", one=None, other=4),
    ]


@pytest.mark.parametrize("text", ["digits:", "digits:x", "digits:-1", "digits:1:2"])
def test_a_trial_is_a_name_and_a_number(text: str) -> None:
    assert _parse("digits:7") == ("digits", 7) and _parse("digits") == ("digits", None)
    with pytest.raises(CommandError, match="NAME:NUMBER"):
        _parse(text)


def sure(*values: float) -> dict[str, Any]:
    return {"interval": Interval.of(values)}


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (row(0, 0.9, "x"), row(1, 0.8, "x"), "a has the better accuracy, from one seed each"),
        (row(0, 0.8, "x"), row(1, 0.9, "x"), "b has the better accuracy"),
        (row(0, 0.9, "x"), row(1, 0.9, "x"), "equal in accuracy"),
        (row(0, 0.9, "x"), row(1, None, "x"), "no usable model"),
        (
            row(0, 0.9, "x", **sure(0.90, 0.91, 0.89)),
            row(1, 0.9, "x", **sure(0.5, 0.51, 0.49)),
            "a is better over fresh seeds: 0.9 and 0.5",
        ),
        (
            row(0, 0.95, "x", **sure(0.8, 0.9, 0.7)),
            row(1, 0.9, "x", **sure(0.82, 0.88, 0.75)),
            "nothing tells them apart",
        ),
    ],
)
def test_the_verdict_is_no_bolder_than_the_scores(first: Row, second: Row, said: str) -> None:
    assert said in _verdict("a", "b", (BOARD, BOARD), (first, second), same_data=True)
    other = _verdict("a", "b", (BOARD, BOARD), (first, second), same_data=False)
    assert other == "the data differ, so their scores do not compare"
