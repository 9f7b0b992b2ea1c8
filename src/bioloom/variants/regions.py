"""Regions of a genome: (contig, start, end), 0-based and [start, end)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from bioloom.errors import DataError
from bioloom.formats.intervals import read_windows

Region = tuple[str, int, int]


def read_regions(file: Path, lengths: Mapping[str, int]) -> list[Region]:
    """Those of a BED, `joined`; DataError for one that lies on no contig of these lengths."""
    windows = read_windows(file)
    for row, chrom, end in zip(windows.index, windows["chrom"], windows["end"], strict=True):
        if end > lengths.get(chrom, 0):
            message = f"{chrom}, up to {end}, does not lie in the reference"
            hint = f"it has {', '.join(list(lengths)[:3])}"
            raise DataError(message, file=file, row=row, hint=hint)
    return joined(windows[["chrom", "start", "end"]].itertuples(index=False, name=None))


def joined(regions: Iterable[Region]) -> list[Region]:
    """The regions in order, those that overlap or touch as one."""
    found: list[Region] = []
    for contig, start, end in sorted(regions):
        if found and found[-1][0] == contig and start <= found[-1][2]:
            found[-1] = contig, found[-1][1], max(found[-1][2], end)
        else:
            found.append((contig, start, end))
    return found


def intersection(one: Iterable[Region], other: Iterable[Region]) -> list[Region]:
    """Where both sides have a region; the regions of a side are apart."""
    found, ours, theirs = [], sorted(one), sorted(other)
    i = j = 0
    while i < len(ours) and j < len(theirs):
        (contig, start, end), (name, first, last) = ours[i], theirs[j]
        if name == contig and max(start, first) < min(end, last):
            found.append((contig, max(start, first), min(end, last)))
        if (contig, end) < (name, last):
            i += 1
        else:
            j += 1
    return found


def difference(regions: Sequence[Region], others: Iterable[Region]) -> list[Region]:
    """Where regions are and the others are not; those of a side are apart."""
    between, ends = list[Region](), dict.fromkeys((contig for contig, _, _ in regions), 0)
    for contig, start, end in sorted(others):
        if contig in ends and start > ends[contig]:
            between.append((contig, ends[contig], start))
        ends[contig] = end
    between += [(contig, end, sys.maxsize) for contig, end in ends.items()]
    return intersection(regions, between)


def share_of(regions: Sequence[Region], number: int, count: int) -> list[Region]:
    """Part `number`, from 1, of `count` parts of the regions that have equally many bases."""
    total = sum(end - start for _, start, end in regions)
    low, high = (total * n // count for n in (number - 1, number))
    found, before = [], 0
    for contig, start, end in regions:
        first, last = max(start, start + low - before), min(end, start + high - before)
        if first < last:
            found.append((contig, first, last))
        before += end - start
    return found


def inside(contig: np.ndarray, position: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
    """Which positions (N,) of contigs (N,) lie in one of the regions, which are `joined`."""
    found = np.zeros(len(position), bool)
    for name, spans in groupby(regions, key=itemgetter(0)):
        bounds = np.array([span[1:] for span in spans]).ravel()
        here = contig == name
        found[here] = np.searchsorted(bounds, position[here], side="right") % 2 == 1
    return found
