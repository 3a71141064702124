"""Scores of full rankings: where the true item stands among all that could have been named.

B targets   k items at the top of a list
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuner.tasks._tables import Table

TOPS = (5, 10, 20)
"""Lengths of the lists that are scored."""

METRICS = {
    "ndcg_10": "maximize",
    "hr_10": "maximize",
    "ndcg_5": "maximize",
    "hr_5": "maximize",
    "ndcg_20": "maximize",
    "hr_20": "maximize",
    "mrr": "maximize",
    "loss": "minimize",
}
"""Metric → direction; the first is the default objective. With one true item a list's hit rate is
its recall, and its NDCG 1 / log2(rank + 1). `loss`, in nats, is of items of training rows."""


def gains(rank_B: Any, log2_B: Any) -> list[Any]:
    """What each rank adds to the sums behind the metrics, in the order that `metrics` takes.

    Args:
        rank_B: array or tensor, float64, from 1; infinity for what was not among the candidates.
        log2_B: of the ranks and one.
    """
    found = [gain for k in TOPS for gain in ((rank_B <= k) / log2_B, (rank_B <= k) * 1.0)]
    return [*found, 1 / rank_B]


def ranks(sums: Sequence[float]) -> Table:
    """Where the true items stood; takes what `metrics` does."""
    *gained, _, known, count, _ = sums
    within = [0, *(int(hits) for hits in gained[1:-1:2])]
    names = [f"{a + 1} to {b}" for a, b in zip((0, *TOPS), TOPS, strict=False)]
    counts = [later - sooner for sooner, later in zip(within, within[1:], strict=False)]
    return Table(
        about="Items that were to be predicted, by their rank; some no training row held.",
        columns=(*names, "later", "unknown"),
        rows={"items": (*counts, int(known) - within[-1], int(count - known))},
    )


def metrics(sums: Sequence[float]) -> dict[str, float]:
    """All metrics; NaN if any score was not finite.

    Args:
        sums: of the gains, then of losses, of items with a loss, of items, of those that broke.
    """
    *gained, loss, known, count, broken = sums
    if broken or not count:
        return dict.fromkeys(METRICS, float("nan"))
    names = [name for k in TOPS for name in (f"ndcg_{k}", f"hr_{k}")]
    found = {n: g / count for n, g in zip([*names, "mrr"], gained, strict=True)}
    found["loss"] = loss / max(known, 1)
    return {name: found[name] for name in METRICS}
