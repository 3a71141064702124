"""A preparation on the disk, as a `Store` maps it: written whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa

from tuner.data.answers import Answers
from tuner.data.card import DataCard
from tuner.data.sequences import Sequences
from tuner.data.splits import Assigned
from tuner.data.store import BOUNDS, CARD, SEQUENCES, STEPS, TARGETS


def write(
    folder: Path,
    card: DataCard,
    sequences: Sequences,
    answers: Answers,
    side_SX: np.ndarray | None,
    assigned: Assigned,
) -> None:
    """Everything under a name of its own first, the card last, then one rename."""
    temporary = folder.with_name(f".{folder.name}-{os.getpid()}")
    temporary.mkdir(parents=True)
    try:
        steps: dict[str, pa.Array] = {}
        if sequences.values_NF.shape[1]:
            steps["values"] = _matrix(sequences.values_NF, pa.float32())
        if sequences.token_N is not None:
            steps["token"] = pa.array(sequences.token_N, pa.int32())
        if answers.tag_N is not None:
            steps["tag"] = pa.array(answers.tag_N, pa.int32())
        if answers.number_NC is not None:
            steps["number"] = _matrix(answers.number_NC, pa.float32())
        if sequences.observed_NF is not None:
            steps["observed"] = _matrix(sequences.observed_NF, pa.uint8())
        columns = {
            "id": sequences.ids,
            "offset": pa.array(sequences.offset_S, pa.int64()),
            "length": pa.array(sequences.length_S, pa.int32()),
            "split": pa.array(assigned.split_S, pa.int8()),
            "fold": pa.array(assigned.fold_S, pa.int8()),
            "label": pa.array(answers.label_S, pa.int32()),
        }
        if answers.target_SC is not None:
            columns["target"] = _matrix(answers.target_SC, pa.float32())
        if side_SX is not None:
            columns["side"] = _matrix(side_SX, pa.float32())
        if answers.tokens is not None:
            columns["target_offset"] = pa.array(answers.tokens.offset_S, pa.int64())
            columns["target_length"] = pa.array(answers.tokens.length_S, pa.int32())
            _save(temporary / TARGETS, {"token": pa.array(answers.tokens.token_M, pa.int32())})
        columns |= {n: pa.array(assigned.bounds[n], pa.int32()) for n in BOUNDS if assigned.bounds}
        _save(temporary / STEPS, steps)
        _save(temporary / SEQUENCES, columns)
        (temporary / CARD).write_text(card.dumps(), encoding="utf-8")
        for path in (*temporary.iterdir(), temporary):
            _to_disk(path)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _matrix(values_NF: np.ndarray, kind: pa.DataType) -> pa.FixedSizeListArray:
    flat = pa.array(np.ascontiguousarray(values_NF).reshape(-1), kind)
    return pa.FixedSizeListArray.from_arrays(flat, values_NF.shape[1])


def _save(path: Path, columns: dict[str, pa.Array]) -> None:
    """One record batch without compression, so that a reader maps it without copying."""
    batch = pa.record_batch(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
