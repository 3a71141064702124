"""Manifests: tables whose rows name files, whose contents become the rows that a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from tuner.data import columns
from tuner.data.files import MAX_DECODED, join_some
from tuner.data.layout import Layout
from tuner.data.named_file import NamedFile
from tuner.data.table import RawTable
from tuner.errors import DataError, Mistake


def named(table: RawTable, path: Path | None, key: str, column: str, what: str) -> list[NamedFile]:
    """The files that the rows name.

    Args:
        table: the manifest.
        path: the file it was read from, beside which the named ones lie; None: nowhere.
        key: of section `data` that tells how the files are read, such as "audio".
        column: that names them.
        what: a row names, such as "WAV file".

    Raises:
        DataError: there is no such column, or a row names none.
    """
    names = table.columns.column_names
    if column not in names:
        raise DataError(
            Mistake(
                code="data/absent-column",
                rule=f"a manifest must have a column that names each row's {what}",
                where=table.name,
                got=f"no column {column!r}",
                fix=f"Name it as `data/{key}/path`; the columns are "
                f"{join_some(map(repr, names), 12)}.",
            )
        )
    absent = columns.absent_rows(table, column)
    if len(absent):
        raise DataError(
            Mistake(
                code=f"data/missing-{key}",
                rule=f"column {column!r} must name a {what} in each row",
                where=f"{table.name} {columns.told(table, absent)}",
                got=f"{len(absent):,} missing",
                fix="Name the files or remove the rows.",
            )
        )
    folder = None if path is None else path.parent
    names = table.columns.column(column).cast(pa.string()).to_pylist()
    return [NamedFile(name, folder) for name in names]


def kept(layout: Layout, names: Sequence[str]) -> list[str]:
    """Columns that are said again at each row of a file's contents; a manifest's other columns tell
    of files, not of their rows.
    """
    meaning = [layout.id, layout.label, layout.target_text, layout.group, *layout.targets]
    meaning += layout.static
    return [name for name in dict.fromkeys(meaning) if name is not None and name in names]


def repeated(table: RawTable, name: str, owner_N: np.ndarray) -> pa.Array:
    """A column's value at each row of the contents; texts are kept once."""
    column = table.columns.column(name).combine_chunks()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    return column.take(pa.array(owner_N))


def refuse_shared(table: RawTable, key: str, name: str) -> None:
    """Raises `DataError` if two rows have one id, since their files would become one sequence."""
    first: dict[object, int] = {}
    ids = table.columns.column(name).to_pylist()
    again = [row for row, each in enumerate(ids) if first.setdefault(each, row) != row]
    if again:
        raise DataError(
            Mistake(
                code=f"data/{key}-id",
                rule=f"each row must have an id of its own in column {name!r}: it names a file",
                where=f"{table.name} {columns.told(table, np.array(again))}",
                got=f"{len(again):,} with the id of another",
                fix="Give each its own, or leave `data/id` out.",
            )
        )


def together(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """One for all files of which the same is wrong."""
    alike: dict[tuple[str, str, str], list[Mistake]] = {}
    for mistake in mistakes:
        alike.setdefault((mistake.code, mistake.rule, mistake.fix), []).append(mistake)
    return [
        replace(
            some[0],
            where=join_some(mistake.where for mistake in some),
            got=join_some(dict.fromkeys(mistake.got for mistake in some)),
        )
        for some in alike.values()
    ]


def too_much(where: str, key: str, what: str, fix: str) -> Mistake:
    """Contents that would fill memory.

    Args:
        where: the manifest, or what else asks for them.
        key: of section `data` that tells how the files are read.
        what: fills it, such as "pictures".
        fix: what makes it less.
    """
    return Mistake(
        code=f"data/{key}",
        rule=f"the {what} of a manifest must fill at most {MAX_DECODED >> 30} GiB",
        where=where,
        got="more",
        fix=fix,
    )
