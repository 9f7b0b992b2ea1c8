"""Parquet files as columns of few types: text, numbers, true or false.

Decimals are floats or, where they have no point, whole numbers (text beyond 18 digits, which looks
like numbers); dates and times are text as in a CSV, dictionaries are what they stand for. The index
that pandas wrote stands before the columns.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from bioloom.errors import DataError
from bioloom.formats.delimited import shown_names
from bioloom.limits import MOST_VALUES, raised_by

BEFORE = b"bioloom_rows_before"
NO_NAME = re.compile(r"__index_level_\d+__")  # how pandas calls an index without a name


def read_parquet(
    path: Path, needed: Collection[str] = (), *, private: bool = False
) -> dict[str, pa.Array]:
    """The columns by name; one without a name has its number as name.

    Those that hold neither text nor numbers are left out, which the log says, by their numbers
    where names may be of persons (`private`). Raises DataError for
    such a one that is `needed`, a file that is damaged or too large, and columns of the same name.
    """
    import pyarrow.parquet as pq

    with _told(path):
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            shape = file.metadata.num_rows, file.metadata.num_columns
            if shape[0] * shape[1] > MOST_VALUES:
                raise DataError(
                    f"{shape[0]} x {shape[1]} values are more than {MOST_VALUES:,}",
                    file=path,
                    hint="keep the rows and columns that are wanted, or "
                    + raised_by("MOST_VALUES"),
                )
            table = file.read()
        table.validate(full=True)
        index = _index_names(table.schema.metadata)
    if len(set(table.column_names)) < table.num_columns:
        raise DataError("A column name is there twice", file=path)
    inside = [name for name in index if name in table.column_names]
    order = [*inside, *(name for name in table.column_names if name not in inside)]
    names = [str(i) if NO_NAME.fullmatch(name) else name for i, name in enumerate(order, start=1)]
    columns = {}
    for told, name, column in zip(shown_names(names, private), names, order, strict=True):
        plain = _plain(table[column].combine_chunks())
        if plain is not None:
            columns[name] = plain
            continue
        kind = table[column].type
        if name in needed:
            raise DataError(f"Expected text or numbers, got {kind}", file=path, column=name)
        print(f"{path}: the column {told} is not read, it holds {kind}", file=sys.stderr)
    return columns


def write_parquet_rows(path: Path, part: int, parts: int, target: Path) -> int:
    """Write the rows of part 1 to `parts` of a file, all of one size but for a row; their number.

    Its metadata say how many rows stand before them: see `rows_before`.
    """
    import pyarrow.parquet as pq

    with _told(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        count = file.metadata.num_rows
        first, last = (count * number // parts for number in (part - 1, part))
        metadata = (file.schema_arrow.metadata or {}) | {BEFORE: str(first).encode()}
        schema = file.schema_arrow.with_metadata(metadata)
        with pq.ParquetWriter(target, schema) as out:
            end = 0
            for group in range(file.num_row_groups):
                begin, end = end, end + file.metadata.row_group(group).num_rows
                if begin < last and end > first:
                    rows = file.read_row_group(group)[max(first - begin, 0) : last - begin]
                    out.write_table(rows.replace_schema_metadata(metadata))
    return last - first


def rows_before(path: Path) -> int:
    """How many rows of a whole file stand before those of its share; 0 of any other file."""
    import pyarrow.parquet as pq

    return int((pq.read_schema(path).metadata or {}).get(BEFORE, b"0"))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What a damaged file raises as DataError: pyarrow documents none of it."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError("There is no such file", file=path) from None
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, MemoryError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"The Parquet file cannot be read: {first}", file=path) from None


def _index_names(metadata: dict[bytes, bytes] | None) -> list[str]:
    """The columns that are the index of a pandas table; one that only counts is no column."""
    known = json.loads((metadata or {}).get(b"pandas", b"{}"))
    columns = known.get("index_columns", []) if isinstance(known, dict) else []
    return [name for name in columns if isinstance(name, str)]


def _plain(column: pa.Array) -> pa.Array | None:
    """Text, numbers, true or false; None for what is none of it."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_floating(kind):
        return column
    try:
        if pa.types.is_integer(kind):
            return column.cast(pa.int64())
        if pa.types.is_decimal(kind) and kind.scale == 0:  # ids, of which no digit may be lost
            return column.cast(pa.int64() if kind.precision <= 18 else pa.large_string())
        if pa.types.is_null(kind) or pa.types.is_decimal(kind):
            return column.cast(pa.float64())
        return column.cast(pa.large_string())  # also bytes, which some writers give for text
    except pa.ArrowException:
        return None
