"""Tables: CSV, TSV, Excel or Parquet, text also gzip-compressed, read by one rule.

The index is the row in the user's file (the header is row 1), so that every later message can name
it. Columns of a text table are text, those of Parquet have their types; white space around a text
is no part of it, and ids keep their spelling. Missing is

- an empty cell, in every column;
- a word of the option `missing`; in a column of numbers any spelling of it, if it is one;
- a word of `MISSING` (`NA`, `null` ...) in a column of numbers, or of text that is a feature. Among
  ids and labels it may be one of them (influenza has a segment NA): there it is refused until the
  options `missing` or `not_missing` say what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bioloom.errors import DataError
from bioloom.formats.columns import likely_type, numbers, text
from bioloom.formats.decimal_comma import with_points
from bioloom.formats.delimited import Delimited, read_delimited, shown_names
from bioloom.formats.parquet import read_parquet, rows_before
from bioloom.formats.text import CONTROL, open_text
from bioloom.formats.xlsx import SHEET_OPTIONS, read_sheet
from bioloom.options import Option, complete_options, named_columns

MISSING = ["NA", "N/A", "n/a", "NaN", "nan", "NULL", "null"]
READ_OPTIONS: dict[str, Any] = {
    "header": Option(True, about="whether the first line names the columns"),
    "column_names": Option([], about="of a table without a header"),
    "skip": Option(0, about="lines that are left out before the header"),
    "separator": Option(
        None, about="between columns; null is `;`, tab or comma, whichever the header is made of"
    ),
    "missing": Option([], about="further words for a missing value"),
    "not_missing": Option([], about=f"words that are values here, of {', '.join(MISSING)}"),
    "decimal": Option(
        "point", choices=("point", "comma"), about="mark of decimals: with comma 1,5 is a number"
    ),
    **SHEET_OPTIONS,
}
FIRST_LINES = 20
EXCEL = ".xlsx"
OF_SHEETS = tuple(SHEET_OPTIONS)
OF_LINES = ("header", "column_names", "separator")
"""How a table in Excel, and one of lines of text, is read: neither is of the other."""
OF_TEXT = (*OF_LINES, "skip", "decimal")
"""How a table of text is read, but not one whose columns have types (Parquet)."""
SEPARATORS = {".csv": ",", ".dat": ",", ".data": ","} | dict.fromkeys(
    (".tsv", ".txt", ".tab"), "\t"
)
IN_NAMES = "(?<=[0-9]),(?=[0-9])|[,;](?= )"
"""Marks that may stand inside a name: `weight, kg`, `1,25-OH vitamin D`."""
NAMED = (
    *("id", "patient", "label", "source", "target", "regulator", "gene", "drug"),
    *("complex", "members"),
)
"""Roles in `columns` of ids and labels."""


def is_table(path: Path) -> bool:
    """Whether the file's ending is that of a table."""
    return _ending(path) in (*SEPARATORS, EXCEL, ".parquet")


def unread(path: Path, options: Iterable[str]) -> list[str]:
    """Those of the options of `read` that a file of this form does not take."""
    given = list(options)
    if not is_table(path):
        return given
    foreign = {".parquet": OF_TEXT + OF_SHEETS, EXCEL: OF_LINES}.get(_ending(path), OF_SHEETS)
    return [option for option in given if option in foreign]


def read_table(path: Path, named: Collection[str] = (), **read: Any) -> pd.DataFrame:
    """A table as text columns (Parquet keeps its types), indexed by the row in the file.

    `read` are `READ_OPTIONS`; a column without a name has its number as name, and `named` are the
    columns of ids and labels.
    Raises DataError for an empty file, for what `delimited` and `parquet` refuse, and for a word
    of `MISSING` in a text of `named`.
    """
    options = complete_options(read, READ_OPTIONS, "read")
    words = Words.of(options, named)
    if _ending(path) == ".parquet":
        table = typed_table(read_parquet(path, named), path, words)
        table.index += rows_before(path)
    else:
        table = _pointed(_frame(_delimited(path, options), words, path), options, path)
    if table.empty:
        raise DataError("The table has no rows", file=path)
    _check_names(table.columns, path, table.columns)
    return table


def read_matrix(
    path: Path, *, private: bool = False, **read: Any
) -> tuple[pd.Series, pd.DataFrame]:
    """The text of a table's first column, and the numbers of all others: float64 with NaN.

    Many columns are read at once. Raises DataError as `read_table` and `numbers` do; where columns
    may be persons (`private`), it has their numbers and no names.
    """
    options = complete_options(read, READ_OPTIONS, "read")
    words = Words.of(options)
    if _ending(path) == ".parquet":
        columns = read_parquet(path, private=private)
        names = [*columns]
        shown = shown_names(names, private)
        table = typed_table(dict(zip(shown, columns.values(), strict=True)), path, words)
        table.index += rows_before(path)
        if table.empty:
            raise DataError("The table has no rows", file=path)
        _check_names(names, path, shown)
    else:
        found = _delimited(path, options, private=private)
        names, shown = found.names, shown_names(found.names, private)
        _check_names(names, path, shown)
        found, rows = replace(found, names=shown), pd.Index(found.rows)
        cells = words.filled(pc.utf8_trim_whitespace(found.cells))
        try:
            if options["decimal"] == "comma" and _ending(path) != EXCEL:
                raise pa.ArrowInvalid("each cell is looked at")
            values = cells.slice(len(rows)).cast(pa.float64())
            if not pc.any(pc.is_inf(values)).as_py() and not pc.any(pc.is_nan(values)).as_py():
                texts = _texts(found.cells[: len(rows)], shown[:1], found.rows, words, path)
                ids = pd.Series(texts[shown[0]], index=rows, name=names[0])
                block = values.to_numpy(zero_copy_only=False).reshape(-1, len(rows)).T
                if codes := words.codes:
                    block = np.where(np.isin(block, codes), np.nan, block)
                return ids, pd.DataFrame(block, index=rows, columns=names[1:])
        except pa.ArrowInvalid:
            pass  # the place of the text is found column by column
        table = _pointed(_frame(found, words, path), options, path)
    block = {name: numbers(table[name], path) for name in table.columns[1:]}
    values = pd.DataFrame(block, index=table.index).set_axis(names[1:], axis=1)
    return text(table.iloc[:, 0]).rename(names[0]), values


def separator_of(path: Path, options: Mapping[str, Any]) -> str:
    """The mark between the columns of a text table, by `READ_OPTIONS` or its first line."""
    given: str | None = options["separator"]
    return given or _separator(path, options["header"], options["skip"])


def names_in_text(path: Path, **read: Any) -> list[str] | None:
    """The names of a table's columns by its first lines alone; None where these do not tell.

    Of Parquet and Excel they do not, nor where reading stops: what is wrong there is told with its
    row when the whole file is read. DataError for a file that is empty or no text.
    """
    if _ending(path) not in SEPARATORS:
        return None
    options = complete_options(read, READ_OPTIONS, "read")
    with open_text(path, whole=False) as lines:
        first = "".join(islice(lines, options["skip"] + FIRST_LINES))
    with TemporaryDirectory(prefix="bioloom-") as folder:
        beginning = Path(folder, f"first{_ending(path)}")
        beginning.write_bytes(first.encode())
        try:
            return _delimited(beginning, options).names
        except DataError:
            return None


def typed_table(
    columns: Mapping[str, pa.Array], path: Path, words: Words | None = None
) -> pd.DataFrame:
    """Columns of one length that have types, indexed from 1; whole numbers with gaps stay whole."""
    words = words or Words.of(complete_options({}, READ_OPTIONS, "read"))
    gaps = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    typed: dict[str, Any] = {}
    for name, column in columns.items():
        if pa.types.is_large_string(column.type) or pa.types.is_string(column.type):
            cells = column.cast(pa.large_string())
            typed |= _texts(cells, [name], np.arange(len(cells)) + 1, words, path)
        else:
            values = column.to_pandas(types_mapper=gaps.get if column.null_count else None)
            typed[name] = values.mask(values.isin(words.codes)) if words.codes else values
    table = pd.DataFrame(typed, copy=False)
    return table.set_axis(pd.RangeIndex(1, len(table) + 1), axis=0)


def read_source(path: Path, source: str, options: Mapping[str, Any]) -> pd.DataFrame:
    """The table of a data set's source, read as its option `read: {<source>: ...}` says."""
    columns = options.get("columns", {})
    named = named_columns({role: columns[role] for role in NAMED if role in columns})
    return read_table(path, [str(name) for name in named], **read_options(source, options))


def read_options(source: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """How the table of a data set's source is read: what `read` says, over `READ_OPTIONS`.

    Words that are `unlabelled` are known to be no label.
    """
    given = options["read"].get(source, {})
    read = complete_options(given, READ_OPTIONS, f"read: {source}")
    unlabelled = [word for word in options.get("unlabelled", []) if word in MISSING]
    return read | {"missing": [*read["missing"], *unlabelled]}


@dataclass(frozen=True)
class Words:
    """Words that are `missing` anywhere, and those that are so in columns that are not `named`."""

    missing: Collection[str]
    usual: Collection[str]
    named: Collection[str]

    @staticmethod
    def of(options: Mapping[str, Any], named: Collection[str] = ()) -> Words:
        """Those that `READ_OPTIONS` say."""
        missing, kept = (set(map(str, options[key])) for key in ("missing", "not_missing"))
        return Words({*missing, ""}, {*MISSING} - kept - missing, named)

    @property
    def codes(self) -> list[float]:
        """Those of `missing` that are numbers, for columns of numbers."""
        values = pd.to_numeric(pd.Series(sorted(self.missing), dtype="str"), errors="coerce")
        return values.dropna().tolist()

    def filled(self, cells: pa.Array) -> pa.Array:
        """The cells with gaps in the place of all these words."""
        gap = pa.scalar(None, pa.large_string())
        return pc.if_else(_is_in(cells, [*self.missing, *self.usual]), gap, cells)


def _ending(path: Path) -> str:
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    return endings[-1] if endings else ""


def _delimited(path: Path, options: Mapping[str, Any], *, private: bool = False) -> Delimited:
    if _ending(path) == EXCEL:
        return read_sheet(path, options, private=private)
    header, skip = options["header"], options["skip"]
    found = read_delimited(path, separator_of(path, options), header, skip, private=private)
    return (
        _named(found, options["column_names"], header, path) if options["column_names"] else found
    )


def _named(found: Delimited, names: list[str], header: bool, path: Path) -> Delimited:
    """The columns of a file without header under the names that the task gives them."""
    if header:
        raise DataError(
            "`column_names` are for a file without a header",
            file=path,
            hint="say `header: false` as well",
        )
    if len(names) != len(found.names):
        raise DataError(
            f"`column_names` has {len(names)}, the file has {len(found.names)} columns", file=path
        )
    return replace(found, names=[str(name) for name in names])


def _separator(path: Path, header: bool, skip: int) -> str:
    """The mark that the first line is made of; ties go to that of the ending.

    Without a header that of the ending if it is there at all, for fields may hold lists.
    """
    usual = SEPARATORS.get(_ending(path))
    if usual is None:
        raise DataError(
            f"Expected one of {', '.join(SEPARATORS)}, .parquet, got {path.name}", file=path
        )
    with open_text(path, whole=False) as lines:
        for _ in range(skip):
            next(lines, None)
        first = next((line for line in lines if line.strip()), "")
    bare = re.sub('"[^"]*"', "", first)
    if usual in bare and not header:
        return usual
    if "\t" in bare:  # which stands in no name
        return "\t"
    certain = re.sub(IN_NAMES, "", bare)
    return max((usual, ";", ","), key=lambda mark: (certain.count(mark), bare.count(mark)))


def _check_names(names: Iterable[str], path: Path, shown: Iterable[str]) -> None:
    """DataError for a name with control characters, of the column that is `shown` so."""
    wrong = [told for name, told in zip(names, shown, strict=True) if re.search(CONTROL, name)]
    if wrong:
        raise DataError("A control character in the name of a column", file=path, column=wrong[0])


def _frame(found: Delimited, words: Words, path: Path) -> pd.DataFrame:
    texts = _texts(found.cells, found.names, found.rows, words, path)
    return pd.DataFrame(texts, index=pd.Index(found.rows), copy=False)


def _pointed(table: pd.DataFrame, options: Mapping[str, Any], path: Path) -> pd.DataFrame:
    """With points as decimal marks, where commas are said to be; of Excel its cells tell it."""
    if options["decimal"] == "point" or _ending(path) == EXCEL:
        return table
    return table.apply(lambda column: with_points(column, column, path))


def _texts(
    cells: pa.Array, names: Sequence[str], rows: np.ndarray, words: Words, path: Path
) -> dict[str, Any]:
    """The columns `names` of `cells`, which stand one after the other, with gaps where missing."""
    cells = pc.utf8_trim_whitespace(cells)
    _refuse_control_characters(cells, names, rows, path)
    filled = words.filled(cells).to_pandas().array  # of the dtype "str"
    columns, codes = dict[str, Any](), words.codes
    for number, name in enumerate(names):
        place = slice(number * len(rows), (number + 1) * len(rows))
        columns[name] = filled[place]
        if not codes and name not in words.named:
            continue
        column = pd.Series(filled[place])
        if likely_type(column) == "number":
            columns[name] = column.mask(pd.to_numeric(column, errors="coerce").isin(codes)).array
        elif name in words.named:
            _refuse_words(cells[place], name, rows, words, path)
    return columns


def _refuse_words(cells: pa.Array, name: str, rows: np.ndarray, words: Words, path: Path) -> None:
    doubtful = _is_in(cells, words.usual)
    if doubtful.true_count:
        first = pc.index(doubtful, True).as_py()
        word = json.dumps(cells[first].as_py())
        raise DataError(
            f"{word} may be missing or a name, in {doubtful.true_count} rows; the first",
            file=path,
            row=int(rows[first]),
            column=name,
            hint=f"say it under `read`: `missing: [{word}]`, or `not_missing: [{word}]` for a name",
        )


def _refuse_control_characters(
    cells: pa.Array, names: Sequence[str], rows: np.ndarray, path: Path
) -> None:
    wrong = pc.match_substring_regex(cells, CONTROL)
    if pc.any(wrong).as_py():
        column, row = divmod(pc.index(wrong, True).as_py(), len(rows))
        raise DataError(
            "A control character, which no text has",
            file=path,
            row=int(rows[row]),
            column=names[column],
            hint="is the file damaged? else remove it",
        )


def _is_in(cells: pa.Array, words: Collection[str]) -> pa.Array:
    return pc.is_in(cells, pa.array(sorted(words), pa.large_string()))
