"""Reads laid on reference coordinates, a row for each fragment: what a network looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioloom.reads.fragments import empty_rows
from bioloom.reads.observations import NOTHING, lay_fragments
from bioloom.reads.pileup import COUNTING, Counting, letters_missing, linked
from bioloom.reads.records import Records


@dataclass(frozen=True)
class FragmentRows:
    """Fragments (rows) on the n positions of a region, in the order of their first records.

    code: uint8 (rows, n), 0 to 3 for A, C, G, T, 4 a deletion, 5 nothing (outside, skipped, N).
    quality: uint8 (rows, n), of the base, 0 where nothing is.
    insertion: int32 (rows, n), inserted letters between the position and the next.
    reverse: bool (rows, n), whether the observation is of a read on the reverse strand.
    mapping_quality: uint8 (rows), the lowest one of the fragment's records here.
    """

    code: np.ndarray
    quality: np.ndarray
    insertion: np.ndarray
    reverse: np.ndarray
    mapping_quality: np.ndarray

    def __len__(self) -> int:
        return len(self.code)


def fragment_rows(
    records: Records, start: int, end: int, counting: Counting = COUNTING
) -> FragmentRows:
    """Rows of the fragments with an observation on [start, end), from records of one contig.

    Memory: 7 bytes for each position of each record. DataError for a sequence with "=".
    """
    records = counting.keep(records)
    fragments = linked(records, counting)
    rows = empty_rows((len(records), end - start))
    unknown = np.uint8(counting.unknown_quality)
    if not lay_fragments(records.columns, fragments, start, unknown, rows):
        raise letters_missing()
    nothing = (rows.code == NOTHING) | (rows.quality < counting.base_quality)
    rows.code[nothing], rows.quality[nothing], rows.reverse[nothing] = NOTHING, 0, False
    insertion = np.where(nothing, 0, rows.insertion.clip(0))
    quality = records.quality.copy()
    following, _ = fragments
    for row in np.flatnonzero(following >= 0)[::-1]:
        quality[row] = min(quality[row], quality[following[row]])
    said = ~nothing.all(axis=1)
    return FragmentRows(
        rows.code[said], rows.quality[said], insertion[said], rows.reverse[said], quality[said]
    )
