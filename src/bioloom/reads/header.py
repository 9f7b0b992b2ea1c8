"""The header of a BAM file: contigs, lengths, text."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from bioloom.errors import DataError
from bioloom.reads.bgzf import read_blocks

MAGIC = b"BAM\1"
LARGEST = 1 << 28  # bytes: a header that is larger is taken for damage


@dataclass(frozen=True)
class Header:
    """Contigs in the order of the file with their lengths, the text (@HD, @SQ, @RG ...)."""

    contigs: tuple[str, ...]
    lengths: tuple[int, ...]
    text: str
    size: int  # inflated bytes before the first record


def contig_number(header: Header, contig: str, start: int, end: int, file: Path) -> int:
    """The contig's place in the header; DataError if it is none, or the region leaves it."""
    if contig not in header.contigs:
        other = contig.removeprefix("chr") if contig.startswith("chr") else f"chr{contig}"
        mitochondria = {"chrM": "MT", "M": "MT", "MT": "chrM", "chrMT": "chrM"}.get(contig, other)
        near = [name for name in (other, mitochondria) if name in header.contigs]
        near = near or get_close_matches(contig, header.contigs, n=1)
        hint = f"the file has {near[0]!r}: " if near else "the file has "
        hint += "contigs are named as in its header" if near else ", ".join(header.contigs[:20])
        raise DataError(f"No contig {contig!r} in the reads", file=file, hint=hint)
    number = header.contigs.index(contig)
    length = header.lengths[number]
    if not 0 <= start <= end <= length:
        message = f"The region [{start}, {end}) does not lie on {contig}, of {length} bases"
        raise DataError(message, file=file, hint="positions count from 0, and `end` is exclusive")
    return number


def not_sorted(
    header: Header, record: int | str, place: tuple[int, int], before: tuple[int, int], file: Path
) -> DataError:
    """The error for a record that comes after one that lies further on; places are 0-based."""
    contigs = dict(enumerate(header.contigs))
    here, there = (f"{contigs.get(c, 'no contig')}:{at + 1}" for c, at in (place, before))
    return DataError(
        f"The reads are not sorted: record {record} at {here} comes after {there}",
        file=file,
        hint="sort them by coordinate: samtools sort",
    )


def read_header(file: Path) -> Header:
    """The header; DataError for what is no BAM."""
    raw, tried = bytearray(), 0
    for block in read_blocks(file):
        raw += block.data
        if raw[:4] != MAGIC[: len(raw)] or len(raw) > LARGEST:
            break
        # From the front each time, so not after each block: some list a million contigs.
        if len(raw) >= 2 * tried:
            tried = len(raw)
            if header := _parse(raw):
                return header
    if raw[:4] == MAGIC and (header := _parse(raw)):
        return header
    raise DataError(
        "The file is no BAM: its header does not begin as one, or has no end", file=file
    )


def _parse(raw: bytearray) -> Header | None:
    """The header, or None if `raw` does not hold all of it."""
    names, lengths = [], []
    try:
        (size,) = struct.unpack_from("<I", raw, 4)
        (count,) = struct.unpack_from("<I", raw, 8 + size)
        at = 12 + size
        for _ in range(count):
            (letters,) = struct.unpack_from("<I", raw, at)
            (length,) = struct.unpack_from("<i", raw, at + 4 + letters)
            names.append(raw[at + 4 : at + 3 + letters].decode("latin-1"))
            lengths.append(length)
            at += 8 + letters
    except struct.error:
        return None
    text = raw[8 : 8 + size].rstrip(b"\0").decode("utf-8", "replace")
    return Header(tuple(names), tuple(lengths), text, at)
