"""What a policy earns in an environment, whose library is an extra.

B episodes, all at once   I inputs   O outputs
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.errors import DataError, Mistake

if TYPE_CHECKING:
    from tuner.tasks._base import Split

Choose = Callable[[np.ndarray, np.ndarray, Any], tuple[Sequence[Any], Any]]
"""Of the last observations, of which episodes go on and of a state, an action for each episode and
the state after it."""

_SEEDS = {"train": 2_000_000, "validation": 0, "test": 1_000_000}
"""First seed of each split: the same episodes for every trial, others for the final models."""


def missing() -> Mistake | None:
    """What to do where the library is not installed."""
    if find_spec("gymnasium") is not None:
        return None
    return Mistake(
        code="task/extra",
        rule="`task/environment` must have the library `gymnasium`",
        where="task/environment",
        got="none",
        fix="Install it: `pip install 'rnn-tuner[control]'`; or leave `environment` out.",
    )


def unknown(environment: str) -> Mistake | None:
    """Why an environment cannot be played in, if it cannot."""
    from gymnasium.error import Error

    try:
        made = _make(environment)
    except (Error, ModuleNotFoundError) as error:
        return _refusal("a known one", f"{environment!r}: {error}")
    space, shape = made.action_space, made.observation_space.shape
    made.close()
    if shape is None or len(shape) != 1:
        return _refusal("one that tells a vector of numbers", repr(environment))
    if not (hasattr(space, "n") or hasattr(space, "low")):
        return _refusal("one with discrete or continuous actions", repr(environment))
    return None


def num_observed(environment: str) -> int:
    """Numbers in an observation."""
    made = _make(environment)
    made.close()
    (size,) = made.observation_space.shape
    return int(size)


def returns(
    environment: str, choose: Choose, num: int, split: Split, observed: Sequence[int] | None
) -> np.ndarray:
    """The return of each of `num` seeded episodes, whose actions a policy chooses.

    Args:
        observed: places of the policy's inputs in an observation; None for all of it.

    Raises:
        DataError: an action that the environment does not take.
    """
    made = [_make(environment) for _ in range(num)]
    try:
        resets = [env.reset(seed=_SEEDS[split] + place) for place, env in enumerate(made)]
        observation_B = [np.asarray(found) for found, _ in resets]
        return_B, alive_B, state = np.zeros(num), np.ones(num, dtype=bool), None
        while alive_B.any():
            x_BI = np.stack(observation_B).astype(np.float32)
            x_BI = x_BI if observed is None else x_BI[:, list(observed)]
            action_B, state = choose(x_BI, alive_B, state)
            for place in np.flatnonzero(alive_B).tolist():
                env = made[place]
                action = _taken(environment, env.action_space, action_B[place])
                found, reward, ended, cut, _ = env.step(action)
                observation_B[place] = np.asarray(found)
                return_B[place] += float(reward)
                alive_B[place] = not (ended or cut)
        return return_B
    finally:
        for env in made:
            env.close()


def random_actions(environment: str, seed: int) -> Choose:
    """Chooses any action of an environment."""
    made = _make(environment)
    space = made.action_space
    made.close()
    space.seed(seed)
    return lambda x_BI, alive_B, state: ([space.sample() for _ in alive_B], None)


def _make(environment: str) -> Any:
    import gymnasium

    return gymnasium.make(environment, disable_env_checker=True)


def _taken(environment: str, space: Any, action: Any) -> Any:
    """An action as its environment takes it: a whole number, or numbers within their bounds."""
    if hasattr(space, "low"):
        numbers = np.asarray(action, dtype=space.dtype).reshape(-1)
        if numbers.size == space.low.size:
            return np.clip(numbers.reshape(space.shape), space.low, space.high)
    else:
        number = int(action) if str(action).lstrip("-").isdigit() else None
        if number is not None and space.contains(number):
            return number
    raise DataError(_refusal(f"one that takes the actions of the data, not {space}", repr(action)))


def _refusal(rule: str, got: str) -> Mistake:
    return Mistake(
        code="task/environment",
        rule=f"`task/environment` must be {rule}",
        where="task/environment",
        got=got,
        fix="Name another, such as CartPole-v1, or leave it out.",
    )
