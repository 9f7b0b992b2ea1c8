"""A share of a file's rows or records, as a file of the same form.

Rows keep their numbers, so that messages, and ids made of them, are those of the whole file: in a
text the lines of other shares are left blank, in Parquet the metadata say which row is the first.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from bioloom.errors import DataError
from bioloom.formats.delimited import TAB, not_closed
from bioloom.formats.parquet import write_parquet_rows
from bioloom.formats.text import open_text

Numbered = Iterator[tuple[int, str]]
"""Each line of a file after the number of its row or record, from 1; 0 of what is before them."""


@contextmanager
def share(path: Path, part: int, parts: int, read: Mapping[str, Any] | None) -> Iterator[Path]:
    """Part 1 to `parts` of a table, or of a FASTA file where how it is `read` is None.

    A table is CSV, TSV or Parquet; `read` are complete `READ_OPTIONS` with the separator. The parts
    follow each other and are of one size, but for a row. The file is gone after the block; what is
    wrong with it is told of `path`. Raises DataError for a part without a row.
    """
    with TemporaryDirectory(prefix="bioloom-") as folder, _in_memory(folder, path.name) as target:
        try:
            if path.suffix.lower() == ".parquet":
                rows = write_parquet_rows(path, part, parts, target)
            else:
                number = _numbered_records if read is None else partial(_numbered_rows, path, read)
                rows = _write_lines(path, part, parts, target, number)
            if not rows:
                message = f"Part {part} of {parts} would have no row"
                raise DataError(message, file=path, hint="say fewer `parts`")
            yield target
        except DataError as error:
            raise DataError(str(error).replace(str(target), str(path))) from None


@contextmanager
def _in_memory(folder: str, name: str) -> Iterator[Path]:
    """The path of a new file that no disk holds and no killed process leaves, where there is such.

    Rows that identify persons go through it before anything is done about that. Elsewhere than on
    Linux it is a file in `folder`.
    """
    path = Path(folder, name)
    if not hasattr(os, "memfd_create"):
        yield path
        return
    descriptor = os.memfd_create("share")
    try:
        path.symlink_to(f"/proc/self/fd/{descriptor}")
        yield path
    finally:
        os.close(descriptor)


def _write_lines(path: Path, part: int, parts: int, target: Path, number: Any) -> int:
    """The rows of a part, and what stands before all of them; how many rows these are."""
    count = 0
    with open_text(path) as lines:
        for count, _ in number(lines):  # noqa: B007
            pass
    first, last = (count * number_ // parts for number_ in (part - 1, part))
    with open_text(path) as lines, target.open("w", encoding="utf-8", newline="") as out:
        for row, line in number(lines):
            if row > last:
                break
            out.write(line if not row or row > first else "\n")
    return last - first


def _numbered_records(lines: TextIO) -> Numbered:
    record = 0
    for line in lines:
        record += line.startswith(">")
        yield record, line


def _numbered_rows(path: Path, read: Mapping[str, Any], lines: TextIO) -> Numbered:
    """The header is no row. A quoted field may hold lines, as `delimited` reads it."""
    place, row = 0, -1 if read["header"] else 0
    for line in islice(lines, read["skip"]):
        place += 1
        yield 0, line
    for line in lines:
        record = [line]
        if '"' in line and read["separator"] != TAB:
            _read_record(lines, record, read["separator"], path, place)
        row += not line.isspace()
        for own in record:
            place += 1
            yield max(row, 0), own


def _read_record(
    lines: Iterable[str], record: list[str], separator: str, path: Path, place: int
) -> None:
    """Add to a record's first line all others that it has."""

    def further() -> Iterator[str]:
        for line in lines:
            record.append(line)
            yield line

    options: dict[str, Any] = {"skipinitialspace": True, "strict": True}
    try:
        next(csv.reader(chain(record[:1], further()), delimiter=separator, **options))
    except csv.Error:
        raise not_closed(path, place + 1) from None
