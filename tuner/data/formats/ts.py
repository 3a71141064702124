"""Labelled sequences of the UEA and UCR archives: a header of `@` lines, then one sequence a line.

Channels stand between colons, values between commas, the class (or the number to predict) last, `?`
for a missing value; sequences may differ in length. See the aeon toolkit's description of the `.ts`
format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    import numpy as np

    from tuner.data.table import RawTable
    from tuner.errors import Mistake

EXTENSIONS: tuple[str, ...] = (".ts",)
COLUMNS = {"id": "id", "label": "label", "target": "target"}
"""What the columns are called that are no channels; channels are called 1, 2, …"""

_MAX_LISTED = 5


@dataclass
class _Header:
    labels: list[str] = field(default_factory=list)
    labelled: bool = False
    numeric: bool = False
    """Whether what stands last is a number, not a class."""
    timed: bool = False
    num_channels: int | None = None
    first_line: int = 0
    """Line (from 1) after `@data`; 0 if there is none."""


def read(path: Path, layout: Layout) -> RawTable:
    """Reads all sequences; their ids are the file's name and a number from 1.

    Raises:
        DataError: not a readable `.ts` file, no sequences, or lines whose channels differ in number
            or length, hold no number, or end in a class that the header does not name.
    """
    import numpy as np
    import pyarrow as pa

    from tuner.data.files import read_text, shown
    from tuner.data.table import RawTable, refuse_no_rows
    from tuner.errors import DataError

    lines = read_text(path, layout.encoding).decode().splitlines()
    header = _read_header(path, lines, layout)
    blocks: list[np.ndarray] = []
    labels: list[str | None] = []
    numbers: list[int] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(lines[header.first_line - 1 :], header.first_line):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            block_TF, label = _sequence(line, header)
        except ValueError as problem:
            mistakes.append(_mistake(path, number, str(problem)))
            continue
        blocks.append(block_TF)
        labels.append(label)
        numbers.append(number)
    if mistakes:
        raise DataError(mistakes[:_MAX_LISTED])
    if not blocks:
        raise refuse_no_rows(path)
    values_NF = np.concatenate(blocks)
    owner_N = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    columns = {"id": _texts([f"{path.name}:{i}" for i in range(1, len(blocks) + 1)], owner_N)}
    if header.labelled and header.numeric:
        targets = np.array([np.nan if label is None else float(label) for label in labels])
        columns["target"] = pa.array(targets[owner_N])
    elif header.labelled and layout.label:
        columns["label"] = _texts(labels, owner_N)
    for channel in range(values_NF.shape[1]):
        columns[str(channel + 1)] = pa.array(np.ascontiguousarray(values_NF[:, channel]))
    return RawTable(shown(path), pa.table(columns), lambda row: f"line {numbers[owner_N[row]]}")


def _texts(names: list[str] | list[str | None], owner_N: np.ndarray) -> object:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(
        pa.array(owner_N, pa.int32()), pa.array(names, pa.string())
    )


def _read_header(path: Path, lines: list[str], layout: Layout) -> _Header:
    from tuner.errors import DataError

    header = _Header()
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        key, rest = words[0].lower(), words[1:]
        if not key.startswith("@"):
            raise DataError(_mistake(path, number, f"{line[:40]!r} before `@data`", "content"))
        if key == "@data":
            header.first_line = number + 1
            break
        yes = bool(rest) and rest[0].lower() == "true"
        if key == "@timestamps":
            header.timed = yes
        elif key == "@classlabel":
            header.labelled, header.labels = yes, rest[1:]
        elif key == "@targetlabel" and yes and layout.targets:
            header.labelled = header.numeric = True
        elif key == "@targetlabel" and yes:
            raise DataError(_mistake(path, number, "a number to predict, not a class", "labels"))
        elif key == "@dimensions" and rest and rest[0].isdigit():
            header.num_channels = int(rest[0])
    if not header.first_line:
        raise DataError(_mistake(path, len(lines), "no `@data` line", "content"))
    if header.timed:
        raise DataError(_mistake(path, 1, "time stamps in the values", "content"))
    return header


def _sequence(line: str, header: _Header) -> tuple[np.ndarray, str | None]:
    """Values (steps x channels) and label of one line; a `ValueError` tells what is wrong."""
    import numpy as np

    channels = line.strip().split(":")
    label = channels.pop().strip() if header.labelled else None
    if label in ("", "?"):
        label = None
    if label is not None and header.numeric:
        float(label)
    elif label is not None and header.labels and label not in header.labels:
        raise ValueError(f"the class {label!r}, which `@classLabel` does not name")
    header.num_channels = header.num_channels or len(channels)
    if len(channels) != header.num_channels:
        raise ValueError(f"{len(channels)} channels instead of {header.num_channels}")
    try:
        rows = [
            np.array(channel.replace("?", "nan").split(","), dtype=np.float64)
            for channel in channels
        ]
    except ValueError as bad:
        empty = any(not channel.strip() for channel in channels)
        raise ValueError("a channel without a value" if empty else str(bad)) from None
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise ValueError(f"channels of {' and '.join(map(str, lengths))} values")
    return np.stack(rows, axis=1), label


def _mistake(path: Path, number: int, got: str, code: str = "ragged-row") -> Mistake:
    from tuner.data.files import shown
    from tuner.errors import Mistake

    codes = {"the class": "label-range", "a channel without": "empty-sequence"}
    code = next((c for start, c in codes.items() if got.startswith(start)), code)
    if got.startswith("could not convert"):
        code = "not-a-number"
    return Mistake(
        code=f"data/{code}",
        rule="a `.ts` file must hold `@data`, then a line of equally many, equally long channels "
        "of numbers and a class for each sequence",
        where=f"{shown(path)} line {number}",
        got=got,
        fix="Mend the line.",
    )
