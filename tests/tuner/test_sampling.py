from __future__ import annotations

import numpy as np
import pytest

from tuner.sampling import Sampling

LOGITS = np.log(np.array([0.5, 0.25, 0.15, 0.1]))


def test_untouched_shares_are_the_models() -> None:
    np.testing.assert_allclose(Sampling().shares(LOGITS), np.exp(LOGITS))


def test_temperature_sharpens_and_flattens() -> None:
    np.testing.assert_allclose(
        Sampling(temperature=0.5).shares(LOGITS), np.exp(2 * LOGITS) / np.exp(2 * LOGITS).sum()
    )
    assert Sampling(temperature=2).shares(LOGITS)[0] < 0.5
    assert Sampling(temperature=0).shares(LOGITS).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(("k", "expected"), [(1, [1, 0, 0, 0]), (2, [2 / 3, 1 / 3, 0, 0])])
def test_top_k_leaves_the_likeliest(k: int, expected: list[float]) -> None:
    np.testing.assert_allclose(Sampling(top_k=k).shares(LOGITS), expected)


@pytest.mark.parametrize(("p", "kept"), [(0.4, 1), (0.5, 1), (0.6, 2), (0.75, 2), (0.8, 3)])
def test_top_p_leaves_those_that_reach_the_share(p: float, kept: int) -> None:
    assert (Sampling(top_p=p).shares(LOGITS) > 0).sum() == kept


def test_what_is_impossible_is_never_drawn() -> None:
    logits = np.array([-np.inf, 0.0, 0.0])
    chance = np.random.default_rng(0)
    assert {Sampling().draw(logits, chance) for _ in range(50)} == {1, 2}


def test_draws_follow_their_seed() -> None:
    drawn = [[Sampling().draw(LOGITS, np.random.default_rng(s)) for s in range(9)] for _ in "ab"]
    assert drawn[0] == drawn[1] and len(set(drawn[0])) > 1
