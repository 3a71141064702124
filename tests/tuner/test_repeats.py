"""What a sweep's folder holds of fresh seeds."""

from __future__ import annotations

from pathlib import Path

from tuner.outcome import Outcome, State
from tuner.repeats import Repeat, Repeats

ENDED = Repeat(
    outcome=Outcome(state=State.COMPLETE, value=0.9, best_epoch=2, epochs=3),
    test={"accuracy": 0.8},
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert Repeats.read(tmp_path) == Repeats()
    made = Repeats(candidates=(2, 0), seeds=(1, 2)).with_repeat(2, 1, ENDED)
    made.write(tmp_path)
    assert Repeats.read(tmp_path) == made
    assert made.of(2) == {1: ENDED} and made.of(0) == {}


def test_seeds_go_round_so_that_all_candidates_get_as_many() -> None:
    made = Repeats(candidates=(2, 0, 5), seeds=(1, 2)).with_repeat(0, 1, ENDED)
    assert made.missing() == [(2, 1), (5, 1), (2, 2), (0, 2), (5, 2)]


def test_nobody_is_compared_before_all_are_trained() -> None:
    made = Repeats(candidates=(2,), seeds=(1, 2))
    assert not Repeats().complete and not made.complete
    made = made.with_repeat(2, 1, ENDED)
    assert not made.complete
    assert made.with_repeat(2, 2, ENDED).complete
