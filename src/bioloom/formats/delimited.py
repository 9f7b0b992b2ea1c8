"""Text tables as rows of fields: CSV, and lines of tab-separated fields.

Quotation marks are read by RFC 4180 where the separator is a comma, a semicolon or the like: a
quoted field may hold the separator and lines, and a mark that is not closed is an error. Lines of
tab-separated files are rows, as databases write them without any quoting: there a mark that does
not enclose a whole field of its line is a letter.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bioloom.errors import DataError
from bioloom.formats.text import open_text
from bioloom.limits import MOST_COLUMNS, MOST_VALUES, raised_by

# A field may hold a chromosome; the limit, 131,072 letters by default, is one for all readers.
csv.field_size_limit(2**31 - 1)

TAB = "\t"
HINTS = (
    "a text with the separator in it needs quotes; is the file whole?",
    "a row is a line: a text has no line break, and a tab only in quotes; CSV may have both",
)
"""On a row of another length, in CSV and in tab-separated text."""
BATCH = 200_000  # fields that are Python's at one time


@dataclass(frozen=True)
class Delimited:
    """`names` of columns, `rows` (the line where each row ends) and `cells`, column after column.

    A column without a name has its number as name.
    """

    names: list[str]
    rows: np.ndarray
    cells: pa.Array


def read_delimited(
    path: Path, separator: str, header: bool = True, skip: int = 0, *, private: bool = False
) -> Delimited:
    """A text table without its first `skip` lines; blank lines are left out.

    The names of columns may be those of persons (`private`): no message shows them.

    A header that is one field short, as R writes it, names all columns but the first. Raises
    DataError, with the row, for rows of different length, a header that comes again, quotation
    marks that are not closed, for columns of the same name, and for more values than the limit.
    """
    names: list[str] = []
    rows: list[int] = []
    cells: list[str] = []
    batches: list[pa.Array] = []
    short = False
    with open_text(path) as lines:
        for _ in range(skip):
            next(lines, None)
        read = _tabbed if separator == TAB else _quoted
        for row, fields in read(lines, separator, path, skip):
            if len(fields) < 2 and not "".join(fields).strip():
                continue
            if not names:
                _check_count(len(fields), "columns", MOST_COLUMNS, "MOST_COLUMNS", path)
                names = fields if header else [""] * len(fields)
                if header:
                    continue
            if not rows and header and len(fields) == len(names) + 1:
                names, short = ["", *names], True
            if len(fields) != len(names):
                raise DataError(
                    f"Expected {len(names)} fields, got {len(fields)}",
                    file=path,
                    row=row,
                    hint=HINTS[separator == TAB],
                )
            if header and [fields[0].removeprefix("\ufeff"), *fields[1:]] == names:
                hint = "remove it where files were joined"
                raise DataError("The header comes again", file=path, row=row, hint=hint)
            rows.append(row)
            cells += fields
            if len(cells) > BATCH:
                _check_count(len(rows) * len(names), "values", MOST_VALUES, "MOST_VALUES", path)
                batches.append(pa.array(cells, pa.large_string()))
                cells = []
    if not rows:
        raise DataError("The table has no rows", file=path)
    batches.append(pa.array(cells, pa.large_string()))
    flat = pa.concat_arrays(batches)
    batches.clear()  # its memory is that of the file
    order = np.arange(len(flat)).reshape(len(rows), len(names)).T.ravel()
    table = Delimited(
        [name.strip() or str(i) for i, name in enumerate(names, start=1)],
        np.array(rows),
        flat.take(pa.array(order)),
    )
    if twice := repeated(table.names, private):
        raise DataError(f"Columns that are there twice: {twice}", file=path)
    if short:
        _check_ends(table, path)
    return table


Records = Iterator[tuple[int, list[str]]]
"""The line where a row ends, and its fields."""


def _tabbed(lines: TextIO, separator: str, path: Path, skip: int) -> Records:
    for row, line in enumerate(lines, start=skip + 1):
        line = line.rstrip("\r\n")
        if '"' not in line:
            yield row, line.split(separator)
            continue
        try:
            yield row, next(csv.reader([line], delimiter=separator, strict=True))
        except csv.Error:
            yield row, line.split(separator)


def _quoted(lines: TextIO, separator: str, path: Path, skip: int) -> Records:
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    row = skip
    try:
        for fields in reader:
            row = skip + reader.line_num
            yield row, fields
    except csv.Error:
        raise not_closed(path, row + 1) from None


def not_closed(path: Path, row: int) -> DataError:
    """The error for quotation marks that do not fit each other, from a row on."""
    return DataError(
        "A quotation mark is not closed, or stands inside a quoted field",
        file=path,
        row=row,
        hint="inside quotes a mark is written twice; without quotes it needs none",
    )


def _check_count(count: int, what: str, most: int, name: str, path: Path) -> None:
    if count > most:
        message = f"{count:,} {what} or more; {most:,} are the most"
        raise DataError(message, file=path, hint=raised_by(name))


def repeated(names: Sequence[str], private: bool) -> str:
    """The columns whose names are there twice; by their numbers where names are of persons."""
    counts, shown = Counter(names), shown_names(names, private)
    again = [told for name, told in zip(names, shown, strict=True) if counts[name] > 1]
    return ", ".join([*dict.fromkeys(again)][:5])


def shown_names(names: Sequence[str], private: bool) -> list[str]:
    """What messages call columns: by their numbers where names are of persons (`private`)."""
    return [str(i) if private else name for i, name in enumerate(names, start=1)]


def _check_ends(table: Delimited, path: Path) -> None:
    """A header that is short because the rows end with a separator is not one of R."""
    if pc.all(pc.equal(table.cells[-len(table.rows) :], "")).as_py():
        raise DataError(
            "All rows end with a separator, the header does not",
            file=path,
            hint="remove it, or give the last column a name",
        )
