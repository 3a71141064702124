"""What a final model does on a split, to be looked at: its task's exhibits, and its attention.

B rows   T input steps
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from tuner.data.ids import END
from tuner.models.attention import SelfAttention
from tuner.models.encoder_decoder import EncoderDecoder
from tuner.models.synthesizer import Synthesizer
from tuner.plots.exhibits import Exhibit, Heat
from tuner.tasks import _exhibits, _frame_exhibits
from tuner.tasks._base import Batch, Run
from tuner.tasks._decoded import DecodedTask

if TYPE_CHECKING:
    from tuner.training.fit import Fit

_TEXTS = 3
"""Texts that are decoded whose looks back are drawn."""

_ROWS, _STEPS = 8, 60
"""Sequences, and their first steps, whose attention is drawn."""


def exhibits(fit: Fit, rows: np.ndarray) -> dict[str, Exhibit]:
    """Of the weights that the fit holds; `rows` are those of the split."""
    fit.module.eval()
    run = _run(fit)
    found = fit.task.exhibits(fit.store, rows, run)
    if isinstance(fit.module, EncoderDecoder):
        return found | _looks_back(fit, fit.module, _exhibits.spread(rows, _TEXTS), run)
    if isinstance(fit.module, Synthesizer):
        return found | _alignments(fit, fit.module, _exhibits.spread(rows, _TEXTS), run)
    # Of a picture no step has a place that a row of numbers would show.
    if not fit.task.window and len(rows) and fit.task.facts.picture is None:
        found |= _attention(fit, _exhibits.spread(rows, _ROWS), run)
    return found


def _looks_back(
    fit: Fit, network: EncoderDecoder, rows: np.ndarray, run: Run
) -> dict[str, Exhibit]:
    """Which steps a decoder looked at in giving each token of some texts."""
    assert isinstance(fit.task, DecodedTask)
    batch = fit.task.batch(fit.store, rows)
    (_, decoded_BL), _ = run(batch, None)
    ends_B = (decoded_BL > 0).sum(axis=1)
    ids_BU = np.pad(decoded_BL, ((0, 0), (0, 1))).astype(np.int64)
    ids_BU[np.arange(len(rows)), ends_B] = END
    given = batch.to_torch(fit.ranks.device)
    with torch.no_grad():
        decoded = torch.from_numpy(ids_BU).to(fit.ranks.device)
        weight_BUT = network.weights(given.inputs, given.lengths, decoded)
    if weight_BUT is None:
        return {}
    picture = fit.task.facts.picture
    found: dict[str, Exhibit] = {}
    for b, row in enumerate(rows):
        num_steps = min(weight_BUT.shape[2] if picture else int(batch.lengths[b]), _STEPS)
        names = fit.task.step_names(fit.store, int(row)) or [str(t + 1) for t in range(num_steps)]
        words = [*fit.task.target.spelled(decoded_BL[b]), "(end)"][:_STEPS]
        looks = weight_BUT[b, : len(words), :num_steps].cpu().numpy()
        found[f"attention-{b + 1}"] = Heat(
            about="How much each token that was decoded (a row) looks at each step (a column).",
            columns=tuple(names[:num_steps]),
            rows=tuple(
                (word, tuple(_shares(look_T, num_steps)))
                for word, look_T in zip(words, looks, strict=True)
            ),
        )
    return found


def _alignments(fit: Fit, network: Synthesizer, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
    """At which token of some texts a decoder looked in giving each frame of its own."""
    batch = fit.task.batch(fit.store, rows)
    (_, given_BLM, given_B), _ = run(batch, None)
    given = batch.to_torch(fit.ranks.device)
    with torch.no_grad():
        frames_BLM = torch.from_numpy(given_BLM).to(fit.ranks.device)
        weight_BST = network.weights(given.inputs, given.lengths, frames_BLM).cpu().numpy()
    per_step = network.decoder.frames_per_step
    found: dict[str, Exhibit] = {}
    for b, row in enumerate(rows):
        tokens = fit.task.step_names(fit.store, int(row))[:_STEPS]
        places = _frame_exhibits.thinned(int(given_B[b]))
        looks_UT = weight_BST[b, places // per_step, : len(tokens)]
        found[f"attention-{b + 1}"] = Heat(
            about="How much each frame that was given (a column) looks at each token (a row).",
            columns=tuple(str(place + 1) for place in places),
            rows=tuple(
                (token, tuple(_shares(look_U, len(places))))
                for token, look_U in zip(tokens, looks_UT.T, strict=True)
            ),
        )
    return found


def _run(fit: Fit) -> Run:
    def run(batch: Batch, state: Any) -> tuple[Any, Any]:
        with torch.no_grad():
            outputs, after = fit.run(fit.module, batch.to_torch(fit.ranks.device), state)
        return _arrays(fit.precision.full(outputs)), after

    return run


def _arrays(outputs: Any) -> Any:
    if isinstance(outputs, tuple):
        return tuple(map(_arrays, outputs))
    return outputs.detach().cpu().numpy()


def _attention(fit: Fit, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
    """Weights of an attention pooling over the steps of some rows, and the looks of one row's steps
    at one another."""
    pooling, inner = (getattr(fit.module, name, None) for name in ("pooling", "attention"))
    found: dict[str, Exhibit] = {}
    if pooling is None and inner is None:
        return found
    names = [fit.task.step_names(fit.store, int(row)) for row in rows]
    with _inputs(pooling) as pooled, _inputs(inner) as looked, torch.no_grad():
        batch = fit.task.batch(fit.store, rows)
        run(batch, None)
        if pooled and hasattr(pooling, "weights"):
            weight_BT = pooling.weights(*pooled[0])  # type: ignore[union-attr]
            found["attention"] = _by_row(weight_BT, batch.lengths, names)
        if looked and isinstance(inner, SelfAttention):
            found["self-attention"] = _by_step(inner.looks(*looked[0]), batch.lengths, names)
    return found


@contextmanager
def _inputs(module: nn.Module | None) -> Iterator[list[tuple[Any, ...]]]:
    """What a module is called with inside the block."""
    calls: list[tuple[Any, ...]] = []
    if module is None:
        yield calls
        return

    def keep(module: nn.Module, given: tuple[Any, ...]) -> None:
        calls.append(given)

    handle = module.register_forward_pre_hook(keep)
    try:
        yield calls
    finally:
        handle.remove()


def _by_row(weight_BT: Tensor, lengths_B: np.ndarray, names: list[list[str]]) -> Heat:
    num_steps = min(int(lengths_B.max()), _STEPS)
    weights = weight_BT[:, :num_steps].cpu().numpy()
    return Heat(
        about="What each step counts in its sequence, darkest where it counts most.",
        columns=tuple(str(t + 1) for t in range(num_steps)),
        rows=tuple(
            (str(b + 1), tuple(_shares(weights[b], int(length))))
            for b, length in enumerate(lengths_B)
        ),
        marks=tuple(_padded(each, num_steps) for each in names) if any(names) else (),
    )


def _by_step(look_BTT: Tensor, lengths_B: np.ndarray, names: list[list[str]]) -> Heat:
    """Of the longest row that is shown whole, else of the first."""
    whole = [b for b, length in enumerate(lengths_B) if length <= _STEPS // 2]
    b = max(whole, key=lambda b: int(lengths_B[b])) if whole else 0
    num_steps = min(int(lengths_B[b]), _STEPS // 2)
    looks = look_BTT[b, :num_steps, :num_steps].cpu().numpy()
    named = (names[b] if b < len(names) else []) or [str(t + 1) for t in range(num_steps)]
    return Heat(
        about="How much each step (a row) looks at each other one (a column).",
        columns=tuple(named[:num_steps]),
        rows=tuple((named[t], tuple(_shares(looks[t], num_steps))) for t in range(num_steps)),
    )


def _shares(weights: np.ndarray, length: int) -> list[float | None]:
    """Shares of the largest; None behind the end."""
    largest = float(weights[:length].max()) or 1.0
    return [float(w) / largest if t < length else None for t, w in enumerate(weights)]


def _padded(names: list[str], num_steps: int) -> tuple[str, ...]:
    return tuple([*names, *[""] * num_steps][:num_steps])
