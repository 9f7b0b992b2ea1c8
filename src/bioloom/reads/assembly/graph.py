"""The compact de Bruijn graph of reads for any odd k: unitigs and how they follow each other.

A k-mer is known by a rolling polynomial hash of 64 bits of each strand, the smaller one for both:
of 10^8 k-mers two share one with a chance of .0003. Its letters stand where it was first seen.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from bioloom.reads.sequences import Reads

u = np.uint64
BASE = u(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2^64
INVERSE = u(pow(int(BASE), -1, 1 << 64))
# What A, C, G, T count: random odd numbers, for small ones would make hashes that are alike.
VALUES = np.array(
    [0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3], np.uint64
)
FREE = u(0)
FULL = 0.6
MOST_STEPS = 10_000  # from k-mer to k-mer in search of a way
SMALLEST = 1 << 12
NONE = -1


class Counts(NamedTuple):
    """A table of k-mers by open addressing; slots are a power of two."""

    keys: np.ndarray  # (slots,) uint64 hashes, FREE where there is none
    counts: np.ndarray  # (slots,) uint32
    places: np.ndarray  # (slots,) int64, the letter where it was first seen


class Graph(NamedTuple):
    """n unitigs. Of unitig i, 2i is the strand as written and 2i + 1 the other ("oriented").

    A link a -> b says that the last k - 1 letters of a are the first of b; b^1 -> a^1 is the same.
    """

    k: int
    codes: np.ndarray  # (letters,) uint8
    offsets: np.ndarray  # (n + 1,) int64
    coverage: np.ndarray  # (n,) float64, the mean count of its k-mers
    links: np.ndarray  # (2n, 4) int32 oriented unitigs, NONE where there are fewer

    def sequence(self, oriented: int) -> np.ndarray:
        """The letters of an oriented unitig."""
        letters = self.codes[self.offsets[oriented >> 1] : self.offsets[(oriented >> 1) + 1]]
        return 3 - letters[::-1] if oriented & 1 else letters

    @property
    def lengths(self) -> np.ndarray:
        """Letters of each unitig (n,)."""
        return np.diff(self.offsets)


def count_hashes(reads: Reads, k: int) -> Counts:
    """The k-mers of the reads, with counts and where each was first seen."""
    table = _empty(SMALLEST)
    read, filled, n = 0, 0, len(reads.offsets) - 1
    while read < n:
        read, filled = _insert(reads.codes, reads.offsets, k, *table, read, filled, FULL)
        if read < n:
            table = _grown(table)
    return table


def _empty(slots: int) -> Counts:
    return Counts(np.zeros(slots, u), np.zeros(slots, np.uint32), np.zeros(slots, np.int64))


def _grown(table: Counts) -> Counts:
    larger = _empty(2 * len(table.keys))
    _move(*table, *larger)
    return larger


def trust(reads: Reads, first: int, k: int, table: Counts, count: int) -> None:
    """Raise the k-mers of reads from the `first` on to at least this count."""
    _trust(reads.codes, reads.offsets, first, k, table.keys, table.counts, count)


def rescue(reads: Reads, k: int, table: Counts, threshold: int) -> int:
    """Make rare k-mers solid where a read alone bridges a gap; how many.

    They stand in one read between a solid k-mer with nothing solid after it and one with nothing
    solid before it ("mercy k-mers" of Li et al. 2015): few letters were read there, not wrong ones.
    """
    return _rescue(reads.codes, reads.offsets, k, table.keys, table.counts, threshold)


def build_graph(reads: Reads, k: int, table: Counts, threshold: int) -> Graph:
    """Unitigs of the k-mers that occur at least `threshold` times, and their links."""
    found = _unitigs(reads.codes, k, *table, threshold)
    codes, offsets, coverage, owner = found
    links = _links(codes, offsets, k, table.keys, table.counts, threshold, owner)
    return Graph(k, codes, offsets, coverage, links)


def only_way(
    begin: np.ndarray, end: np.ndarray, k: int, table: Counts, threshold: int, lengths: range
) -> np.ndarray | None:
    """The letters from one k-mer to another, both included, along k-mers of at least that count.

    None where there is no way of one of these `lengths`, or more than one, or too many to try.
    """
    letters = np.empty(lengths.stop, np.uint8)
    letters[:k] = begin
    goal = u(_hashes(end, 0, k)[0])
    first, last = lengths.start, lengths.stop - 1
    n = _only_way(letters, goal, k, table.keys, table.counts, threshold, first, last, MOST_STEPS)
    return letters[:n] if n else None


def counts_along(letters: np.ndarray, k: int, table: Counts) -> np.ndarray:
    """How often each k-mer of letters (n,) occurs, (n - k + 1,)."""
    return _counts_along(letters, k, table.keys, table.counts)


def place_of(kmer: np.ndarray, table: Counts) -> int:
    """The letter where this k-mer, or its reverse complement, was first seen, or NONE."""
    slot = _find(table.keys, u(min(_hashes(kmer, 0, len(kmer)))))
    return NONE if table.keys[slot] == FREE else int(table.places[slot])


@numba.njit(cache=True)
def _find(keys, kmer):
    """The slot of a hash, or the free one where it would stand."""
    mask = u(len(keys) - 1)
    slot = (kmer ^ (kmer >> u(29))) * u(0xC4CEB9FE1A85EC53)
    slot = (slot ^ (slot >> u(32))) & mask
    while keys[slot] != kmer and keys[slot] != FREE:
        slot = (slot + u(1)) & mask
    return slot


@numba.njit(cache=True)
def _power(k):
    """BASE to the power of k - 1: what the first letter of a k-mer counts."""
    power = u(1)
    for _ in range(k - 1):
        power *= BASE
    return power


@numba.njit(cache=True)
def _hashes(letters, at, k):
    """The hashes of the k-mer at a place, and of its reverse complement."""
    forward, backward = u(0), u(0)
    for i in range(k):
        forward = forward * BASE + VALUES[letters[at + i]]
        backward = backward * BASE + VALUES[3 - letters[at + k - 1 - i]]
    return forward, backward


@numba.njit(cache=True)
def _next(forward, backward, first, new, power):
    """The hashes of the k-mer without its `first` letter and with a `new` one at its end."""
    forward = (forward - VALUES[first] * power) * BASE + VALUES[new]
    backward = (backward - VALUES[3 - first]) * INVERSE + VALUES[3 - new] * power
    return forward, backward


@numba.njit(cache=True)
def _counts_along(letters, k, keys, counts):
    power = _power(k)
    along = np.empty(len(letters) - k + 1, np.uint32)
    forward, backward = _hashes(letters, 0, k)
    for i in range(len(along)):
        if i:
            first, new = letters[i - 1], letters[i + k - 1]
            forward, backward = _next(forward, backward, first, new, power)
        along[i] = counts[_find(keys, min(forward, backward))]
    return along


@numba.njit(cache=True)
def _insert(codes, offsets, k, keys, counts, places, read, filled, full):
    """Count reads from `read` on until the table is full; the next read and the slots filled."""
    power = _power(k)
    while read < len(offsets) - 1:
        if filled + offsets[read + 1] - offsets[read] > full * len(keys):
            return read, filled
        forward, backward, known = u(0), u(0), 0
        for i in range(offsets[read], offsets[read + 1]):
            known = known + 1 if codes[i] < 4 else 0
            if known == k:
                forward, backward = _hashes(codes, i - k + 1, k)
            elif known > k:
                forward, backward = _next(forward, backward, codes[i - k], codes[i], power)
            if known >= k:
                kmer = min(forward, backward)
                slot = _find(keys, kmer)
                if keys[slot] == FREE:
                    keys[slot], places[slot] = kmer, i - k + 1
                    filled += 1
                counts[slot] += np.uint32(1)
        read += 1
    return read, filled


@numba.njit(cache=True)
def _move(old_keys, old_counts, old_places, keys, counts, places):
    for i in range(len(old_keys)):
        if old_keys[i] != FREE:
            slot = _find(keys, old_keys[i])
            keys[slot], counts[slot], places[slot] = old_keys[i], old_counts[i], old_places[i]


@numba.njit(cache=True)
def _trust(codes, offsets, first, k, keys, counts, count):
    power = _power(k)
    for read in range(first, len(offsets) - 1):
        forward, backward = u(0), u(0)
        for i in range(offsets[read] + k - 1, offsets[read + 1]):
            if i == offsets[read] + k - 1:
                forward, backward = _hashes(codes, offsets[read], k)
            else:
                forward, backward = _next(forward, backward, codes[i - k], codes[i], power)
            slot = _find(keys, min(forward, backward))
            counts[slot] = max(counts[slot], np.uint32(count))


@numba.njit(cache=True)
def _successors(forward, backward, first, power, keys, counts, threshold):
    """How many k-mers follow one, and the last of them: letter, slot and hashes."""
    n, letter, at, f, b = 0, 0, u(0), u(0), u(0)
    for new in range(4):
        nf, nb = _next(forward, backward, first, new, power)
        slot = _find(keys, min(nf, nb))
        if counts[slot] >= threshold:
            n, letter, at, f, b = n + 1, new, slot, nf, nb
    return n, letter, at, f, b


@numba.njit(cache=True)
def _rescue(codes, offsets, k, keys, counts, threshold):
    power = _power(k)
    slots = np.empty(np.diff(offsets).max(), np.int64)
    bridges = np.empty(1 << 10, np.int64)
    n = 0
    for read in range(len(offsets) - 1):
        forward, backward, known, gap = u(0), u(0), 0, NONE
        for i in range(offsets[read], offsets[read + 1]):
            known = known + 1 if codes[i] < 4 else 0
            if known == 0:
                gap = NONE
            if known == k:
                forward, backward = _hashes(codes, i - k + 1, k)
            elif known > k:
                before = forward, backward, codes[i - k]
                forward, backward = _next(forward, backward, codes[i - k], codes[i], power)
            if known < k:
                continue
            slot = _find(keys, min(forward, backward))
            slots[i - offsets[read]] = slot
            solid = counts[slot] >= threshold
            if not solid and gap == NONE and known > k:
                f, b, first = before
                ends = _successors(f, b, first, power, keys, counts, threshold)[0] == 0
                gap = i if ends else NONE
            if solid and gap != NONE:
                first = 3 - codes[i]
                if _successors(backward, forward, first, power, keys, counts, threshold)[0] == 0:
                    while n + i - gap > len(bridges):
                        bridges = np.concatenate((bridges, np.empty_like(bridges)))
                    begin = gap - offsets[read]
                    bridges[n : n + i - gap] = slots[begin : i - offsets[read]]
                    n += i - gap
                gap = NONE
    # Not before: what a read bridges must not hang on the order of the reads.
    for slot in bridges[:n]:
        counts[slot] = max(counts[slot], np.uint32(threshold))
    return n


@numba.njit(cache=True)
def _walk(letters, end, forward, backward, k, power, keys, counts, threshold, owner, unitig):
    """Append to `letters`, which end at `end`, while there is one way on and one way back.

    The letters (a larger array where they need one), their end, and the sum of counts.
    """
    total = 0
    while True:
        first = letters[end - k]
        n, new, slot, f, b = _successors(forward, backward, first, power, keys, counts, threshold)
        if n != 1 or owner[slot] != NONE:
            break
        # Back from it: what follows its reverse complement, whose first letter is 3 - new.
        if _successors(b, f, 3 - new, power, keys, counts, threshold)[0] != 1:
            break
        if end == len(letters):
            letters = np.concatenate((letters, np.empty_like(letters)))
        letters[end], owner[slot] = new, unitig
        end, forward, backward = end + 1, f, b
        total += counts[slot]
    return letters, end, total


@numba.njit(cache=True)
def _unitigs(codes, k, keys, counts, places, threshold):
    """Letters, offsets and coverage of all unitigs, and which one each slot's k-mer is of."""
    power = _power(k)
    owner = np.full(len(keys), NONE, np.int32)
    offsets = np.zeros(1024, np.int64)
    coverage = np.zeros(1024)
    out = np.empty(1 << 16, np.uint8)
    right, left = np.empty(1 << 12, np.uint8), np.empty(1 << 12, np.uint8)
    n = 0
    for slot in range(len(keys)):
        if counts[slot] < threshold or owner[slot] != NONE:
            continue
        owner[slot] = n
        at = places[slot]
        forward, backward = _hashes(codes, at, k)
        for i in range(k):
            right[i], left[i] = codes[at + i], 3 - codes[at + k - 1 - i]
        both = keys, counts, threshold, owner, n
        right, end, after = _walk(right, k, forward, backward, k, power, *both)
        left, begin, before = _walk(left, k, backward, forward, k, power, *both)
        length = begin + end - k
        while offsets[n] + length > len(out):
            out = np.concatenate((out, np.empty_like(out)))
        for i in range(begin - k):
            out[offsets[n] + i] = 3 - left[begin - 1 - i]
        out[offsets[n] + begin - k : offsets[n] + length] = right[:end]
        coverage[n] = (counts[slot] + after + before) / (length - k + 1)
        n += 1
        if n == len(coverage):
            offsets = np.concatenate((offsets, np.zeros_like(offsets)))
            coverage = np.concatenate((coverage, np.zeros_like(coverage)))
        offsets[n] = offsets[n - 1] + length
    return out[: offsets[n]].copy(), offsets[: n + 1].copy(), coverage[:n].copy(), owner


@numba.njit(cache=True)
def _links(codes, offsets, k, keys, counts, threshold, owner):
    """What follows each oriented unitig (2n, 4)."""
    n, power = len(offsets) - 1, _power(k)
    links = np.full((2 * n, 4), NONE, np.int32)
    begin = np.empty(2 * n, np.uint64)  # the hash of the first k-mer of each oriented unitig
    for i in range(n):
        begin[2 * i] = _hashes(codes, offsets[i], k)[0]
        begin[2 * i + 1] = _hashes(codes, offsets[i + 1] - k, k)[1]
    for oriented in range(2 * n):
        i, flipped = oriented >> 1, oriented & 1
        at = offsets[i] if flipped else offsets[i + 1] - k
        forward, backward = _hashes(codes, at, k)
        first = codes[at]
        if flipped:
            forward, backward, first = backward, forward, 3 - codes[at + k - 1]
        degree = 0
        for new in range(4):
            f, b = _next(forward, backward, first, new, power)
            slot = _find(keys, min(f, b))
            if counts[slot] >= threshold:
                target = 2 * owner[slot]
                target += begin[target] != f
                if begin[target] == f:
                    links[oriented, degree] = target
                    degree += 1
    return links


@numba.njit(cache=True)
def _only_way(letters, goal, k, keys, counts, threshold, shortest, longest, steps):
    """Write the only way to the goal behind the first k letters; its end, 0 where it is not."""
    power = _power(k)
    forward, backward = np.empty(longest + 1, np.uint64), np.empty(longest + 1, np.uint64)
    tried = np.zeros(longest + 1, np.uint8)  # letters, behind the first `end` ones
    found, kept = 0, letters.copy()
    end = k
    forward[end], backward[end] = _hashes(letters, 0, k)
    for _ in range(steps):
        if tried[end] == 0 and end >= shortest and forward[end] == goal:
            if found:
                return 0
            found, kept[:end] = end, letters[:end]
        if tried[end] == 4 or end == longest:
            if end == k:
                letters[:found] = kept[:found]
                return found
            tried[end] = 0
            end -= 1
            continue
        new = tried[end]
        tried[end] += np.uint8(1)
        f, b = _next(forward[end], backward[end], letters[end - k], new, power)
        if counts[_find(keys, min(f, b))] >= threshold:
            letters[end] = new
            end += 1
            forward[end], backward[end], tried[end] = f, b, 0
    return 0
