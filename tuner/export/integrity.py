"""What a bundle must be before anything in it is believed.

A manifest finds damage. It does not stop an author of malice, who seals what they like, so the
weights and the graph are checked for what they are: each file is read once, as a plain file,
and the checked bytes are the ones used.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.errors import BundleError, Mistake
from tuner.export.contents import GRAPH, MANIFEST, WEIGHTS, Weight

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tuner.export.contents import Signature

MAX_BYTES = {MANIFEST: 1 << 16, GRAPH: 1 << 31, WEIGHTS: 1 << 33}
"""Caps on what is read into memory; protobuf itself ends at 2 GiB."""
MAX_TEXT_BYTES = 1 << 26
MAX_HEADER_BYTES = 1 << 20


def read_plain(folder: Path, name: str) -> bytes:
    """The bytes of one file that is no link and no larger than its cap.

    Raises:
        BundleError: `bundle/missing`, `bundle/link` or `bundle/large`.
    """
    path = folder / name
    try:
        # O_NONBLOCK: a named pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise _link(path, f"a symbolic link to {os.readlink(path)}") from error
        raise BundleError(
            Mistake(
                code="bundle/missing",
                rule=f"a bundle must hold a readable {name}",
                where=str(folder),
                got=error.strerror or str(error),
                fix="Name the folder that `tuner export` wrote, or export the model again.",
            )
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _link(path, "something else")
        if status.st_nlink > 1:
            raise _link(path, f"a file with {status.st_nlink} names")
        limit = MAX_BYTES.get(name, MAX_TEXT_BYTES)
        content = file.read(limit + 1)
    if len(content) > limit:
        raise BundleError(
            Mistake(
                code="bundle/large",
                rule=f"{name} must not exceed {limit} bytes",
                where=str(path),
                got=f"{status.st_size} bytes",
                fix="Export the model again from its sweep.",
            )
        )
    return content


def _link(path: Path, found: str) -> BundleError:
    return BundleError(
        Mistake(
            code="bundle/link",
            rule="a bundle must consist of plain files, without links of either kind",
            where=str(path),
            got=found,
            fix="Copy the bundle with `cp -rL`, if you trust where the link leads.",
        )
    )


def sha256(content: bytes) -> str:
    """The digest as the manifest writes it."""
    return hashlib.sha256(content).hexdigest()


def altered(path: Path, rule: str, got: str) -> Mistake:
    """One reason why a bundle's file cannot be what the exporter wrote."""
    return Mistake(
        code="bundle/altered",
        rule=rule,
        where=str(path),
        got=got,
        fix="Copy the bundle again from where it was exported, or export the model again.",
    )


def read_weights(path: Path, content: bytes) -> dict[str, Weight]:
    """The tensors that a safetensors file holds, its offsets checked.

    Raises:
        BundleError: `bundle/altered`, a header that is huge, overlaps, or leaves the file.
    """
    from safetensors import SafetensorError, deserialize

    header_bytes = int.from_bytes(content[:8], "little")
    if header_bytes > MAX_HEADER_BYTES:
        raise BundleError(
            altered(
                path,
                f"a header must not exceed {MAX_HEADER_BYTES} bytes",
                f"{header_bytes} bytes",
            )
        )
    try:
        tensors = deserialize(content)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        rule = "the weights must be a safetensors file without gaps or overlaps"
        raise BundleError(altered(path, rule, str(error))) from error
    return {
        name: Weight(shape=tuple(tensor["shape"]), dtype=tensor["dtype"])
        for name, tensor in tensors
    }


def check_graph(path: Path, content: bytes, signature: Signature) -> list[Mistake]:
    """What is wrong with a graph: external data, broken structure, other inputs or outputs."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError as error:
        return [altered(path, "the graph must be an ONNX file", str(error))]
    outside = sorted(set(_external(model)))
    if outside:
        rule = "the graph must hold all its weights itself"
        return [altered(path, rule, f"external data at {', '.join(outside)}")]
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        return [altered(path, "the graph must be valid ONNX", str(error).partition("\n")[0])]
    found = [*map(_signature, model.graph.input), *map(_signature, model.graph.output)]
    takes, gives = expected_of(signature)
    if found != [*takes, *gives]:
        rule = f"the graph must map {', '.join(takes)} to {', '.join(gives)}"
        return [altered(path, rule, ", ".join(found) or "no inputs")]
    return []


def expected_of(signature: Signature) -> tuple[list[str], list[str]]:
    """Names and shapes of a graph's inputs and outputs."""
    outputs = signature.outputs
    takes = [f"x[_, _, {signature.inputs}]", "lengths[_]"]
    gives = [f"y[_, _, {outputs}]" if signature.per_step else f"y[_, {outputs}]"]
    if signature.transitions:
        gives.append(f"transitions[{outputs + 2}, {outputs}]")
    for number, (levels, units) in enumerate(signature.states):
        takes.append(f"state_{number}[{levels}, _, {units}]")
        gives.append(f"next_{number}[{levels}, _, {units}]")
    return takes, gives


def _signature(value: Message) -> str:
    dimensions = value.type.tensor_type.shape.dim
    sizes = (str(d.dim_value) if d.HasField("dim_value") else "_" for d in dimensions)
    return f"{value.name}[{', '.join(sizes)}]"


def _external(message: Message) -> Iterator[str]:
    """Every place outside the file that a tensor anywhere in the graph points to.

    Walks the protobuf itself: initializers, attributes, subgraphs, functions and sparse tensors
    can all hold tensors, and a list of places to look in is what earlier fixes elsewhere missed.
    """
    if message.DESCRIPTOR.full_name == "onnx.TensorProto" and (
        message.external_data or message.data_location != 0
    ):
        entries = {entry.key: entry.value for entry in message.external_data}
        yield repr(entries.get("location", ""))
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                yield from _external(part)
