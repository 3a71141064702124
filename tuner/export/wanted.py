"""What a user asks an export for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_LOSS = 0.01


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One export, as the command line or Python asks for it."""

    trial: int | None = None
    """A trial's number; None is the best."""
    formats: Sequence[str] = ()
    """Besides ONNX."""
    streaming: bool = False
    """Whether the graph takes and gives states, so that pieces equal the whole."""
    prune: float | None = None
    """Share of each weight matrix to set to 0; None prunes nothing."""
    max_loss: float = MAX_LOSS
    """Share of the score on validation data that pruning, and each format that is not exact, may
    lose; of a score of 0 the difference itself."""
    licence: str = ""
    """For the model card, such as Apache-2.0."""
