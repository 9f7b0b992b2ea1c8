"""Alleles against a reference: letters as codes, and the one way of the many to write an indel."""

from __future__ import annotations

from collections.abc import Iterable
from os.path import commonprefix
from typing import NamedTuple

import numba
import numpy as np

from bioloom.reads.observations import CODES, bits_at, letters_of
from bioloom.reads.records import (
    DELETION,
    DIFFERENT,
    EQUAL,
    INSERTION,
    MATCH,
    SKIP,
    SOFT_CLIP,
    int32,
    uint32,
)

LETTERS = "ACGTN"
N = 4
# VCF 4.3, 1.6.1: an ambiguous reference base is written as the first of its bases.
REDUCED = dict(zip("RYSWKMBDHV", "ACCAGACAAA", strict=True))
u = np.uint64


def encode(letters: str) -> np.ndarray:
    """uint8 codes of A, C, G, T, 4 for any other; case and ambiguity are reduced."""
    return _TABLE[np.frombuffer(letters.encode("latin-1"), np.uint8)]


def decode(codes: np.ndarray) -> str:
    """Letters of codes."""
    return _LETTERS[codes].tobytes().decode()


def _table() -> np.ndarray:
    table = np.full(256, N, np.uint8)
    for letter in "ACGT" + "".join(REDUCED):
        code = LETTERS.index(REDUCED.get(letter, letter))
        table[[ord(letter), ord(letter.lower())]] = code
    return table


_TABLE = _table()
_LETTERS = np.frombuffer(LETTERS.encode(), np.uint8)


class Edit(NamedTuple):
    """A stretch of the reference, [start, end), and the codes in its place; both share none."""

    start: int
    end: int
    letters: bytes


def edit_of(start: int, ref: bytes, alt: bytes) -> Edit:
    """An allele, as codes, without the letters that both sides share: at the end, then in front."""
    back = len(commonprefix([ref[::-1], alt[::-1]]))
    ref, alt = ref[: len(ref) - back], alt[: len(alt) - back]
    front = len(commonprefix([ref, alt]))
    return Edit(start + front, start + len(ref), alt[front:])


def edited(
    edits: Iterable[Edit], reference: np.ndarray, origin: int, low: int, high: int
) -> np.ndarray:
    """Codes of [low, high) with the edits made, which are in order; `reference` is at `origin`."""
    parts, at = [], low
    for start, end, letters in edits:
        inside = slice(at - origin, min(max(start, at), high) - origin)
        parts += [reference[inside], np.frombuffer(letters, np.uint8)]
        at = max(at, end)
    return np.concatenate([*parts, reference[at - origin : max(high, at) - origin]])


def trimmed(start: int, ref: str, alt: str) -> tuple[int, str, str]:
    """An allele without the letters that both sides share: at the end, then at the front.

    One letter stays on each side, as VCF asks.
    """
    while min(len(ref), len(alt)) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while min(len(ref), len(alt)) > 1 and ref[0] == alt[0]:
        start, ref, alt = start + 1, ref[1:], alt[1:]
    return start, ref, alt


def left_aligned(start: int, ref: str, alt: str, reference: np.ndarray) -> tuple[int, str, str]:
    """The left-most and shortest way to write an allele (Tan et al. 2015); `start` is 0-based.

    `reference` are the contig's codes from its first base on.
    """
    while True:
        start, ref, alt = trimmed(start, ref, alt)
        if len(ref) == len(alt) or ref[-1] != alt[-1] or start == 0:
            return start, ref, alt
        before = LETTERS[reference[start - 1]]
        start, ref, alt = start - 1, before + ref[:-1], before + alt[:-1]


@numba.njit(cache=True)
def indels(columns, reference, origin, events, inserted):
    """Insertions and deletions of records, each shifted as far left as the reference allows.

    Fill `events` with (record, anchor, the read's base there, deleted, inserted length, first
    inserted letter's place in `inserted`): the anchor is the position before the event. How many,
    and letters used.
    """
    raw, at, begin, flag, cigar, operations = columns
    count, used, size = 0, 0, len(reference)
    for r in range(len(at)):
        sequence, _, letters = letters_of(raw, at[r])
        x, y, run = begin[r] - origin, np.int64(0), np.int64(0)  # run: aligned without a gap
        for k in range(operations[r] if int32(raw, at[r] + 20) > 0 else 0):
            word = uint32(raw, cigar[r] + 4 * k)
            operation, length = word & 15, np.int64(word >> 4)
            if operation == DELETION and 0 < x and x + length < size and k > 0:
                p = x
                while p > 1 and reference[p - 1] == reference[p + length - 1]:
                    p -= 1
                base = CODES[bits_at(raw, u(sequence), u(y - 1 - x + p))] if x - p < run else N
                events[count] = r, p - 1 + origin, base, length, 0, used
                count += 1
            elif operation == INSERTION and 0 < x < size and 0 < k < operations[r] - 1:
                known = True
                for i in range(length):
                    code = CODES[bits_at(raw, u(sequence), u(y + i))]
                    known &= code < 4
                    inserted[used + i] = code
                p = x
                while known and p > 1 and reference[p - 1] == inserted[used + length - 1]:
                    for i in range(length - 1, 0, -1):
                        inserted[used + i] = inserted[used + i - 1]
                    inserted[used] = reference[p - 1]
                    p -= 1
                if known:
                    base = CODES[bits_at(raw, u(sequence), u(y - 1 - x + p))] if x - p < run else N
                    events[count] = r, p - 1 + origin, base, 0, length, used
                    count += 1
                    used += length
            run = run + length if operation in (MATCH, EQUAL, DIFFERENT) else np.int64(0)
            if operation in (MATCH, EQUAL, DIFFERENT, DELETION, SKIP):
                x += length
            if operation in (MATCH, EQUAL, DIFFERENT, INSERTION, SOFT_CLIP):
                y += length
    return count, used
