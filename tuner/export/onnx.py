"""From torch to one self-contained ONNX file, right at any batch size and length.

`torch.onnx.export(dynamo=True)` freezes the number of steps in every bidirectional layer and in
every nn.RNN (torch 2.13), so this takes the exporter that traces, deprecated though it is.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn
from torch.jit import TracerWarning  # type: ignore[attr-defined]
from torch.onnx.errors import OnnxExporterError

from tuner.errors import InputError, Mistake
from tuner.export.contents import Signature

OPSET = 17
TRACED = (2, 5)
"""Batch size and steps of the traced example, or the least steps that the module takes."""


def to_onnx(module: nn.Module, signature: Signature, path: Path) -> list[str]:
    """Writes the graph of a network, with the inputs and outputs of its signature.

    `module` lies on the CPU in evaluation mode.

    Returns:
        Lines of the model's code in which a size or a value became a Python number, as the tracer
        noticed: where to look if the graph is wrong at other sizes.

    Raises:
        InputError: `export/unsupported`, an operation that ONNX does not have.
    """
    assert not module.training, "a graph of a network in training mode"
    num_sequences, num_steps = TRACED
    kind = torch.int64 if signature.vocabulary else torch.float32
    states = [torch.zeros(levels, num_sequences, units) for levels, units in signature.states]
    num_steps = signature.fixed or max(num_steps, least_steps(module))
    example = (
        torch.zeros(num_sequences, num_steps, signature.inputs, dtype=kind),
        torch.arange(num_steps, num_steps - num_sequences, -1),
        *([torch.zeros(num_sequences, signature.side)] if signature.side else []),
        *([states] if states else []),
    )
    numbers = range(len(states))
    moves = {0: "batch", 1: "time"}
    side = ["side"] if signature.side else []
    inputs = ["x", "lengths", *side, *(f"state_{i}" for i in numbers)]
    decoder = signature.decoder
    outputs = ["y"] if decoder is None else decoder.encoded()
    outputs += ["transitions"] if signature.transitions else []
    outputs += [f"next_{i}" for i in numbers]
    axes = {"x": moves, **{name: {0: "batch"} for name in ("lengths", *side)}}
    axes |= {name: {1: "batch"} for name in (*inputs, *outputs) if name[:5] in ("state", "next_")}
    axes |= {name: moves for name in outputs if name.startswith("kept_")}
    if decoder is None:
        given = moves if signature.stride == 1 else {0: "batch", 1: "steps"}
        axes["y"] = given if signature.per_step else {0: "batch"}
    told = export(module, example, path, inputs, outputs, axes)
    sizes = {
        f"next_{i}": {0: levels, 2: units} for i, (levels, units) in enumerate(signature.states)
    }
    if decoder is not None:
        sizes |= {f"kept_{i}": {2: units} for i, units in enumerate(decoder.kept)}
        of_state = enumerate(decoder.states)
        sizes |= {f"state_{i}": {0: levels, 2: units} for i, (levels, units) in of_state}
    tell_sizes(path, sizes)
    return told


def export(
    module: nn.Module,
    example: tuple[Any, ...],
    path: Path,
    inputs: list[str],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
) -> list[str]:
    """Traces a module, in evaluation mode, with names for all that it takes and gives.

    Args:
        axes: dimensions of any size, by what they are of.

    Returns:
        As `to_onnx` does.

    Raises:
        InputError: `export/unsupported`, an operation that ONNX does not have.
    """
    try:
        with _warnings() as told:
            torch.onnx.export(
                module,
                example,
                path,
                dynamo=False,
                opset_version=OPSET,
                input_names=inputs,
                output_names=outputs,
                dynamic_axes=axes,
            )
    except OnnxExporterError as error:
        named = re.search(r"operator '([^']+)'|namespace (\S+)\.", str(error))
        operation = (named[1] or named[2]) if named else str(error).partition("\n")[0]
        raise InputError(
            Mistake(
                code="export/unsupported",
                rule=f"a model's operations must exist in ONNX (opset {OPSET})",
                where=f"the forward pass of {type(module).__name__}",
                got=operation,
                fix="Write the model without this operation.",
            )
        ) from error
    return [_line(warning) for warning in told if issubclass(warning.category, TracerWarning)]


def tell_sizes(path: Path, sizes: dict[str, dict[int, int]]) -> None:
    """Writes down sizes of what comes out, where the tracer could not follow them.

    Args:
        sizes: by dimension, of each output.
    """
    if not sizes:
        return
    model = onnx.load(str(path))
    outputs = {value.name: value.type.tensor_type.shape for value in model.graph.output}
    for name, known in sizes.items():
        for place, size in known.items():
            outputs[name].dim[place].dim_value = size
    onnx.save(model, str(path))


def least_steps(module: nn.Module) -> int:
    """Of an input: a network that decodes a horizon says how many of its steps lie ahead."""
    least: int = getattr(module, "least_steps", 1)
    return least


def _line(warning: warnings.WarningMessage) -> str:
    said = str(warning.message).partition(". ")[0]
    return f"{Path(warning.filename).name} line {warning.lineno}: {said}"


@contextmanager
def _warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Collects what the exporter says, less what torch's checks of its own arguments cause."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        message = "Converting a tensor to a Python boolean"
        for place in (r"torch\.nn\.modules\.rnn", r"torch\.nn\.utils\.rnn"):
            warnings.filterwarnings("ignore", message, TracerWarning, place)
        with _silent():
            yield told


@contextmanager
def _silent() -> Iterator[None]:
    """Its C++ part warns of packed sequences, which it then exports, past Python's stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
