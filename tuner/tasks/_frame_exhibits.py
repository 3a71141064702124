"""Frames to be looked at: those that a model gives of a text, and those recorded.

U frames   M bands
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tuner.plots.exhibits import Exhibit, Heat
from tuner.tasks import _exhibits
from tuner.tasks._base import Run

if TYPE_CHECKING:
    from tuner.data.store import Steps
    from tuner.tasks.synthesis import Synthesis

TEXTS = 3
"""Texts whose frames are drawn."""
WIDEST = 60
"""Columns of a picture; of more frames some are left out, evenly."""
_HIGHEST = 20


def pictures(task: Synthesis, steps: Steps, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
    """Of some texts, two pictures each, dark where a band is loud."""
    rows = _exhibits.spread(rows, TEXTS)
    batch = task.batch(steps, rows)
    (_, given_BLM, given_B), _ = run(batch, None)
    found: dict[str, Exhibit] = {}
    for b, row in enumerate(rows):
        text = _exhibits.shortened(["".join(task.step_names(steps, int(row)))])
        true_UM = batch.targets[b, : batch.target_lengths[b]]
        ends = float(true_UM.min()), float(true_UM.max())
        for name, what, frames_UM in (
            ("frames", "given", given_BLM[b, : given_B[b]]),
            ("truth", "recorded", true_UM),
        ):
            about = f"Frames that were {what} of {text!r}: a row for each band, the highest on top."
            found[f"{name}-{b + 1}"] = _picture(about, task.facts.features, frames_UM, *ends)
    return found


def thinned(num: int) -> np.ndarray:
    """Places of the frames that are drawn, of so many."""
    return np.arange(0, num, -(-num // WIDEST))


def _picture(
    about: str, names: tuple[str, ...], frames_UM: np.ndarray, low: float, high: float
) -> Heat:
    places = thinned(len(frames_UM))
    bands = np.arange(0, len(names), -(-len(names) // _HIGHEST))[::-1]
    shares_UM = np.clip((frames_UM - low) / max(high - low, 1e-9), 0, 1)
    return Heat(
        about=about,
        columns=tuple(str(place + 1) for place in places),
        rows=tuple((names[m], tuple(shares_UM[places, m].tolist())) for m in bands),
    )
