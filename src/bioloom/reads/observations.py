"""What the reads of one fragment say of each reference position, laid on a row.

A fragment is a read name: one molecule is one witness, however many records show it. Where several
cover a position, they are laid in the order of the file: equal observations keep the better
quality; of different ones the better stays, with the difference as its quality; different ones of
equal quality say nothing. A base and the insertion after it are one observation.

Compiled loops that call each other stand in one file: numba renews its cache of a loop when the
loop's file changes, not when a file does that the loop takes functions from.
"""

from __future__ import annotations

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
    REVERSE,
    SKIP,
    SOFT_CLIP,
    int32,
    uint16,
    uint32,
)

# Codes of an observation. N and the other ambiguous letters are none.
A, C, G, T, GAP, NOTHING = range(6)
# By the letter's four bits in BAM, "=ACMGRSVTWYHKDBN". "=", as the reference, has to be refused.
CODES = np.full(16, NOTHING, np.uint8)
CODES[[1, 2, 4, 8]] = A, C, G, T
CELLS = GAP + 2  # of a position: bases, deletion, and a last one for what is no observation
UNKNOWN = -1  # the insertion after the last base of an alignment
NO_QUALITY = 255  # in BAM
u = np.uint64


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
    """Inserted letters between operation `k` and the next; UNKNOWN if the alignment ends."""
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
    """The four bits of letter `y` of the read.

    Indices are unsigned, here and below: of signed ones numba asks whether they count back.
    """
    return raw[sequence + (y >> u(1))] >> np.uint8(u(4) - u(4) * (y & u(1))) & np.uint8(15)


@numba.njit(cache=True)
def gap_quality(raw, qualities, letters, y):
    """Of a deletion before letter `y`: the lower one of its two neighbours in the read."""
    return min(raw[qualities + max(y - 1, 0)], raw[qualities + min(y, letters - 1)])


@numba.njit(cache=True, nogil=True)
def lay(raw, at, reverse, pieces, unknown, row):
    """Lay a record's pieces on a `Row`. False if a letter is "=", which says nothing by itself."""
    sequence, qualities, letters = letters_of(raw, at)
    codes, laid, insertions, strands = row  # in the loop that takes long
    lowest = np.uint8(15)
    for p in range(len(pieces)):
        place, y, length, gap, after = pieces[p]
        code, quality = np.uint8(GAP), np.int64(gap_quality(raw, qualities, letters, y))
        for j in range(u(length)):
            if not gap:
                bits = bits_at(raw, u(sequence), u(y) + j)
                lowest = min(lowest, bits)
                code, quality = CODES[bits], np.int64(raw[u(qualities + y) + j])
            if code == NOTHING:
                continue
            if quality == NO_QUALITY:
                quality = unknown
            x = u(place) + j
            insertion = after if j == u(length - 1) else np.int64(0)
            if codes[x] == NOTHING:
                codes[x], laid[x], insertions[x], strands[x] = code, quality, insertion, reverse
            elif codes[x] == code and not _differ(insertions[x], insertion):
                insertions[x] = max(insertions[x], insertion)
                if quality > laid[x]:
                    laid[x], strands[x] = quality, reverse
            elif quality > laid[x]:
                codes[x], laid[x] = code, quality - laid[x]
                insertions[x], strands[x] = insertion, reverse
            elif quality < laid[x]:
                laid[x] -= quality
            else:
                codes[x] = NOTHING
    return lowest > 0


@numba.njit(cache=True, inline="always")
def _differ(one, other):
    """Whether two insertions are known and not of one length."""
    return one != other and one != UNKNOWN and other != UNKNOWN


@numba.njit(cache=True, nogil=True)
def lay_fragments(columns, fragments, start, unknown, rows):
    """Lay each fragment on the row of its first record in `rows`. False where a letter is "="."""
    raw, at, begin, flag, cigar, operations = columns
    following, leads = fragments
    clear, width = True, rows.code.shape[1]
    pieces = np.empty((operations.max() if len(at) else 0, 5), np.int64)
    for lead in range(len(at)):
        r = lead if leads[lead] else -1
        row = (rows.code[lead], rows.quality[lead], rows.insertion[lead], rows.reverse[lead])
        while r >= 0:
            n = aligned(raw, at[r], begin[r], cigar[r], operations[r], start, width, pieces)
            clear &= lay(raw, at[r], flag[r] & REVERSE != 0, pieces[:n], unknown, row)
            r = following[r]
    return clear


@numba.njit(cache=True, nogil=True)
def count(columns, fragments, start, weight, unknown, row, tally, insertions):
    """Add every fragment to `tally`, flat of (positions, CELLS, 2), and `insertions`.

    `weight` is what a quality adds. False where a letter is "=".
    """
    raw, at, begin, flag, cigar, operations = columns
    following, leads = fragments
    clear, width = True, len(row.code)
    pieces = np.empty((operations.max() if len(at) else 0, 5), np.int64)
    for lead in range(len(at)):
        if not leads[lead]:
            continue
        r = lead
        if following[r] < 0:
            n = aligned(raw, at[r], begin[r], cigar[r], operations[r], start, width, pieces)
            reverse = (flag[r] & REVERSE) // REVERSE
            clear &= _count_alone(raw, at[r], reverse, pieces[:n], weight, tally, insertions)
            continue
        while r >= 0:
            n = aligned(raw, at[r], begin[r], cigar[r], operations[r], start, width, pieces)
            clear &= lay(raw, at[r], flag[r] & REVERSE != 0, pieces[:n], unknown, row)
            r = following[r]
        r = lead
        while r >= 0:
            n = aligned(raw, at[r], begin[r], cigar[r], operations[r], start, width, pieces)
            _count_row(row, pieces[:n], weight, tally, insertions)
            r = following[r]
    return clear


@numba.njit(cache=True)
def _count_alone(raw, at, reverse, pieces, weight, tally, insertions):
    """Count a record that is its fragment's only witness, without a row. False if it has a "="."""
    sequence, qualities, letters = letters_of(raw, at)
    lowest = 15  # four bits of a letter
    for p in range(len(pieces)):
        x, y, length, gap, after = pieces[p]
        cell = u(CELLS * 2 * x + reverse)
        code, worth = GAP, np.int64(0)
        if gap:
            worth = weight[gap_quality(raw, qualities, letters, y)]
            for _ in range(length):
                tally[cell + u(2 * GAP)] += worth
                cell += u(2 * CELLS)
        else:
            for j in range(u(y), u(y + length)):
                bits = bits_at(raw, u(sequence), j)
                lowest = min(lowest, bits)
                code, worth = CODES[bits], weight[raw[u(qualities) + j]]
                tally[cell + u(2) * code] += worth
                cell += u(2 * CELLS)
        if after > 0 and worth and code < NOTHING:
            insertions[x + length - 1, reverse] += 1
    return lowest > 0


@numba.njit(cache=True)
def _count_row(row, pieces, weight, tally, insertions):
    """Count what lies on the row under these pieces, and take it away."""
    codes, qualities, inserted, strands = row
    for p in range(len(pieces)):
        for x in range(u(pieces[p, 0]), u(pieces[p, 0] + pieces[p, 2])):
            code, reverse, worth = codes[x], u(strands[x]), weight[qualities[x]]
            tally[u(2) * (u(CELLS) * x + code) + reverse] += worth
            if inserted[x] > 0 and worth and code < NOTHING:
                insertions[x, reverse] += 1
            codes[x] = NOTHING
