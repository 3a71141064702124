"""JSON Lines, one object per time step; all objects share the same plain keys."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.data.layout import Layout

if TYPE_CHECKING:
    from tuner.data.table import Lines, RawTable
    from tuner.errors import DataError, Mistake

EXTENSIONS: tuple[str, ...] = (".jsonl", ".ndjson")

_MAX_LISTED = 5
_MAX_COLUMNS = 10_000
_PEEKED_LINES = 1_000


def read(path: Path, layout: Layout) -> RawTable:
    """Reads all keys; a key that a row lacks is a missing value there.

    Raises:
        DataError: not a readable text file in this encoding, no rows, or lines that are not objects
            of plain values, each key of one type.
    """
    import pyarrow as pa
    from pyarrow import json as arrow_json

    from tuner.data.files import read_text, refuse_bomb, shown
    from tuner.data.table import Lines, RawTable, refuse_no_rows

    text = read_text(path, layout.encoding)
    if not text.strip():
        raise refuse_no_rows(path)
    lines = Lines(text)
    kinds = _kinds(text)
    refuse_bomb(path, 8 * len(kinds) * (text.count(b"\n") + 1))
    types = {"text": pa.string(), "number": pa.float64(), "truth": pa.bool_(), "whole": pa.int64()}
    names = (layout.id, layout.label, layout.group)
    schema = [
        (key, types["whole" if kind == "number" and key in names else kind])
        for key, kind in kinds.items()
    ]
    try:
        table = arrow_json.read_json(
            pa.BufferReader(text),
            read_options=arrow_json.ReadOptions(use_threads=False),
            # A fixed schema: keys without end cannot fill memory, and texts stay texts.
            parse_options=arrow_json.ParseOptions(
                explicit_schema=pa.schema(schema), unexpected_field_behavior="error"
            ),
        )
    except pa.ArrowInvalid as broken:
        raise _located(path, text, lines, kinds, " ".join(str(broken).split())) from None
    if not table.num_rows:
        raise refuse_no_rows(path)
    return RawTable(shown(path), table, lines)


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "truth"
        case int() | float():
            return "number"
        case str():
            return "text"
    return "list" if isinstance(value, list) else "object"


def _kinds(text: bytes) -> dict[str, str]:
    """Key → kind of its first value that is there, from the first lines; bad lines wait."""
    kinds: dict[str, str] = {}
    keys: dict[str, None] = {}
    start = text[: 1 << 20].split(b"\n")
    for line in islice(start, _PEEKED_LINES):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and len(keys | row) <= _MAX_COLUMNS:
            keys |= dict.fromkeys(row)
            found = {k: _kind(v) for k, v in row.items() if v is not None and k not in kinds}
            kinds |= {k: kind for k, kind in found.items() if kind not in ("list", "object")}
    return {key: kinds.get(key, "number") for key in keys}


def _located(
    path: Path, text: bytes, lines: Lines, kinds: dict[str, str], reason: str
) -> DataError:
    """Finds the lines that Arrow refused; slow, so only for files that are refused anyway."""
    from tuner.data.files import shown
    from tuner.errors import DataError, Mistake

    mistakes: list[Mistake] = []
    for number, line in enumerate(text.split(b"\n"), 1):
        found = _problem(line, kinds) if line.strip() else None
        if found:
            code, got, fix = found
            mistakes.append(
                Mistake(
                    code=f"data/{code}",
                    rule="every line must be one JSON object with the same plain keys",
                    where=f"{shown(path)} line {number}",
                    got=got,
                    fix=fix,
                )
            )
        if len(mistakes) == _MAX_LISTED:
            break
    return DataError(
        mistakes
        or Mistake(
            code="data/syntax",
            rule="every line must be one JSON object with the same plain keys",
            where=shown(path),
            got=reason,
            fix="Mend the row.",
        )
    )


def _problem(line: bytes, kinds: dict[str, str]) -> tuple[str, str, str] | None:
    """Code, value and way out of one bad line."""
    twice: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in items]
        twice.extend(key for key in dict.fromkeys(keys) if keys.count(key) > 1)
        return dict(items)

    try:
        row = json.loads(line, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as broken:
        return "syntax", f"{line[:60].decode()!r} ({broken})", "Mend the line."
    if not isinstance(row, dict):
        return "syntax", f"{line[:60].decode()!r}", "Write one object per line."
    if twice:
        return "duplicate-columns", f"{twice[0]!r} twice", "Remove one of the two."
    for key, value in row.items():
        kind = _kind(value)
        if value is not None and kind in ("list", "object"):
            return "column-type", f"{key!r}: a {kind}", "Write one object per time step."
        if key not in kinds:
            return "columns-differ", f"the new key {key!r}", "Give all rows the same keys."
        if value is not None and kind != kinds[key]:
            got = f"{key!r}: {value!r}, a {kind} where rows before hold a {kinds[key]}"
            return "mixed-types", got, "Write one type per key."
    return None
