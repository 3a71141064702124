"""A graph that streams: pieces equal the whole, row by row, whatever their sizes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tuner import registry
from tuner.errors import DataError
from tuner.export.bundle import Bundle
from tuner.export.contents import About, TaskUsed
from tuner.export.model import signature_of
from tuner.export.streaming import refusals, streaming
from tuner.export.write import write
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.network import Network
from tuner.models.shape import Dropouts, Shape

POOLED = Shape(3, 4)
STEPS = Shape(3, 4, per_step=True)
WORDS = Shape(0, 4, vocabulary=9, characters=5, per_step=True)


def network(shape: Shape, **options: object) -> Network:
    """Trained in so far as no learned start is left at 0, nor a norm at 1."""
    config = RecurrentConfig.model_validate({"hidden_size": 6} | options)
    module = build(config, InitializationConfig(), Dropouts(dropout=0.5), shape, seed=1)
    torch.manual_seed(2)
    with torch.no_grad():
        for tensor in [*module.parameters(), *module.buffers()]:
            if tensor.is_floating_point():
                tensor.add_(0.2 * torch.rand_like(tensor))
    assert isinstance(module, Network)
    return module.eval()


def inputs(shape: Shape, num: int, steps: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    if shape.vocabulary:
        return torch.randint(1, 5, (num, steps, 1 + 3), generator=generator)
    return torch.randn(num, steps, shape.inputs, generator=generator)


def exported(module: Network, shape: Shape, folder: Path) -> Bundle:
    signature = signature_of(module, inputs(shape, 2, 3), shape)
    about = About(
        name="made",
        trial=0,
        task=TaskUsed(name="tagging"),
        parameters={},
        signature=streaming(module, signature),
        preprocessing={},
    )
    return write(folder / "model", module, about)


def pieces(lengths: np.ndarray, sizes: list[int]) -> Iterator[tuple[int, int, np.ndarray]]:
    """Begin, end and each row's share of pieces of these sizes, in turn, over all steps."""
    begin, turn = 0, 0
    while begin < lengths.max():
        end = min(begin + sizes[turn % len(sizes)], int(lengths.max()))
        yield begin, end, np.clip(lengths - begin, 0, end - begin)
        begin, turn = end, turn + 1


def streamed(bundle: Bundle, x: np.ndarray, lengths: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Fed piece by piece, whatever stands in the padding."""
    states, outputs = bundle.start(len(x)), []
    for begin, end, share in pieces(lengths, sizes):
        piece = x[:, begin:end].copy()
        piece[np.arange(end - begin) >= share[:, None]] = 1
        y, states = bundle.carry(piece, share, states)
        outputs.append(y)
    per_step = bundle.contents.about.signature.per_step
    return np.concatenate(outputs, axis=1) if per_step else outputs[-1]


@pytest.mark.parametrize("cell", registry.names("cells"))
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        (STEPS, {"layers": 2, "initial_state": "learned", "norm": "layer"}),
        (STEPS, {"convolution": 1, "norm": "batch"}),
        (WORDS, {"layers": 2, "residual": True}),
        (POOLED, {"pooling": "last", "layers": 2, "residual": True}),
        (POOLED, {"pooling": "mean", "initial_state": "learned"}),
        (POOLED, {"pooling": "max"}),
        (POOLED, {"pooling": "last_max_mean", "layers": 2}),
    ],
    ids=["steps", "wide", "words", "last", "mean", "max", "all three"],
)
def test_pieces_equal_the_whole(
    cell: str, shape: Shape, options: dict[str, Any], tmp_path: Path
) -> None:
    module = network(shape, cell=cell, **options)
    bundle = exported(module, shape, tmp_path)
    x, lengths = inputs(shape, 5, 13), torch.tensor([13, 1, 7, 3, 10])
    with torch.no_grad():
        whole = module(x, lengths).numpy()
    valid = np.arange(13) < lengths.numpy()[:, None] if shape.per_step else slice(None)
    for sizes in ([13], [1], [3], [5, 1, 2]):
        found = streamed(bundle, x.numpy(), lengths.numpy(), sizes)
        np.testing.assert_allclose(found[valid], whole[valid], 1e-5, 1e-5, err_msg=str(sizes))
    found = bundle.run(x.numpy(), lengths.numpy())
    np.testing.assert_allclose(found[valid], whole[valid], 1e-5, 1e-5)


def test_a_row_without_steps_keeps_its_states_to_the_last_bit(tmp_path: Path) -> None:
    bundle = exported(network(POOLED, pooling="mean"), POOLED, tmp_path)
    x, lengths = inputs(POOLED, 3, 4).numpy(), np.array([4, 2, 3])
    y, states = bundle.carry(x, lengths, bundle.start(3))
    again, after = bundle.carry(x, np.array([0, 4, 0]), states)
    for before, now in zip(states, after, strict=True):
        np.testing.assert_array_equal(before[:, [0, 2]], now[:, [0, 2]])
        assert not np.array_equal(before[:, 1], now[:, 1])
    np.testing.assert_array_equal(y[[0, 2]], again[[0, 2]])


def test_lengths_outside_a_piece_are_refused(tmp_path: Path) -> None:
    bundle = exported(network(STEPS), STEPS, tmp_path)
    x = inputs(STEPS, 2, 4).numpy()
    for piece, lengths in ((x, [5, 1]), (x, [-1, 4]), (x[:, :0], [0, 0])):
        with pytest.raises(DataError, match="lengths must be in 0"):
            bundle.carry(piece, np.array(lengths), bundle.start(2))


class Foreign(nn.Module):
    """A model of one's own."""


@pytest.mark.parametrize(
    ("module", "rule"),
    [
        (network(STEPS, directions=2), "`model/directions` must be 1"),
        (network(STEPS, attention_layer=True), "`model/attention_layer` must be false"),
        (network(STEPS, convolution=5), "`model/convolution` must be 0"),
        (network(STEPS, crf=True), "`model/crf` must be false"),
        (network(POOLED, pooling="attention"), "`model/pooling` must be one that can go on"),
        (network(POOLED, pooling="dot_attention"), "`model/pooling`"),
        (network(POOLED, pooling="multihead_attention"), "`model/pooling`"),
        (Foreign(), "one network of a shipped architecture"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_looks_ahead_is_refused_by_name(module: nn.Module, rule: str) -> None:
    (mistake,) = refusals(module, None, window=False, where="trial 3")
    assert mistake.code == "export/streaming" and mistake.where == "trial 3"
    assert rule in mistake.rule and mistake.got and "--streaming" in mistake.fix


def test_all_that_looks_ahead_is_told_at_once() -> None:
    module = network(POOLED, directions=2, pooling="attention", convolution=3)
    inputs = registry.get("tasks", "classification").InputConfig
    data = inputs(smooth=3, centred=True, encoding="bag_of_words")
    rules = [m.rule for m in refusals(module, data, window=True, where="trial 3")]
    assert len(rules) == 3 and "windows" in rules[0], "a window is enough of a reason"
    rules = [m.rule for m in refusals(module, data, window=False, where="trial 3")]
    assert len(rules) == 5
