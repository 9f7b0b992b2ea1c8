"""Alleles that are planted in an aligned read: its letters, qualities and CIGAR."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import pysam

from bioloom.reads.records import (
    DELETION,
    DIFFERENT,
    EQUAL,
    HARD_CLIP,
    INSERTION,
    MATCH,
    SOFT_CLIP,
)

Allele = tuple[int, str, str]  # 0-based start, letters of the reference, letters in their place
LEAST = 6  # letters behind a gap: an aligner clips fewer, rather than open one
STALE = ("MD", "NM")  # tags that tell of the letters as they were
ALIGNED = (MATCH, EQUAL, DIFFERENT)


class Column(NamedTuple):
    """A letter of a read, or a letter of the reference that it lacks."""

    operation: int
    position: int  # on the reference; of what is not aligned -1
    letter: str = ""
    quality: int = 0


def plant(read: pysam.AlignedSegment, alleles: Sequence[Allele]) -> None:
    """Alter a read as if its molecule had the alleles, which are apart and in order.

    A letter that is read wrong stays so. Insertions have the quality of the letter before them, and
    push as many letters over the read's end; what is deleted makes the read shorter. A gap near an
    end becomes a clip. Left as they are: reads whose CIGAR has other operations than M, I, D and
    clips, and places where a read has a gap already.
    """
    operations = read.cigartuples or []
    ends = [i for i, (operation, _) in enumerate(operations) if operation == HARD_CLIP]
    inner = [pair for pair in operations if pair[0] != HARD_CLIP]
    allowed = {*ALIGNED, INSERTION, DELETION, SOFT_CLIP}
    if not read.query_sequence or any(operation not in allowed for operation, _ in inner):
        return
    columns = before = _columns(read, inner)
    for allele in reversed(alleles):
        columns = _with(columns, allele, read.is_reverse)
    if columns != before:
        hard = [operations[i] for i in ends]
        _write(read, columns, hard[: 0 in ends], hard[0 in ends :])


def _columns(read: pysam.AlignedSegment, operations: list[tuple[int, int]]) -> list[Column]:
    letters, qualities = read.query_sequence or "", read.query_qualities
    columns, x, y = list[Column](), read.reference_start, 0
    for operation, length in operations:
        for _ in range(length):
            on_reference = operation in (*ALIGNED, DELETION)
            position = x if on_reference else -1
            if operation == DELETION:
                columns.append(Column(operation, position))
            else:
                quality = qualities[y] if qualities is not None else 0
                operation = MATCH if operation in ALIGNED else operation
                columns.append(Column(operation, position, letters[y], quality))
                y += 1
            x += on_reference
    return columns


def _with(columns: list[Column], allele: Allele, reverse: bool) -> list[Column]:
    start, ref, alt = allele
    if len(ref) == len(alt):
        return [
            column._replace(letter=alt)
            if column.position == start and column.letter == ref
            else column
            for column in columns
        ]
    places = {column.position: i for i, column in enumerate(columns) if column.position >= 0}
    last = start + len(ref) - 1  # of what is deleted
    if not places or max(places) <= start:
        return columns
    if min(places) > start:  # the read begins behind the anchor, maybe in what is deleted
        kept = [column for column in columns if not start < column.position <= last]
        return kept if any(column.operation == MATCH for column in kept) else columns
    anchor, behind = places[start], places.get(last + 1, len(columns))
    inner = columns[anchor + 1 : behind]
    if any(c.operation not in (MATCH, SOFT_CLIP) for c in [columns[anchor], *inner]):
        return columns
    inserted = [Column(INSERTION, -1, letter, columns[anchor].quality) for letter in alt[1:]]
    left, right = columns[: anchor + 1], columns[behind:]
    if not right:  # it ends in what is deleted: of its end nothing is known but that it differs
        return left + [column for column in inner if column.operation == SOFT_CLIP]
    # A read has as many letters as its machine reads, from the end that it begins at.
    pushed, size = len(inserted), len(left) if reverse else len(right)
    inserted = inserted[max(pushed - size, 0) :] if reverse else inserted[: min(pushed, size)]
    if reverse:
        left = left[pushed:]
    else:
        right = right[: max(size - pushed, 0)]
    gap = [Column(DELETION, position) for position in range(start + 1, last + 1)]
    if _aligned(right) < LEAST:
        return left + _clipped(inserted + right)
    if _aligned(left) < LEAST:
        return _clipped(left + inserted) + right
    return left + inserted + gap + right


def _aligned(columns: list[Column]) -> int:
    return sum(column.operation == MATCH for column in columns)


def _clipped(columns: list[Column]) -> list[Column]:
    return [
        column._replace(operation=SOFT_CLIP, position=-1)
        for column in columns
        if column.operation != DELETION
    ]


def _write(
    read: pysam.AlignedSegment,
    columns: list[Column],
    before: list[tuple[int, int]],
    after: list[tuple[int, int]],
) -> None:
    """Give the read these columns, between its hard clips."""
    aligned = [i for i, column in enumerate(columns) if column.operation == MATCH]
    # What lies outside the aligned letters is clipped, also where an insertion has come to an end.
    first, behind = aligned[0], aligned[-1] + 1
    columns = [*_clipped(columns[:first]), *columns[first:behind], *_clipped(columns[behind:])]
    letters = [column for column in columns if column.operation != DELETION]
    has_qualities = read.query_qualities is not None
    read.query_sequence = "".join(column.letter for column in letters)
    if has_qualities:
        read.query_qualities = pysam.qualitystring_to_array(
            "".join(chr(33 + column.quality) for column in letters)
        )
    runs = groupby(columns, key=lambda column: column.operation)
    read.cigartuples = [*before, *((operation, len(list(run))) for operation, run in runs), *after]
    read.reference_start = next(column.position for column in columns if column.operation == MATCH)
    for tag in STALE:
        read.set_tag(tag, None)
