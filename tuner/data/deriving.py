"""Makes the channels of calendar and rolling statistics, and checks what columns are said to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tuner.data import calendar, categories, rolling, times
from tuner.data.files import join_some
from tuner.data.layout import Layout
from tuner.data.table import RawTable
from tuner.errors import Mistake

if TYPE_CHECKING:
    from tuner.data.sequences import Sequences


def resolved(layout: Layout, tables: Sequence[RawTable], mistakes: list[Mistake]) -> Layout:
    """Checks what a spec says of covariates, and names the values of categories."""
    derived, features = layout.derived, layout.features or ()
    for key, names in (("known", derived.known), ("static", derived.static)):
        if strangers := [n for n in names if n not in {*features, *derived.columns}]:
            mistakes.append(
                Mistake(
                    code="data/no-feature",
                    rule=f"a column of `data/{key}` must be among `data/features` or "
                    "`data/categories`",
                    where=f"data/{key}",
                    got=join_some(map(repr, strangers)),
                    fix="Add it there; text belongs to `data/categories`.",
                )
            )
        if targets := [n for n in names if n in (layout.channels or ())]:
            mistakes.append(
                Mistake(
                    code="data/target-known",
                    rule=f"a channel to forecast must not be among `data/{key}`",
                    where=f"data/{key}",
                    got=join_some(map(repr, targets)),
                    fix="Leave it out: it is what the forecast is to find.",
                )
            )
    if both := sorted({*derived.known} & {*derived.static}):
        mistakes.append(
            Mistake(
                code="data/covariates",
                rule="a column must be in one of `data/known` and `data/static`",
                where="data/known",
                got=join_some(map(repr, both)),
                fix="Leave it in `data/static` if it never changes within a series.",
            )
        )
    return categories.listed(layout, tables, mistakes)


def derived(sequences: Sequences, layout: Layout, mistakes: list[Mistake]) -> Sequences:
    """Sequences with a channel for each of the layout's names; checks static columns."""
    _refuse_varying(sequences, layout, mistakes)
    made, features = layout.derived, layout.features or ()
    blocks = [sequences.values_NF]
    clock = sequences.clock
    if made.calendar:
        if clock is None or clock.kind != "date":
            mistakes.append(
                Mistake(
                    code="data/calendar",
                    rule="`data/calendar` must come with `data/time`, a column of dates",
                    where="data/calendar",
                    got="no time" if clock is None else "times that are numbers",
                    fix="Name a column of dates as `data/time`, or leave `calendar` out.",
                )
            )
            return sequences
        blocks.append(calendar.waves(clock.moments_N, made.calendar))
    if made.rolling:
        places = [features.index(name) for name in made.measured(features)]
        values_NM = sequences.values_NF[:, places]
        for statistic, window in made.rolling:
            blocks.append(
                rolling.rolled(values_NM, sequences.offset_S, sequences.length_S, statistic, window)
            )
    if len(blocks) == 1:
        return sequences
    values_NF = np.concatenate(blocks, axis=1)
    observed_NF = sequences.observed_NF
    if observed_NF is not None:
        # What is made is not read: only its columns can miss a value.
        more = values_NF.shape[1] - observed_NF.shape[1]
        observed_NF = np.pad(observed_NF, ((0, 0), (0, more)), constant_values=1)
    return replace(sequences, values_NF=values_NF, observed_NF=observed_NF)


def with_step(layout: Layout, sequences: Sequences) -> Layout:
    """Notes how the times of a horizon go on, which a file to predict on does not hold."""
    if not layout.derived.calendar:
        return layout
    return replace(layout, derived=replace(layout.derived, ahead=times.usual_step(sequences)))


def _refuse_varying(sequences: Sequences, layout: Layout, mistakes: list[Mistake]) -> None:
    names = layout.names
    for place in layout.roles.static:
        value_N = sequences.values_NF[:, place]
        first_N = np.repeat(value_N[sequences.offset_S], sequences.length_S)
        other = np.flatnonzero((value_N != first_N) & ~np.isnan(value_N) & ~np.isnan(first_N))
        if len(other):
            mistakes.append(
                Mistake(
                    code="data/static-varies",
                    rule=f"{names[place]!r} of `data/static` must be constant within each series",
                    where=sequences.where(other),
                    got=f"{len(other):,} rows that differ from their series' first",
                    fix="Mend them, or leave the column out of `data/static`.",
                )
            )
