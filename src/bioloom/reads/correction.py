"""Errors of reads corrected by the k-mer spectrum: a beam search over solid k-mers.

A read with a weak k-mer is searched from its longest run of solid k-mers, to the right and then,
on the other strand, to the left. A letter is changed only where every cheapest path changes it.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from bioloom.reads.kmers import Table, count_kmers, count_of
from bioloom.reads.sequences import Reads
from bioloom.reads.spectrum import Spectrum, spectrum_of

u = np.uint64
K = 21
ROUNDS = 2
BEAM = 8  # paths kept at a letter
CHANGES = 20  # a path has at most so many, on each side
TIED = 5  # code of a letter on which paths of one cost differ
STUCK = 10  # changes so near to where no path goes on are not trusted


class Corrected(NamedTuple):
    """Reads after correction, with the spectrum before it."""

    reads: Reads
    spectrum: Spectrum
    changed: int  # letters


def correct(reads: Reads, k: int = K, rounds: int = ROUNDS) -> Corrected:
    """The reads with errors corrected, in so many rounds; k-mers are counted anew for each."""
    table = count_kmers(reads, k)
    first = spectrum = spectrum_of(table)
    corrected = correct_once(reads, table, spectrum.threshold)
    for _ in range(rounds - 1):
        table = count_kmers(corrected, k)
        spectrum = spectrum_of(table)
        corrected = correct_once(corrected, table, spectrum.threshold)
    return Corrected(corrected, first, int((corrected.codes != reads.codes).sum()))


def correct_once(reads: Reads, table: Table, threshold: int) -> Reads:
    """One round with the counts of a table."""
    codes = _correct(
        reads.codes, reads.offsets, table.k, table.keys, table.counts, threshold, BEAM, CHANGES
    )
    return reads._replace(codes=codes)


def weak_reads(reads: Reads, table: Table, threshold: int) -> np.ndarray:
    """Which reads (n,) have a k-mer of a lower count than `threshold`, or with unknown letters.

    A read that is shorter than a k-mer has none: nothing can be said of it.
    """
    return _weak(reads.codes, reads.offsets, table.k, table.keys, table.counts, threshold)


@numba.njit(cache=True)
def _weak(codes, offsets, k, keys, counts, threshold):
    weak = np.empty(len(offsets) - 1, np.bool_)
    for read in range(len(weak)):
        letters = codes[offsets[read] : offsets[read + 1]]
        solid = _island(letters, k, keys, counts, threshold)[2]
        weak[read] = len(letters) >= k and not solid
    return weak


@numba.njit(cache=True)
def _correct(codes, offsets, k, keys, counts, threshold, beam, changes):
    corrected = codes.copy()
    for read in range(len(offsets) - 1):
        letters = corrected[offsets[read] : offsets[read + 1]]
        begin, end, all_solid = _island(letters, k, keys, counts, threshold)
        if all_solid or end == 0:
            continue
        extend(letters, end, k, keys, counts, threshold, beam, changes)
        flipped = _flipped(letters)
        extend(flipped, len(letters) - begin, k, keys, counts, threshold, beam, changes)
        letters[:] = _flipped(flipped)
    return corrected


@numba.njit(cache=True)
def _flipped(letters):
    """The reverse complement; an unknown letter stays one."""
    flipped = np.empty_like(letters)
    for i in range(len(letters)):
        code = letters[len(letters) - 1 - i]
        flipped[i] = 3 - code if code < 4 else code
    return flipped


@numba.njit(cache=True)
def _island(letters, k, keys, counts, threshold):
    """First letter and end of the longest run of solid k-mers (0, 0: none); whether all are."""
    mask, top = u((1 << (2 * k)) - 1), u(2 * (k - 1))
    forward, backward, known = u(0), u(0), 0
    begin, end, run = 0, 0, 0
    for i in range(len(letters)):
        code = u(letters[i])
        known = known + 1 if code < u(4) else 0
        forward = ((forward << u(2)) | (code & u(3))) & mask
        backward = (backward >> u(2)) | ((u(3) - (code & u(3))) << top)
        solid = known >= k and count_of(keys, counts, forward, backward) >= threshold
        run = run + 1 if solid else 0
        if run > 0 and run + k - 1 > end - begin:
            begin, end = i - (run + k - 1) + 1, i + 1
    return begin, end, begin == 0 and end == len(letters) > 0


@numba.njit(cache=True)
def extend(letters, at, k, keys, counts, threshold, beam, changes):
    """Correct `letters` in place from `at` to the right; the k letters before it are solid.

    Paths die where no letter gives a solid k-mer; what those say that came furthest is written.
    """
    length = len(letters)
    mask, top = u((1 << (2 * k)) - 1), u(2 * (k - 1))
    paths = np.empty((beam, length), np.uint8)
    forward, backward = np.zeros(beam, np.uint64), np.zeros(beam, np.uint64)
    cost = np.zeros(beam, np.int64)
    new_paths = np.empty_like(paths)
    new_forward, new_backward, new_cost = forward.copy(), backward.copy(), cost.copy()
    forward[0], backward[0] = _strands(letters, at - k, k)
    n, i = 1, at
    while i < length:
        m = 0
        for p in range(n):
            own = letters[i]
            for choice in range(-1, 4):
                if choice == own or (choice < 0 and own > 3):
                    continue
                code = u(own) if choice < 0 else u(choice)
                f = ((forward[p] << u(2)) | code) & mask
                b = (backward[p] >> u(2)) | ((u(3) - code) << top)
                if count_of(keys, counts, f, b) < threshold:
                    continue
                c = cost[p] + (choice >= 0)
                if c > changes:
                    continue
                new = new_paths, new_forward, new_backward, new_cost
                m = _keep(*new, m, paths[p], at, i, code, f, b, c)
                if choice < 0:
                    break
        if m == 0:
            break
        paths, new_paths = new_paths, paths
        forward, new_forward = new_forward, forward
        backward, new_backward = new_backward, backward
        cost, new_cost = new_cost, cost
        n, i = m, i + 1
    _write(letters, at, i, paths, cost, n)


@numba.njit(cache=True)
def _strands(letters, at, k):
    """The k-mer of known letters at a place, and its reverse complement."""
    forward, backward = u(0), u(0)
    for i in range(k):
        forward = (forward << u(2)) | u(letters[at + i])
        backward |= (u(3) - u(letters[at + i])) << u(2 * i)
    return forward, backward


@numba.njit(cache=True)
def _keep(paths, forward, backward, cost, n, path, at, i, code, f, b, c):
    """Put a path among the n best ones; one that ends as another is merged with it. The new n."""
    place = n
    for q in range(n):
        if forward[q] == f:
            if c == cost[q]:
                for x in range(at, i):
                    if paths[q, x] != path[x]:
                        paths[q, x] = TIED
            if c >= cost[q]:
                return n
            place = q
    if place == len(cost):
        place = np.argmax(cost)
        if cost[place] <= c:
            return n
    paths[place, at:i] = path[at:i]
    paths[place, i] = code
    forward[place], backward[place], cost[place] = f, b, c
    return max(n, place + 1)


@numba.njit(cache=True)
def _write(letters, at, end, paths, cost, n):
    """Write letters from `at` to `end` that all cheapest paths share, as far as to be trusted."""
    cheapest = cost[:n].min()
    said = letters.copy()
    for x in range(at, end):
        first = True
        for p in range(n):
            if cost[p] == cheapest:
                shared = paths[p, x] < 4 and (first or said[x] == paths[p, x])
                said[x] = paths[p, x] if shared else letters[x]
                if not shared:
                    break
                first = False
    end = _trusted(letters, said, at, end)
    letters[at:end] = said[at:end]


@numba.njit(cache=True)
def _trusted(letters, said, at, end):
    """Where to stop: before changes at which the search got stuck, and before an indel.

    Behind an indel a path of substitutions differs at most letters, and the read, shifted by the
    indel's length, at few.
    """
    if end < len(letters):
        x = end - 1
        while x >= at and end - x <= STUCK:
            if said[x] != letters[x]:
                end = x
            x -= 1
    changes = 0
    for x in range(end - 1, at - 1, -1):
        if said[x] != letters[x]:
            changes += 1
            if changes > 2 and _shifted(letters, said, x, end) < changes - 2:
                return _trusted(letters, said, at, x) if x > at else at
    return end


@numba.njit(cache=True)
def _shifted(letters, said, begin, end):
    """The fewest letters at which the corrected and the shifted read differ."""
    fewest = end - begin
    for shift in (-2, -1, 1, 2):
        unlike = 0
        for x in range(max(begin, begin - shift), min(end, end - shift)):
            unlike += said[x] != letters[x + shift]
        fewest = min(fewest, unlike)
    return fewest
