"""What is known of files by their extensions, before any is opened: format, columns, texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from tuner import registry
from tuner.data.card import TaskData
from tuner.data.config import DataConfig
from tuner.data.files import paths, shown
from tuner.errors import DataError, Mistake

FOLDER = "picture_folder"
"""The format of a folder, unless it is called like a file."""


def format_of(path: Path, name: str | None) -> ModuleType:
    """The format of a file: the one named, or the one its extension stands for; or of a folder.

    Raises:
        DataError: its extension stands for none.
    """
    if name is not None:
        return registry.get("formats", name)
    known = registry.names("formats")
    modules = {
        e: registry.get("formats", f) for f in known for e in registry.get("formats", f).EXTENSIONS
    }
    if path.suffix.lower() in modules:
        return modules[path.suffix.lower()]
    if path.is_dir():
        return registry.get("formats", FOLDER)
    raise DataError(
        Mistake(
            code="data/extension",
            rule=f"a data file must end in one of {', '.join(sorted(modules))}, or be a "
            "folder of pictures",
            where=shown(path),
            got=repr(path.suffix),
            fix="Rename it, or name its format as `data/format`.",
        )
    )


def fixed_columns(format: str | None, paths: Sequence[Path]) -> dict[str, str]:
    """The columns that the format of the first file with a known one names by itself."""
    for path in paths:
        try:
            fixed: dict[str, str] = getattr(format_of(path, format), "COLUMNS", {})
        except DataError:
            # An unknown extension is told when the file is read.
            continue
        return fixed
    return {}


def reads_texts(config: DataConfig, task: TaskData) -> bool:
    """Whether a model of these data reads tokens, not numbers."""
    if task.kind != "sequence" or config.text:
        return task.kind == "sequence"
    try:
        return "text" in fixed_columns(config.format, [Path(p) for p in paths(config.train)])
    except registry.UnknownPart:
        # Told when the files are read.
        return False
