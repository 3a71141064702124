"""Byte pairs merged by frequency (Sennrich, Haddow and Birch, 2016), by Hugging Face's library.

The alphabet is that of bytes, so that no text has an unknown token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tuner.errors import DataError, Mistake

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SIZE = 4000
"""Tokens, unless `data/vocabulary` says otherwise."""


def learn(texts: Iterable[str], size: int) -> str:
    """The merges of training texts, as the library's JSON."""
    tokenizers = _library()
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size,
        show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    learned: str = tokenizer.to_str()
    return learned


def split(text: str, learned: str) -> list[str]:
    """Subwords, spelled in the library's alphabet of bytes."""
    tokens: list[str] = _tokenizer(learned).encode(text).tokens
    return tokens


def join(tokens: Sequence[str]) -> str:
    """The bytes of all tokens as text."""
    text: str = _library().decoders.ByteLevel().decode(list(tokens))
    return text


@lru_cache(maxsize=4)
def _tokenizer(learned: str) -> Tokenizer:
    tokenizer: Tokenizer = _library().Tokenizer.from_str(learned)
    return tokenizer


def _library() -> Any:
    try:
        import tokenizers
    except ModuleNotFoundError:
        raise DataError(
            Mistake(
                code="data/extra",
                rule="`data/tokens: subword` must have the library `tokenizers`",
                where="data/tokens",
                got="an environment without it",
                fix="Run `pip install 'rnn-tuner[text]'`, or take `word` or `character`.",
            )
        ) from None
    return tokenizers
