"""Reads what must be known of an ONNX file before a runtime gets it; needs neither onnx nor torch.

The messages and their numbers are those of onnx.proto. A field that is not among them is refused,
as is one of another wire type: what no list of places names cannot hide anything.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MESSAGES: dict[str, dict[int, str]] = {
    "ModelProto": {
        **dict.fromkeys((1, 2, 3, 4, 5, 6), ""),
        **{7: "GraphProto", 8: "OperatorSetIdProto", 14: "StringStringEntryProto"},
        **{20: "TrainingInfoProto", 25: "FunctionProto", 26: "DeviceConfigurationProto"},
    },
    "GraphProto": {
        **{1: "NodeProto", 2: "", 5: "TensorProto", 10: ""},
        **dict.fromkeys((11, 12, 13), "ValueInfoProto"),
        **{14: "TensorAnnotation", 15: "SparseTensorProto", 16: "StringStringEntryProto"},
    },
    "NodeProto": {
        **dict.fromkeys((1, 2, 3, 4, 6, 7, 8), ""),
        **{5: "AttributeProto", 9: "StringStringEntryProto"},
        10: "NodeDeviceConfigurationProto",
    },
    "AttributeProto": {
        **dict.fromkeys((1, 2, 3, 4, 7, 8, 9, 13, 20, 21), ""),
        **{5: "TensorProto", 6: "GraphProto", 10: "TensorProto", 11: "GraphProto"},
        **{14: "TypeProto", 15: "TypeProto", 22: "SparseTensorProto", 23: "SparseTensorProto"},
    },
    "TensorProto": {
        **dict.fromkeys((1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14), ""),
        **{3: "TensorProto.Segment", 13: "StringStringEntryProto", 16: "StringStringEntryProto"},
    },
    "TensorProto.Segment": {1: "", 2: ""},
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto", 3: ""},
    "TensorAnnotation": {1: "", 2: "StringStringEntryProto"},
    "ValueInfoProto": {1: "", 2: "TypeProto", 3: "", 4: "StringStringEntryProto"},
    "TypeProto": {
        **{1: "TypeProto.Tensor", 4: "TypeProto.Sequence", 5: "TypeProto.Map", 6: ""},
        **{7: "TypeProto.Opaque", 8: "TypeProto.SparseTensor", 9: "TypeProto.Optional"},
    },
    "TypeProto.Opaque": {1: "", 2: ""},
    "TypeProto.Tensor": {1: "", 2: "TensorShapeProto"},
    "TypeProto.SparseTensor": {1: "", 2: "TensorShapeProto"},
    "TypeProto.Sequence": {1: "TypeProto"},
    "TypeProto.Optional": {1: "TypeProto"},
    "TypeProto.Map": {1: "", 2: "TypeProto"},
    "TensorShapeProto": {1: "TensorShapeProto.Dimension"},
    "TensorShapeProto.Dimension": {1: "", 2: "", 3: ""},
    "OperatorSetIdProto": {1: "", 2: ""},
    "StringStringEntryProto": {1: "", 2: ""},
    "TrainingInfoProto": {
        **{1: "GraphProto", 2: "GraphProto"},
        **{3: "StringStringEntryProto", 4: "StringStringEntryProto"},
    },
    "FunctionProto": {
        **dict.fromkeys((1, 4, 5, 6, 8, 10, 13), ""),
        **{7: "NodeProto", 9: "OperatorSetIdProto", 11: "AttributeProto"},
        **{12: "ValueInfoProto", 14: "StringStringEntryProto"},
    },
    "DeviceConfigurationProto": {1: "", 2: "", 3: ""},
    "NodeDeviceConfigurationProto": {1: "", 2: "ShardingSpecProto", 3: ""},
    "ShardingSpecProto": {
        **{1: "", 2: "", 3: "IntIntListEntryProto", 4: "ShardedDimProto"},
    },
    "IntIntListEntryProto": {1: "", 2: ""},
    "ShardedDimProto": {1: "", 2: "SimpleShardedDimProto"},
    "SimpleShardedDimProto": {1: "", 2: "", 3: ""},
}
"""Message → field → the message that it holds, or nothing for numbers, texts and bytes."""

_MAX_DEPTH = 64
_MAX_VARINT_BYTES = 10

_Value = int | memoryview


class Malformed(ValueError):
    """Bytes that are no such message."""


@dataclass(frozen=True)
class Message:
    """One message of a file, found by the messages around it."""

    kind: str
    content: memoryview
    depth: int = 0

    def fields(self) -> Iterator[tuple[int, _Value | Message]]:
        """Each field's number, with a message, the integer, or the bytes that it holds.

        Raises:
            Malformed: cut short, nested beyond reason, or with a field that is none of ONNX's.
        """
        if self.depth > _MAX_DEPTH:
            raise Malformed(f"messages nested more than {_MAX_DEPTH} deep")
        known = MESSAGES[self.kind]
        for number, value in _split(self.content):
            if number not in known:
                raise Malformed(f"a field {number} in a {self.kind}")
            if not known[number]:
                yield number, value
            elif isinstance(value, int):
                raise Malformed(f"a number in place of a {known[number]}")
            else:
                yield number, Message(known[number], value, self.depth + 1)

    def each(self, number: int) -> Iterator[Message]:
        """The messages in a field."""
        for found, value in self.fields():
            if found == number and isinstance(value, Message):
                yield value

    def text(self, number: int) -> str:
        """The text in a field, the last one if there are several."""
        found = ""
        for place, value in self.fields():
            if place == number and isinstance(value, memoryview):
                found = bytes(value).decode("utf-8", "replace")
        return found

    def walk(self) -> Iterator[Message]:
        """This message and all within."""
        yield self
        for _, value in self.fields():
            if isinstance(value, Message):
                yield from value.walk()


def external(tensor: Message) -> str | None:
    """Where a tensor's numbers are said to lie outside of its file; None: they are inside."""
    assert tensor.kind == "TensorProto"
    entries = {entry.text(1): entry.text(2) for entry in tensor.each(13)}
    outside = any(number == 14 and value != 0 for number, value in tensor.fields())
    return repr(entries.get("location", "")) if entries or outside else None


def shaped(value: Message) -> str:
    """A graph's input or output: its name, and its sizes, `_` for those that are free."""
    assert value.kind == "ValueInfoProto"
    sizes = [
        next((str(number) for place, number in size.fields() if place == 1), "_")
        for kind in value.each(2)
        for tensor in kind.each(1)
        for shape in tensor.each(2)
        for size in shape.each(1)
    ]
    return f"{value.text(1)}[{', '.join(sizes)}]"


def _split(content: memoryview) -> Iterator[tuple[int, _Value]]:
    place, end = 0, len(content)
    while place < end:
        key, place = _varint(content, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(content, place)
            yield number, value
            continue
        if wire == 2:
            size, place = _varint(content, place)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise Malformed(f"a wire type {wire}")
        if size > end - place:
            raise Malformed("a field that ends beyond its message")
        yield number, content[place : place + size]
        place += size


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for count in range(_MAX_VARINT_BYTES):
        if place + count >= len(content):
            break
        byte = content[place + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, place + count + 1
    raise Malformed("a number that does not end")
