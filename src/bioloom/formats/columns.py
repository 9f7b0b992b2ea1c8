"""Columns of a table as read by `bioloom.formats.table`: present, of one type, ids, numbers, text.

Every message names the file, the row and the column, and shows no value of a feature: the rows may
be persons.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError, in_yaml, several

TYPES = ("number", "category")
FEW = 50  # a column with more values may hold ids, which no message shows
MOST_TOLD = 20  # mistakes, or rows of one, that an error lists
# A first column without a name, by pandas and R; "1" is ours. Where all columns have numbers for
# names, as V1 and V2, the table has no header, and none of them is another than the others.
UNNAMED = ("Unnamed: 0", "index", "level_0", "rownames", "...1", "V1", "1")
THOUSANDS = "[+-]?[0-9]{1,3}(([,' \u00a0\u202f][0-9]{3})+|(,[0-9]{2})+,[0-9]{3})([.][0-9]+)?"
DECIMAL_COMMA = "[+-]?[0-9]+([.' \u00a0\u202f][0-9]{3})*,[0-9]+([eE][+-]?[0-9]+)?"
MEASURED = 4  # different numbers, from which a column is no grouping
LIMIT = r"[<>≤≥]=?\s*\d+([.,]\d+)?"
WHOLE = r"[+-]?\d+([.]0+)?"
RESERVED = ("sample_id", "label", "group", "sequence", "sample_weight", "split", "block")


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


def rows_told(rows: Iterable[object]) -> str:
    """The first of these rows, as a message lists them: `3, 5, 8 ...`."""
    listed = [str(row) for row in rows]
    return ", ".join(listed[:MOST_TOLD]) + (" ..." if len(listed) > MOST_TOLD else "")


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
    return check_ids(text(table[column]), file)


def check_ids(
    ids: pd.Series, file: Path, hint: str = "ids must differ from row to row"
) -> pd.Series:
    """The ids, indexed by row; DataError for a missing one, or one that is there twice."""
    missing = ids.index[ids.isna()]
    if len(missing):
        raise DataError(
            "A row without an id",
            file=file,
            row=missing[0],
            column=str(ids.name),
            hint="give it one; an id such as NA needs `not_missing: [NA]` under `read`",
        )
    repeated = ids[ids.duplicated()]
    if len(repeated):
        first = ids.index[ids == repeated.iloc[0]][0]
        raise DataError(
            f"{len(repeated)} ids are there more than once; this one is also in row {first}",
            file=file,
            row=repeated.index[0],
            column=str(ids.name),
            hint=hint,
        )
    one_spelling(ids, file)
    return ids


def ids_or_rows(table: pd.DataFrame, column: str | None, file: Path) -> pd.Series:
    """The column of ids, `id` where none is named; the rows' numbers where there is none either."""
    if column is None and "id" not in table:
        return pd.Series([f"row_{row}" for row in table.index], index=table.index)
    return unique_ids(table, column or "id", file)


def places(ids: pd.Series, others: pd.Series | pd.Index) -> np.ndarray:
    """The place of each id among `others` (N,), which differ; -1 where it has none.

    Ids keep their spelling. They are compared by it or, where all of both are whole numbers, as
    these: 683600 is written 683600.0 where some program met a gap in the column.
    """
    left, right = pd.Series(ids.to_numpy(), dtype="str"), pd.Series(others.to_numpy(), dtype="str")
    if left.str.fullmatch(WHOLE).all() and right.str.fullmatch(WHOLE).all():
        plain = without_point(right)
        left, right = (without_point(left), plain) if plain.is_unique else (left, right)
    return pd.Index(right).get_indexer(pd.Index(left))


def without_point(values: pd.Series) -> pd.Series:
    """Whole numbers written as 12.0 as 12; all else as it is, such as 1.10 of the enzymes."""
    whole = values.str.fullmatch(WHOLE)
    return values.mask(whole, values.str.replace("[.].*", "", regex=True))


def partner_rows(
    ids: pd.Series, table: pd.DataFrame, column: str, file: Path
) -> tuple[pd.Series, list[str]]:
    """The row of `table` with the id of each item, NaN where it has none, and what did not match.

    Raises DataError where no item has a row.
    """
    partners = unique_ids(table, column, file)
    found = places(ids, partners)
    if (found < 0).all():
        raise no_partner("The table has none of the ids", ids, partners, file, column)
    rows = pd.Series(partners.index.to_numpy()[found], index=ids.index).where(found >= 0)
    unused = np.setdiff1d(np.arange(len(partners)), found)
    lost, extra = ids[found < 0], partners.iloc[unused]
    notes = []
    for left_out, what in ((lost, "items have no row in"), (extra, "rows without an item are in")):
        if len(left_out):
            such = f"such as {left_out.iloc[0]}"
            notes.append(f"{len(left_out)} {what} the table and are left out, {such}")
    return rows, notes


def groups_of(column: pd.Series, file: Path) -> pd.Series:
    """The group of each row; a row without one is a group of its own."""
    groups = text(column)
    one_spelling(groups, file)
    # Text is trimmed, so no group of the user's begins with a space.
    return groups.fillna(pd.Series([f" row {row}" for row in column.index], index=column.index))


def no_partner(
    message: str,
    ids: pd.Series,
    others: pd.Series | pd.Index,
    file: Path,
    column: str | None = None,
) -> DataError:
    """The error for files that share no id: it shows one of each. Not for ids of persons."""
    shown = [next(iter(values.astype(str)), "none") for values in (ids, others)]
    return DataError(
        message,
        file=file,
        column=column,
        hint=f"both files must name their items alike; one has {shown[0]}, this one {shown[1]}",
    )


def one_spelling(values: pd.Series, file: Path, *, words: bool = False, hint: str = "") -> None:
    """Raise DataError where two texts of a column are one whole number, such as 1 and 1.0.

    With `words` also where they are one word but for upper and lower case. No value is shown.
    """
    if not pd.api.types.is_string_dtype(values):
        return
    different = values.dropna().drop_duplicates()
    keys = without_point(different)
    keys = keys.str.casefold() if words else keys
    again = different.index[keys.duplicated()]
    if len(again):
        first = different.index[keys == keys[again[0]]][0]
        raise DataError(
            f"One {'number or word' if words else 'number'} in two spellings; the other is in row "
            f"{first}",
            file=file,
            row=again[0],
            column=str(values.name),
            hint=hint or "write it alike in all rows, such as 1 or 1.0",
        )


def text(column: pd.Series) -> pd.Series:
    """A column as trimmed text; whole numbers of a Parquet column have no ".0"."""
    if pd.api.types.is_float_dtype(column):
        whole = column.dropna().mod(1).eq(0).all()
        column = column.astype("Int64") if whole else column
    return column.astype("str").str.strip()


def numbers(column: pd.Series, file: Path, *, or_text: bool = False) -> pd.Series:
    """A column as floats (missing is NaN); DataError names the first row that is not a number.

    The value itself is not shown: it may be a person's. `or_text`: `types` may say otherwise.
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
            hint=_number_hint(column[wrong].astype("str"), str(column.name), or_text),
        )
    return values


def _parsed(column: pd.Series) -> pd.Series:
    """Numbers, and NaN for what is not a finite one."""
    values = pd.to_numeric(column, errors="coerce").astype(float)
    return values.where(np.isfinite(values))


def _number_hint(wrong: pd.Series, name: str, or_text: bool) -> str:
    """How to mend the first of the values: 1,250 may be 1250 or 1.25, other values tell which."""
    thousands, decimal = (wrong.str.fullmatch(form) for form in (THOUSANDS, DECIMAL_COMMA))
    if thousands.iloc[0] and not (decimal & ~thousands).any():
        other = "; if it is a decimal mark, use a point" if decimal.iloc[0] else ""
        return f"a mark before three digits may be one of thousands: remove it{other}"
    if decimal.iloc[0]:
        return "use a point as the decimal mark, and no mark of thousands"
    as_text = f"; `types: {{{in_yaml(name)}: category}}` takes it as text" if or_text else ""
    return f"mend the value, leave it empty or list it as `missing` under `read`{as_text}"


def infer_types(
    table: pd.DataFrame,
    types: Mapping[str, str],
    file: Path,
    known: Sequence[str] = TYPES,
    unused: Collection[str] = (),
) -> dict[str, pd.Series]:
    """Column name -> floats or text, each by `types` (which may be `known`) or by what it holds.

    A column of numbers is a number. One in which more than half of the values are numbers must
    not hold text: a typing error would else turn a measurement into categories. All columns that
    are wrong are told at once; those that are `unused` may hold anything, and are text.
    """
    require_columns(table, types, file)
    columns: dict[str, pd.Series] = {}
    mistakes: list[str] = []
    for name in map(str, table.columns):
        if name in unused:
            columns[name] = text(table[name])
            continue
        type_ = types.get(name) or likely_type(table[name])
        if type_ not in known:
            raise DataError(f"A type is one of {', '.join(known)}, got {type_}", column=name)
        try:
            columns[name] = (
                numbers(table[name], file, or_text=True) if type_ == "number" else text(table[name])
            )
            if type_ == "category":
                one_spelling(columns[name], file)
        except DataError as error:
            mistakes.append(str(error))
    if mistakes:
        more = [f"... and {len(mistakes) - MOST_TOLD} more"] if len(mistakes) > MOST_TOLD else []
        raise several([*mistakes[:MOST_TOLD], *more])
    return columns


def likely_type(column: pd.Series) -> str:
    """The type of a column by what it holds: number or category."""
    if not pd.api.types.is_string_dtype(column):  # Parquet keeps its types
        is_number = pd.api.types.is_numeric_dtype(column)
        return "number" if is_number and not pd.api.types.is_bool_dtype(column) else "category"
    # A decimal comma or a mark of thousands is a mistake to be named, and no category.
    filled = column.dropna()
    # So is <5, where other rows have many different numbers.
    marked = filled.str.fullmatch(f"{DECIMAL_COMMA}|{THOUSANDS}")
    parsed = _parsed(filled).notna()
    looks = parsed | marked
    limits = filled.str.fullmatch(LIMIT)
    if filled[parsed].nunique() >= MEASURED and filled[limits].str[0].nunique() == 1:
        looks = looks | limits
    return "number" if 2 * looks.sum() > len(filled) or filled.empty else "category"


def without_row_numbers(
    table: pd.DataFrame, used: Collection[str]
) -> tuple[pd.DataFrame, list[str]]:
    """The columns but those that only number the rows, unless they are `used`; and a note.

    Such a one holds whole numbers, and its name is none, or one that programs give. Neither its
    order nor its repeats count: new data, which may be few rows, must lose what training data lost.
    """
    names = list(map(str, table.columns))
    numbered = [name for name in names if re.fullmatch("V?[0-9]+", name)]
    nameless = {*UNNAMED} - {*used, *(numbered if len(numbered) > 1 else [])}
    numbering = [
        name
        for name in names
        if name in nameless
        and likely_type(table[name]) == "number"
        and _parsed(table[name]).mod(1).eq(0).all()
    ]
    notes = [f"Columns that number the rows are not read: {', '.join(numbering)}"]
    return table.drop(columns=numbering), notes if numbering else []


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
            values = without_point(text(table[name]))
            listed = given if isinstance(given, list) else [given]
            wanted = without_point(pd.Series(listed, dtype="str")).tolist()
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


def as_block(matrix: pd.DataFrame, block: str, file: Path) -> pd.DataFrame:
    """The columns of a matrix as `<block><name>`, with _ for =, which would begin a category."""
    named = matrix.set_axis(matrix.columns.astype(str).str.replace("=", "_"), axis=1)
    if named.columns.has_duplicates:
        gene = named.columns[named.columns.duplicated()][0]
        raise DataError(
            f"Two genes become {gene!r}, for '=' is read as '_'",
            file=file,
            hint="rename one of them",
        )
    return named.add_prefix(block)


def feature_names(names: Iterable[str], file: Path) -> dict[str, str]:
    """The user's column names -> ours: a dot would start a block, = a category; some are taken."""
    given = list(names)
    ours = [name.replace(".", "_").replace("=", "_") for name in given]
    ours = [f"{name}_" if name in RESERVED else name for name in ours]
    repeated = [name for name, count in Counter(ours).items() if count > 1]
    if repeated:
        raise DataError(
            f"Several columns become {repeated[0]!r}",
            file=file,
            hint="dots and '=' in names are read as '_'; rename one of them",
        )
    return dict(zip(given, ours, strict=True))
