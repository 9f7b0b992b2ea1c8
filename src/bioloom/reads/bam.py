"""Records of a region of a BAM file. Regions are 0-based, [start, end).

An index that came with a file may belong to an older one, and answers all the same. So none is
asked for: one pass over the file checks it and makes our own (`bioloom.reads.index`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bioloom.errors import DataError
from bioloom.reads.bgzf import read_blocks
from bioloom.reads.header import contig_number, read_header
from bioloom.reads.index import Index, key, make_index
from bioloom.reads.records import WHOLE, Records, walk


class Bam:
    """A coordinate-sorted BAM file: `contigs`, `lengths`, `records` of a region."""

    def __init__(self, file: str | Path, index: str | Path | None = None) -> None:
        """Read the index that an earlier pass left at `index`, or make it now in one pass.

        DataError for a file that is damaged, cut off, not sorted, or not the one of the index.
        """
        self.file = Path(file)
        self.header = read_header(self.file)
        path = Path(index) if index else None
        if path and path.exists():
            self.index = Index.load(path)
            if self.index.offset[-1] != self.file.stat().st_size:
                raise self._other()
        else:
            self.index = make_index(self.file, self.header)
            if path:
                self.index.save(path)

    def records(self, contig: str, start: int, end: int) -> Records:
        """Records of any flag aligned over [start, end) of a contig, in the file's order."""
        number = contig_number(self.header, contig, start, end, self.file)
        raw = self._raw(number, start, end)
        records, following, fault = walk(raw, len(self.header.contigs))
        if fault != WHOLE or following != len(raw):
            raise self._other()
        return records.over(number, start, end)

    def _raw(self, contig: int, start: int, end: int) -> np.ndarray:
        """Inflated bytes of all records that may overlap the region, and of few others."""
        index = self.index
        begin = int(np.searchsorted(index.reach, key(contig, start), side="right")) - 1
        stop = int(np.searchsorted(index.place, key(contig, end)))
        begin = max(begin, 0)
        if start >= end or begin >= stop:
            return np.empty(0, np.uint8)
        here = int(index.first[begin])
        there = int(index.first[stop] if stop < len(index.first) else index.inflated[-1])
        blocks = slice(index.block[begin], int(np.searchsorted(index.inflated, there)))
        raw = np.empty(there - here, np.uint8)
        for data, at in zip(self._blocks(blocks), index.inflated[blocks] - here, strict=True):
            skip = max(0, -int(at))
            piece = raw[at + skip : at + len(data)]
            piece[:] = np.frombuffer(data, np.uint8)[skip : skip + len(piece)]
        return raw

    def _blocks(self, blocks: slice) -> Iterator[bytes]:
        """Their inflated bytes; each has to be the one that was indexed."""
        offset, crc = self.index.offset, self.index.crc
        found = read_blocks(self.file, int(offset[blocks.start]), int(offset[blocks.stop]))
        for number, block in enumerate(found, blocks.start):
            if block.offset != offset[number] or block.crc != crc[number]:
                raise self._other()
            yield block.data

    def _other(self) -> DataError:
        message = "The file is not the one that its index was made of"
        return DataError(message, file=self.file, hint="remove the index; a new one is made")
