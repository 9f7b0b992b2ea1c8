"""Tables: CSV, TSV or Parquet, the former also gzip-compressed.

A table is read as text, and its index is the row in the user's file (the header is row 1), so that
every later message can name it. Missing values are the usual spellings in MISSING; "None" and "."
are values.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.text import open_text
from bioloom.options import complete_options

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null"]
READ_OPTIONS: dict[str, Any] = {"header": True, "skip": 0, "separator": None, "missing": []}
SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".tab": "\t"}

# A field may hold a chromosome; the limit, 131,072 letters by default, is one for all readers.
csv.field_size_limit(2**31 - 1)


def is_table(path: Path) -> bool:
    """Whether the file's ending is that of a table."""
    return _ending(path) in (*SEPARATORS, ".parquet")


def read_table(
    path: Path,
    *,
    header: bool = True,
    skip: int = 0,
    separator: str | None = None,
    missing: Sequence[str] = (),
) -> pd.DataFrame:
    """A table as text columns (Parquet keeps its types), indexed by the row in the file.

    `skip` lines are left out before the header; a column without a name has its number as name.
    The separator is that of the file's ending, or `;`, tab or comma where the first line has none
    of it. `missing` has further spellings of a missing value.
    Raises DataError for an empty file, rows of different length, and a column that is there twice.
    """
    if _ending(path) == ".parquet":
        table = _read_parquet(path)
        table.index = pd.RangeIndex(1, len(table) + 1)
    else:
        separator = separator or _separator(path, skip)
        names, start, rows = _check_rows(path, separator, header, skip)
        table = _read_text(path, separator, names, start, [*MISSING, *map(str, missing)])
        if len(table) != len(rows):
            raise DataError(
                f"{len(rows)} rows were counted but {len(table)} could be read",
                file=path,
                hint="look for quotes that are not closed",
            )
        table.index = pd.Index(rows)
    if table.empty:
        raise DataError("The table has no rows", file=path)
    return table


def read_source(path: Path, source: str, options: Mapping[str, Any]) -> pd.DataFrame:
    """The table of a data set's source, read as its option `read: {<source>: ...}` says."""
    return read_table(path, **read_options(source, options))


def read_options(source: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """How the table of a data set's source is read: what `read` says, over `READ_OPTIONS`."""
    return complete_options(options["read"].get(source, {}), READ_OPTIONS, f"read: {source}")


def _ending(path: Path) -> str:
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    return endings[-1] if endings else ""


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow

    try:
        table = pd.read_parquet(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise DataError(f"The Parquet file cannot be read: {error}", file=path) from None
    return table.rename(columns=str)


def _check_rows(
    path: Path, separator: str, header: bool, skip: int
) -> tuple[list[str], int, list[int]]:
    """Column names, the lines before the first row, and the line of each row, all of one length."""
    names: list[str] = []
    start = skip
    rows: list[int] = []
    with open_text(path) as lines:
        for _ in range(skip):
            next(lines, None)
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        try:
            for fields in reader:
                row = skip + reader.line_num
                if not fields or (len(fields) == 1 and not fields[0].strip()):
                    continue
                if not names:
                    given = fields if header else [""] * len(fields)
                    names = [name.strip() or str(i) for i, name in enumerate(given, start=1)]
                    if header:
                        start = row
                        continue
                if len(fields) != len(names):
                    raise DataError(
                        f"Expected {len(names)} fields, got {len(fields)}",
                        file=path,
                        row=row,
                        hint="a text with the separator in it needs quotes",
                    )
                rows.append(row)
        except csv.Error as error:
            row = skip + reader.line_num
            raise DataError(f"The row cannot be read: {error}", file=path, row=row) from None
    _check_names(names, path)
    return names, start, rows


def _check_names(names: list[str], path: Path) -> None:
    if not names:
        raise DataError("The table has no rows", file=path)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"Columns that are there twice: {', '.join(repeated[:5])}", file=path)


def _separator(path: Path, skip: int) -> str:
    usual = SEPARATORS.get(_ending(path))
    if usual is None:
        raise DataError(
            f"Expected one of {', '.join(SEPARATORS)}, .parquet, got {path.name}", file=path
        )
    with open_text(path) as lines:
        for _ in range(skip):
            next(lines, None)
        first = next(lines, "")
    others = [mark for mark in (";", "\t", ",") if mark in first]
    return usual if usual in first or not others else others[0]


def _read_text(
    path: Path, separator: str, names: list[str], start: int, missing: list[str]
) -> pd.DataFrame:
    with open_text(path) as lines:
        for _ in range(start):
            next(lines, None)
        return pd.read_csv(
            lines,
            sep=separator,
            header=None,
            names=names,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_values=missing,
            skipinitialspace=True,
        )
