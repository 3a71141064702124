"""Which files there are, what each is for, and how they are written."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner import registry
from tuner.data.extensions import FOLDER
from tuner.data.files import join_some, refuse_unreadable, shown
from tuner.errors import CommandError, DataError, Mistake

_ROLES = {
    "test": re.compile(r"(?:^|[^a-z])test(?:ing)?(?:[^a-z]|$)"),
    "validation": re.compile(r"(?:^|[^a-z])(?:dev|val|valid|validation)(?:[^a-z]|$)"),
    "train": re.compile(r"train(?:ing)?(?:[^a-z]|$)"),
}
_PROSE = re.compile(
    r"(?:readme|licen[cs]e|changelog|copying|notice)\b|.*\.(?:md|rst|pdf|html)$", re.I
)
_BIO = re.compile(r"O|[BIESLU]-\S+")
_LABELLED = re.compile(r"__label__\S+\s+\S|[A-Za-z]\w*:\w+\s+\S")
_DELIMITERS = ",;\t|"
_PEEKED = 1 << 18
_MAX_TAGS = 100


@dataclass(frozen=True, kw_only=True)
class Found:
    """The files to use, and how they are written."""

    paths: dict[str, Path]
    """Split → file."""
    format: str
    named: bool
    """Whether a spec must name the format, since an extension does not."""
    encoding: str
    delimiter: str
    aside: tuple[str, ...]
    """Files of the folder that are not used."""
    notes: tuple[str, ...]


def find(data: Path) -> Found:
    """The files that `--data` names.

    Raises:
        DataError: nothing there can be read, or nobody knows which file to learn from.
    """
    if not data.is_dir():
        refuse_unreadable(data)
        name = format_of(data)
        if name is None:
            raise DataError(_nothing(data, [data.name]))
        beside = [n for n in _names(data.parent) if n != data.name and _role(n) and _kin(n, data)]
        note = f"beside it lies {join_some(beside)}: give the folder to use it, too"
        return _written({"train": data}, name, (), (note,) if beside else ())
    seen = _names(data)
    formats = {n: format_of(data / n) for n in seen if not _PROSE.match(n)}
    readable = [n for n, name in formats.items() if name]
    if not readable and (pictures := _picture_folders(data)):
        used = {path.name for path in pictures.values()}
        aside = [] if pictures["train"] == data else [n for n in seen if n not in used]
        return Found(
            paths=pictures,
            format=FOLDER,
            named=False,
            encoding="utf-8",
            delimiter=",",
            aside=tuple(aside),
            notes=(),
        )
    if not readable:
        raise DataError(_nothing(data, seen))
    by_role = {role: [n for n in readable if _role(n) == role] for role in _ROLES}
    trains = by_role["train"] or [n for n in readable if _role(n) is None]
    if len(trains) != 1:
        raise DataError(
            Mistake(
                code="init/train-file",
                rule="one file of the folder must be the one to learn from",
                where=shown(data),
                got=join_some(map(repr, readable), 8),
                fix="Name it as `--data FILE`, or call the files train, valid and test.",
            )
        )
    train = trains[0]
    paths = {"train": data / train}
    for role in ("validation", "test"):
        same = [n for n in by_role[role] if formats[n] == formats[train]]
        if len(same) == 1:
            paths[role] = data / same[0]
    used = {path.name for path in paths.values()}
    found_format = formats[train]
    assert found_format is not None
    return _written(paths, found_format, tuple(n for n in seen if n not in used), ())


def _written(
    paths: dict[str, Path], name: str, aside: Sequence[str], notes: Sequence[str]
) -> Found:
    encoding, told = "utf-8", list(notes)
    if name != "parquet":
        for path in paths.values():
            raw = path.read_bytes()
            if (found := _encoding(raw)) != "utf-8":
                encoding = found
                told.append(f"{path.name} is not UTF-8; it is read as {found}{_first_bad(raw)}")
    extension_says = all(_by_extension(path) == name for path in paths.values())
    if not extension_says:
        told.append(f"read as {name} by the content; the extension does not say so")
    return Found(
        paths=paths,
        format=name,
        named=not extension_says,
        encoding=encoding,
        delimiter=_delimiter(paths["train"], encoding) if name == "csv" else ",",
        aside=tuple(aside),
        notes=tuple(told),
    )


def _picture_folders(data: Path) -> dict[str, Path]:
    """Split → folder, where one holds a folder of pictures for each class; else none."""
    folders = [e for e in sorted(data.iterdir()) if e.is_dir() and not e.name.startswith(".")]
    found = {role: f for f in folders if (role := _role(f.name)) and _is_of_classes(f)}
    if "train" in found:
        return found
    return {"train": data} if _is_of_classes(data) else {}


def _is_of_classes(folder: Path) -> bool:
    return any(p.suffix.lower() == ".png" for p in folder.glob("*/*"))


def _names(folder: Path) -> list[str]:
    entries = sorted(folder.iterdir())
    return [entry.name for entry in entries if entry.is_file() and not entry.name.startswith(".")]


def _role(name: str) -> str | None:
    return next((role for role, known in _ROLES.items() if known.search(name.lower())), None)


def _kin(name: str, data: Path) -> bool:
    """Whether two files are called alike but for their part."""
    bare = [
        re.sub(r"train(?:ing)?|test|valid(?:ation)?|dev", "", n.lower()) for n in (name, data.name)
    ]
    return bare[0] == bare[1]


def _by_extension(path: Path) -> str | None:
    for name in registry.names("formats"):
        if path.suffix.lower() in registry.get("formats", name).EXTENSIONS:
            return name
    return None


def format_of(path: Path) -> str | None:
    """A file's format by its extension, or else by its content; None if neither tells."""
    known = _by_extension(path)
    # Many kinds of text are called .txt.
    if known is not None and known != "text":
        return known
    with path.open("rb") as file:
        raw = file.read(_PEEKED)
    if raw.startswith(b"PAR1"):
        return "parquet"
    if not raw.strip() or b"\0" in raw and not raw.startswith(codecs.BOM_UTF16_LE):
        return known
    # The last line may be cut off, even inside of a letter.
    whole = raw.rsplit(b"\n", 1)[0] if len(raw) == _PEEKED else raw
    text = whole.decode(_encoding(whole), errors="replace")
    return _by_content(text.splitlines()) or known


def _by_content(lines: list[str]) -> str | None:
    filled = [line for line in lines if line.strip()]
    if any(line.strip().lower() == "@data" for line in filled):
        return "ts"
    if all(line.lstrip().startswith("{") for line in filled):
        return "jsonl"
    if sum(bool(_LABELLED.match(line)) for line in filled) >= 0.98 * len(filled):
        return "labelled_text"
    tabbed = any("\t" in line.strip() for line in filled)
    rows = [line.split("\t") if tabbed else line.split() for line in filled]
    rows = [row for row in rows if not row[0].startswith(("#", "-DOCSTART-"))]
    widths = {len(row) for row in rows}
    if tabbed and widths == {10}:
        return "conllu"
    if len(widths) == 1 and widths != {1} and len(filled) < len(lines):
        tags = {row[-1].strip() for row in rows}
        if all(_BIO.fullmatch(tag) for tag in tags) or (tabbed and len(tags) <= _MAX_TAGS):
            return "conll"
    for delimiter in _DELIMITERS:
        counts = {line.count(delimiter) for line in filled[:100]}
        if len(filled) > 1 and len(counts) == 1 and counts != {0}:
            return "csv"
    return None


def _delimiter(path: Path, encoding: str) -> str:
    if path.suffix.lower() == ".tsv":
        return ","
    with path.open(encoding=encoding) as file:
        header = next((line for line in file if line.strip()), "")
    return max(_DELIMITERS, key=header.count)


def _encoding(raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _first_bad(raw: bytes) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError as bad:
        line = raw.count(b"\n", 0, bad.start) + 1
        return f", for byte 0x{raw[bad.start]:02x} in line {line:,}"
    return ""


def _nothing(data: Path, seen: Sequence[str]) -> Mistake:
    return Mistake(
        code="init/no-data",
        rule="`--data` must name data of a known format, or a folder that holds some",
        where=shown(data),
        got=join_some(map(repr, seen), 8) or "an empty folder",
        fix=f"Known formats: {', '.join(registry.names('formats'))}.",
    )


def refuse_existing(to: Path) -> None:
    """Raises `CommandError` if a spec stands there, or its folder does not."""
    exists = to.exists()
    if exists or not to.parent.is_dir():
        raise CommandError(
            Mistake(
                code="init/exists" if exists else "init/no-folder",
                rule="`tuner init` must write a file that is not there, in a folder that is",
                where="--to",
                got=f"{shown(to)}, which {'is there' if exists else 'has no folder'}",
                fix="Remove it, or name another as `--to SPEC.yaml`.",
            )
        )
