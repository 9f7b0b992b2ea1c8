"""FASTQ, plain or gzip-compressed (told by content): one pass that checks every record.

Memory is bounded by pieces of the files. What is checked is said by `check_fastq`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bioloom.errors import DataError
from bioloom.formats._fastq_records import (
    COLUMNS,
    FAULTS,
    GC,
    HIGH,
    LENGTHS,
    LETTERS,
    LOW,
    MARK,
    NAME,
    WHOLE,
    scan,
    unlike,
)
from bioloom.formats.gzip_members import inflater, read_members
from bioloom.formats.text import GZIP

PIECE = 1 << 20  # bytes of plain text that are read at once
COPY_AGAIN = "copy or download the file again, and compare sizes or checksums"
# Quality characters: below `;` only Phred+33 goes, and nothing above `K` (Q42) is usual of it; `j`
# is Q42 of Phred+64.
LOWEST_64, USUAL_33, HIGHEST_64 = ord(";"), ord("K"), ord("j")


@dataclass(frozen=True)
class Fastq:
    """What the records of a file hold."""

    file: str
    reads: int
    bases: int
    gc: int  # bases that are G or C
    empty: int  # reads without a base
    longest: int
    quality_offset: int  # 33 or 64
    is_offset_assumed: bool  # whether no character told it


class Batch(NamedTuple):
    """Some records: their text, a table of them, and how many come before."""

    text: np.ndarray
    table: np.ndarray
    before: int

    def name(self, row: int) -> str:
        """The whole name, up to a space or tab."""
        return _name(self.text[int(self.table[row, NAME]) :])

    def rows(self, begin: int, end: int | None = None) -> Batch:
        """A part of it."""
        return Batch(self.text, self.table[begin:end], self.before + begin)


NOTHING = Batch(np.empty(0, np.uint8), np.empty((0, COLUMNS), np.int64), 0)


def check_fastq(files: Sequence[str | Path]) -> list[Fastq]:
    """Check one file of single reads, or the two of mates, and count what they hold.

    Raises DataError, with the file and the record, for a file that is cut off or damaged, a record
    that is none, quality characters of both encodings in a file, mates that are out of step (the
    names of all pairs are compared), and both mates in one file. No reads at all are no mistake.
    """
    tallies = [_Tally(Path(file)) for file in files]
    if len(files) == 1:
        for number, batch in enumerate(tallies[0].batches()):
            if number == 0:
                _refuse_interleaved(tallies[0], batch)
        _refuse_both_mates(tallies[0])
    else:
        _check_mates(*tallies)
    return [tally.counted() for tally in tallies]


def read_batches(path: Path) -> Iterator[Batch]:
    """The records of a file; DataError where it is damaged or a record is wrong."""
    left, before, last = b"", 0, ""
    pieces = _pieces(path)
    while True:
        try:
            piece = next(pieces, b"")
        except (EOFError, inflater.error) as error:
            raise _cut_off(path, before, last, is_cut=isinstance(error, EOFError)) from None
        at_end = not piece
        data = left + (piece or b"\n")
        if at_end and not left.strip():
            return
        text = np.frombuffer(data, np.uint8)
        table, following, fault = scan(text)
        batch = Batch(text, table, before)
        before += len(table)
        if fault != WHOLE:
            raise _wrong_record(path, before + 1, FAULTS[fault], fault, text[following:])
        if len(table):
            last = batch.name(-1)
            yield batch
        left = data[following:]
        if at_end:
            if left.strip():
                raise _cut_off(path, before, last, is_cut=True)
            return


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed, whatever its name says."""
    with path.open("rb") as stream:
        return stream.read(2) == GZIP


def _pieces(path: Path) -> Iterator[bytes]:
    """The text in pieces of at least one byte."""
    is_compressed = is_gzip(path)
    with path.open("rb") as stream:
        if is_compressed:
            yield from filter(None, read_members(stream))
        else:
            while piece := stream.read(PIECE):
                yield piece


class _Tally:
    """Counts over the records of a file, and where its quality characters say what."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.reads = self.bases = self.gc = self.empty = self.longest = self.highest = 0
        self.marks = np.zeros(5, np.int64)
        self.first_33 = self.first_64 = 0  # number of the record, 0: none
        self.is_wide_33 = False  # one record has characters of both, as long reads do

    def batches(self) -> Iterator[Batch]:
        """All records, which are counted on the way."""
        for batch in read_batches(self.file):
            self._add(batch)
            yield batch

    def _add(self, batch: Batch) -> None:
        table = batch.table
        self.reads += len(table)
        self.bases += int(table[:, LETTERS].sum())
        self.gc += int(table[:, GC].sum())
        self.empty += int((table[:, LETTERS] == 0).sum())
        self.longest = max(self.longest, int(table[:, LETTERS].max()))
        self.highest = max(self.highest, int(table[:, HIGH].max()))
        self.marks += np.bincount(table[:, MARK], minlength=5)
        low, high = table[:, LOW] < LOWEST_64, table[:, HIGH] > USUAL_33
        self.is_wide_33 |= bool((low & high).any())
        if not self.first_33 and low.any():
            self.first_33 = batch.before + int(low.argmax()) + 1
        if not self.first_64 and high.any():
            self.first_64 = batch.before + int(high.argmax()) + 1

    def counted(self) -> Fastq:
        """The counts; DataError for characters of both encodings."""
        can_be_64 = self.first_64 and not self.is_wide_33 and self.highest <= HIGHEST_64
        if can_be_64 and self.first_33:
            record = max(self.first_33, self.first_64)
            raise DataError(
                f"Record {record} has another quality encoding than those before it: characters "
                "below ';' are Phred+33, those above 'K' are Phred+64",
                file=self.file,
                row=4 * record - 3,
                hint="part the file where two were joined",
            )
        return Fastq(
            str(self.file),
            self.reads,
            self.bases,
            self.gc,
            self.empty,
            self.longest,
            quality_offset=64 if can_be_64 else 33,
            is_offset_assumed=self.bases > 0 and not self.first_33 and not self.first_64,
        )


def _check_mates(one: _Tally, other: _Tally) -> None:
    """Compare the names of all pairs, whatever pieces the files come in."""
    streams = one.batches(), other.batches()
    first = second = NOTHING
    while True:
        first = first if len(first.table) else next(streams[0], NOTHING)
        second = second if len(second.table) else next(streams[1], NOTHING)
        count = min(len(first.table), len(second.table))
        if not count:
            break
        row = unlike(first.text, first.table[:count], second.text, second.table[:count])
        if row < count:
            raise _out_of_step(one.file, other.file, first.rows(row), second.rows(row))
        first, second = first.rows(count), second.rows(count)
    for tally, rest, longer in ((one, second, other), (other, first, one)):
        if len(rest.table):
            raise DataError(
                f"{tally.file} ends after record {rest.before}, and {longer.file} goes on with "
                f"{rest.name(0)!r}",
                file=tally.file,
                hint="one of them was cut off or filtered alone: give both as they came",
            )


def _out_of_step(one: Path, other: Path, first: Batch, second: Batch) -> DataError:
    record = first.before + 1
    exchanged = first.table[0, MARK] in (2, 4) and second.table[0, MARK] in (1, 3)
    hint = (
        "the files are exchanged: fastq_1 holds the second mates"
        if exchanged
        else "the files are mixed up, or were filtered one by one: give them as they came, or "
        "repair the pairs by name"
    )
    message = (
        f"The mates are out of step: record {record} is {first.name(0)!r} there, and "
        f"{second.name(0)!r} in {other}"
    )
    return DataError(message, file=one, row=4 * record - 3, hint=hint)


def _refuse_interleaved(tally: _Tally, batch: Batch) -> None:
    """Refuse a file whose records are mates, two by two: of the first ones all are then."""
    even = len(batch.table) // 2 * 2
    pairs = batch.table[0:even:2], batch.table[1:even:2]
    if even and unlike(batch.text, pairs[0], batch.text, pairs[1]) == even // 2:
        raise _both_mates(tally.file, f"{batch.name(0)!r} and {batch.name(1)!r} follow each other")


def _refuse_both_mates(tally: _Tally) -> None:
    if tally.marks[1] and tally.marks[2]:
        counts = f"{tally.marks[1]} reads are marked 1, {tally.marks[2]} are marked 2"
        raise _both_mates(tally.file, counts)


def _both_mates(file: Path, why: str) -> DataError:
    hint = "write each mate to a file of its own, and name them fastq_1 and fastq_2"
    return DataError(f"Both mates are in one file: {why}", file=file, hint=hint)


def _wrong_record(path: Path, record: int, what: str, fault: int, text: np.ndarray) -> DataError:
    hint = COPY_AGAIN if fault == LENGTHS else "records of FASTQ have four lines"
    name = f", {_name(text[1:])!r}," if len(text) and text[0] == ord("@") else ""
    return DataError(f"Record {record}{name} {what}", file=path, row=4 * record - 3, hint=hint)


def _cut_off(path: Path, records: int, last: str, *, is_cut: bool) -> DataError:
    what = "is cut off" if is_cut else "is damaged: what it holds does not fit its checksum"
    read = f"{records} whole records were read, the last is {last!r}" if records else ""
    message = f"The file {what}; {read or 'no whole record was read'}"
    return DataError(message, file=path, hint=COPY_AGAIN)


def _name(text: np.ndarray) -> str:
    """The name that begins here."""
    line = text[:1000].tobytes().split(b"\n")[0]
    return line.split()[0].decode("latin-1") if line.strip() else ""
