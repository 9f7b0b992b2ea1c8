"""Which records are of one fragment: those of one name in a read group; and the row of one."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from bioloom.reads.groups import group_of
from bioloom.reads.observations import NOTHING
from bioloom.reads.records import FIXED


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
    """(following, leads): the fragment's next record that overlaps, or -1; who has none before.

    Records are in the order of the file. An open-addressing table of names; "*" is no name.
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
        while table[slot] >= 0 and not (
            _same_name(raw, at[table[slot]], first, letters)
            and _same_group(raw, at[table[slot]], at[r])
        ):
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
def _same_group(raw, one, other):
    """Whether two records are of one read group, or of none: lanes may repeat names."""
    begin, letters = group_of(raw, one)
    there, also = group_of(raw, other)
    if letters != also:
        return False
    for i in range(letters):
        if raw[begin + i] != raw[there + i]:
            return False
    return True


@numba.njit(cache=True)
def _same_name(raw, at, first, letters):
    if np.int64(raw[at + 12]) - 1 != letters:
        return False
    for i in range(letters):
        if raw[at + FIXED + i] != raw[first + i]:
            return False
    return True
