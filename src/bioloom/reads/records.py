"""Alignment records of BAM as they lie in memory, and where each of them begins (SAM spec, 4.2).

Numbers are read from the raw bytes by compiled loops. `walk` checks every record once: what it lets
through can be read without leaving the record. Positions are 0-based, ends are exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numba
import numpy as np

# Bits of FLAG.
UNMAPPED, REVERSE, SECONDARY, FAILED, DUPLICATE = 0x4, 0x10, 0x100, 0x200, 0x400

MATCH, INSERTION, DELETION, SKIP, SOFT_CLIP, HARD_CLIP, PADDING, EQUAL, DIFFERENT = range(9)
FIXED = 36  # bytes before the name, with the 4 that say the record's size
LARGEST = 1 << 28  # bytes: a record that says more is taken for damage

WHOLE, SIZE, LENGTHS, NAME, CONTIG, POSITION, CIGAR, CIGAR_SEQUENCE, LONG_CIGAR = range(9)
FAULTS = {
    SIZE: "says an impossible size of itself",
    LENGTHS: "is shorter than its name, CIGAR and sequence",
    NAME: "has a name that does not end",
    CONTIG: "lies on a contig that the header does not have",
    POSITION: "lies before or beyond every contig",
    CIGAR: "has a CIGAR with an unknown operation",
    CIGAR_SEQUENCE: "has a CIGAR that does not fit its sequence",
    LONG_CIGAR: "has more than 65,535 CIGAR operations, and no whole tag CG for them",
}


class Columns(NamedTuple):
    """Of Records."""

    raw: np.ndarray
    at: np.ndarray
    start: np.ndarray
    flag: np.ndarray
    cigar: np.ndarray
    operations: np.ndarray


@dataclass(frozen=True)
class Records:
    """Records in `raw`, a row each in the other arrays, in the order of the file."""

    raw: np.ndarray  # uint8
    at: np.ndarray  # int64, the record's first byte in `raw`
    contig: np.ndarray  # int32, -1: none
    start: np.ndarray  # int64
    end: np.ndarray  # int64, `start` where nothing is aligned
    flag: np.ndarray  # uint16
    quality: np.ndarray  # uint8, of the mapping
    cigar: np.ndarray  # int64, first byte of the CIGAR in `raw`
    operations: np.ndarray  # int64, of the CIGAR

    def __len__(self) -> int:
        return len(self.at)

    @property
    def columns(self) -> Columns:
        """What the compiled loops take."""
        return Columns(self.raw, self.at, self.start, self.flag, self.cigar, self.operations)

    def take(self, rows: Any) -> Records:
        """These rows (indices, mask or slice); the raw bytes stay."""
        columns = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "raw"}
        return Records(self.raw, **columns)

    def over(self, contig: int, start: int, end: int) -> Records:
        """Those with an aligned base, or a gap between two, on [start, end) of the contig."""
        here = (self.contig == contig) & (self.start < end) & (self.end > start)
        return self.take(here & (self.end > self.start))

    def name(self, row: int) -> str:
        """QNAME."""
        at = int(self.at[row])
        letters = self.raw[at + FIXED : at + FIXED + int(self.raw[at + 12]) - 1]
        return letters.tobytes().decode("latin-1")


def walk(raw: np.ndarray, n_contigs: int, begin: int = 0) -> tuple[Records, int, int]:
    """Whole records from byte `begin`, where the next one begins, and what is wrong with it.

    The last number is WHOLE, or a key of FAULTS for the record after those returned. An unfinished
    record at the end of `raw` is no fault: the next byte is where it begins.
    """
    most = len(raw) // FIXED + 1
    table = [np.empty(most, dtype) for dtype in (np.int64, np.int32, np.int64, np.int64)]
    table += [np.empty(most, dtype) for dtype in (np.uint16, np.uint8, np.int64, np.int64)]
    count, following, fault = _walk(raw, n_contigs, begin, *table)
    return Records(raw, *(column[:count].copy() for column in table)), following, fault


@numba.njit(cache=True, nogil=True)
def _walk(raw, n_contigs, i, at, contig, start, end, flag, quality, cigar, operations):
    count = 0
    while i + 4 <= len(raw):
        size = int32(raw, i)
        if size < FIXED - 4 or size > LARGEST:
            return count, i, SIZE
        after = i + 4 + size
        if after > len(raw):
            break
        name, n, letters = np.int64(raw[i + 12]), uint16(raw, i + 16), int32(raw, i + 20)
        tags = i + FIXED + name + 4 * n + (letters + 1) // 2 + letters
        if letters < 0 or name < 1 or tags > after:
            return count, i, LENGTHS
        if raw[i + FIXED + name - 1] != 0:
            return count, i, NAME
        contig[count], start[count] = int32(raw, i + 4), int32(raw, i + 8)
        if contig[count] < -1 or contig[count] >= n_contigs:
            return count, i, CONTIG
        first = i + FIXED + name
        if n == 2 and _stands_for_long(raw, first, letters):
            first, n = _long_cigar(raw, tags, after)
            if n < 0:
                return count, i, LONG_CIGAR
        length, fault = _aligned(raw, first, n, letters)
        if fault != WHOLE:
            return count, i, fault
        at[count], flag[count], quality[count] = i, uint16(raw, i + 18), raw[i + 13]
        end[count] = start[count] + (0 if flag[count] & UNMAPPED else length)
        if start[count] < -1 or end[count] > 1 << 31:
            return count, i, POSITION
        cigar[count], operations[count] = first, n
        count += 1
        i = after
    return count, i, WHOLE


@numba.njit(cache=True, inline="always")
def uint16(raw, i):
    """The number that begins at byte `i`, as int64."""
    return np.int64(raw[i]) | np.int64(raw[i + 1]) << 8


@numba.njit(cache=True, inline="always")
def uint32(raw, i):
    """The number that begins at byte `i`, as int64."""
    return uint16(raw, i) | uint16(raw, i + 2) << 16


@numba.njit(cache=True, inline="always")
def int32(raw, i):
    """The number that begins at byte `i`, as int64."""
    return (uint32(raw, i) ^ (1 << 31)) - (1 << 31)


@numba.njit(cache=True)
def _aligned(raw, first, n, letters):
    """Length on the reference, and whether the CIGAR fits a sequence of so many letters."""
    reference = query = np.int64(0)
    for k in range(n):
        word = uint32(raw, first + 4 * k)
        operation, length = word & 15, word >> 4
        if operation > DIFFERENT:
            return reference, CIGAR
        if operation in (MATCH, DELETION, SKIP, EQUAL, DIFFERENT):
            reference += length
        if operation in (MATCH, INSERTION, SOFT_CLIP, EQUAL, DIFFERENT):
            query += length
    if n > 0 and letters > 0 and query != letters:
        return reference, CIGAR_SEQUENCE
    return reference, WHOLE


@numba.njit(cache=True)
def _stands_for_long(raw, first, letters):
    """Whether the CIGAR is `<letters>S<n>N`, the mark that the tag CG holds the true one."""
    one, two = uint32(raw, first), uint32(raw, first + 4)
    return letters > 0 and one == letters << 4 | SOFT_CLIP and two & 15 == SKIP


@numba.njit(cache=True)
def _long_cigar(raw, i, after):
    """First byte and operations of the CIGAR in tag CG, of bytes `i` to `after`; or -1, -1."""
    while i + 3 <= after:
        is_cigar, kind = raw[i] == ord("C") and raw[i + 1] == ord("G"), raw[i + 2]
        i += 3
        if kind == ord("Z") or kind == ord("H"):
            while i < after and raw[i] != 0:
                i += 1
            i += 1
        elif kind == ord("B"):
            if i + 5 > after:
                break
            size, n = tag_bytes(raw[i]), uint32(raw, i + 1)
            i += 5
            if size == 0 or i + size * n > after:
                break
            if is_cigar and size == 4:
                return i, n
            i += size * n
        else:
            if tag_bytes(kind) == 0:
                break
            i += tag_bytes(kind)
    return np.int64(-1), np.int64(-1)


@numba.njit(cache=True)
def tag_bytes(kind):
    """Bytes of a tag's value of this type; 0 for a type that does not exist."""
    if kind in (ord("A"), ord("c"), ord("C")):
        return 1
    if kind in (ord("s"), ord("S")):
        return 2
    return 4 if kind in (ord("i"), ord("I"), ord("f")) else 0
