"""Writes 60 episodes of a controller that balances a pole, told by positions and angles alone."""

import math
from pathlib import Path

import numpy as np

chance = np.random.default_rng(0)
STEPS = 120
GRAVITY, CART, POLE, HALF, FORCE, SECONDS = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02


def moved(x: float, v: float, a: float, w: float, force: float) -> tuple[float, ...]:
    """One step of Barto, Sutton and Anderson (1983), as in CartPole-v1."""
    total = CART + POLE
    pushed = (force + POLE * HALF * w * w * math.sin(a)) / total
    turn = GRAVITY * math.sin(a) - math.cos(a) * pushed
    turn /= HALF * (4 / 3 - POLE * math.cos(a) ** 2 / total)
    run = pushed - POLE * HALF * turn * math.cos(a) / total
    return x + SECONDS * v, v + SECONDS * run, a + SECONDS * w, w + SECONDS * turn


observed, actions, starts = [], [], []
for _ in range(60):
    state = tuple(chance.uniform(-0.05, 0.05, 4))
    for step in range(STEPS):
        x, v, a, w = state
        right = x + 1.5 * v + 20 * a + 3.5 * w > 0
        observed.append((x, a))
        actions.append(int(right))
        starts.append(step == 0)
        # Now and then it is pushed, so that there is something to mend.
        push = chance.normal(0, 30) if chance.random() < 0.05 else 0.0
        state = moved(*state, FORCE * (1 if right else -1) + push)

target = Path(__file__).parent / "data" / "balance.npz"
target.parent.mkdir(exist_ok=True)
np.savez_compressed(
    target,
    obs=np.array(observed, dtype=np.float32),
    actions=np.array(actions),
    episode_starts=np.array(starts),
)
print(f"{target}: {len(actions):,} steps")
