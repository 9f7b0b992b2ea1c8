"""Small BAM files, BGZF blocks of any size, and counts of bases the slow way, by pysam."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam

from bioloom.reads.bgzf import END_BLOCK
from bioloom.reads.pileup import Counting
from bioloom.reads.sequences import Reads

LETTERS = "ACGT"


class Read(NamedTuple):
    """A record; `qualities` is one number for all letters, or a list, or None."""

    name: str
    start: int
    cigar: str
    letters: str
    qualities: int | list[int] | None = 30
    flag: int = 0
    mapping: int = 60
    contig: int = 0
    tags: tuple = ()


def write_reads(
    path: Path, reads: list[Read], contigs: dict[str, int], *, sort: bool = True, **options
) -> Path:
    """Write them by pysam; the ending chooses BAM or CRAM."""
    mode = {".bam": "wb", ".cram": "wc"}[path.suffix]
    sq = [{"SN": name, "LN": length} for name, length in contigs.items()]
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": options.pop("sq", sq)}
    if sort:
        reads = sorted(reads, key=lambda read: (read.contig % (1 << 32), read.start))
    with pysam.AlignmentFile(str(path), mode, header=header, **options) as out:
        for read in reads:
            record = pysam.AlignedSegment(out.header)
            record.query_name, record.flag, record.mapping_quality = (
                read.name,
                read.flag,
                read.mapping,
            )
            record.reference_id, record.reference_start = read.contig, read.start
            record.cigarstring = read.cigar or None
            record.query_sequence = read.letters
            if read.qualities is not None:
                one = isinstance(read.qualities, int)
                record.query_qualities = (
                    [read.qualities] * len(read.letters) if one else read.qualities
                )
            record.set_tags(list(read.tags))
            out.write(record)
    return path


def complement(letters: str) -> str:
    """The other strand."""
    return letters.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def write_fastq(folder: Path, pairs: list[tuple[str, ...]], quality: str = "I") -> list[str]:
    """`R1.fastq.gz` and, of pairs, `R2.fastq.gz` in the folder: reads r0, r1, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for mate, reads in enumerate(zip(*pairs, strict=True), start=1):
        text = "".join(f"@r{i}\n{s}\n+\n{quality * len(s)}\n" for i, s in enumerate(reads))
        files.append(folder / f"R{mate}.fastq.gz")
        files[-1].write_bytes(gzip.compress(text.encode(), 1))
    return list(map(str, files))


def block(data: bytes) -> bytes:
    """A BGZF block."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    head = struct.pack("<4BIBBHBBHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(packed) + 25)
    return head + packed + struct.pack("<II", zlib.crc32(data), len(data))


def inflated(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def write_blocks(path: Path, data: bytes, size: int, end: bytes = END_BLOCK) -> Path:
    """The bytes in blocks of so many of them."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    path.write_bytes(b"".join(map(block, pieces)) + end)
    return path


def slow_counts(
    path: Path, contig: str, start: int, end: int, rules: Counting
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `pileup` gives, from the columns of pysam and the rule of fragments in plain Python."""
    counts, qualities = np.zeros((2, end - start, 5, 2), int)
    insertions = np.zeros((end - start, 2), int)
    with pysam.AlignmentFile(str(path)) as reads:
        columns = reads.pileup(
            contig, start, end, truncate=True, ignore_overlaps=False, ignore_orphans=False,
            min_base_quality=0, min_mapping_quality=rules.mapping_quality,
            flag_filter=rules.excluded, max_depth=1_000_000,
        )  # fmt: skip
        for column in columns:
            x = column.reference_pos - start
            said: dict[object, tuple | None] = {}
            for number, read in enumerate(column.pileups):
                new = observation(read, column.reference_pos, rules.unknown_quality)
                name = read.alignment.query_name if rules.fragments else number
                said[name] = merged(said.get(name), new) if new else said.get(name)
            for seen in filter(None, said.values()):
                code, quality, insertion, strand = seen
                if quality >= rules.base_quality:
                    counts[x, code, strand] += 1
                    qualities[x, code, strand] += quality
                    insertions[x, strand] += (insertion or 0) > 0
    return counts, qualities, insertions


def observation(read, position: int, unknown: int) -> tuple | None:
    """(code, quality, insertion, strand); insertion is None where the alignment ends."""
    alignment = read.alignment
    known = alignment.query_qualities
    known = [unknown] * alignment.query_length if known is None else known
    if read.is_refskip:
        return None
    if read.is_del:
        after = read.query_position_or_next
        neighbours = known[max(after - 1, 0)], known[min(after, len(known) - 1)]
        code, quality = 4, min(neighbours)
    else:
        letter = alignment.query_sequence[read.query_position]
        if letter not in LETTERS:
            return None
        code, quality = LETTERS.index(letter), known[read.query_position]
    insertion = max(read.indel, 0)
    if not insertion and position == alignment.reference_end - 1:
        insertion = None
    return code, quality, insertion, int(alignment.is_reverse)


def merged(one: tuple | None, other: tuple) -> tuple | None:
    """The observation of a fragment of two records; None where they leave nothing."""
    if one is None:
        return other
    inserted = {one[2], other[2]} - {None}
    if one[0] == other[0] and len(inserted) < 2:
        better = other if other[1] > one[1] else one
        return better[0], better[1], inserted.pop() if inserted else None, better[3]
    if one[1] == other[1]:
        return None
    better, worse = (one, other) if one[1] > other[1] else (other, one)
    return better[0], better[1] - worse[1], *better[2:]


def from_matrix(letters: np.ndarray, qualities: np.ndarray) -> Reads:
    """Reads of one length, from codes and qualities (n, length)."""
    n, length = letters.shape
    return Reads(letters.ravel(), qualities.ravel(), np.arange(n + 1) * length)
