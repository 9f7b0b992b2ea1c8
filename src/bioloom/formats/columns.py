"""Columns of a table as read by `bioloom.formats.table`: present, of one type, ids, numbers, text.

Every message names the file, the row and the column, and shows no value of a feature: the rows may
be persons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError, in_yaml

TYPES = ("number", "category")
FEW = 50  # a column with more values may hold ids, which no message shows
RESERVED = ("sample_id", "label", "group", "sequence", "sample_weight", "split")


def require_columns(table: pd.DataFrame, names: Iterable[str], file: Path) -> None:
    """Raise DataError, with columns of like name, unless the table has all of `names`."""
    for name in names:
        if name not in table:
            columns = list(table.columns)
            by_case = {str(column).lower(): str(column) for column in columns}
            close = get_close_matches(name.lower(), by_case, n=3)
            hint = f"did you mean {' or '.join(by_case[key] for key in close)}?" if close else None
            if len(columns) == 1:
                hint = "the table has one column only: is its separator that of its ending?"
            shown = ", ".join(columns[:10]) + (" ..." if len(columns) > 10 else "")
            raise DataError(
                f"There is no such column; the table has {shown}",
                file=file,
                column=name,
                hint=hint,
            )


def unique_ids(table: pd.DataFrame, column: str | None, file: Path) -> pd.Series:
    """The ids of the rows as text; DataError for no column, and a missing or repeated id."""
    if column is None:
        shown = ", ".join(map(str, table.columns[:5]))
        raise DataError(
            "Which column holds the ids?",
            file=file,
            hint=f"name it as `columns: {{id: ...}}`; the first ones are {shown}",
        )
    require_columns(table, [column], file)
    ids = text(table[column])
    missing = ids.index[ids.isna()]
    if len(missing):
        raise DataError("A row without an id", file=file, row=missing[0], column=column)
    repeated = ids[ids.duplicated()]
    if len(repeated):
        first = ids.index[ids == repeated.iloc[0]][0]
        raise DataError(
            f"{len(repeated)} ids are there more than once; this one is also in row {first}",
            file=file,
            row=repeated.index[0],
            column=column,
            hint="ids must differ from row to row",
        )
    return ids


def ids_or_rows(table: pd.DataFrame, column: str | None, file: Path) -> pd.Series:
    """The column of ids, `id` where none is named; the rows' numbers where there is none either."""
    if column is None and "id" not in table:
        return pd.Series([f"row_{row}" for row in table.index], index=table.index)
    return unique_ids(table, column or "id", file)


def partner_rows(
    ids: pd.Series, table: pd.DataFrame, column: str, file: Path
) -> tuple[pd.Series, list[str]]:
    """The row of `table` with the id of each item, NaN where it has none, and what did not match.

    Raises DataError where no item has a row.
    """
    partners = unique_ids(table, column, file)
    rows = ids.map(pd.Series(partners.index, index=partners.to_numpy()))
    if rows.isna().all():
        shown = ids.iloc[0] if len(ids) else "any"
        raise DataError(
            f"The table has none of the ids, such as {shown}",
            file=file,
            column=column,
            hint="both files must name their items alike",
        )
    counts = {
        "items have no row in the table": rows.isna().sum(),
        "rows of the table have no partner": (~partners.isin(ids)).sum(),
    }
    return rows, [f"{count} {what} and are left out" for what, count in counts.items() if count]


def text(column: pd.Series) -> pd.Series:
    """A column as trimmed text; whole numbers of a Parquet column have no ".0"."""
    if pd.api.types.is_float_dtype(column):
        whole = column.dropna().mod(1).eq(0).all()
        column = column.astype("Int64") if whole else column
    return column.astype("str").str.strip()


def numbers(column: pd.Series, file: Path) -> pd.Series:
    """A column as floats (missing is NaN); DataError names the first row that is not a number.

    The value itself is not shown: it may be a person's.
    """
    values = _parsed(column)
    wrong = column.index[column.notna() & values.isna()]
    if len(wrong):
        raise DataError(
            "Expected a number, got text or an infinite value, "
            f"in {len(wrong)} rows; the first one",
            file=file,
            row=wrong[0],
            column=str(column.name),
            hint=_number_hint(str(column[wrong[0]]), str(column.name)),
        )
    return values


def _parsed(column: pd.Series) -> pd.Series:
    """Numbers, and NaN for what is not a finite one."""
    values = pd.to_numeric(column, errors="coerce").astype(float)
    return values.where(np.isfinite(values))


def _number_hint(value: str, name: str) -> str:
    if value.count(",") == 1 and value.replace(",", "").strip("+- ").isdigit():
        return "use a point as the decimal mark"
    as_text = f"`types: {{{in_yaml(name)}: category}}` takes it as text"
    return f"mend the value, leave it empty or list it as `missing` under `read`; {as_text}"


def infer_types(
    table: pd.DataFrame, types: Mapping[str, str], file: Path, known: Sequence[str] = TYPES
) -> dict[str, pd.Series]:
    """Column name -> floats or text, each by `types` (which may be `known`) or by what it holds.

    A column of numbers is a number. One in which more than half of the values are numbers must
    not hold text: a typing error would else turn a measurement into categories.
    """
    require_columns(table, types, file)
    columns: dict[str, pd.Series] = {}
    for name in map(str, table.columns):
        type_ = types.get(name) or _likely_type(table[name])
        if type_ not in known:
            raise DataError(f"A type is one of {', '.join(known)}, got {type_}", column=name)
        columns[name] = numbers(table[name], file) if type_ == "number" else text(table[name])
    return columns


def _likely_type(column: pd.Series) -> str:
    if not pd.api.types.is_string_dtype(column):  # Parquet keeps its types
        is_number = pd.api.types.is_numeric_dtype(column)
        return "number" if is_number and not pd.api.types.is_bool_dtype(column) else "category"
    # A decimal comma is a mistake to be named, and no category.
    parsed = _parsed(column.str.replace(",", ".", n=1, regex=False)).notna().sum()
    filled = column.notna().sum()
    return "number" if 2 * parsed > filled or not filled else "category"


def select_rows(
    table: pd.DataFrame, options: Mapping[str, Any], file: Path, *, private: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """The rows that `keep` and `exclude` (column -> values) leave, and a note on how many.

    An error shows no id, and no value at all where rows are persons (`private`).
    """
    notes: list[str] = []
    ids = [str(options.get("columns", {}).get(role)) for role in ("id", "patient")]
    for verb in ("keep", "exclude"):
        for name, given in options.get(verb, {}).items():
            require_columns(table, [name], file)
            values = text(table[name])
            wanted = [str(value) for value in (given if isinstance(given, list) else [given])]
            for value in wanted:
                if not values.eq(value).any():
                    known = values.dropna().unique()
                    hidden = private or name in ids or len(known) > FEW
                    close = [] if hidden else get_close_matches(value, known, n=1)
                    raise DataError(
                        f"`{verb}`: no row has {value!r}",
                        file=file,
                        column=name,
                        hint=f"did you mean {close[0]!r}?" if close else None,
                    )
            chosen = values.isin(wanted) if verb == "keep" else ~values.isin(wanted)
            notes.append(f"`{verb}: {name}` left {chosen.sum()} of {len(table)} rows")
            table = table[chosen]
    return table, notes


def feature_names(names: Iterable[str], file: Path) -> dict[str, str]:
    """The user's column names -> ours: a dot would start a block, = a category; some are taken."""
    given = list(names)
    ours = [name.replace(".", "_").replace("=", "_") for name in given]
    ours = [f"{name}_" if name in RESERVED else name for name in ours]
    repeated = sorted({name for name in ours if ours.count(name) > 1})
    if repeated:
        raise DataError(
            f"Several columns become {repeated[0]!r}",
            file=file,
            hint="dots and '=' in names are read as '_'; rename one of them",
        )
    return dict(zip(given, ours, strict=True))
