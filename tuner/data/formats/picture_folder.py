"""A folder of PNG files: of one for each class, or with a text beside each picture.

The first is torchvision's ImageFolder, `photos/cat/1.png`; the second has files of one stem, such
as `1.png` and `1.txt`, or pix2code's `1.gui`. Files whose names begin with a dot are passed over.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    from tuner.data.table import Beside, RawTable
    from tuner.errors import Mistake

EXTENSIONS: tuple[str, ...] = ()
"""A folder has none, or any that no other format has."""
COLUMNS = {"picture": "picture", "label": "label"}
"""The files, and their classes or texts, unless the spec names others."""
TEXTS = (".txt", ".gui")


def read(path: Path, layout: Layout) -> RawTable:
    """A row that names each picture; `pictures` reads what they hold.

    Where no picture has a text, there is no column of labels, as in files to be answered.

    Raises:
        DataError: no folder, or all that is wrong in it: no pictures, subfolders beside pictures,
            other files, and pictures and texts without one another.
    """
    import pyarrow as pa

    from tuner.data.files import refuse_unreadable, shown
    from tuner.data.table import RawTable
    from tuner.errors import DataError

    if not path.is_dir():
        refuse_unreadable(path)
        raise DataError(_mistake(path, "a file", "Name a folder, or leave `data/format` out."))
    mistakes: list[Mistake] = []
    entries = _entries(path)
    folders = [entry for entry in entries if entry.is_dir()]
    beside: list[Beside] = []
    if folders:
        if len(folders) < len(entries):
            got = f"{len(folders):,} folders and {len(entries) - len(folders):,} files"
            mistakes.append(_mistake(path, got, "Put each picture into the folder of its class."))
        found = _classes(folders, mistakes)
    else:
        found = _pairs(path, entries, layout.encoding, mistakes, beside)
    if mistakes:
        raise DataError(mistakes)
    names = [str(picture.relative_to(path)) for picture in found]
    columns = {
        layout.picture.path if layout.picture else COLUMNS["picture"]: [
            f"{path.name}/{name}" for name in names
        ]
    }
    if any(label is not None for label in found.values()):
        columns[layout.label or layout.target_text or COLUMNS["label"]] = [
            label or "" for label in found.values()
        ]
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    return RawTable(shown(path), table, lambda row: names[row], tuple(beside))


def _classes(folders: list[Path], mistakes: list[Mistake]) -> dict[Path, str | None]:
    """Each picture with its folder's name."""
    found: dict[Path, str | None] = {}
    for folder in folders:
        inside = _entries(folder)
        pictures = [each for each in inside if _is_picture(each)]
        others = [each.name for each in inside if not _is_picture(each)]
        if others or not inside:
            mistakes.append(_others(folder, others))
        found |= dict.fromkeys(pictures, folder.name)
    return found


def _pairs(
    path: Path, entries: list[Path], encoding: str, mistakes: list[Mistake], beside: list[Beside]
) -> dict[Path, str | None]:
    """Each picture with the text of its stem; without any where no picture has one."""
    from tuner.data.files import read_text, sha256
    from tuner.data.table import Beside
    from tuner.errors import DataError

    pictures = {each.stem: each for each in entries if _is_picture(each)}
    texts = [each for each in entries if each.suffix.lower() in TEXTS]
    others = [e.name for e in entries if not _is_picture(e) and e.suffix.lower() not in TEXTS]
    if others or not pictures:
        mistakes.append(_others(path, others))
    alone = [text for text in texts if text.stem not in pictures]
    stems = Counter(text.stem for text in texts)
    twice = [text for text in texts if stems[text.stem] > 1]
    without = [picture for stem, picture in pictures.items() if texts and stem not in stems]
    for some, got, fix in (
        (alone, "texts without a picture", "Add the pictures, or remove the texts."),
        (without, "pictures without a text", "Add the texts, or remove the pictures."),
        (twice, "texts that share a picture", "Leave one text for each picture."),
    ):
        if some:
            mistakes.append(_mistake(path, _listed(got, [each.name for each in some]), fix))
    said: dict[str, str] = {}
    for text in texts:
        try:
            said[text.stem] = read_text(text, encoding).decode().strip()
        except DataError as wrong:
            mistakes += wrong.mistakes
            continue
        beside.append(Beside(f"{path.name}/{text.name}", sha256(text), text.stat().st_size))
    return {picture: said.get(stem) for stem, picture in pictures.items()}


def _entries(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if not each.name.startswith("."))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() == ".png" and path.is_file()


def _others(folder: Path, others: list[str]) -> Mistake:
    got = _listed("others", others) if others else "no picture"
    return _mistake(folder, got, "Save pictures as PNG, and keep other files elsewhere.")


def _listed(what: str, names: list[str]) -> str:
    from tuner.data.files import join_some

    return f"{len(names):,} {what}: {join_some(names)}"


def _mistake(place: Path, got: str, fix: str) -> Mistake:
    from tuner.data.files import shown
    from tuner.errors import Mistake

    return Mistake(
        code="data/picture-folder",
        rule="a folder of pictures must hold a folder of PNG files for each class, or PNG files, "
        "each with a text of its stem",
        where=shown(place),
        got=got,
        fix=fix,
    )
