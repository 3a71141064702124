"""BLEU from counts that add up over rows and ranks (Papineni et al., 2002), by sacrebleu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

ORDER = 4
COUNTS = 2 + 2 * ORDER
"""Tokens decoded, tokens of the references, then n-grams that are right, then n-grams decoded."""

Cut = Literal["13a", "none", "char", "intl", "zh"]
"""How sacrebleu cuts texts: as it does by default, at white space alone, or otherwise."""


def counts(decoded: Sequence[str], references: Sequence[str], cut: Cut) -> list[float]:
    """The counts of some texts, each with its one reference; see `COUNTS`."""
    from sacrebleu.metrics import BLEU

    # Texts that seem cut already are no mistake here.
    found = BLEU(tokenize=cut, force=True).corpus_score(list(decoded), [list(references)])
    return [float(n) for n in (found.sys_len, found.ref_len, *found.counts, *found.totals)]


def score(added: Sequence[float], order: int = ORDER) -> float:
    """BLEU, 0 to 100, of n-grams up to an order, smoothed as sacrebleu does by default."""
    from sacrebleu.metrics import BLEU

    decoded, referred, *grams = (round(n) for n in added)
    found = BLEU.compute_bleu(
        correct=grams[:order],
        total=grams[ORDER : ORDER + order],
        sys_len=decoded,
        ref_len=referred,
        smooth_method="exp",
        max_ngram_order=order,
    )
    return float(found.score)
