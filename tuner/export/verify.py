"""Proof that an exported graph equals the trained network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tuner.errors import ExportMismatch
from tuner.export.contents import Signature
from tuner.export.exact import TOLERANCE, exact, tolerance
from tuner.export.formats._base import Runner

Batch = tuple[Tensor, ...]
"""x and lengths_B, on the CPU; with a second input side_BX, too."""
NAMES = ("x", "lengths", "side")
"""What a graph calls them."""


def untraced_batches(signature: Signature, least_steps: int = 1) -> list[Batch]:
    """Padded batches of sizes and lengths that the exporter has never seen."""
    generator = torch.Generator().manual_seed(0)
    batches = []
    for num_sequences, more_steps in ((1, 0), (1, 8), (3, 3), (7, 12)):
        num_steps = signature.fixed or least_steps + more_steps
        shape = (num_sequences, num_steps, signature.inputs)
        if signature.vocabulary:
            x = torch.randint(0, signature.vocabulary, shape, generator=generator)
            x[..., 1:] = x[..., 1:] % max(signature.characters, 1)
        else:
            x = torch.randn(*shape, generator=generator)
        lengths_B = torch.randint(least_steps, num_steps + 1, (num_sequences,), generator=generator)
        lengths_B[0] = num_steps
        if signature.ragged:
            lengths_B[1:] -= torch.randint(0, 2, (num_sequences - 1,), generator=generator)
        elif signature.states or signature.fixed:
            # What goes on is not padded, nor is a picture.
            lengths_B[:] = num_steps
        side = [torch.randn(num_sequences, signature.side, generator=generator)]
        batches.append((x, lengths_B, *(side if signature.side else ())))
    return batches


def verify(
    module: nn.Module,
    signature: Signature,
    run: Runner,
    batches: Iterable[Batch],
    suspects: Sequence[str] = (),
    what: str = "an exported graph",
) -> float:
    """The largest difference between an export and the network, relative above 1.

    States of streams are compared as well, from made ones. `module` lies on the CPU in evaluation
    mode; `suspects` are lines of its code that may be to blame.

    Raises:
        ExportMismatch: above 1e-5 anywhere, where float32 rounds by less, another shape, a number
            that is not finite, or an export that does not run.
    """
    assert not module.training, "a comparison with a network in training mode"
    generator = torch.Generator().manual_seed(1)
    worst = 0.0
    for batch in batches:
        x, lengths_B, *side = batch
        states = [
            torch.randn(levels, len(x), units, generator=generator)
            for levels, units in signature.states
        ]
        given = [x, lengths_B, *side, *([states] if states else [])]
        kept_B = -(-lengths_B.numpy() // signature.stride) if signature.per_step else None
        expected = _outputs(module, given, kept_B)
        arrays = {name: part.numpy() for name, part in zip(NAMES, batch, strict=False)}
        arrays |= {f"state_{i}": state.numpy() for i, state in enumerate(states)}
        try:
            found = run(arrays)
        except Exception as error:  # runtimes have no exceptions of their own to catch
            said = str(error).strip().partition("Status Message: ")[2] or str(error)
            raise _mismatch(what, x, f"the error {said!r}", suspects) from error
        exactly = partial(_exactly, module, given, kept_B)
        worst = max(worst, differs(what, x, _valid(found, kept_B), expected, exactly, suspects))
    return worst


def differs(
    what: str,
    x: Tensor,
    found: Sequence[np.ndarray],
    expected: Sequence[np.ndarray],
    exactly: Callable[[], Sequence[np.ndarray]],
    suspects: Sequence[str] = (),
) -> float:
    """The largest difference between what an export gave of a batch and what the network did.

    Args:
        exactly: gives what the network does in double precision; asked only in doubt.

    Raises:
        ExportMismatch: above 1e-5 anywhere, where float32 rounds by less, another shape, or a
            number that is not finite.
    """
    difference = _worst(found, expected)
    # Not `>`: a NaN is a mismatch too.
    if not difference <= TOLERANCE and not difference <= tolerance(_worst(expected, exactly())):
        raise _mismatch(what, x, f"a difference of {difference:g}", suspects)
    return difference


def _worst(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    return max(_difference(one, other) for one, other in zip(found, expected, strict=True))


def _outputs(
    module: Callable[..., Any], given: list[Any], lengths_B: np.ndarray | None
) -> list[np.ndarray]:
    with torch.no_grad():
        return _valid(_flat(module(*given)), lengths_B)


def _exactly(module: nn.Module, given: list[Any], lengths_B: np.ndarray | None) -> list[np.ndarray]:
    return _outputs(exact(module), given, lengths_B)


def _flat(outputs: Tensor | tuple[Tensor, Tensor | list[Tensor]]) -> list[np.ndarray]:
    """The network's outputs in the order of the graph's."""
    y, rest = outputs if isinstance(outputs, tuple) else (outputs, [])
    return [tensor.numpy() for tensor in (y, *([rest] if isinstance(rest, Tensor) else rest))]


def _valid(outputs: Sequence[np.ndarray], lengths_B: np.ndarray | None) -> list[np.ndarray]:
    """The same with zeros at padded steps of y, where nothing that stands there means anything;
    None: y has no steps."""
    if lengths_B is None:
        return list(outputs)
    y_BTO, *rest = outputs
    valid_BT = np.arange(y_BTO.shape[1]) < lengths_B[:, None]
    return [np.where(valid_BT[..., None], y_BTO, 0), *rest]


def _mismatch(what: str, x_BTF: Tensor, got: str, suspects: Sequence[str]) -> ExportMismatch:
    hint = "Look in the model's forward pass for a size or a value that becomes a Python number"
    if suspects:
        hint = f"Look at {'; '.join(suspects)}"
    return ExportMismatch(
        f"{what} must equal the trained network within {TOLERANCE:g}; a batch of "
        f"{x_BTF.shape[0]} sequences of up to {x_BTF.shape[1]} steps gave {got}. {hint}: the "
        "exporter freezes it, where `x.shape[0]` stays free. [export/mismatch]"
    )


def _difference(graph_BO: np.ndarray, network_BO: np.ndarray) -> float:
    if graph_BO.shape != network_BO.shape:
        return float("inf")
    with np.errstate(invalid="ignore"):
        scaled_BO = np.abs(graph_BO - network_BO) / np.maximum(1.0, np.abs(network_BO))
    return float(scaled_BO.max(initial=0.0))
