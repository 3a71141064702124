"""Raw files: refused before they are read if absent, empty, unreadable or a bomb."""

from __future__ import annotations

import codecs
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from cluster.refused import Refused
from cluster.storage import ObjectStore
from cluster.uris import is_uri
from tuner import cache, cluster_file
from tuner.data.card import DataCard
from tuner.errors import DataError, Mistake

MAX_DECODED = 16 << 30
"""Bytes that one file may fill in memory."""
MAX_RATIO = 100
"""Bytes in memory for each byte on disk."""
FREE_DECODED = 64 << 20
"""Bytes below which no ratio is suspicious."""

_UTF16 = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SIGNATURES = {
    b"PAR1": "Parquet",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "a zip archive",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x89HDF": "HDF5",
    b"ARROW1": "Arrow IPC",
}


_FETCHED: dict[Path, str] = {}
"""Where a file came from that was fetched, for messages."""


def local(root: Path, spelled: str) -> Path:
    """Where a file of a spec lies on this machine, once it is fetched if it is an object's URI.

    Raises:
        DataError: the object is not there, or its store does not answer, or not to us.
    """
    if not is_uri(spelled):
        return root / spelled
    folder, _, name = spelled.partition("?")[0].rpartition("/")
    query = spelled.partition("?")[2]
    try:
        store = ObjectStore(f"{folder}?{query}" if query else folder)
        stamp = store.stamp(name)
        if stamp is None:
            raise DataError(
                Mistake(
                    code="data/missing",
                    rule="data must be a readable file",
                    where=f"{folder}/{name}",
                    got="no such object",
                    fix="Check the bucket, and the name in it.",
                )
            )
        # Another object under the same name is another file.
        key = hashlib.sha256(f"{store.uri} {name} {stamp}".encode()).hexdigest()
        path = cache.once(key, lambda made: store.fetch(name, made / name)) / name
    except Refused as refused:
        raise DataError(cluster_file.told(refused)) from None
    _FETCHED[path] = f"{folder}/{name}"
    return path


def shown(path: Path) -> str:
    """A path as short as it can be told: relative where it lies below the current folder, and an
    object's URI where it was fetched."""
    if path in _FETCHED:
        return _FETCHED[path]
    absolute, here = Path(os.path.abspath(path)), Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)


def refusal(path: Path) -> Mistake | None:
    """Why a file cannot even be opened, if it cannot."""

    def refuse(code: str, got: str, fix: str) -> Mistake:
        rule = "data must be a readable file"
        return Mistake(code=f"data/{code}", rule=rule, where=shown(path), got=got, fix=fix)

    try:
        with path.open("rb") as file:
            if not file.read(1):
                return refuse("empty", "zero bytes", "Write the data again, or leave the file out.")
    except (FileNotFoundError, NotADirectoryError):
        return refuse(
            "missing",
            "no such file",
            "Check the path; it is relative to the spec, or to the manifest that names it.",
        )
    except IsADirectoryError:
        return refuse("folder", "a folder", "Name the files in it, as a list.")
    except PermissionError:
        return refuse("permission", "permission denied", "Make the file readable for this user.")
    except (OSError, ValueError) as broken:
        return refuse("unreadable", str(broken), "Check the path and the disk.")
    return None


def refuse_unreadable(path: Path) -> None:
    """Raises `DataError` for a file that cannot be opened or holds nothing."""
    mistake = refusal(path)
    if mistake:
        raise DataError(mistake)


def refuse_bomb(path: Path, decoded: int) -> None:
    """Raises `DataError` for a file that would fill far more memory than its size suggests."""
    size = path.stat().st_size
    if decoded <= FREE_DECODED or (decoded <= MAX_DECODED and decoded <= MAX_RATIO * size):
        return
    raise DataError(
        Mistake(
            code="data/bomb",
            rule=f"a file must fill at most {MAX_RATIO} times its size, and {MAX_DECODED >> 30} "
            "GiB, in memory",
            where=shown(path),
            got=f"{decoded:,} bytes from {size:,}",
            fix="Split the file, or write it without columns and rows that nobody reads.",
        )
    )


def read_text(path: Path, encoding: str) -> bytes:
    """One text file as UTF-8 without a byte order mark.

    Raises:
        DataError: not a readable file, binary, or not in this encoding.
    """
    refuse_unreadable(path)
    refuse_bomb(path, path.stat().st_size)
    raw = path.read_bytes()
    for signature, what in _SIGNATURES.items():
        if raw.startswith(signature):
            raise DataError(
                Mistake(
                    code="data/content",
                    rule="a file's content must be what its extension says",
                    where=shown(path),
                    got=f"{what} instead of text",
                    fix="Unpack it, or name its format as `data/format`.",
                )
            )
    try:
        utf8 = codecs.lookup(encoding).name == "utf-8"
        if utf8 and raw.isascii():
            return raw
        text = raw.decode(encoding)
    except UnicodeDecodeError as broken:
        raise DataError(_undecodable(path, raw, encoding, broken.start)) from None
    except (LookupError, UnicodeError):
        raise DataError(
            Mistake(
                code="data/encoding",
                rule="`data/encoding` must be a text encoding that Python knows",
                where=shown(path),
                got=repr(encoding),
                fix="Take `utf-8`, `latin-1` or `utf-16`.",
            )
        ) from None
    if utf8:
        return raw.removeprefix(codecs.BOM_UTF8)
    return text.removeprefix("\ufeff").encode()


def _undecodable(path: Path, raw: bytes, encoding: str, offset: int) -> Mistake:
    likely = next((name for bom, name in _UTF16.items() if raw.startswith(bom)), "latin-1")
    return Mistake(
        code="data/encoding",
        rule=f"text must be {encoding}",
        where=shown(path),
        got=f"byte 0x{raw[offset]:02x} at offset {offset}",
        fix=f"Save the file as UTF-8, or set `encoding: {likely}`.",
    )


def sha256(path: Path) -> str:
    """The digest of a file's bytes, or of what a folder's files are called, in hexadecimal."""
    if path.is_dir():
        inside = [each.relative_to(path).parts for each in path.rglob("*")]
        seen = sorted(p for p in inside if not any(name.startswith(".") for name in p))
        return hashlib.sha256("\n".join("/".join(p) for p in seen).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def changed_files(card: DataCard, root: Path) -> list[Mistake]:
    """What is no longer as it was prepared; `root` is the spec's folder."""
    mistakes = []
    for file in card.files:
        try:
            path = local(root, file.path)
        except DataError as absent:
            mistakes += absent.mistakes
            continue
        problem = None if path.is_dir() else refusal(path)
        if problem is None and sha256(path) != file.sha256:
            problem = Mistake(
                code="data/changed",
                rule="data must stay as it was when the sweep began",
                where=file.path,
                got="other files in it" if path.is_dir() else "other bytes",
                fix="Restore the file, or start a new sweep.",
            )
        if problem:
            mistakes.append(problem)
    return mistakes


def paths(files: str | Sequence[str]) -> list[str]:
    """The spelling of one file or several as a list."""
    return [files] if isinstance(files, str) else list(files)


def join_some(items: Iterable[object], most: int = 5) -> str:
    """The first few of many, for a message."""
    some = [str(item) for item in items]
    rest = len(some) - most
    return ", ".join(some[:most]) + (f" and {rest:,} more" if rest > 0 else "")
