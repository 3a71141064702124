"""What is known of words beforehand: vectors by word, from a model or from a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuner.data.ids import FIRST

if TYPE_CHECKING:
    from torch import Tensor, nn

EMBEDDING = "inputs.embedding.weight"
"""The parameter with a row for each id: padding, unknown, then the known words."""


@dataclass(frozen=True)
class Words:
    """Some words, and for each of them a vector, float32 (words, units)."""

    words: Sequence[str]
    vectors: np.ndarray

    @property
    def units(self) -> int:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])


def embed(embedding: Tensor, words: Sequence[str], given: Words) -> int:
    """Puts the vectors of words that both sides know into an embedding; gives their number.

    Args:
        embedding: (ids, units) of a network, changed in place.
        words: known to that network, from its first known id on.
        given: of as many units.
    """
    import torch

    places = {word: place for place, word in enumerate(given.words)}
    shared = [(i, places[word]) for i, word in enumerate(words, FIRST) if word in places]
    if not shared:
        return 0
    ours, theirs = (torch.tensor(index) for index in zip(*shared, strict=True))
    vectors = torch.from_numpy(np.ascontiguousarray(given.vectors[theirs.numpy()]))
    with torch.no_grad():
        embedding[ours.to(embedding.device)] = vectors.to(embedding)
    return len(shared)


def embedding_of(module: nn.Module) -> Tensor | None:
    """A network's vectors by id; None where it reads numbers."""
    return dict(module.named_parameters()).get(EMBEDDING)


def write_words(path: Path, words: Sequence[str]) -> None:
    """Keeps the words of a model beside its weights."""
    path.write_text(json.dumps(list(words), ensure_ascii=False), encoding="utf-8")


def read_words(path: Path) -> list[str]:
    """The reverse of `write_words`; none where none were kept."""
    if not path.exists():
        return []
    words: list[str] = json.loads(path.read_text(encoding="utf-8"))
    return words
