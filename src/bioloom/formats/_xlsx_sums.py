"""Rows of a sheet that are no rows of its table: sums, means, and notes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bioloom.errors import DataError
from bioloom.formats.columns import rows_told

SUMMARY = re.compile(r"mean|average|total|sum|median|mittelwert|summe|moyenne|media", re.I)
SHORT = re.compile(r"n|sd|std", re.I)
"""Words of sums that may be values as well."""
ADDRESS = re.compile(r"\$?[A-Z]{1,3}\$?(\d+)")
FORMULA = re.compile(r"=\s*(AVERAGE|SUM|MEDIAN|COUNT|STDEV|MIN|MAX|SUBTOTAL)", re.I)


def refuse_sums(
    formulas: Any, rows: list[int], cells: list[list[Any]], ended: bool, path: Path
) -> None:
    """DataError for rows of sums and means, and for notes, below a table.

    `formulas` is the sheet with them, `rows` are the numbers of `cells`, and `ended` says that
    `last_row` is said. Without it words, and lonely cells, tell at the end of the sheet: elsewhere
    a patient may have N in the first column, or nothing but an id. Formulas over other rows always
    tell.
    """
    computed = [number for number in rows if _is_over_rows(formulas[number])]
    names = [str(row[0].value or "").strip() for row in cells]
    below, surely = list[int](), 0
    for number, row, name in zip(rows[::-1], cells[::-1], names[::-1], strict=True):
        filled = [cell for cell in row if cell.value is not None]
        alone = len(row) > 2 and len(filled) == 1 and row[0].value is not None
        short = SHORT.fullmatch(name) and names.count(name) == 1
        if ended or not (alone or short or SUMMARY.fullmatch(name) or number in computed):
            break
        below.insert(0, number)
        if not short or number in computed or number == rows[-1]:
            surely = len(below)
    # What may be a value is one of a patient, unless there is a sum above it.
    below = below[len(below) - surely :]
    if len(below) == len(rows):
        below = []
    if not (wrong := sorted({*computed, *below})):
        return
    last = max((number for number in rows if number not in wrong), default=None)
    hint = "take these rows out of the sheet"
    if last is not None and wrong == below:
        hint = f"`last_row: {last}` under `read` ends the table there"
        if not computed:
            hint += f", and `last_row: {rows[-1]}` says that all of these are rows of it"
    raise DataError(
        "These rows look like sums, means or notes and not like rows of the table: "
        + rows_told(wrong),
        file=path,
        hint=hint,
    )


def _is_over_rows(row: Any) -> bool:
    """Whether a cell sums up others of other rows: a sum along its own row is a patient's."""
    return any(
        FORMULA.match(cell.value)
        and any(int(number) != cell.row for number in ADDRESS.findall(cell.value))
        for cell in row
        if isinstance(cell.value, str)
    )
