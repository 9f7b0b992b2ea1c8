"""Numbers with a decimal comma, where the option `decimal: comma` says so, and in texts without."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.columns import likely_type, rows_told

MARKS = "[. '\u00a0\u202f]"  # of thousands
EXPONENT = r"(?:[eE][+-]?\d+)?"
WITH_COMMA = rf"[<>]?=?\s*[+-]?(?:\d{{1,3}}(?:{MARKS}\d{{3}})+|\d+),\d+{EXPONENT}"
WITH_POINT = rf"[<>]?=?\s*[+-]?\d+\.\d+{EXPONENT}"


def with_points(column: pd.Series, texts: pd.Series, path: Path) -> pd.Series:
    """A column of text with 1.250,5 as 1250.5, if it is one of numbers.

    `texts` are those cells that are written, and no numbers of a spreadsheet's own. A text such as
    1.025 may be 1025: DataError that names the rows, and with them those that have both marks.
    """
    if not pd.api.types.is_string_dtype(column) or likely_type(column) != "number":
        return column
    comma, point = (
        texts.str.fullmatch(form).fillna(False).astype(bool) for form in (WITH_COMMA, WITH_POINT)
    )
    if point.any():
        both = comma & texts.str.contains(".", regex=False).fillna(False).astype(bool)
        rows = rows_told(column.index[point | both])
        raise DataError(
            f"A point where the decimal mark is a comma, in row {rows}",
            file=path,
            column=str(column.name),
            hint="1.025 may be 1025: write all numbers of the column in one way",
        )
    return column.mask(comma, _plain(texts))


def numbers_of_texts(texts: pd.Series, decimal: str) -> pd.Series:
    """The numbers that texts surely are, as floats; missing of all others.

    By `decimal: comma` 1.250,5 is 1250.5, and 1.025 may be 1025. Without it 12,000 may be 12.
    """
    texts = texts.str.strip()
    point = r"(?:\.\d+)?" if decimal != "comma" else ""
    form = rf"[+-]?\d+{point}{EXPONENT}" + (f"|{WITH_COMMA}" if decimal == "comma" else "")
    sure = texts.str.fullmatch(form).fillna(False).astype(bool)
    plain = _plain(texts) if decimal == "comma" else texts
    return pd.to_numeric(plain.where(sure), errors="coerce").astype(float)


def _plain(texts: pd.Series) -> pd.Series:
    """Without marks of thousands, and with a decimal point."""
    return texts.str.replace(rf"{MARKS}(?=\d{{3}})", "", regex=True).str.replace(",", ".")
