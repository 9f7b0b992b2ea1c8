"""The day from which on is predicted: what a table tells of later days is no feature.

A date of death, or of a treatment, after it tells the outcome, and whoever is still alive has none.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.errors import DataError, in_yaml
from bioloom.formats.columns import require_columns, rows_told
from bioloom.privacy import dates, names
from bioloom.privacy.actions import DROP, days_of
from bioloom.privacy.identifiers import cells_of
from bioloom.privacy.small_cells import count_shown

MOSTLY = 0.5  # share of cells that are days, from which a column is one of dates


def refuse_later_days(table: pd.DataFrame, index: str, unused: Collection[str], file: Path) -> None:
    """DataError that names all columns with days after that of the column `index`, with counts.

    Columns of `unused` are not looked at. Raises DataError, too, for a row without an index, and
    for dates that are none. A day without an hour that is the index's own is not refused.
    """
    require_columns(table, [index], file)
    begin = days_of(table[index], file)
    if (lacking := table.index[begin.isna()]).size:
        raise DataError(
            f"No index in rows {rows_told(lacking)}",
            file=file,
            column=index,
            hint="the day from which on is predicted; leave such rows out by `exclude`",
        )
    later = dict[str, int]()
    for name in [name for name in map(str, table) if name not in {index, *unused}]:
        if rows := int((_days(table[name], file) > begin).sum()):
            later[name] = rows
    if later:
        actions = ", ".join(f"{in_yaml(name)}: {DROP}" for name in later)
        told = ", ".join(f"{name} in {count_shown(rows)} rows" for name, rows in later.items())
        raise DataError(
            f"What happened after {index} is no feature: {told}",
            file=file,
            hint="leave it, and what was made of it, out, such as by `privacy: "
            f"{{{actions}}}` under the data set",
        )


def _days(column: pd.Series, file: Path) -> pd.Series:
    """The days of a column of dates, the first one of months and weeks; NaN of any other."""
    cells, named = cells_of(column), _is_of_dates(str(column.name))
    is_day = cells.map(lambda cell: _is_day(cell, named)).astype(bool)
    begun = cells[~is_day].map(lambda cell: _begin(cell, named)).dropna()
    if not len(cells) or is_day.sum() + len(begun) < MOSTLY * len(cells):
        return pd.Series(np.nan, column.index)
    others = is_day.drop(begun.index)
    # Where most of the others are days, all have to be.
    days = others.index if others.mean() >= MOSTLY else others.index[others]
    read = [begun.map(date.toordinal).astype(float), days_of(column[days], file)]
    return pd.concat(read).reindex(column.index)


def _begin(cell: str, named: bool) -> date | None:
    """The first day of a month or a week; Set 20 is one where the name is of days."""
    is_text = pd.isna(pd.to_numeric(cell, errors="coerce"))
    return dates.begin(cell) if is_text and (named or dates.is_month(cell)) else None


def _is_of_dates(name: str) -> bool:
    of_days = names.DATES in (names.certain_kind(name), names.possible_kind(name))
    return of_days and not names.has_word(name, names.MEASURES)


def _is_day(cell: str, named: bool) -> bool:
    """Whether a cell is a day; as two digits of a year, or a number, where the name is of days."""
    return dates.is_full(cell) or (named and any(dates.read(cell, way) for way in (True, False)))
