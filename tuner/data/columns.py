"""Raw columns to numbers, times and texts; every value that is none is told by its row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuner.data.files import join_some
from tuner.data.layout import Layout
from tuner.data.table import RawTable
from tuner.errors import Mistake

_NUMBER = r"^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$|^\s*[-+]?(?i:inf|infinity|nan)\s*$"
_DECIMAL_COMMA = r"^\s*[-+]?\d+,\d+\s*$"
_WHOLE = r"^[-+]?\d+\.0+$"
_ZONE = r"(?:Z|[+-]\d\d:?\d\d)$"
_MAX_FLOAT32 = float(np.finfo(np.float32).max)
MAX_LISTED = 5

Times = tuple[np.ndarray, Literal["number", "date"]]
"""float64 numbers, or int64 microseconds since 1970 without a zone or in UTC."""


def _is_text(column: pa.ChunkedArray) -> bool:
    kind = column.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dictionaries undone."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _rows(mask: pa.ChunkedArray) -> np.ndarray:
    return np.flatnonzero(mask.fill_null(False).to_numpy())


def told(table: RawTable, rows: np.ndarray) -> str:
    """The first few rows, as places in their file."""
    places = [table.place(int(row)) for row in rows[:MAX_LISTED]]
    more = len(rows) - len(places)
    return join_some(places) + (f" and {more:,} more" if more else "")


def is_numeric(table: RawTable, name: str) -> bool:
    """Whether a column is meant as numbers: at least half of its values are, or none is there."""
    column = table.columns.column(name)
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return True
    if pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return True
    if not (_is_text(column) or pa.types.is_dictionary(kind)):
        return False
    texts = _plain(column).drop_null()
    if not len(texts):
        return True
    try:
        texts.cast(pa.float64())
    except pa.ArrowInvalid:
        pass
    else:
        return True
    meant = pc.or_(
        pc.match_substring_regex(texts, _NUMBER), pc.match_substring_regex(texts, _DECIMAL_COMMA)
    )
    return bool(pc.mean(meant).as_py() >= 0.5)


def absent_rows(table: RawTable, name: str) -> np.ndarray:
    """Rows without a value in this column."""
    return _rows(_plain(table.columns.column(name)).is_null(nan_is_null=True))


def to_numbers(table: RawTable, name: str, mistakes: list[Mistake]) -> np.ndarray:
    """One column as float32, NaN where a value is missing or refused."""
    column = _plain(table.columns.column(name))
    if _is_text(column):
        column = _parsed(table, name, column, mistakes)
    try:
        column = column.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        mistakes.append(_refuse_number(table, name, f"values of type {column.type}", "line 1"))
        return np.full(len(column), np.nan, dtype=np.float32)
    values_N: np.ndarray = column.fill_null(np.nan).to_numpy()
    if not (np.abs(values_N) > _MAX_FLOAT32).any():
        return values_N.astype(np.float32)
    for code, what, bad_N in (
        ("infinite", "infinite values", np.isinf(values_N)),
        ("overflow", "values beyond 32-bit floats", np.abs(values_N) > _MAX_FLOAT32),
    ):
        rows = np.flatnonzero(bad_N & (np.isfinite(values_N) if code == "overflow" else True))
        if len(rows):
            mistakes.append(
                Mistake(
                    code=f"data/{code}",
                    rule=f"column {name!r} must be finite in 32-bit floats",
                    where=f"{table.name} {told(table, rows)}",
                    got=f"{len(rows):,} {what}, first {values_N[rows[0]]:g}",
                    fix="Remove or rescale them, or leave them empty and set `data/missing`.",
                )
            )
            values_N = np.where(bad_N, np.nan, values_N)
    return values_N.astype(np.float32)


def _parsed(
    table: RawTable, name: str, column: pa.ChunkedArray, mistakes: list[Mistake]
) -> pa.ChunkedArray:
    try:
        return column.cast(pa.float64())
    except pa.ArrowInvalid:
        pass
    good = pc.match_substring_regex(column, _NUMBER)
    rows = _rows(pc.invert(good))
    if len(rows):
        first = column[int(rows[0])].as_py()
        comma = bool(pc.match_substring_regex(pa.scalar(first), _DECIMAL_COMMA).as_py())
        mistakes.append(
            _refuse_number(table, name, f"{len(rows):,} others, first {first!r}", rows, comma)
        )
    numbers = pc.if_else(good, pc.utf8_trim_whitespace(column), pa.scalar(None, column.type))
    return numbers.cast(pa.float64())


def _refuse_number(
    table: RawTable, name: str, got: str, rows: np.ndarray | str, comma: bool = False
) -> Mistake:
    return Mistake(
        code="data/not-a-number",
        rule=f"column {name!r} must hold numbers",
        where=f"{table.name} {rows if isinstance(rows, str) else told(table, rows)}",
        got=got,
        fix="Write decimals with a point." if comma else "Mend them, or leave the column out.",
    )


def to_texts(tables: Sequence[RawTable], name: str) -> pa.DictionaryArray:
    """The ids or labels of all files as texts, in the order in which they first appear.

    2.0 is written 2, and a missing value is null.
    """
    encoded = pa.chunked_array([_texts(table, name) for table in tables])
    return encoded.unify_dictionaries().combine_chunks()


def _texts(table: RawTable, name: str) -> pa.DictionaryArray:
    column = table.columns.column(name)
    kind = column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
        if pc.all(pc.equal(column, pc.floor(column))).as_py() is not False:
            column = column.cast(pa.int64(), safe=False)
    if not pa.types.is_dictionary(column.type):
        whole = pa.types.is_integer(column.type)
        column = (column if whole else column.cast(pa.string())).dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    # A file's own dictionary may hold names in any order, or names that no row has.
    used = encoded.indices.dictionary_encode()
    names = encoded.dictionary.take(used.dictionary).cast(pa.string())
    # Once per name, not per row.
    names = pc.utf8_trim_whitespace(names)
    short = pc.replace_substring_regex(names, r"\.0+$", "")
    names = pc.if_else(pc.match_substring_regex(names, _WHOLE), short, names).dictionary_encode()
    return pa.DictionaryArray.from_arrays(names.indices.take(used.indices), names.dictionary)


def to_tokens(
    tables: Sequence[RawTable], layout: Layout, mistakes: list[Mistake]
) -> pa.DictionaryArray:
    """The token that each row of all files holds; none is trimmed or rewritten."""
    assert layout.text is not None
    chunks = []
    for table in tables:
        if len(absent := absent_rows(table, layout.text)):
            mistakes.append(missing_text(table, layout.text, absent))
        texts = to_strings(table, layout.text, lowercase=layout.lowercase)
        chunks.append(pa.array(texts, pa.string()).dictionary_encode())
    return pa.chunked_array(chunks).unify_dictionaries().combine_chunks()


def to_strings(table: RawTable, name: str, *, lowercase: bool) -> list[str]:
    """A column of texts; an absent one is empty."""
    texts = table.columns.column(name).cast(pa.string()).to_pylist()
    return [(text or "").lower() if lowercase else text or "" for text in texts]


def missing_text(table: RawTable, name: str, absent: np.ndarray) -> Mistake:
    """Rows without the text that they should hold."""
    return Mistake(
        code="data/missing-text",
        rule=f"text column {name!r} must be complete",
        where=f"{table.name} {told(table, absent)}",
        got=f"{len(absent):,} missing of {len(table.columns):,}",
        fix="Fill them or remove the rows.",
    )


def to_times(table: RawTable, name: str, mistakes: list[Mistake]) -> Times | None:
    """One column as moments; None if it holds others, with the mistakes told."""
    column = _plain(table.columns.column(name))
    kind = column.type
    absent = absent_rows(table, name)
    if len(absent):
        got = f"{len(absent):,} missing"
        mistakes.append(_refuse_time(table, name, got, absent, "Fill them or remove the rows."))
        return None
    if pa.types.is_temporal(kind) and not pa.types.is_time(kind) and not pa.types.is_duration(kind):
        micros = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return micros.to_numpy(), "date"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column.cast(pa.float64(), safe=False).to_numpy(), "number"
    if not _is_text(column):
        got = f"values of type {kind}"
        mistakes.append(_refuse_time(table, name, got, np.arange(0), "Write dates or numbers."))
        return None
    texts = pc.utf8_trim_whitespace(column)
    numbers = pc.match_substring_regex(texts, _NUMBER)
    share = pc.mean(numbers).as_py()
    if share == 1 and not _years(texts):
        return texts.cast(pa.float64()).to_numpy(), "number"
    if 0.5 < share < 1:
        rows = _rows(pc.invert(numbers))
        got = f"{len(rows):,} others, first {texts[int(rows[0])].as_py()!r}"
        mistakes.append(_refuse_time(table, name, got, rows, "Write all times as numbers."))
        return None
    return _dates(table, name, texts, mistakes)


def _years(texts: pa.ChunkedArray) -> bool:
    """Whether all are compact dates such as 20160701, which sort but do not space like numbers."""
    return bool(pc.all(pc.match_substring_regex(texts, r"^(?:19|20)\d\d[01]\d[0-3]\d$")).as_py())


def _dates(
    table: RawTable, name: str, texts: pa.ChunkedArray, mistakes: list[Mistake]
) -> Times | None:
    zoned = pc.match_substring_regex(texts, r"\d\d:\d\d.*" + _ZONE)
    share = pc.mean(zoned).as_py()
    if 0 < share < 1:
        rows = _rows(zoned if share < 0.5 else pc.invert(zoned))
        got = f"{len(rows):,} {'with' if share < 0.5 else 'without'} a time zone, unlike the others"
        fix = "Write all times in one zone."
        mistakes.append(_refuse_time(table, name, got, rows, fix, "time-zones"))
        return None
    if share:
        zones = pc.replace_substring_regex(texts, r"^.*?(" + _ZONE[:-1] + ")$", r"\1")
        found = pc.unique(zones).to_pylist()
        if len(found) > 1:
            first = pc.not_equal(zones, found[0])
            got = f"the zones {join_some(found)}"
            fix = "Write all times in one zone."
            mistakes.append(_refuse_time(table, name, got, _rows(first), fix, "time-zones"))
            return None
        texts = pc.replace_substring_regex(texts, _ZONE, "")
    texts = pc.replace_substring_regex(texts, r"^(\d{4})(\d\d)(\d\d)$", r"\1-\2-\3")
    iso = pc.match_substring_regex(
        texts, r"^\d{4}-\d\d(?:-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?)?)?$|^\d{4}$"
    )
    rows = _rows(pc.invert(iso))
    if not len(rows):
        try:
            moments = np.asarray(texts.to_numpy(), dtype="datetime64[us]")
            return moments.view(np.int64), "date"
        except ValueError as bad:
            got, rows = str(bad), np.arange(0)
    else:
        got = f"{len(rows):,} others, first {texts[int(rows[0])].as_py()!r}"
    fix = "Write times as 2018-01-31 or 2018-01-31 13:00:00."
    mistakes.append(_refuse_time(table, name, got, rows, fix))
    return None


def _refuse_time(
    table: RawTable, name: str, got: str, rows: np.ndarray, fix: str, code: str = "time"
) -> Mistake:
    return Mistake(
        code=f"data/{code}",
        rule=f"time column {name!r} must hold numbers or ISO 8601 dates of one zone",
        where=f"{table.name} {told(table, rows)}".rstrip(),
        got=got,
        fix=fix,
    )
