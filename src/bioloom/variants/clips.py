"""Alleles that no alignment shows, put together from the clipped ends of reads beside them.

Reads that end in a long insertion are clipped where it begins, others where it ends. What both
sides say of the letters between is joined where it overlaps.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

import numba
import numpy as np

from bioloom.reads.observations import CODES, bits_at, letters_of
from bioloom.reads.records import SOFT_CLIP, Records, uint32

SHORTEST = 12  # letters of a clip that says anything, and of an overlap of both sides
FEWEST = 2  # reads that are clipped at one place
LONGEST = 250  # letters of a clip that are looked at, those beside the aligned part
NEAR = 30  # bases of reference beside a clip, and between the two sides of an allele
LEFT, RIGHT = 0, 1
u = np.uint64


class Clips(NamedTuple):
    """Reads that are clipped at one place: how many, and the letters that most of them have."""

    reads: int
    letters: np.ndarray


@numba.njit(cache=True)
def _clipped(columns, end, found, letters):
    """Fill `found` with (record, side, position, letters, first letter's place in `letters`)."""
    raw, at, begin, flag, cigar, operations = columns
    count = used = 0
    for r in range(len(at)):
        if operations[r] < 2:
            continue
        sequence, _, size = letters_of(raw, at[r])
        for side in range(2):
            word = uint32(raw, cigar[r] + 4 * (0 if side == LEFT else operations[r] - 1))
            length = np.int64(word >> 4)
            if word & 15 != SOFT_CLIP or length < SHORTEST or size == 0:
                continue
            first = 0 if side == LEFT else size - length
            if length > LONGEST:
                first += length - LONGEST if side == LEFT else 0
                length = LONGEST
            for i in range(length):
                letters[used + i] = min(CODES[bits_at(raw, u(sequence), u(first + i))], 4)
            found[count] = r, side, begin[r] if side == LEFT else end[r], length, used
            count += 1
            used += length
    return count


def clips(records: Records, room: int) -> list[dict[int, Clips]]:
    """Position -> clips of the left ends of reads, and of the right ones.

    A position is the first that is aligned, or behind the last one; `room` is for all letters.
    """
    found, letters = np.zeros((2 * len(records), 5), np.int64), np.zeros(room, np.uint8)
    count = _clipped(records.columns, records.end, found, letters)
    places: list[dict[int, list[np.ndarray]]] = [defaultdict(list), defaultdict(list)]
    for _, side, position, length, first in found[:count].tolist():
        places[side][position].append(letters[first : first + length])
    return [
        {
            position: Clips(len(ends), _consensus(ends, side))
            for position, ends in places[side].items()
            if len(ends) >= FEWEST
        }
        for side in (LEFT, RIGHT)
    ]


def _consensus(ends: list[np.ndarray], side: int) -> np.ndarray:
    """The commonest letter at each distance from the aligned part, as far as two reads reach."""
    outward = [end[::-1] if side == LEFT else end for end in ends]
    longest = sorted(map(len, outward))[-FEWEST]
    letters = [
        Counter(end[i] for end in outward if i < len(end)).most_common(1)[0][0]
        for i in range(longest)
    ]
    made = np.array(letters, np.uint8)
    return made[::-1] if side == LEFT else made


def joined(
    left: Clips, right: Clips, begin: int, end: int, reference: np.ndarray, origin: int
) -> tuple[int, bytes, bytes] | None:
    """What lies between reads clipped at their right ends at `end`, and at their left at `begin`.

    (start, letters of the reference, letters instead), without what both share at the ends but the
    base before; None where the two sides do not overlap, or differ in nothing.
    """
    low, high = min(begin, end) - NEAR - origin, max(begin, end) + NEAR - origin
    if low < 0 or high > len(reference):
        return None
    before = np.concatenate([reference[low : end - origin], right.letters])
    after = np.concatenate([left.letters, reference[begin - origin : high]])
    overlap = _overlap(before, after)
    if not overlap:
        return None
    made, given = np.concatenate([before, after[overlap:]]), reference[low:high]
    back = _shared(made[::-1], given[::-1])
    made, given = made[: len(made) - back], given[: len(given) - back]
    front = min(_shared(made, given), len(made), len(given))
    if front == 0 or (front == len(made) == len(given)):
        return None
    start = low + front - 1
    return start + origin, given[front - 1 :].tobytes(), made[front - 1 :].tobytes()


def _overlap(before: np.ndarray, after: np.ndarray) -> int:
    """The longest end of one that is the beginning of the other, of SHORTEST letters or more."""
    for size in range(min(len(before), len(after)), SHORTEST - 1, -1):
        if (before[len(before) - size :] == after[:size]).mean() > 0.95:
            return size
    return 0


def _shared(one: np.ndarray, other: np.ndarray) -> int:
    """How many letters both begin with."""
    size = min(len(one), len(other))
    differs = np.flatnonzero(one[:size] != other[:size])
    return int(differs[0]) if len(differs) else size
