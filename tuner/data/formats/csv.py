"""Comma-separated values with a header line (RFC 4180), one row per time step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    import pyarrow.csv

    from tuner.data.table import Lines, RawTable
    from tuner.errors import DataError

EXTENSIONS: tuple[str, ...] = (".csv", ".tsv")

_MAX_LISTED = 5
_NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
_OTHER_DELIMITERS = ";\t|,"


def read(path: Path, layout: Layout) -> RawTable:
    """Reads ids, times and labels as texts, the rest as numbers, or as texts if some are none.

    Texts become numbers where a bad one can be told by its line.

    Raises:
        DataError: not a readable text file in this encoding, no rows, ragged or unclosed rows,
            names that are not unique, or another delimiter.
    """
    import pyarrow as pa
    from pyarrow import csv

    from tuner.data.files import read_text, shown
    from tuner.data.table import Lines, RawTable, refuse_duplicate_names, refuse_no_rows

    source = read_text(path, layout.encoding)
    lines = Lines(source, num_headers=1)
    # Blank lines above the header are skipped, like all others.
    text = source.lstrip(b"\r\n")
    end = re.search(rb"[\r\n]", text)
    header, body = (text[: end.start()], text[end.end() :]) if end else (text, b"")
    delimiter = "\t" if path.suffix == ".tsv" and layout.delimiter == "," else layout.delimiter
    names = _header(header.decode(), delimiter)
    _refuse_one_column(path, header.decode(), names, delimiter)
    refuse_duplicate_names(path, names)
    if not re.search(rb"\S", body):
        raise refuse_no_rows(path)

    ragged: list[pyarrow.csv.InvalidRow] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    def parsed(types: dict[str, pa.DataType]) -> pa.Table:
        ragged.clear()
        return csv.read_csv(
            pa.BufferReader(text),
            # One thread: only then do bad rows carry their number.
            read_options=csv.ReadOptions(column_names=names, skip_rows=1, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=delimiter, invalid_row_handler=note),
            convert_options=csv.ConvertOptions(
                column_types=types,
                strings_can_be_null=True,
                # In a column of texts, "null" is a word.
                null_values=[""] if layout.text else _NULLS,
            ),
        )

    meaning = {layout.id, *layout.time, layout.label, layout.text, layout.target_text, layout.group}
    meaning |= {layout.side_picture.path} if layout.side_picture else set()
    texts = dict.fromkeys(names, pa.string())
    numbers = {name: pa.string() if name in meaning else pa.float64() for name in names}
    try:
        try:
            # Quotes may be left open, which only texts show.
            table = parsed(texts if b'"' in body else numbers)
        except pa.ArrowInvalid:
            table = parsed(texts)
    except pa.ArrowInvalid as broken:
        raise _unreadable(path, " ".join(str(broken).split())) from None
    if ragged:
        raise _ragged(path, ragged, lines)
    if b'"' in body:
        _refuse_open_quote(path, table, lines)
    return RawTable(shown(path), table, lines)


def _header(line: str, delimiter: str) -> list[str]:
    import csv

    return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]


def _refuse_one_column(path: Path, header: str, names: list[str], delimiter: str) -> None:
    from tuner.data.files import shown
    from tuner.errors import DataError, Mistake

    likely = [d for d in _OTHER_DELIMITERS if d != delimiter and d in header]
    if len(names) == 1 and likely:
        raise DataError(
            Mistake(
                code="data/delimiter",
                rule=f"columns must be separated by {delimiter!r}",
                where=f"{shown(path)} line 1",
                got=f"one column, {header.strip()[:60]!r}",
                fix=f"Set `delimiter: {likely[0]!r}`.",
            )
        )


def _ragged(path: Path, rows: list[pyarrow.csv.InvalidRow], lines: Lines) -> DataError:
    from tuner.data.files import shown
    from tuner.errors import DataError, Mistake

    mistakes = [
        Mistake(
            code="data/ragged-row",
            rule=f"every row must have {row.expected_columns} columns, like the header",
            # Arrow counts the header as row 1.
            where=f"{shown(path)} {lines(row.number - 2)}",
            got=f"{row.actual_columns}: {row.text[:60]!r}",
            fix="Mend the line; quote a value that holds the delimiter.",
        )
        for row in rows[:_MAX_LISTED]
    ]
    if len(rows) > _MAX_LISTED:
        mistakes.append(_unreadable(path, f"{len(rows):,} ragged rows in all").mistakes[0])
    return DataError(mistakes)


def _refuse_open_quote(path: Path, table: pyarrow.Table, lines: Lines) -> None:
    import pyarrow.compute as pc

    from tuner.data.files import shown
    from tuner.errors import DataError, Mistake

    for column in table.columns:
        row = pc.index(pc.match_substring_regex(column, r"[\r\n]"), True).as_py()
        if row >= 0:
            raise DataError(
                Mistake(
                    code="data/quote",
                    rule="a quoted value must end on its own line",
                    where=f"{shown(path)} {lines(row)}",
                    got="a quotation mark that is not closed there",
                    fix="Close it or remove it.",
                )
            )


def _unreadable(path: Path, what: str) -> DataError:
    from tuner.data.files import shown
    from tuner.errors import DataError, Mistake

    return DataError(
        Mistake(
            code="data/unreadable",
            rule="the file must be CSV with one header line",
            where=shown(path),
            got=what,
            fix="Mend the rows, or write the file anew.",
        )
    )
