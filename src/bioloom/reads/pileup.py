"""Counts of bases at each position of a region, from the records that overlap it.

Fragments are counted, not reads (`bioloom.reads.observations`). Positions are 0-based, regions
[start, end). What a position gets does not depend on the region that it is asked in.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from bioloom.errors import DataError
from bioloom.reads.fragments import empty_rows, link
from bioloom.reads.observations import CELLS, GAP, NO_QUALITY, count
from bioloom.reads.records import DUPLICATE, FAILED, SECONDARY, UNMAPPED, Records

# Flags of records that never count. Supplementary ones do: each is a part of its read, and where it
# covers a position that another record of the fragment covers, both are one witness.
EXCLUDED = UNMAPPED | SECONDARY | FAILED | DUPLICATE


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


COUNTING = Counting()


@dataclass(frozen=True)
class Pileup:
    """Observations at each of the n positions of a region; last axis: forward, reverse strand.

    counts: int32 (n, 5, 2), of A, C, G, T, and deletion. N and the like are no observation.
    qualities: int32 (n, 5, 2), sums of their base qualities; a deletion's is the lower one of its
        two neighbours in the read.
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


def pileup(records: Records, start: int, end: int, counting: Counting = COUNTING) -> Pileup:
    """Count the observations of records of one contig on [start, end).

    Memory: 111 bytes a position, beside the records. DataError for a sequence with "=".
    """
    n = end - start
    records = counting.keep(records)
    tally = np.zeros((n, CELLS, 2), np.int64)
    insertions = np.zeros((n, 2), np.int32)
    out = (empty_rows((n,)), tally.ravel(), insertions)
    rules = (weights(counting), np.uint8(counting.unknown_quality))
    clear = count(records.columns, linked(records, counting), start, *rules, *out)
    if not clear:
        raise letters_missing()
    halves = tally.view(np.int32).reshape(n, CELLS, 2, 2)[:, : GAP + 1]
    low, high = (0, 1) if sys.byteorder == "little" else (1, 0)
    return Pileup(halves[..., low], halves[..., high], insertions)


def weights(counting: Counting) -> np.ndarray:
    """int64 (256): what a quality adds to a cell: itself above 32 bits, and one observation."""
    quality = np.arange(256)
    quality[NO_QUALITY] = counting.unknown_quality
    return np.where(quality >= counting.base_quality, quality << 32 | 1, 0)


def linked(records: Records, counting: Counting) -> tuple[np.ndarray, np.ndarray]:
    """`link` of the records, or each of them alone."""
    if counting.fragments:
        return link(records.raw, records.at, records.start, records.end)
    return np.full(len(records), -1), np.ones(len(records), bool)


def letters_missing() -> DataError:
    """The error for "=" in a sequence."""
    return DataError(
        'A read has "=" in its sequence, for "as the reference"',
        hint="write the letters: samtools calmd without -e",
    )
