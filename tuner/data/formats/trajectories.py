"""Recorded episodes as arrays of NumPy's `.npz`, a row for each step; no pickles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    import numpy as np

    from tuner.data.table import RawTable

EXTENSIONS: tuple[str, ...] = (".npz",)
COLUMNS = {"id": "episode"}
"""What tells episodes apart: an array of this name, or counted from `episode_starts`."""

_STARTS = "episode_starts"


def read(path: Path, layout: Layout) -> RawTable:
    """Reads every array with a row for each step: `obs` of two columns as `obs_0` and `obs_1`.

    Arrays of other lengths, such as the return of each episode, are left out.

    Raises:
        DataError: not a readable archive of plain arrays, nothing that tells episodes apart, no
            rows, or a bomb.
    """
    import pyarrow as pa

    from tuner.data.files import join_some, shown
    from tuner.data.table import RawTable, refuse_duplicate_names, refuse_no_rows
    from tuner.errors import DataError, Mistake

    arrays = _arrays(path)
    episode_N = arrays.pop(COLUMNS["id"], None)
    starts_N = arrays.pop(_STARTS, None)
    if episode_N is None and starts_N is not None and starts_N.ndim:
        episode_N = (starts_N.reshape(len(starts_N), -1)[:, 0] != 0).cumsum()
    if episode_N is None or episode_N.ndim != 1:
        raise DataError(
            Mistake(
                code="data/episodes",
                rule=f"trajectories must hold `{COLUMNS['id']}` or `{_STARTS}`, a value a step",
                where=shown(path),
                got=f"the arrays {join_some(map(repr, arrays), 12) or 'of nothing else'}",
                fix="Save one of them: a number for each step, or whether it begins an episode.",
            )
        )
    if not len(episode_N):
        raise refuse_no_rows(path)
    columns = [(COLUMNS["id"], episode_N)]
    for name, array in arrays.items():
        if array.ndim not in (1, 2) or len(array) != len(episode_N):
            continue
        parts = array.reshape(len(array), -1).T
        names = [name] if len(parts) == 1 else [f"{name}_{i}" for i in range(len(parts))]
        columns += zip(names, parts, strict=True)
    refuse_duplicate_names(path, [name for name, _ in columns])
    table = pa.table({name: pa.array(values_N.tolist()) for name, values_N in columns})
    return RawTable(shown(path), table, lambda row: f"row {row + 1}")


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of numbers or texts in a file."""
    import zipfile

    import numpy as np

    from tuner.data.files import refuse_bomb, refuse_unreadable, shown
    from tuner.errors import DataError, Mistake

    refuse_unreadable(path)
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_bomb(path, sum(member.file_size for member in archive.infolist()))
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as broken:
        raise DataError(
            Mistake(
                code="data/content",
                rule="the file must be whole, and hold arrays of numbers and texts",
                where=shown(path),
                got=" ".join(str(broken).split())[:200],
                fix="Write it again with `numpy.savez`, without objects.",
            )
        ) from None
    arrays = {name: array for name, array in found.items() if isinstance(array, np.ndarray)}
    plain = {name: array for name, array in arrays.items() if array.dtype.kind in "biufU"}
    return {name: a.astype(np.int8) if a.dtype.kind == "b" else a for name, a in plain.items()}
