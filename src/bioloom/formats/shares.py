"""A share of a file's rows or records, as a file of the same form.

Rows keep their numbers, so that messages, and ids made of them, are those of the whole file: in a
text the lines of other shares are left blank, in Parquet the metadata say which row is the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from bioloom.errors import DataError
from bioloom.formats.delimited import TAB
from bioloom.formats.parquet import write_parquet_rows
from bioloom.formats.table import READ_OPTIONS, is_table, separator_of
from bioloom.formats.text import open_text
from bioloom.options import complete_options


@contextmanager
def share(path: Path, part: int, parts: int, read: dict[str, Any]) -> Iterator[Path]:
    """Part 1 to `parts` of a table (CSV, TSV, Parquet; `read` as for `read_table`) or FASTA file.

    The parts follow each other and are of one size, but for a row. The file is gone after the
    block; what is wrong with it is told of `path`. Raises DataError for a part without a row.
    """
    with TemporaryDirectory(prefix="bioloom-") as folder:
        target = Path(folder, path.name)
        try:
            write = _write_rows if path.suffix.lower() != ".parquet" else write_parquet_rows
            if not write(path, part, parts, target, complete_options(read, READ_OPTIONS, "read")):
                message = f"Part {part} of {parts} would have no row"
                raise DataError(message, file=path, hint="say fewer `parts`")
            yield target
        except DataError as error:
            raise DataError(str(error).replace(str(target), str(path))) from None


def _write_rows(path: Path, part: int, parts: int, target: Path, read: dict[str, Any]) -> int:
    """The rows of a part, and what stands before all of them; how many rows these are."""
    quoted = is_table(path) and separator_of(path, read) != TAB
    number = _numbered_rows if is_table(path) else _numbered_records
    count = 0
    with open_text(path) as lines:
        for count, _ in number(lines, read, quoted):  # noqa: B007
            pass
    first, last = (count * number // parts for number in (part - 1, part))
    with open_text(path) as lines, target.open("w", encoding="utf-8", newline="") as out:
        for row, line in number(lines, read, quoted):
            if row > last:
                break
            out.write(line if not row or row > first else "\n")
    return last - first


def _numbered_records(
    lines: TextIO, read: dict[str, Any], quoted: bool
) -> Iterator[tuple[int, str]]:
    """Each line of a FASTA file after the number of its record, from 1."""
    record = 0
    for line in lines:
        record += line.startswith(">")
        yield record, line


def _numbered_rows(lines: TextIO, read: dict[str, Any], quoted: bool) -> Iterator[tuple[int, str]]:
    """Each line of a table after the number of its row, from 1; of the header, and before it, 0."""
    for line in islice(lines, read["skip"]):
        yield 0, line
    row, is_open = -1 if read["header"] else 0, False
    for line in lines:
        if not is_open and not line.isspace():
            row += 1
        if quoted and '"' in line:
            is_open ^= line.count('"') % 2 == 1
        yield max(row, 0), line
