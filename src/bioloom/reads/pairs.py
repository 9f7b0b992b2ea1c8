"""Flags that pybwa leaves out: which mate a record is, and whether a pair is a proper one.

Proper are mates that face each other at a likely distance, by the rule of bwa mem.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pysam

PAIRED, PROPER, FIRST, SECOND = 0x1, 0x2, 0x40, 0x80
SURE = 20  # mapping quality of pairs that the insert size is estimated from
FEWEST = 10  # of these
WIDEST = 1000  # bases, for a lane of fewer


def mark_pairs(records: Sequence[Sequence[pysam.AlignedSegment]]) -> None:
    """Set the flags in place; lists at even places are of first mates, each followed by its mate's.

    Callers such as bcftools leave out pairs that are not flagged as proper, without a word.
    """
    primary = [_primary(of_read) for of_read in records]
    mates = list(zip(primary[::2], primary[1::2], strict=True))
    inserts = [_insert(one, other) for one, other in mates]
    sure = [min(one.mapping_quality, other.mapping_quality) >= SURE for one, other in mates]
    low, high = insert_bounds(np.array(inserts)[sure] if inserts else np.empty(0))
    for number, of_read in enumerate(records):
        proper = PROPER if low <= inserts[number // 2] <= high else 0
        for record in of_read:
            record.flag |= PAIRED | proper | (SECOND if number % 2 else FIRST)


def insert_bounds(inserts: np.ndarray) -> tuple[float, float]:
    """The smallest and largest insert of a proper pair, from those of sure pairs (0: none).

    As mem_pestat of bwa 0.7.18 has it: three quartile ranges beyond the quartiles, or four standard
    deviations from the mean of what lies within two ranges, whichever is wider.
    """
    inserts = inserts[inserts > 0]
    if len(inserts) < FEWEST:
        return 1, WIDEST
    lower, upper = np.percentile(inserts, [25, 75], method="lower")
    span = upper - lower
    usual = inserts[(inserts >= lower - 2 * span) & (inserts <= upper + 2 * span)]
    mean, deviation = usual.mean(), usual.std()
    low = min(lower - 3 * span, mean - 4 * deviation)
    return max(low, 1), max(upper + 3 * span, mean + 4 * deviation)


def _primary(of_read: Sequence[pysam.AlignedSegment]) -> pysam.AlignedSegment:
    return next(r for r in of_read if not (r.is_secondary or r.is_supplementary))


def _insert(one: pysam.AlignedSegment, other: pysam.AlignedSegment) -> int:
    """Bases from the forward mate's first to the reverse mate's last; 0 where they face apart."""
    if one.is_unmapped or other.is_unmapped or one.reference_id != other.reference_id:
        return 0
    if one.is_reverse == other.is_reverse:
        return 0
    forward, reverse = (other, one) if one.is_reverse else (one, other)
    return max(int(reverse.reference_end or 0) - forward.reference_start, 0)
