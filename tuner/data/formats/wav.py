"""One recording. Its transcript may be its name, with underscores for spaces.

So are files of the openly posted "waves_yesno" set called, `0_1_1_0.wav` and the like.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    from tuner.data.table import RawTable

EXTENSIONS: tuple[str, ...] = (".wav",)
COLUMNS = {"id": "id", "label": "name", "audio": "path"}


def read(path: Path, layout: Layout) -> RawTable:
    """One row that names the file; `recordings` reads what it holds.

    Raises:
        DataError: not a readable file, or none that says it is a WAV file.
    """
    import pyarrow as pa

    from tuner.data import wav
    from tuner.data.files import refuse_unreadable, shown
    from tuner.data.table import RawTable
    from tuner.errors import DataError, Mistake

    refuse_unreadable(path)
    with path.open("rb") as file:
        start = file.read(12)
    if not wav.is_wav(start):
        raise DataError(
            Mistake(
                code="data/content",
                rule="a file's content must be what its extension says",
                where=shown(path),
                got=f"{start[:4]!r} instead of a WAV file's 'RIFF'",
                fix="Save it as WAV, or name its format as `data/format`.",
            )
        )
    audio = layout.audio.path if layout.audio else COLUMNS["audio"]
    columns = {layout.id or COLUMNS["id"]: shown(path), audio: path.name}
    columns["name"] = path.stem.replace("_", " ")
    table = pa.table({name: pa.array([value], pa.string()) for name, value in columns.items()})
    return RawTable(shown(path), table, lambda row: f"recording {row + 1}")
