"""How often a base of each quality is wrong in these reads, counted where nothing varies.

Machines are sure of themselves, and every laboratory's reads in another way. No known sites are
needed: bases that vary are few, and are left out by their counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from bioloom.reads.bam import Bam
from bioloom.reads.cram import Cram
from bioloom.reads.rows import fragment_rows
from bioloom.variants.alleles import N
from bioloom.variants.reference import Reference
from bioloom.variants.regions import Region

TILE = 2000
TILES = 60  # looked at, spread evenly over all that is looked at
CELLS = 10_000_000  # of a tile, records by positions: 70 MB and more
SHRINKAGE = 200  # bases by which the rate that a quality stands for counts
QUALITIES = 256
LEAST, MOST = 1e-4, 0.75


def nominal() -> np.ndarray:
    """(256,) the error rates that base qualities stand for."""
    return np.clip(10 ** (-np.arange(QUALITIES) / 10), LEAST, MOST)


def error_rates(reads: Bam | Cram, reference: Reference, regions: Sequence[Region]) -> np.ndarray:
    """(256,) the share of wrong bases by quality; what quality a base has not is left as it is.

    `regions` are all of the data set, also where a job works on a part of them.
    """
    bases, wrong = np.zeros(QUALITIES), np.zeros(QUALITIES)
    for contig, start, end in _tiles(regions):
        records = reads.records(contig, start, end)
        # Of deep reads fewer positions: each record has a row of them.
        end = min(end, start + max(1, CELLS // max(len(records), 1)))
        rows = fragment_rows(records, start, end)
        letters = reference.codes(contig, start, end)
        known = (rows.code < N) & (letters != N)
        differs = known & (rows.code != letters)
        depth = known.sum(axis=0)
        most = np.max([(differs & (rows.code == code)).sum(axis=0) for code in range(N)], axis=0)
        known &= most <= np.maximum(1, 0.1 * depth)
        bases += np.bincount(rows.quality[known], minlength=QUALITIES)
        wrong += np.bincount(rows.quality[known & differs], minlength=QUALITIES)
    rates = (wrong + SHRINKAGE * nominal()) / (bases + SHRINKAGE)
    return np.clip(rates, LEAST, MOST)


def _tiles(regions: Sequence[Region]) -> Iterator[Region]:
    """Stretches to look at, as if all regions were one: of short ones several make a stretch."""
    ends = np.cumsum([end - start for _, start, end in regions])
    total = int(ends[-1]) if len(ends) else 0
    firsts = np.linspace(0, total, min(TILES, -(-total // TILE)), endpoint=False).astype(int)
    for place, after in pairwise([*firsts.tolist(), total]):
        last = min(place + TILE, after)
        while place < last:
            at = int(np.searchsorted(ends, place, side="right"))
            contig, _, end = regions[at]
            n = min(last, int(ends[at])) - place
            start = end - int(ends[at]) + place
            yield contig, start, start + n
            place += n
