"""A file that a row names, or holds itself as a `data:` URI (RFC 2397) in place of a name."""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from tuner.data.files import refusal, shown
from tuner.data.table import Beside
from tuner.errors import Mistake

_SCHEME = "data:"
_SHOWN = 40
"""Letters of a URI that messages show."""


@dataclass(frozen=True)
class NamedFile:
    """As a row spells it."""

    name: str
    folder: Path | None
    """Which the name is relative to; None where it may name nothing, as in a request to a server,
    whose disk is not its clients' to read."""

    @property
    def is_enclosed(self) -> bool:
        """Whether the name is the file itself."""
        return self.name[: len(_SCHEME)].lower() == _SCHEME

    @property
    def has_place(self) -> bool:
        """Whether it lies anywhere, or may."""
        return self.folder is not None and not self.is_enclosed

    @property
    def path(self) -> Path:
        """Where it lies, if it has a place."""
        assert self.folder is not None and not self.is_enclosed
        return self.folder / self.name

    @property
    def where(self) -> str:
        """The place, as messages show it."""
        if self.has_place:
            return shown(self.path)
        return self.name if len(self.name) <= _SHOWN else f"{self.name[:_SHOWN]}…"

    def read(self, most: int) -> bytes | Mistake:
        """Its bytes, or why they cannot be had.

        Args:
            most: bytes that it may have.
        """
        if self.is_enclosed:
            # What base64 or percents make of a byte is longer than the byte.
            return self._refused_size(len(self.name), most) or self._enclosed()
        if self.folder is None:
            return Mistake(
                code="data/named-file",
                rule="a request must hold files themselves, not their names",
                where=self.where,
                got="a name",
                fix="Send `data:;base64,` and the file's bytes in base64 in its place.",
            )
        return (
            refusal(self.path)
            or self._refused_size(self.path.stat().st_size, most)
            or self.path.read_bytes()
        )

    def enclosed(self, most: int) -> str | Mistake:
        """It as a `data:` URI, or why it cannot be had.

        Args:
            most: bytes that it may have.
        """
        if self.is_enclosed:
            return self.name
        content = self.read(most)
        if isinstance(content, Mistake):
            return content
        kind = mimetypes.guess_type(self.name)[0] or ""
        return f"{_SCHEME}{kind};base64,{base64.b64encode(content).decode()}"

    def beside(self, content: bytes) -> tuple[Beside, ...]:
        """What is to be known of a file that was read with a table: nothing of a part of it."""
        if self.is_enclosed:
            return ()
        return (Beside(self.name, hashlib.sha256(content).hexdigest(), len(content)),)

    def _enclosed(self) -> bytes | Mistake:
        kind, comma, content = self.name[len(_SCHEME) :].partition(",")
        try:
            if not comma:
                raise ValueError("no comma")
            raw = unquote_to_bytes(content)
            found = base64.b64decode(raw, validate=True) if kind.endswith(";base64") else raw
            if not found:
                raise ValueError("zero bytes")
        except (ValueError, binascii.Error) as broken:
            return Mistake(
                code="data/enclosed-file",
                rule="a file in place of its name must be a whole `data:` URI",
                where=self.where,
                got=str(broken),
                fix="Write `data:;base64,` and the file's bytes in base64.",
            )
        return found

    def _refused_size(self, size: int, most: int) -> Mistake | None:
        if size <= most:
            return None
        return Mistake(
            code="data/large-file",
            rule=f"a file that a row names must have at most {most >> 20:,} MiB",
            where=self.where,
            got=f"{size:,} bytes",
            fix="Make it smaller, cut it into pieces, or leave its row out.",
        )
