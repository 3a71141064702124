"""A network of two parts as two graphs: one that reads a sequence, one that gives what comes next,
a token or some frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tuner.export.contents import DecoderSignature, Signature
from tuner.export.exact import exact
from tuner.export.formats._base import Runner
from tuner.export.onnx import TRACED, export, tell_sizes
from tuner.export.verify import Batch, differs
from tuner.models.shape import Shape
from tuner.models.steps import Steps
from tuner.models.two_parts import TwoParts


class Encoding(nn.Module):
    """(x, lengths_B) → what the decoder keeps of each step, and the states that it starts from."""

    def __init__(self, network: TwoParts) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, lengths_B: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The first of them apart, as any network gives its outputs."""
        encoded = self.network.encode(x, lengths_B)
        first, *rest = [*encoded.kept, *encoded.state]
        return first, rest


class DecoderStep(nn.Module):
    """(ids_N, states, kept, lengths_N) → logits_NV, the states after them and, with attention,
    weight_NT; without it neither what is kept nor lengths are given. Of frames, frame_NM stands for
    the ids and y_NSO for the logits."""

    def __init__(self, network: TwoParts) -> None:
        super().__init__()
        self.decoder = network.decoder

    def forward(
        self,
        last_N: Tensor,
        states: list[Tensor],
        kept: Sequence[Tensor] = (),
        lengths_N: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Gives one token, or one step's frames, more."""
        seen_NT = last_N.unsqueeze(1) >= 0
        if lengths_N is not None:
            seen_NT = Steps(kept[0], lengths_N).pooled_BT
        found, after, weight_NT = self.decoder.step(last_N, list(kept), seen_NT, states)
        return (found, *after, *([] if weight_NT is None else [weight_NT]))


def signature_of(network: TwoParts, x: Tensor, shape: Shape) -> Signature:
    """What the two graphs will take and give, as a real batch shows."""
    with torch.no_grad():
        encoded = network.encode(x[:1], torch.ones(1, dtype=torch.int64))
    return Signature(
        inputs=x.shape[2],
        outputs=shape.outputs,
        vocabulary=shape.vocabulary,
        characters=shape.characters,
        fixed=network.fixed_steps,
        decoder=DecoderSignature(
            kept=tuple(part.shape[2] for part in encoded.kept),
            states=tuple((part.shape[0], part.shape[2]) for part in encoded.state),
            frames_per_step=getattr(network.decoder, "frames_per_step", 0),
        ),
    )


def write_decoder(network: TwoParts, signature: Signature, path: Path) -> list[str]:
    """Writes the graph of the decoder; gives lines that may freeze a size, as `to_onnx` does."""
    wants = signature.decoder
    assert wants is not None
    num, num_steps = TRACED
    kept = [torch.zeros(num, num_steps, units) for units in wants.kept]
    states = [torch.zeros(levels, num, units) for levels, units in wants.states]
    lengths_N = torch.arange(num_steps, num_steps - num, -1)
    last_N = torch.zeros(num, dtype=torch.int64)
    if wants.frames_per_step:
        last_N = torch.zeros(num, signature.outputs - 1)
    example = (last_N, states, *([kept, lengths_N] if kept else []))
    inputs, outputs = wants.names()
    steps = {0: "batch", 1: "time"}
    moves = {name: {1: "batch"} for name in (*inputs, *outputs) if name[:5] in ("state", "next_")}
    moves |= {name: steps for name in (*inputs, *outputs) if name[:4] in ("kept", "weig")}
    flat = ("ids", "frame", "lengths", "logits", "frames")
    moves |= {name: {0: "batch"} for name in (*inputs, *outputs) if name in flat}
    told = export(DecoderStep(network).eval(), example, path, inputs, outputs, moves)
    sizes = {f"next_{i}": {0: levels, 2: units} for i, (levels, units) in enumerate(wants.states)}
    given = {outputs[0]: {1: signature.outputs}}
    if wants.frames_per_step:
        given = {outputs[0]: {1: wants.frames_per_step, 2: signature.outputs}}
    tell_sizes(path, sizes | given)
    return told


def verify_decoder(
    network: TwoParts,
    signature: Signature,
    run: Runner,
    batches: Iterable[Batch],
) -> float:
    """The largest difference between the decoder's graph and the network, relative above 1, over
    some steps of each batch.

    Raises:
        ExportMismatch: above 1e-5 anywhere, where float32 rounds by less, another shape, or a
            number that is not finite.
    """
    generator = torch.Generator().manual_seed(2)
    step, worst = DecoderStep(network).eval(), 0.0
    assert signature.decoder is not None
    inputs, _ = signature.decoder.names()
    for x, lengths_B in batches:
        with torch.no_grad():
            encoded = network.encode(x, lengths_B)
            states, ends_B = encoded.state, encoded.seen_BT.sum(dim=1)
            for _ in range(3):
                last_B = torch.randint(signature.outputs, (len(x),), generator=generator)
                if signature.decoder.frames_per_step:
                    last_B = torch.randn(len(x), signature.outputs - 1, generator=generator)
                given = [encoded.kept, ends_B] if encoded.kept else []
                expected = step(last_B, states, *given)
                tensors = [last_B, *states, *encoded.kept, ends_B]
                arrays = dict(zip(inputs, _arrays(tensors), strict=False))
                found = run(arrays)
                exactly = partial(_exactly, step, last_B, states, *given)
                what = "a decoder's graph"
                worst = max(worst, differs(what, x, found, _arrays(expected), exactly))
                states = list(expected[1 : 1 + len(states)])
    return worst


def _exactly(step: nn.Module, *given: Any) -> list[np.ndarray]:
    with torch.no_grad():
        return _arrays(exact(step)(*given))


def _arrays(tensors: Iterable[Tensor]) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in tensors]
