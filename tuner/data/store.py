"""Prepared data, memory-mapped: one copy per node, whatever the number of trials.

N steps of all sequences, one after the other   F features   S sequences
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa

from tuner.data.card import DataCard
from tuner.errors import DataError, Mistake

CARD, STEPS, SEQUENCES = "card.json", "steps.arrow", "sequences.arrow"
TARGETS = "targets.arrow"
"""Only where sequences stand for texts."""
BOUNDS = ("train_end", "validation_start", "validation_end", "test_start", "test_end")
"""Row positions inside a series; ends are exclusive, and a start at its end is an empty split."""


class Ids(Sequence[str]):
    """The names of sequences, made into Python texts only where they are asked for."""

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            texts: list[str] = self._array[place].to_pylist()
            return texts
        text: str = self._array[int(place)].as_py()
        return text


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetTokens:
    """The text that each sequence stands for, as tokens; M of all texts, one after the other."""

    token_M: np.ndarray
    """int32: place in `forms`."""
    offset_S: np.ndarray
    """int64: first token of each text."""
    length_S: np.ndarray
    """int32: tokens of each text, at least 1; 0 where raw input has none."""
    forms: Sequence[str]
    """Every token as it is written: those of the target vocabulary in its order, then others."""

    def of(self, row: int) -> list[str]:
        """The tokens of one text, as they are written."""
        begin = int(self.offset_S[row])
        return [self.forms[v] for v in self.token_M[begin : begin + int(self.length_S[row])]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """Sequences of steps, prepared or raw."""

    values_NF: np.ndarray
    """float32; NaN where a value is missing and nothing stands in for it."""
    observed_NF: np.ndarray | None
    """uint8: 1 where the value was in the file; None where none is missing."""
    ids: Sequence[str]
    offset_S: np.ndarray
    """int64: first step of each sequence."""
    length_S: np.ndarray
    """int32: steps of each sequence, at least 1; 0 of a raw text whose frames are to be given."""
    label_S: np.ndarray
    """int32: place in the card's labels; -1 without one."""
    token_N: np.ndarray | None = None
    """int32: place in `forms`; None where features are read."""
    tag_N: np.ndarray | None = None
    """int32: each step's place in the card's labels, -1 without one; None without tags."""
    forms: Sequence[str] = ()
    """Every token as it is written: those of the vocabulary in its order, then others."""
    target_SC: np.ndarray | None = None
    """float32: the numbers that a sequence stands for; NaN without them. None where it stands for
    none."""
    target_tokens: TargetTokens | None = None
    """The texts that sequences stand for; None where they stand for none."""
    number_NC: np.ndarray | None = None
    """float32: the numbers that each step stands for; NaN without them. None where none does."""
    side_SX: np.ndarray | None = None
    """float32: what stands beside each sequence, its numbers, NaN where missing, then the pixels of
    its picture; None where nothing does."""
    ahead_S: np.ndarray | None = None
    """Steps at the end of each sequence that only tell what is known ahead; None without any."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Store(Steps):
    """A folder written by `prepare`."""

    split_S: np.ndarray
    """int8: place in `SPLITS`, -1 for none; of no meaning for series, which `bounds` split."""
    fold_S: np.ndarray
    """int8: fold of a training sequence; -1 without one."""
    bounds: Mapping[str, np.ndarray]
    """For series, by the names in `BOUNDS`, int32 per series; empty for labelled sequences."""
    card: DataCard

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Maps the files of a folder into memory, without copying or reading them.

        Raises:
            DataError: there is no whole preparation in the folder.
        """
        for name in (CARD, STEPS, SEQUENCES):
            if not (folder / name).is_file():
                raise _broken(folder, f"no {name}")
        try:
            card = DataCard.loads((folder / CARD).read_text(encoding="utf-8"))
            steps = _map(folder / STEPS)
            sequences = _map(folder / SEQUENCES)
            targets = _map(folder / TARGETS) if (folder / TARGETS).is_file() else None
        except (ValueError, KeyError, TypeError, pa.ArrowInvalid) as broken:
            raise _broken(folder, " ".join(str(broken).split())) from None
        columns = {n: sequences.column(n) for n in sequences.schema.names}
        lists = ("id", "target", "side")
        arrays = {n: c.to_numpy(zero_copy_only=True) for n, c in columns.items() if n not in lists}
        names = steps.schema.names
        values = _matrix(steps.column("values")) if "values" in names else None

        def each(name: str) -> np.ndarray | None:
            """A column with a number for each step."""
            return steps.column(name).to_numpy(zero_copy_only=True) if name in names else None

        return cls(
            values_NF=np.empty((len(steps), 0), np.float32) if values is None else values,
            observed_NF=_matrix(steps.column("observed")) if "observed" in names else None,
            ids=Ids(columns["id"]),
            offset_S=arrays["offset"],
            length_S=arrays["length"],
            label_S=arrays["label"],
            token_N=each("token"),
            tag_N=each("tag"),
            target_SC=_matrix(columns["target"]) if "target" in columns else None,
            target_tokens=None
            if targets is None
            else TargetTokens(
                token_M=targets.column("token").to_numpy(zero_copy_only=True),
                offset_S=arrays["target_offset"],
                length_S=arrays["target_length"],
                forms=(*card.target_vocabulary, *card.target_unseen),
            ),
            number_NC=_matrix(steps.column("number")) if "number" in names else None,
            side_SX=_matrix(columns["side"]) if "side" in columns else None,
            forms=(*card.vocabulary, *card.unseen),
            split_S=arrays["split"],
            fold_S=arrays["fold"],
            bounds={name: arrays[name] for name in BOUNDS if name in arrays},
            card=card,
        )


def _map(path: Path) -> pa.RecordBatch:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).get_batch(0)


def _matrix(column: pa.FixedSizeListArray) -> np.ndarray:
    flat: np.ndarray = column.flatten().to_numpy(zero_copy_only=True)
    return flat.reshape(len(column), column.type.list_size)


def _broken(folder: Path, what: str) -> DataError:
    return DataError(
        Mistake(
            code="data/preparation",
            rule="prepared data must be whole",
            where=str(folder),
            got=what,
            fix="Delete the folder; the next command prepares it anew.",
        )
    )
