"""What the reads of one fragment say of each reference position, laid on a row.

A fragment is a read name: one molecule is one witness, however many records show it. Where several
cover a position, they are laid in the order of the file: equal observations keep the better quality;
of different ones the better stays, with the difference as its quality; different ones of equal
quality say nothing. A base and the insertion after it are one observation.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from bioloom.reads.records import (
    DELETION,
    DIFFERENT,
    EQUAL,
    FIXED,
    HARD_CLIP,
    INSERTION,
    MATCH,
    PADDING,
    SKIP,
    SOFT_CLIP,
    int32,
    uint16,
    uint32,
)

# Codes of an observation. N and the other ambiguous letters are none.
A, C, G, T, GAP, NOTHING = range(6)
# By the letter's four bits in BAM, "=ACMGRSVTWYHKDBN". "=" is as the reference: it has to be refused.
CODES = np.full(16, NOTHING, np.uint8)
CODES[[1, 2, 4, 8]] = A, C, G, T
UNKNOWN = -1  # the insertion after the last base of an alignment
NO_QUALITY = 255  # in BAM
u = np.uint64


class Row(NamedTuple):
    """Observations of a fragment on the positions of a region; NOTHING in `code` where none is."""

    code: np.ndarray  # uint8
    quality: np.ndarray  # uint8
    insertion: np.ndarray  # int32, letters after the position; UNKNOWN at the end of a read
    reverse: np.ndarray  # bool, the strand of the record that the observation is of


def empty_rows(shape: tuple[int, ...]) -> Row:
    """Rows on which nothing lies yet."""
    code, insertion = np.full(shape, NOTHING, np.uint8), np.zeros(shape, np.int32)
    return Row(code, np.zeros(shape, np.uint8), insertion, np.zeros(shape, np.bool_))


@numba.njit(cache=True, nogil=True)
def link(raw, at, start, end):
    """(following, leads): the next record of the same fragment that overlaps, or -1; who has none before.

    An open-addressing table of names. "*" is no name. Records are in the order of the file.
    """
    n = len(at)
    following, leads = np.full(n, -1, np.int64), np.ones(n, np.bool_)
    mask = 1
    while mask < 2 * n + 2:
        mask *= 2
    table, mask = np.full(mask, -1, np.int64), mask - 1
    reach = end.copy()
    for r in range(n):
        first, letters = at[r] + FIXED, np.int64(raw[at[r] + 12]) - 1
        if letters == 1 and raw[first] == ord("*"):
            continue
        slot = np.int64(_hash(raw, first, letters) & np.uint64(mask))
        while table[slot] >= 0 and not _same_name(raw, at[table[slot]], first, letters):
            slot = (slot + 1) & mask
        before = table[slot]
        table[slot] = r
        if before >= 0 and start[r] < reach[before]:
            following[before], leads[r] = r, False
            reach[r] = max(reach[r], reach[before])
    return following, leads


@numba.njit(cache=True)
def _hash(raw, first, letters):
    """FNV-1a of a name, with its bits mixed at the end."""
    value = np.uint64(0xCBF29CE484222325)
    for i in range(first, first + letters):
        value = (value ^ np.uint64(raw[i])) * np.uint64(0x100000001B3)
    return value ^ value >> np.uint64(32)


@numba.njit(cache=True)
def _same_name(raw, at, first, letters):
    if np.int64(raw[at + 12]) - 1 != letters:
        return False
    for i in range(letters):
        if raw[at + FIXED + i] != raw[first + i]:
            return False
    return True


@numba.njit(cache=True)
def aligned(raw, at, start, cigar, operations, first, width, pieces):
    """Fill `pieces` with the record's aligned runs on places 0 to `width`; their number.

    Place 0 is position `first`. A piece is (place, letter of the read, length, whether a deletion,
    insertion after its last place); of a deletion the letter is the one behind it.
    """
    n, x, y = 0, start - first, np.int64(0)
    for k in range(operations if int32(raw, at + 20) > 0 else 0):
        word = uint32(raw, cigar + 4 * k)
        operation, length = word & 15, word >> 4
        match = operation == MATCH or operation == EQUAL or operation == DIFFERENT
        if match or operation == DELETION:
            skipped, stop = max(0, -x), min(length, width - x)
            if skipped < stop:
                pieces[n, 0], pieces[n, 1] = x + skipped, y + skipped if match else y
                pieces[n, 2], pieces[n, 3] = stop - skipped, operation == DELETION
                pieces[n, 4] = insertion_after(raw, cigar, operations, k) if stop == length else 0
                n += 1
        if match or operation == DELETION or operation == SKIP:
            x += length
        if match or operation == INSERTION or operation == SOFT_CLIP:
            y += length
    return n


@numba.njit(cache=True)
def insertion_after(raw, cigar, operations, k):
    """Inserted letters between operation `k` and the next on the reference; UNKNOWN if none is next."""
    length = np.int64(0)
    for j in range(k + 1, operations):
        word = uint32(raw, cigar + 4 * j)
        operation = word & 15
        if operation == INSERTION:
            length += word >> 4
        elif operation == SOFT_CLIP or operation == HARD_CLIP:
            break
        elif operation != PADDING:
            return length
    return length if length > 0 else UNKNOWN


@numba.njit(cache=True, inline="always")
def letters_of(raw, at):
    """(sequence, qualities, letters): the first bytes of both, and their number."""
    letters = int32(raw, at + 20)
    sequence = at + FIXED + np.int64(raw[at + 12]) + 4 * uint16(raw, at + 16)
    return sequence, sequence + (letters + 1) // 2, letters


@numba.njit(cache=True, inline="always")
def bits_at(raw, sequence, y):
    """The four bits of letter `y` of the read. Of unsigned numbers: signed indices take thrice as long."""
    return raw[sequence + (y >> u(1))] >> np.uint8(u(4) - u(4) * (y & u(1))) & np.uint8(15)


@numba.njit(cache=True)
def gap_quality(raw, qualities, letters, y):
    """Of a deletion before letter `y`: the lower one of its two neighbours in the read."""
    return min(raw[qualities + max(y - 1, 0)], raw[qualities + min(y, letters - 1)])


@numba.njit(cache=True, nogil=True)
def lay(raw, at, reverse, pieces, unknown, row):
    """Lay a record's pieces on a Row. False if a letter is "=", which says nothing by itself."""
    sequence, qualities, letters = letters_of(raw, at)
    clear = True
    for p in range(len(pieces)):
        x, y, length, gap, after = pieces[p]
        for j in range(length):
            if gap:
                code, quality = np.uint8(GAP), gap_quality(raw, qualities, letters, y)
            else:
                bits = bits_at(raw, u(sequence), u(y + j))
                code, quality = CODES[bits], raw[qualities + y + j]
                clear &= bits != 0
            quality = unknown if quality == NO_QUALITY else quality
            _place(row, x + j, code, quality, after if j == length - 1 else 0, reverse)
    return clear


@numba.njit(cache=True)
def _place(row, x, code, quality, insertion, reverse):
    """One more observation of place `x`."""
    if code == NOTHING:
        return
    same = row.code[x] == code and _agree(row.insertion[x], insertion)
    if same:
        insertion = max(row.insertion[x], insertion)
        row.insertion[x] = insertion
    if row.code[x] == NOTHING or quality > row.quality[x]:
        difference = 0 if same or row.code[x] == NOTHING else row.quality[x]
        row.code[x], row.insertion[x] = code, insertion
        row.quality[x], row.reverse[x] = quality - difference, reverse
    elif not same and quality == row.quality[x]:
        row.code[x] = NOTHING
    elif not same:
        row.quality[x] -= quality


@numba.njit(cache=True)
def _agree(one, other):
    return one == other or one == UNKNOWN or other == UNKNOWN
