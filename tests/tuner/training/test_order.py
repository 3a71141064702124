"""Rows of like length meet in a batch, every row once an epoch, and by chance."""

from __future__ import annotations

import numpy as np
import pytest

from tuner.training.order import order, within

LENGTHS = np.random.default_rng(1).integers(1, 100, size=203)


def epoch(seed: int, bucket: int, lengths: np.ndarray | None = LENGTHS) -> np.ndarray:
    return order(np.random.default_rng(seed), lengths, 203, 8, bucket)


def padded_steps(places: np.ndarray) -> int:
    batches = [LENGTHS[places[start : start + 8]] for start in range(0, 203, 8)]
    return sum(len(batch) * int(batch.max()) for batch in batches)


@pytest.mark.parametrize("bucket", [0, 1, 4, 1000])
def test_every_row_comes_once(bucket: int) -> None:
    assert sorted(epoch(0, bucket)) == list(range(203))


def test_larger_buckets_hold_less_padding() -> None:
    padded = [padded_steps(epoch(0, bucket)) for bucket in (0, 4, 1000)]
    assert padded[0] > 1.3 * padded[1] > 1.3 * padded[2]
    assert padded[2] < 1.25 * LENGTHS.sum()


def test_batches_come_in_no_order_of_length() -> None:
    longest = [LENGTHS[epoch(0, 1000)[start : start + 8]].max() for start in range(0, 200, 8)]
    assert longest != sorted(longest)


def test_an_epoch_follows_from_its_seed_and_differs_from_the_next() -> None:
    assert (epoch(3, 4) == epoch(3, 4)).all()
    companions = [{frozenset(epoch(s, 1000)[i : i + 8]) for i in range(0, 200, 8)} for s in (1, 2)]
    assert len(companions[0] & companions[1]) <= 1


def test_rows_of_one_length_are_only_shuffled() -> None:
    assert (epoch(0, 4, None) == np.random.default_rng(0).permutation(203)).all()


def budgeted(seed: int, budget: int, bucket: int = 8) -> list[np.ndarray]:
    return within(np.random.default_rng(seed), LENGTHS, budget, bucket)


@pytest.mark.parametrize(("budget", "bucket"), [(400, 8), (400, 0), (150, 1), (10, 8), (10**6, 8)])
def test_batches_keep_to_their_budget_and_hold_every_row_once(budget: int, bucket: int) -> None:
    batches = budgeted(0, budget, bucket)
    assert sorted(np.concatenate(batches)) == list(range(203))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * LENGTHS[batch].max() <= budget
    assert all(len(batch) for batch in batches)


def test_a_budget_is_spent_on_many_short_rows_or_few_long_ones() -> None:
    batches = budgeted(0, 400)
    spent = np.array([len(batch) * LENGTHS[batch].max() for batch in batches])
    rows = [len(batch) for batch in batches]
    assert np.median(spent) > 300 and max(rows) > 3 * min(rows)
    assert sum(spent) < sum(len(b) * LENGTHS[b].max() for b in budgeted(0, 400, bucket=0))


def test_budgeted_epochs_follow_from_their_seed() -> None:
    one, same, other = budgeted(1, 400), budgeted(1, 400), budgeted(2, 400)
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert {frozenset(b.tolist()) for b in one} != {frozenset(b.tolist()) for b in other}
