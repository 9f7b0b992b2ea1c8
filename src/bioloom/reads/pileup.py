"""Counts of bases at each position of a region, from the records that overlap it.

Fragments are counted, not reads (`bioloom.reads.observations`). Positions are 0-based, regions
[start, end). What a position gets does not depend on the region that it is asked in.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numba
import numpy as np

from bioloom.errors import DataError
from bioloom.reads.observations import (
    CODES,
    GAP,
    NO_QUALITY,
    NOTHING,
    aligned,
    bits_at,
    empty_rows,
    gap_quality,
    lay,
    letters_of,
    link,
    u,
)
from bioloom.reads.records import DUPLICATE, FAILED, REVERSE, SECONDARY, UNMAPPED, Records

# Flags of records that never count. Supplementary ones do: each is a part of its read, and where it
# covers a position that another record of the fragment covers, both are one witness.
EXCLUDED = UNMAPPED | SECONDARY | FAILED | DUPLICATE

CELLS = (
    GAP + 2
)  # of a position: the bases, deletion, and a last one that takes what is no observation


@dataclass(frozen=True)
class Counting:
    """Which records and observations count."""

    mapping_quality: int = 0  # at least
    base_quality: int = 0  # at least, of the fragment's observation
    excluded: int = EXCLUDED  # none of these flags
    unknown_quality: int = 10  # stands for the quality of a base that has none (0xFF in BAM)
    fragments: bool = True  # False: every record is a witness of its own

    def keep(self, records: Records) -> Records:
        """The records that count."""
        flags = records.flag & (self.excluded | UNMAPPED)
        return records.take((flags == 0) & (records.quality >= self.mapping_quality))


@dataclass(frozen=True)
class Pileup:
    """Observations at each of the n positions of a region; last axis: forward, reverse strand.

    counts: int32 (n, 5, 2), of A, C, G, T, and deletion. N and the like are no observation.
    qualities: int32 (n, 5, 2), sums of their base qualities; of a deletion the lower of its neighbours.
    insertions: int32 (n, 2), observations with inserted letters between the position and the next;
        they are among `counts` as well, by the base before the insertion.
    """

    counts: np.ndarray
    qualities: np.ndarray
    insertions: np.ndarray

    @property
    def depth(self) -> np.ndarray:
        """Observations of all kinds (n)."""
        return self.counts.sum(axis=(1, 2))


def pileup(records: Records, start: int, end: int, counting: Counting | None = None) -> Pileup:
    """Count the observations of records of one contig on [start, end).

    Memory: 111 bytes a position, beside the records. DataError for a sequence with "=".
    """
    counting = counting or Counting()
    records = counting.keep(records)
    tally = np.zeros((end - start, CELLS, 2), np.int64)
    insertions = np.zeros((end - start, 2), np.int32)
    row = empty_rows((end - start,))
    fragments = linked(records, counting.fragments)
    clear = _count(
        *records.kernel,
        *fragments,
        start,
        weights(counting),
        counting.unknown_quality,
        row,
        tally.ravel(),
        insertions,
    )
    if not clear:
        raise letters_missing()
    halves = tally.view(np.int32).reshape(end - start, CELLS, 2, 2)[:, : GAP + 1]
    low, high = (0, 1) if sys.byteorder == "little" else (1, 0)
    return Pileup(halves[..., low], halves[..., high], insertions)


def weights(counting: Counting) -> np.ndarray:
    """int64 (256): what a quality adds to a cell, the quality above 32 bits, below them the count."""
    quality = np.arange(256)
    quality[NO_QUALITY] = counting.unknown_quality
    return np.where(quality >= counting.base_quality, quality << 32 | 1, 0)


def linked(records: Records, fragments: bool) -> tuple[np.ndarray, np.ndarray]:
    """`link` of the records, or each of them alone."""
    if fragments:
        return link(records.raw, records.at, records.start, records.end)
    return np.full(len(records), -1), np.ones(len(records), bool)


def letters_missing() -> DataError:
    """The error for "=" in a sequence."""
    return DataError(
        'A read has "=" in its sequence, for "as the reference"',
        hint="write the letters: samtools calmd without -e",
    )


@numba.njit(cache=True, nogil=True)
def _count(
    raw,
    at,
    begin,
    flag,
    cigar,
    operations,
    following,
    leads,
    start,
    weight,
    unknown,
    row,
    tally,
    insertions,
):
    clear, width = True, len(row.code)
    pieces = np.empty((operations.max() if len(at) else 0, 5), np.int64)
    for lead in range(len(at)):
        if not leads[lead]:
            continue
        r = lead
        if following[r] < 0:
            n = aligned(raw, at[r], begin[r], cigar[r], operations[r], start, width, pieces)
            reverse = (flag[r] & REVERSE) // REVERSE
            clear &= _count_alone(raw, at[r], reverse, pieces[:n], weight, tally, insertions)
            continue
        while r >= 0:
            n = aligned(raw, at[r], begin[r], cigar[r], operations[r], start, width, pieces)
            clear &= lay(raw, at[r], flag[r] & REVERSE != 0, pieces[:n], unknown, row)
            r = following[r]
        r = lead
        while r >= 0:
            n = aligned(raw, at[r], begin[r], cigar[r], operations[r], start, width, pieces)
            _count_row(row, pieces[:n], weight, tally, insertions)
            r = following[r]
    return clear


@numba.njit(cache=True)
def _count_alone(raw, at, reverse, pieces, weight, tally, insertions):
    """Count a record that is its fragment's only witness, without a row. False if it has a "="."""
    sequence, qualities, letters = letters_of(raw, at)
    lowest = 15  # four bits of a letter
    for p in range(len(pieces)):
        x, y, length, gap, after = pieces[p]
        cell = u(CELLS * 2 * x + reverse)
        code, worth = GAP, np.int64(0)
        if gap:
            worth = weight[gap_quality(raw, qualities, letters, y)]
            for _ in range(length):
                tally[cell + u(2 * GAP)] += worth
                cell += u(2 * CELLS)
        else:
            for j in range(u(y), u(y + length)):
                bits = bits_at(raw, u(sequence), j)
                lowest = min(lowest, bits)
                code, worth = CODES[bits], weight[raw[u(qualities) + j]]
                tally[cell + u(2) * code] += worth
                cell += u(2 * CELLS)
        if after > 0 and worth and code < NOTHING:
            insertions[x + length - 1, reverse] += 1
    return lowest > 0


@numba.njit(cache=True)
def _count_row(row, pieces, weight, tally, insertions):
    """Count what lies on the row under these pieces, and take it away."""
    for p in range(len(pieces)):
        for x in range(pieces[p, 0], pieces[p, 0] + pieces[p, 2]):
            code, reverse, worth = row.code[x], np.int64(row.reverse[x]), weight[row.quality[x]]
            if code < NOTHING:
                tally[2 * (CELLS * x + code) + reverse] += worth
                insertions[x, reverse] += worth != 0 and row.insertion[x] > 0
            row.code[x] = NOTHING
