"""FASTA, plain or gzip-compressed: records with a unique id and a sequence that is not empty."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.text import CONTROL, open_text

NAME = re.compile(r"(?:^|(?<=[\s\[]))([\w.-]+)=")
"""Where a value begins in a header."""


class Record(NamedTuple):
    """One sequence: the first word after `>`, the rest of that line, and the line's number."""

    id: str
    description: str
    sequence: str
    row: int


def read_fasta(path: str | Path) -> list[Record]:
    """All records in the order of the file; white space inside a sequence is removed.

    Raises DataError, with the line, for text before the first header, a header without an id, an
    id that was there before, a record without a sequence, and a file without records.
    """
    records: list[Record] = []
    rows: dict[str, int] = {}
    for record in iter_fasta(path):
        if not record.id:
            raise DataError("A header without an id", file=path, row=record.row)
        if record.id in rows:
            raise DataError(
                f"The id {record.id} is there twice, first in line {rows[record.id]}",
                file=path,
                row=record.row,
                hint="ids are the first word of a header and must differ",
            )
        if re.search(CONTROL, record.id):
            raise DataError("A control character in an id", file=path, row=record.row)
        if not record.sequence:
            raise DataError(f"{record.id} has no sequence", file=path, row=record.row)
        rows[record.id] = record.row
        records.append(record)
    return records


def header_values(records: Iterable[Record]) -> pd.DataFrame:
    """What headers say as `name=value` or `[name=value]`, a column a name, indexed by the line.

    A value without brackets ends where the next name begins, as UniProt writes them
    (`OS=Escherichia coli GN=lacI`). Of a name that is there twice the first value counts.
    """
    rows = [dict(reversed(list(_values(record.description)))) for record in records]
    return pd.DataFrame(rows, index=pd.Index([record.row for record in records]), dtype=object)


def _values(header: str) -> Iterator[tuple[str, str]]:
    names, end = list(NAME.finditer(header)), 0
    for found, following in pairwise([*names, None]):
        assert found is not None
        begin = found.start()
        if begin < end:  # inside the brackets of another
            continue
        close = header.find("]", found.end()) if header[max(begin - 1, 0)] == "[" else -1
        if close >= 0:
            end = close + 1
            yield found[1], header[found.end() : close].strip()
        else:
            rest = header[found.end() : following.start() if following else len(header)]
            yield found[1], rest.partition("[")[0].strip()


def iter_fasta(path: str | Path) -> Iterator[Record]:
    """The records one by one as they stand: ids may repeat or miss, sequences may be empty.

    Raises DataError for text before the first header and for a file without records.
    """
    record = None
    with open_text(path) as lines:
        for record in _records(lines, path):
            yield record
    if record is None:
        raise DataError("The file has no FASTA records", file=path)


def _records(lines: Iterable[str], path: str | Path) -> Iterator[Record]:
    header, start = "", 0
    parts: list[str] = []
    for row, line in enumerate(lines, start=1):
        if line.startswith(">"):
            if start:
                yield _record(header, parts, start)
            header, start, parts = line[1:], row, []
        elif line.strip():
            if not start:
                raise DataError(
                    "Expected a header that starts with '>', got other text",
                    file=path,
                    row=row,
                    hint="is this a FASTA file? a table needs the ending .csv or .tsv",
                )
            parts.append(line)
    if start:
        yield _record(header, parts, start)


def _record(header: str, parts: list[str], row: int) -> Record:
    name, description = (*header.split(maxsplit=1), "", "")[:2]
    return Record(name, description.strip(), "".join("".join(parts).split()), row)
