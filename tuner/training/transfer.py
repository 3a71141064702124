"""Section `transfer/` of a trial: weights to start from, and weights that stay as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tuner.data.ids import FIRST
from tuner.errors import Mistake, SpecError
from tuner.part import Config
from tuner.training.words import EMBEDDING, Words, embed, embedding_of, read_words

if TYPE_CHECKING:
    from torch import Tensor, nn

_NAMED = 8
"""Tensors that an error names."""


class TransferConfig(Config):
    """Where a trial's weights come from, and which of them it trains."""

    source: str = ""
    """Folder of an exported bundle, from the spec's own; or `sweep:NAME` for the best trial of a
    sweep in the same home, `sweep:NAME#7` for another. Empty starts from scratch."""
    part: Literal["encoder", "whole"] = "encoder"
    """What is taken: all below `encoder.`, and the vectors of words that both know; or everything,
    the head included."""
    vectors: bool = True
    """Whether the embedding starts from `data/vectors`, where a spec names some."""
    freeze: str = ""
    """Names of parameters that are not trained, separated by spaces; `*` stands for anything, as
    in `encoder.layers.0.*`."""


def place(data: Path, source: str) -> Path:
    """Where a sweep keeps its own copy of a source's weights: later changes do not reach it."""
    return data / "transfer" / f"{hashlib.sha256(source.encode()).hexdigest()[:16]}.safetensors"


VECTORS = "vectors"
"""The source that stands for the file in `data/vectors`."""


def words_of(data: Path, source: str) -> Path:
    """Where the words of a source lie, which tell whose each of its vectors is."""
    return place(data, source).with_suffix(".words.json")


def transfer(
    config: TransferConfig, module: nn.Module, data: Path, words: Sequence[str] = ()
) -> None:
    """Gives a module its source's weights, and freezes what is named.

    Args:
        config: the section.
        module: with its initial weights.
        data: folder of the sweep's prepared data, which holds the weights.
        words: that the module knows, from its first known id on.

    Raises:
        SpecError: tensors that do not match, or a pattern that matches none.
    """
    from safetensors.torch import load

    embedding = embedding_of(module)
    if config.vectors and embedding is not None and place(data, VECTORS).exists():
        given = load(place(data, VECTORS).read_bytes())[EMBEDDING].numpy()
        _embed(embedding, words, Words(read_words(words_of(data, VECTORS)), given), "data/vectors")
    if config.source:
        tensors = load(place(data, config.source).read_bytes())
        theirs = read_words(words_of(data, config.source))
        _take(config, module, tensors, whole_fits=theirs == list(words))
        if config.part == "encoder" and embedding is not None and EMBEDDING in tensors:
            # A source's first two rows are padding and the unknown word.
            given = tensors[EMBEDDING][FIRST:].numpy()
            _embed(embedding, words, Words(theirs, given), "transfer/source")
    for pattern in config.freeze.split():
        named = [p for name, p in module.named_parameters() if fnmatchcase(name, pattern)]
        if not named:
            raise _refused(
                "freeze",
                "a pattern of `transfer/freeze` must match a parameter",
                f"{pattern!r}; there are {_listed(n for n, _ in module.named_parameters())}",
                "Correct it, or leave it out.",
            )
        for parameter in named:
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise _refused(
            "freeze",
            "`transfer/freeze` must leave something to train",
            repr(config.freeze),
            "Leave out the head, such as by `encoder.*`.",
        )


def _embed(embedding: Tensor, words: Sequence[str], given: Words, where: str) -> None:
    if embedding.shape[1] != given.units:
        raise _refused(
            "embedding",
            f"`model/embedding` must be {given.units}, as in `{where}`",
            str(embedding.shape[1]),
            f"Set it to {given.units}.",
        )
    embed(embedding, words, given)


def _take(
    config: TransferConfig, module: nn.Module, given: dict[str, Tensor], *, whole_fits: bool
) -> None:
    if config.part == "whole" and not whole_fits:
        raise _refused(
            "words",
            "a whole model must know the very words that `transfer/source` knows",
            "others, or the same in another order",
            "Take `transfer/part: encoder`, which finds each word's own vector.",
        )
    prefix = "encoder." if config.part == "encoder" else ""
    theirs = {name: tensor for name, tensor in given.items() if name.startswith(prefix)}
    ours = {name: t for name, t in module.state_dict().items() if name.startswith(prefix)}
    wrong = [
        f"{name} {_shape(theirs.get(name))} there and {_shape(ours.get(name))} here"
        for name in dict.fromkeys([*ours, *theirs])
        if _shape(theirs.get(name)) != _shape(ours.get(name))
    ]
    if wrong or not ours:
        raise _refused(
            "mismatch",
            "every tensor must be in `transfer/source` and in the model, of the same shape",
            f"{config.source!r}, {config.part}: {_listed(wrong) or 'no encoder'}",
            "Give the model the source's `model/` settings, or take another source; a head for "
            "other classes needs `transfer/part: encoder`.",
        )
    module.load_state_dict(module.state_dict() | theirs)


def _shape(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else str(list(tensor.shape))


def _listed(texts: Iterator[str] | list[str]) -> str:
    found = list(texts)
    more = len(found) - _NAMED
    return ", ".join(found[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _refused(code: str, rule: str, got: str, fix: str) -> SpecError:
    where = "the trial's `transfer/`"
    return SpecError(Mistake(code=f"transfer/{code}", rule=rule, where=where, got=got, fix=fix))
