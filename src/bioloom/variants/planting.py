"""Alleles that are planted in an aligned read, which is then laid on its place anew.

With the scores of bwa mem (Li 2013, arXiv:1303.3997), so that near the ends of reads, and where one
ends in a repeat, letters are clipped or lie without a gap as those of other reads do.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

import numba
import numpy as np
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
Letters = Callable[[int, int], str]  # of a contig, N beyond its ends
SCORE, MISMATCH, OPEN, EXTEND, CLIP = 1, 4, 6, 1, 5
AROUND = 60  # letters of the reference to both sides of a read that it is laid on
STALE = ("MD", "NM")  # tags that tell of the letters as they were
ALIGNED = (MATCH, EQUAL, DIFFERENT)
KNOWN = (*ALIGNED, INSERTION, DELETION, SOFT_CLIP, HARD_CLIP)


class Letter(NamedTuple):
    """One of a read, with the position that it is aligned to, or -1."""

    letter: str
    quality: int
    position: int


def plant(read: pysam.AlignedSegment, alleles: Sequence[Allele], reference: Letters) -> bool:
    """Alter a read as if its molecule had the alleles; whether there still is such a read.

    The alleles are in order and apart. A letter that is read wrong stays so. The read keeps its
    length: what an insertion pushes over its end is lost, and behind a deletion follow letters of
    the reference, in the quality of the last one. No read begins in what is deleted. Reads of
    spliced molecules are left as they are.
    """
    operations = read.cigartuples or []
    if not read.query_sequence or any(operation not in KNOWN for operation, _ in operations):
        return True
    letters, end, has_gap = _letters(read), read.reference_end or 0, False
    for start, ref, alt in reversed(alleles):
        behind = start + len(ref)
        if len(ref) == len(alt):
            letters = [
                one._replace(letter=alt) if one.position == start and one.letter == ref else one
                for one in letters
            ]
        elif start < read.reference_start < behind:
            return False
        elif read.reference_start <= start < end - 1:
            letters, has_gap = _with_gap(letters, start, behind, alt[1:]), True
    if not has_gap:
        _write(read, letters)
        return True
    missing = len(read.query_sequence) - len(letters)
    if operations[-1][0] in ALIGNED:  # else what follows is not known
        follows = max(end, *(start + len(ref) for start, ref, _ in alleles))
        letters += [
            Letter(letter, letters[-1].quality, -1)
            for letter in reference(follows, follows + max(missing, 0))
        ]
    letters = letters[: len(read.query_sequence)]
    low = read.reference_start - AROUND
    placed = _lay(letters, reference(low, end + max(missing, 0) + AROUND))
    hard = [pair if pair[0] == HARD_CLIP else (HARD_CLIP, 0) for pair in operations]
    cigar = hard[0], *placed.operations, hard[-1]
    _write(read, letters)
    read.cigartuples = [pair for pair in cigar if pair[1]]
    read.reference_start = low + placed.start
    return True


def _letters(read: pysam.AlignedSegment) -> list[Letter]:
    texts, qualities = read.query_sequence or "", read.query_qualities
    positions = read.get_reference_positions(full_length=True)
    known = qualities if qualities is not None else [0] * len(texts)
    return [
        Letter(letter, quality, -1 if position is None else position)
        for letter, quality, position in zip(texts, known, positions, strict=True)
    ]


def _with_gap(letters: list[Letter], start: int, behind: int, inserted: str) -> list[Letter]:
    """The letters without those on [start + 1, behind), with what is inserted behind `start`."""
    kept = [one for one in letters if not start < one.position < behind]
    # The anchor may itself be deleted in the read.
    at = max(i for i, one in enumerate(kept) if 0 <= one.position <= start)
    new = [Letter(letter, kept[at].quality, -1) for letter in inserted]
    return kept[: at + 1] + new + kept[at + 1 :]


def _write(read: pysam.AlignedSegment, letters: list[Letter]) -> None:
    """Give the read letters and qualities, of which setting the former clears the latter."""
    text = "".join(one.letter for one in letters)
    if text == read.query_sequence:
        return
    has_qualities = read.query_qualities is not None
    read.query_sequence = text
    read.query_qualities = array("B", [one.quality for one in letters]) if has_qualities else None
    for tag in STALE:
        read.set_tag(tag, None)


class Laid(NamedTuple):
    """Where letters begin to be aligned, and their CIGAR."""

    start: int
    operations: list[tuple[int, int]]


def _lay(letters: list[Letter], text: str) -> Laid:
    """The best alignment of all letters to a text (Gotoh 1982), their ends maybe clipped."""
    codes = (np.frombuffer(t.encode(), np.uint8) for t in ("".join(x[0] for x in letters), text))
    start, steps = _align(*codes)
    runs = groupby(steps.tolist())
    return Laid(int(start), [(operation, len(list(run))) for operation, run in runs])


@numba.njit(cache=True)
def _align(letters, text):
    """The place of the first aligned letter, and an operation for each step."""
    n, m = len(letters), len(text)
    least = -(1 << 30)
    best = np.full((n + 1, m + 1), least, np.int64)
    deleted = np.full((n + 1, m + 1), least, np.int64)
    inserted = np.full((n + 1, m + 1), least, np.int64)
    best[0] = CLIP
    score, row, column = least, 0, 0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            step = SCORE if letters[i - 1] == text[j - 1] else -MISMATCH
            deleted[i, j] = max(best[i, j - 1] - OPEN, deleted[i, j - 1]) - EXTEND
            inserted[i, j] = max(best[i - 1, j] - OPEN, inserted[i - 1, j]) - EXTEND
            # Or the letters before this one are clipped.
            matched = max(best[i - 1, j - 1], 0) + step
            best[i, j] = max(matched, deleted[i, j], inserted[i, j])
            total = matched + (CLIP if i == n else 0)
            if total > score:
                score, row, column = total, i, j
    steps = np.empty(2 * n + m, np.uint8)
    used, i, j, within = 0, n, column, MATCH
    while i > row:
        steps[used] = SOFT_CLIP
        used, i = used + 1, i - 1
    while True:
        if within == MATCH:
            step = SCORE if letters[i - 1] == text[j - 1] else -MISMATCH
            before = best[i - 1, j - 1]
            if i == row and j == column or best[i, j] == max(before, 0) + step:
                steps[used] = MATCH
                used, i, j = used + 1, i - 1, j - 1
                if i == 0 or before <= 0:
                    break
            else:
                within = DELETION if best[i, j] == deleted[i, j] else INSERTION
        elif within == DELETION:
            steps[used] = DELETION
            used += 1
            if deleted[i, j] == best[i, j - 1] - OPEN - EXTEND:
                within = MATCH
            j -= 1
        else:
            steps[used] = INSERTION
            used += 1
            if inserted[i, j] == best[i - 1, j] - OPEN - EXTEND:
                within = MATCH
            i -= 1
    start = j
    while i > 0:
        steps[used] = SOFT_CLIP
        used, i = used + 1, i - 1
    return start, steps[:used][::-1]
