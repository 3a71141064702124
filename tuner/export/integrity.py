"""What a bundle must be before anything in it is believed.

A manifest finds damage. It does not stop an author of malice, who seals what they like, so the
weights and the graph are checked for what they are: each file is read once, as a plain file,
and the checked bytes are the ones used.
"""

from __future__ import annotations

import hashlib
import os
import stat
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from tuner.errors import BundleError, Mistake
from tuner.export.contents import DECODER, GRAPH, MANIFEST, WEIGHTS, Weight
from tuner.export.protobuf import Malformed, Message, external, shaped
from tuner.part import Config

if TYPE_CHECKING:
    from tuner.export.contents import DecoderSignature, Signature

MAX_BYTES = {MANIFEST: 1 << 16, GRAPH: 1 << 31, DECODER: 1 << 31, WEIGHTS: 1 << 33}
"""Caps on what is read into memory; protobuf itself ends at 2 GiB."""
MAX_TEXT_BYTES = 1 << 26
MAX_HEADER_BYTES = 1 << 20

_WEIGHTS_RULE = "the weights must be a safetensors file without gaps or overlaps"
_METADATA = "__metadata__"
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}


class _Tensor(Config):
    """A tensor as a safetensors header tells of it."""

    dtype: Literal["F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8"]
    shape: tuple[Annotated[int, Field(ge=0)], ...]
    data_offsets: tuple[int, int]


_HEADER = TypeAdapter(dict[str, _Tensor | dict[str, str]])


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
        # Not read first: a file with holes is larger than the disk.
        large = status.st_size > limit
        content = b"" if large else file.read(limit + 1)
    if large or len(content) > limit:
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
    """The tensors that a safetensors file holds, by its header; its offsets are checked.

    https://github.com/huggingface/safetensors#format

    Raises:
        BundleError: `bundle/altered`, a header that is huge, overlaps, or leaves the file.
    """
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
        header = _HEADER.validate_json(content[8 : 8 + header_bytes])
    except ValidationError as error:
        got = str(error.errors(include_url=False)[0]["msg"])
        raise BundleError(altered(path, _WEIGHTS_RULE, got)) from error
    tensors = {name: found for name, found in header.items() if isinstance(found, _Tensor)}
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        begin, after = tensor.data_offsets
        size = prod(tensor.shape) * _BYTES[tensor.dtype]
        if begin != end or after != begin + size:
            got = f"{name!r} at {begin} to {after}, {size} bytes from {end} on"
            raise BundleError(altered(path, _WEIGHTS_RULE, got))
        end = after
    if 8 + header_bytes + end != len(content) or header.keys() - tensors.keys() - {_METADATA}:
        got = f"{end} bytes of tensors in a file of {len(content)}"
        raise BundleError(altered(path, _WEIGHTS_RULE, got))
    return {
        name: Weight(shape=tensor.shape, dtype=tensor.dtype) for name, tensor in tensors.items()
    }


def check_graph(
    path: Path, content: bytes, signature: Signature, *, decodes: bool = False
) -> list[Mistake]:
    """What is wrong with a graph: external data, broken structure, other inputs or outputs.

    `decodes` is true of the one that gives what comes next of a text or of frames.

    Whether its operators go together is the runtime's to find out.
    """
    model = Message("ModelProto", memoryview(content))
    try:
        places = (external(m) for m in model.walk() if m.kind == "TensorProto")
        outside = sorted({place for place in places if place is not None})
        # Not those of graphs within it, which are further down.
        graphs = list(model.each(7))
        found = [shaped(value) for number in (11, 12) for g in graphs for value in g.each(number)]
    except Malformed as error:
        return [altered(path, "the graph must be an ONNX file", str(error))]
    if outside:
        rule = "the graph must hold all its weights itself"
        return [altered(path, rule, f"external data at {', '.join(outside)}")]
    takes, gives = (expected_of_decoder if decodes else expected_of)(signature)
    if found != [*takes, *gives]:
        rule = f"the graph must map {', '.join(takes)} to {', '.join(gives)}"
        return [altered(path, rule, ", ".join(found) or "no inputs")]
    return []


def expected_of(signature: Signature) -> tuple[list[str], list[str]]:
    """Names and shapes of a graph's inputs and outputs."""
    outputs, decoder = signature.outputs, signature.decoder
    takes = [f"x[_, _, {signature.inputs}]", "lengths[_]"]
    takes += [f"side[_, {signature.side}]"] if signature.side else []
    if decoder is not None:
        return takes, _encoded(decoder)
    gives = [f"y[_, _, {outputs}]" if signature.per_step else f"y[_, {outputs}]"]
    if signature.transitions:
        gives.append(f"transitions[{outputs + 2}, {outputs}]")
    for number, (levels, units) in enumerate(signature.states):
        takes.append(f"state_{number}[{levels}, _, {units}]")
        gives.append(f"next_{number}[{levels}, _, {units}]")
    return takes, gives


def expected_of_decoder(signature: Signature) -> tuple[list[str], list[str]]:
    """The same of the graph that gives what comes next."""
    decoder = signature.decoder
    assert decoder is not None
    lengths, weights = (["lengths[_]"], ["weights[_, _]"]) if decoder.kept else ([], [])
    after = [f"next_{i}[{levels}, _, {h}]" for i, (levels, h) in enumerate(decoder.states)]
    last, given = "ids[_]", f"logits[_, {signature.outputs}]"
    if decoder.frames_per_step:
        last = f"frame[_, {signature.outputs - 1}]"
        given = f"frames[_, {decoder.frames_per_step}, {signature.outputs}]"
    encoded, num = _encoded(decoder), len(decoder.kept)
    return [last, *encoded[num:], *encoded[:num], *lengths], [given, *after, *weights]


def _encoded(decoder: DecoderSignature) -> list[str]:
    kept = [f"kept_{i}[_, _, {units}]" for i, units in enumerate(decoder.kept)]
    return [*kept, *(f"state_{i}[{n}, _, {h}]" for i, (n, h) in enumerate(decoder.states))]
