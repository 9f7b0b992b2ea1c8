"""Records of FASTQ text: where they are, what is wrong with them, whether two are mates.

Compiled loops over bytes. Rows of a table are records; its columns are named below.
"""

from __future__ import annotations

import numba
import numpy as np

# Columns: the name in the text, without a mate's mark; that mark (0: none, 1, 2, and 3, 4 for 1, 2
# behind a dot, which may be a number, too); letters, and how many are G or C; lowest and highest
# quality character (255 and 0 without letters); where the sequence begins.
NAME, NAME_END, MARK, LETTERS, GC, LOW, HIGH, SEQUENCE = range(8)
COLUMNS = 8

WHOLE, HEADER, TOO_LONG, PLUS, LENGTHS, LETTER, QUALITY = range(7)
LONGEST_NAME = 254  # letters, in BAM (SAM specification, section 1.4)
FAULTS = {
    HEADER: "does not begin with '@' and a name",
    TOO_LONG: f"has a name of more than {LONGEST_NAME} characters, which no BAM can hold",
    PLUS: "has no line that begins with '+' between sequence and quality",
    LENGTHS: "has a sequence and a quality of different lengths",
    LETTER: "has a letter that is no nucleotide",
    QUALITY: "has a quality character outside ! to ~",
}

IS_NUCLEOTIDE = np.zeros(256, np.bool_)
IS_NUCLEOTIDE[np.frombuffer(b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv.", np.uint8)] = True
LINE, RETURN, SPACE, TAB, AT, DOT, SLASH = 10, 13, 32, 9, 64, 46, 47


def scan(text: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The whole records of `text` (uint8): table (n, COLUMNS), the byte after them, and a fault.

    The fault is WHOLE or a key of FAULTS, for the record that begins at that byte.
    """
    table = np.empty((len(text) // 6 + 1, COLUMNS), np.int64)
    count, following, fault = _scan(text, table)
    return table[:count].copy(), following, fault


def unlike(text_1: np.ndarray, table_1: np.ndarray, text_2: np.ndarray, table_2: np.ndarray) -> int:
    """The first row in which the two tables do not name mates; the number of rows if all do."""
    return int(_unlike(text_1, table_1, text_2, table_2))


@numba.njit(cache=True, nogil=True)
def _scan(text, table):
    count, at = 0, 0
    ends = np.empty(4, np.int64)
    while True:
        begin = at
        for line in range(4):
            while at < len(text) and text[at] != LINE:
                at += 1
            if at == len(text):
                return count, begin, WHOLE
            ends[line] = at - 1 if at > begin and text[at - 1] == RETURN else at
            at += 1
            if line == 0:
                first = at
            elif line == 1:
                plus = at
            elif line == 2:
                quality = at
        if ends[0] < begin + 2 or text[begin] != AT:
            return count, begin, HEADER
        if ends[2] < plus + 1 or text[plus] != 43:
            return count, begin, PLUS
        letters = ends[1] - first
        if ends[3] - quality != letters:
            return count, begin, LENGTHS
        row = table[count]
        row[NAME], row[NAME_END], row[MARK] = _name(text, begin + 1, ends[0])
        if row[NAME_END] == row[NAME]:
            return count, begin, HEADER
        if row[NAME_END] > row[NAME] + LONGEST_NAME:
            return count, begin, TOO_LONG
        row[LETTERS], row[SEQUENCE] = letters, first
        gc, low, high = 0, 255, 0
        for i in range(letters):
            letter, value = text[first + i], text[quality + i]
            if not IS_NUCLEOTIDE[letter]:
                return count, begin, LETTER
            gc += (letter | 32) == 103 or (letter | 32) == 99
            low, high = min(low, value), max(high, value)
        if letters > 0 and (low < 33 or high > 126):
            return count, begin, QUALITY
        row[GC], row[LOW], row[HIGH] = gc, low, high
        count += 1


@numba.njit(cache=True)
def _name(text, begin, end):
    """First byte and end of the name up to a space or tab, without the mate's mark, and that."""
    stop = begin
    while stop < end and text[stop] != SPACE and text[stop] != TAB:
        stop += 1
    last = text[stop - 1] - 48
    if stop - begin > 2 and (last == 1 or last == 2):
        if text[stop - 2] == SLASH:
            return begin, stop - 2, last
        if text[stop - 2] == DOT and _ends_in_number(text, begin, stop - 2):
            return begin, stop - 2, last + 2
    if stop + 2 < end and text[stop] == SPACE and text[stop + 2] == 58:  # 1:N:0:ATC
        mark = text[stop + 1] - 48
        if mark == 1 or mark == 2:
            return begin, stop, mark
    return begin, stop, 0


@numba.njit(cache=True)
def _ends_in_number(text, begin, end):
    """Whether a name ends in a dot and digits: then what follows may be the mate's mark."""
    at = end
    while at > begin and 48 <= text[at - 1] <= 57:
        at -= 1
    return at < end and at > begin and text[at - 1] == DOT


@numba.njit(cache=True, nogil=True)
def _unlike(text_1, table_1, text_2, table_2):
    for row in range(len(table_1)):
        one, other = table_1[row], table_2[row]
        begin, length = other[NAME], other[NAME_END] - other[NAME]
        if one[NAME_END] - one[NAME] != length:
            return row
        for i in range(length):
            if text_1[one[NAME] + i] != text_2[begin + i]:
                return row
        if not _are_mates(one[MARK], other[MARK]):
            return row
    return len(table_1)


@numba.njit(cache=True)
def _are_mates(one, other):
    """Whether marks of equal names fit: (1, 2) and none, also where one file alone has them.

    What stands behind a dot may be the read's number, and is the same then.
    """
    if one > 2 or other > 2:
        return 2 < one <= other
    return one != 2 and other != 1
