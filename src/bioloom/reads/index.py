"""An index of a sorted BAM, made in one pass that checks every block and every record.

It is bound to its file by the checksums of the blocks, and has no longest contig, as .bai has.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bioloom.errors import DataError
from bioloom.files import replacing
from bioloom.formats.npz import read_npz
from bioloom.reads.bgzf import Block, read_blocks
from bioloom.reads.header import Header, not_sorted
from bioloom.reads.records import FAULTS, WHOLE, Records, walk

BATCH = 64  # blocks that are walked at once: 4 MiB, so that a pass needs little memory


@dataclass(frozen=True)
class Index:
    """The blocks, and of those in which a record begins: where it does, and what lies before.

    `place` and `reach` are keys that never fall along the file (see `key`).
    """

    offset: np.ndarray  # int64 (blocks + 1), first byte in the file; the last is the file's size
    inflated: np.ndarray  # int64 (blocks + 1), first inflated byte
    crc: np.ndarray  # uint32 (blocks), as the blocks say
    block: np.ndarray  # int64 (starts), a block in which a record begins
    first: np.ndarray  # int64 (starts), the inflated byte where its first one does
    place: np.ndarray  # int64 (starts), contig and start of that record
    reach: np.ndarray  # int64 (starts), contig and furthest end of the records before it
    records: np.ndarray  # int64 (contigs + 1), their number; the last is that of unplaced ones

    def save(self, path: Path) -> None:
        """Write a .npz file."""
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **asdict(self))

    @staticmethod
    def load(path: Path) -> Index:
        """Read what `save` wrote; DataError for anything else."""
        hint = "remove it; a new one is made"
        try:
            return Index(**read_npz(path, hint=hint))
        except TypeError:
            raise DataError("This is no index of reads", file=path, hint=hint) from None


def key(contig: Any, position: Any) -> Any:
    """Contig and position as one number that is larger further along the file."""
    return (np.int64(1) * contig << 32) + position + 1


def make_index(file: Path, header: Header) -> Index:
    """One pass over the file; DataError for damage, or a record that is out of order."""
    scan = _Pass(file, header)
    blocks = read_blocks(file)
    while batch := list(islice(blocks, BATCH)):
        scan.add(batch)
    return scan.index()


class _Pass:
    """What is known after the blocks so far."""

    def __init__(self, file: Path, header: Header) -> None:
        self.file, self.header = file, header
        self.offset, self.crc, self.inflated = [0], [0][:0], [0]
        self.counts = np.zeros(len(header.contigs) + 1, np.int64)
        self.left, self.base = b"", 0  # an unfinished record, and the inflated byte where it begins
        self.low = 0  # the block of that byte
        self.place = self.reach = key(0, -1)  # of the records so far
        self.last = -1  # block with a record's begin
        self.starts: list[np.ndarray] = []  # int64 (4, starts) of each batch

    def add(self, batch: list[Block]) -> None:
        """Walk the records that end in these blocks."""
        self.offset += [block.offset + block.size for block in batch]
        self.crc += [block.crc for block in batch]
        sizes = [len(block.data) for block in batch]
        self.inflated += (self.inflated[-1] + np.cumsum(sizes)).tolist()
        raw = np.frombuffer(b"".join([self.left, *(block.data for block in batch)]), np.uint8)
        # The header may fill whole batches.
        begin = min(max(self.header.size - self.base, 0), len(raw))
        records, following, fault = walk(raw, len(self.header.contigs), begin)
        self._count(records)
        if fault != WHOLE:
            number = int(self.counts.sum()) + 1
            raise DataError(f"Damaged: record {number} {FAULTS[fault]}", file=self.file)
        self.left = raw[following:].tobytes()
        self.base += following
        self.low += int(np.searchsorted(self.inflated[self.low :], self.base, "right")) - 1

    def _count(self, records: Records) -> None:
        """Check their order, and keep the first that begins in each block."""
        contig = np.where(records.contig < 0, len(self.header.contigs), records.contig)
        place = np.append(self.place, key(contig, records.start))
        if (falls := np.flatnonzero(np.diff(place) < 0)).size:
            raise self._unsorted(records, int(falls[0]), int(place[falls[0]]))
        reach = np.maximum.accumulate(np.append(self.reach, key(contig, records.end)))
        at = self.base + records.at
        block = self.low + np.searchsorted(self.inflated[self.low : -1], at, "right") - 1
        new = np.diff(block, prepend=self.last) > 0
        self.starts.append(np.stack([block, at, place[1:], reach[:-1]])[:, new])
        self.counts += np.bincount(contig, minlength=len(self.counts))
        self.place, self.reach = place[-1], reach[-1]
        self.last = int(block[-1]) if len(block) else self.last

    def _unsorted(self, records: Records, row: int, before: int) -> DataError:
        place = int(records.contig[row]), int(records.start[row])
        last = before >> 32, (before & 0xFFFFFFFF) - 1
        number = f"{int(self.counts.sum()) + row + 1}, {records.name(row)!r},"
        return not_sorted(self.header, number, place, last, self.file)

    def index(self) -> Index:
        """The index; DataError where the last record has no end."""
        if self.left:
            number = int(self.counts.sum()) + 1
            raise DataError(f"Damaged: the file ends inside record {number}", file=self.file)
        block, first, place, reach = np.concatenate(self.starts, axis=1)
        offset, inflated = np.array(self.offset), np.array(self.inflated)
        crc = np.array(self.crc, np.uint32)
        return Index(offset, inflated, crc, block, first, place, reach, self.counts)
