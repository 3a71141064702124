"""Parquet files, one row per time step; plain columns only, nothing in a file can run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    import pyarrow

    from tuner.data.table import RawTable

EXTENSIONS: tuple[str, ...] = (".parquet", ".pq")

_BATCH_ROWS = 65_536
_MAX_THRIFT = 100 << 20


def read(path: Path, layout: Layout) -> RawTable:
    """Reads the plain columns in batches, counting bytes as they come.

    Raises:
        DataError: not a readable Parquet file, damaged, no rows, a column of an extension or
            nested type among those asked for, or a bomb.
    """
    import pyarrow as pa
    from pyarrow import parquet

    from tuner.data.files import refuse_bomb, refuse_unreadable, shown
    from tuner.data.table import RawTable, refuse_duplicate_names, refuse_no_rows
    from tuner.errors import DataError, Mistake

    refuse_unreadable(path)
    try:
        with parquet.ParquetFile(
            path,
            thrift_string_size_limit=_MAX_THRIFT,
            thrift_container_size_limit=_MAX_THRIFT,
            page_checksum_verification=True,
            arrow_extensions_enabled=False,
        ) as file:
            schema = file.schema_arrow
            refuse_duplicate_names(path, schema.names)
            columns = _plain(path, schema, layout)
            texts = [n for n in columns if pa.types.is_large_string(schema.field(n).type)]
            texts += [n for n in columns if pa.types.is_string(schema.field(n).type)]
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
            refuse_bomb(path, sum(group.total_byte_size for group in groups))
            refuse_bomb(path, file.metadata.num_rows * 8 * len(columns))
        with parquet.ParquetFile(
            path,
            read_dictionary=texts,
            thrift_string_size_limit=_MAX_THRIFT,
            thrift_container_size_limit=_MAX_THRIFT,
            page_checksum_verification=True,
            arrow_extensions_enabled=False,
        ) as file:
            batches, decoded = [], 0
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
                decoded += sum(map(_expanded, batch.columns))
                refuse_bomb(path, decoded)
                # Texts that are no UTF-8 would fail later, where nobody expects it.
                batch.validate(full=True)
                batches.append(batch)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as broken:
        raise DataError(
            Mistake(
                code="data/content",
                rule="the file must be whole and Parquet",
                where=shown(path),
                got=" ".join(str(broken).split())[:200],
                fix="Write the file again, or name its format as `data/format`.",
            )
        ) from None
    # Counted here, not in the metadata, which may promise rows that are not there.
    if not any(map(len, batches)):
        raise refuse_no_rows(path)
    table = pa.Table.from_batches(batches)
    return RawTable(shown(path), table, lambda row: f"row {row + 1}")


def _expanded(column: pyarrow.Array) -> int:
    """Bytes of a column once every row holds its own text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type) or not len(column.dictionary):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    return int(pc.sum(lengths.take(column.indices)).as_py() or 0)


def _plain(path: Path, schema: pyarrow.Schema, layout: Layout) -> list[str]:
    """The columns to read; others that nobody named are left alone if they are not plain."""
    import pyarrow as pa

    from tuner.data.files import shown
    from tuner.errors import DataError, Mistake

    named = {layout.id, *layout.time, layout.label, layout.target_text, layout.group}
    named |= {*layout.targets, *(layout.features or ()), *layout.static}
    columns, mistakes = [], []
    for field in schema:
        nested = pa.types.is_nested(field.type)
        extended = isinstance(field.type, pa.BaseExtensionType) or (
            b"ARROW:extension:name" in (field.metadata or {})
        )
        if not nested and not extended:
            columns.append(field.name)
        elif layout.features is None or field.name in named:
            mistakes.append(
                Mistake(
                    code="data/column-type",
                    rule="columns must hold plain numbers, texts or dates",
                    where=f"{shown(path)} column {field.name!r}",
                    got="an extension type" if extended else f"{field.type}",
                    fix="Store it as plain columns, or list the others as `data/features`.",
                )
            )
    if mistakes:
        raise DataError(mistakes)
    return columns
