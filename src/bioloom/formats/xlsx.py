"""Sheets of Excel workbooks (.xlsx) as tables of text, as `formats.delimited` gives them.

A spreadsheet changes what is typed: gene names become dates, dates numbers, and numbers with
decimal commas text. What it is sure of is read: typed dates become 2021-03-04, in a column of dates
so do serial numbers and texts whose order is declared or proved by others. All else is refused by
row, and no value is shown.
"""

from __future__ import annotations

import re
import sys
import zipfile
import zlib
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bioloom.errors import DataError, several
from bioloom.formats._xlsx_sums import refuse_sums
from bioloom.formats.archive import check_members
from bioloom.formats.columns import rows_told
from bioloom.formats.decimal_comma import with_points
from bioloom.formats.delimited import Delimited, repeated, shown_names
from bioloom.options import Option
from bioloom.privacy import dates

ORDERS = {"day first": True, "month first": False}
SHEET_OPTIONS: dict[str, Any] = {
    "sheet": Option(None, type=str, about="of an Excel file, where it shows several"),
    "header_lines": Option(1, minimum=1, about="lines of names above the rows; they are joined"),
    "last_row": Option(None, type=int, minimum=1, about="of data, where sums or notes follow"),
    "date_order": Option(None, type=str, choices=(*ORDERS,), about="of dates that are text"),
}
FORMULA_CELL = re.compile(rb"<(\w+:)?f[ />]")
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, SyntaxError, RuntimeError),
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
)


def read_sheet(path: Path, options: Mapping[str, Any], *, private: bool = False) -> Delimited:
    """The rows of a sheet, with their numbers there.

    The names of columns may be those of persons (`private`): no message shows them.

    `options` are `formats.table.READ_OPTIONS`. Raises DataError for a sheet that is not said, for
    rows that are no rows of a table, and for cells that may mean several things.
    """
    book, formulas = _open(path)
    sheet = _sheet(book, options["sheet"], path)
    first = options["skip"] + 1
    lines = options["header_lines"]
    names = _names(sheet, first, lines, options["last_row"], path, private)
    rows, cells = list[int](), list[list[Any]]()
    for number, row in enumerate(sheet.iter_rows(max_col=len(names)), start=1):
        if number < first + lines or number > (options["last_row"] or number):
            continue
        if _has_values(row):
            rows.append(number)
            cells.append(list(row))
    if not rows:
        raise DataError("The sheet has no rows", file=path)
    ended = options["last_row"] is not None
    if ended and (left := sum(map(_has_values, sheet.iter_rows(min_row=options["last_row"] + 1)))):
        print(f"{path}: {left} rows below `last_row` are not read", file=sys.stderr)
    refuse_sums(formulas[sheet.title], rows, cells, ended, path)
    if formulas is not book:
        _refuse_uncomputed(formulas[sheet.title], rows, cells, path)
    columns, mistakes = list[pd.Series](), list[str]()
    for i, name in enumerate(shown_names(names, private)):
        own = [row[i] for row in cells]
        try:
            made = _column(own, name, rows, book.epoch, options["date_order"], path)
            column = pd.Series(made, rows, name=name)
            if options["decimal"] == "comma":
                texts = [cell.value if isinstance(cell.value, str) else None for cell in own]
                written = pd.Series(texts, rows)
                column = with_points(column, written.astype("str").str.strip(), path)
            columns.append(column)
        except DataError as error:
            mistakes.append(str(error))
    if mistakes:
        raise several(mistakes)
    flat = pa.array([cell for column in columns for cell in column], pa.large_string())
    return Delimited(names, np.array(rows), flat)


def _open(path: Path) -> tuple[Any, Any]:
    """The workbook with values, and with formulas: one and the same where there are none."""
    try:
        import openpyxl
    except ImportError:
        raise DataError(
            "Excel files are read by openpyxl, which is not installed",
            file=path,
            hint="`pip install openpyxl`, or save the sheet as CSV",
        ) from None
    try:
        with zipfile.ZipFile(path) as packed:
            check_members(packed, path)
            computed = any(FORMULA_CELL.search(packed.read(name)) for name in packed.namelist())
        values = openpyxl.load_workbook(path, data_only=True)
        return values, openpyxl.load_workbook(path) if computed else values
    except FileNotFoundError:
        raise DataError("There is no such file", file=path) from None
    # What a damaged file raises: openpyxl documents little of it.
    except _DAMAGE as error:
        if isinstance(error, DataError):
            raise
        raise DataError("The workbook cannot be read: is the file whole?", file=path) from None


def _sheet(book: Any, said: str | None, path: Path) -> Any:
    """The sheet that is said, or the only one that is shown."""
    shown = [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]
    hidden = len(book.worksheets) - len(shown)
    if said is None and len(shown) != 1:
        raise DataError(
            f"Which sheet holds the table? There are {', '.join(shown)}",
            file=path,
            hint="say it under `read`: `sheet: ...`",
        )
    name = said if said is not None else shown[0]
    if name not in book.sheetnames:
        raise DataError(f"There is no sheet {name!r}; there are {', '.join(shown)}", file=path)
    if hidden and name in shown:
        print(f"{path}: {hidden} hidden sheets are not read", file=sys.stderr)
    return book[name]


def _refuse_uncomputed(formulas: Any, rows: list[int], cells: list[list[Any]], path: Path) -> None:
    """DataError where no formula has a value: a spreadsheet program has never had the file.

    A value that is an empty text looks alike but for its type.
    """
    computed = [
        (row, cell.value is not None or cell.data_type != "n")
        for row, own in zip(rows, cells, strict=True)
        for cell in own
        if formulas.cell(row, cell.column).data_type == "f"
    ]
    if computed and not any(has_value for _, has_value in computed):
        raise DataError(
            "Formulas that were never computed",
            file=path,
            row=computed[0][0],
            hint="open the file in a spreadsheet program and save it, or write values",
        )


def _names(
    sheet: Any, first: int, lines: int, last: int | None, path: Path, private: bool
) -> list[str]:
    """The names of the columns, of several lines joined; a merged one is that of all its cells."""
    merged = {
        (row, column): sheet.cell(area.min_row, area.min_col).value
        for area in sheet.merged_cells.ranges
        for row in range(area.min_row, area.max_row + 1)
        for column in range(area.min_col, area.max_col + 1)
    }
    below = [area for area in sheet.merged_cells.ranges if area.max_row >= first + lines]
    if below:
        raise DataError(
            "Merged cells among the rows: whose the value is cannot be told",
            file=path,
            row=max(below[0].min_row, first + lines),
            hint="say under `read` how many `header_lines` there are, or unmerge the cells",
        )
    names = []
    for column in range(1, sheet.max_column + 1):
        parts = [
            merged.get((row, column), sheet.cell(row, column).value)
            for row in range(first, first + lines)
        ]
        names.append(" ".join(str(part).strip() for part in parts if part is not None))
    # Of cells that are there: openpyxl's ways to walk make all others, of a coloured line millions.
    filled = max(
        (
            column
            for (row, column), cell in sheet._cells.items()
            if first + lines <= row <= (last or row) and _is_filled(cell)
        ),
        default=0,
    )
    while len(names) > filled and not names[-1]:
        names.pop()
    named = [name or str(i) for i, name in enumerate(names, start=1)]
    if twice := repeated(named, private):
        raise DataError(
            f"Columns that are there twice: {twice}",
            file=path,
            row=first,
            hint="`header_lines: 2` under `read` joins two lines of names, `skip` leaves lines out",
        )
    return named


def _column(
    cells: list[Any], name: str, rows: list[int], epoch: datetime, order: str | None, path: Path
) -> list[str]:
    """The texts of one column; "" is missing."""
    where: dict[str, Any] = {"file": path, "column": name}
    if broken := [n for n, c in zip(rows, cells, strict=True) if _is_error(c)]:
        raise DataError(f"A formula that failed, in row {rows_told(broken)}", **where)
    typed = [isinstance(cell.value, datetime | date) for cell in cells]
    texts = [str(cell.value).strip() if isinstance(cell.value, str) else "" for cell in cells]
    written = [bool(dates.is_full(text) or dates.is_short(text)) for text in texts]
    numeric = [_is_number(cell) for cell in cells]
    filled = sum(_is_filled(cell) for cell in cells)
    if any(typed) or any(written):
        low, high = dates.SERIALS
        days = [low <= cell.value < high for cell in cells if _is_number(cell)]
        if all(days) and 2 * (sum(typed) + sum(written)) > filled - len(days):
            return _dates(cells, texts, rows, epoch, order, where)
        if any(typed):
            strange = [
                n
                for n, cell, is_date in zip(rows, cells, typed, strict=True)
                if is_date or _is_number(cell)
            ]
            raise DataError(
                f"Dates in a column of something else, in row {rows_told(strange)}",
                **where,
                hint="a spreadsheet makes dates of gene names such as SEPT2 and MARCH1: write what "
                "they were, in cells of text",
            )
    some_texts = [text for text in texts if text and not re.fullmatch(r"[-+<>.,\d\s]+", text)]
    padded = [text for text in texts if re.fullmatch(r"0\d+", text)]
    if any(numeric) and (some_texts or padded):
        odd = [n for n, is_number in zip(rows, numeric, strict=True) if is_number]
        if 2 * len(odd) < filled:
            print(
                f"{path}: {name} is text, and a number in row {rows_told(odd)}: zeros in front of "
                "it may be lost",
                file=sys.stderr,
            )
    return [_text(cell) for cell in cells]


def _dates(
    cells: list[Any],
    texts: list[str],
    rows: list[int],
    epoch: datetime,
    order: str | None,
    where: dict[str, Any],
) -> list[str]:
    """A column of dates, as 2021-03-04."""
    from openpyxl.utils.datetime import from_excel

    first = ORDERS[order] if order else dates.day_first(filter(None, texts))
    made, wrong, unsure = list[str](), list[int](), list[int]()
    for number, cell, text in zip(rows, cells, texts, strict=True):
        if not _is_filled(cell):
            made.append("")
            continue
        found: Any = cell.value
        if _is_number(cell):
            found = from_excel(cell.value, epoch)
        elif text:
            turned = {dates.read(text, way) for way in (True, False)}
            if len(turned) > 1 and first is None:
                unsure.append(number)
            found = dates.read(text, bool(first))
        if not isinstance(found, date):
            wrong.append(number)
        elif isinstance(found, datetime) and found.time() != time(0):
            found = found.isoformat(sep=" ", timespec="seconds")
        made.append(str(found.date() if isinstance(found, datetime) else found))
    if unsure:
        raise DataError(
            f"Which is the day and which the month cannot be told, in row {rows_told(unsure)}",
            **where,
            hint="`date_order: day first`, or `month first`, under `read`",
        )
    if wrong:
        raise DataError(
            f"No day, or one that is in no calendar, in row {rows_told(wrong)}",
            **where,
            hint="mend these cells, or leave them empty",
        )
    return made


def _has_values(row: Any) -> bool:
    return any(cell.value is not None for cell in row)


def _is_filled(cell: Any) -> bool:
    return cell.value is not None and str(cell.value).strip() not in ("", "#N/A")


def _is_error(cell: Any) -> bool:
    return bool(cell.data_type == "e") and cell.value != "#N/A"


def _is_number(cell: Any) -> bool:
    return isinstance(cell.value, int | float) and not isinstance(cell.value, bool)


def _text(cell: Any) -> str:
    value = cell.value
    if not _is_filled(cell):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
