"""How well each allele of a site explains each fragment: reads aligned anew, with their clips.

A pair hidden Markov model sums over all alignments of a read's letters near the site to the
reference with the allele in its place (as in Albers et al. 2011, Dindel; Poplin et al. 2018,
HaplotypeCaller). A gap costs less in a repeat, where polymerases slip.

Compiled loops stand in one file: see `reads.observations`.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from bioloom.reads.fragments import empty_rows
from bioloom.reads.observations import CODES, NO_QUALITY, NOTHING, aligned, bits_at, lay, letters_of
from bioloom.reads.records import (
    DELETION,
    DIFFERENT,
    EQUAL,
    INSERTION,
    MATCH,
    REVERSE,
    SKIP,
    SOFT_CLIP,
    Records,
    uint32,
)

EXTEND = 0.1  # probability that a gap goes on
OPEN = 45.0  # Phred of a gap outside repeats
SLIP = 2.5  # Phred by which each further base of a repeat makes a gap likelier
OPEN_LEAST = 18.0
LONGEST_UNIT = 4  # of a repeat
LONGEST = 4096  # letters of a read near a site
NEARBY = 400  # bases to both sides of a site on which mismatches are counted
FOREIGN = 0.25  # probability of each letter that is inserted
u = np.uint64


class Sites(NamedTuple):
    """S sites and their alleles, H haplotypes in all, the reference's first at each site."""

    start: np.ndarray  # (S,) first base of the site
    end: np.ndarray  # (S,) behind the last base that an allele may be laid on
    first: np.ndarray  # (S,) first base of the window of reference that haplotypes are of
    last: np.ndarray  # (S,) behind that window
    haplotypes: np.ndarray  # (S + 1,) a site's haplotypes
    letters: np.ndarray  # uint8, codes of all haplotypes, end to end
    offsets: np.ndarray  # (H + 1,) each one's letters


class Evidence(NamedTuple):
    """O observations: what one fragment says of one site, sites in order."""

    site: np.ndarray  # (O,)
    likelihood: np.ndarray  # (O, alleles) natural logarithm, the reference first
    codes: np.ndarray  # (O, width) uint8: A, C, G, T, gap, nothing; around the site's first base
    quality: np.ndarray  # (O, width) uint8
    insertion: np.ndarray  # (O, width) letters after the position
    strand: np.ndarray  # (O, width) bool, reverse
    reverse: np.ndarray  # (O,) bool, of the fragment's first record here
    mapping: np.ndarray  # (O,) uint8, the lowest mapping quality of its records here
    clipped: np.ndarray  # (O,) bool, whether a record is soft-clipped
    mismatches: np.ndarray  # (O,) the most that a record has, up to `NEARBY` from the site
    end_distance: np.ndarray  # (O,) letters from the site to the nearer end of its first record


@numba.njit(cache=True)
def gap_open(letters, out):
    """Fill `out` with the probability that a gap begins at each letter, by the repeat there."""
    n = len(letters)
    out[:] = 0.0
    for unit in range(1, LONGEST_UNIT + 1):
        run = 0  # letters in a row that equal the one a unit before
        for j in range(unit, n + 1):
            if j < n and letters[j] == letters[j - unit] and letters[j] < 4:
                run += 1
                continue
            if run >= max(unit, 2):
                # `run` letters repeat what is before them
                for k in range(j - run - unit, j):
                    out[k] = max(out[k], run)
            run = 0
    for j in range(n):
        out[j] = 10 ** (-max(OPEN_LEAST, OPEN - SLIP * out[j]) / 10)


def repeated(opening: float) -> int:
    """How many letters repeat those before them where a gap has this probability to begin."""
    return round((OPEN + 10 * np.log10(opening)) / SLIP)


@numba.njit(cache=True, fastmath=True)
def align(read, right, wrong, haplotype, opening, state):
    """Logarithm of the probability of a read's letters, begun and ended anywhere in a haplotype.

    `right` and `wrong` are the probabilities that a letter is seen as it is, and as a given other
    one; `state` is room for two rows of the three states.
    """
    n, size = len(read), len(haplotype)
    match, insert, delete = state[0], state[1], state[2]
    match[:, : size + 1], insert[:, : size + 1], delete[:, : size + 1] = 0.0, 0.0, 0.0
    delete[0, : size + 1] = 1.0 / size
    now = 0
    for i in range(n):
        before, now = now, 1 - now
        match[now, 0], insert[now, 0], delete[now, 0] = 0.0, 0.0, 0.0
        letter = read[i]
        for j in range(size):
            start = opening[j]
            p = right[i] if haplotype[j] == letter else wrong[i]
            if letter > 3 or haplotype[j] > 3:
                p = FOREIGN
            gaps = insert[before, j] + delete[before, j]
            match[now, j + 1] = p * ((1.0 - 2.0 * start) * match[before, j] + (1.0 - EXTEND) * gaps)
            insert[now, j + 1] = FOREIGN * (
                start * match[before, j + 1] + EXTEND * insert[before, j + 1]
            )
            delete[now, j + 1] = start * match[now, j] + EXTEND * delete[now, j]
    total = 0.0
    for j in range(1, size + 1):
        total += match[now, j] + insert[now, j]
    return np.log(max(total, 1e-300))


@numba.njit(cache=True)
def projected(raw, begin, cigar, operations):
    """The span of a record on the reference, its soft clips laid out beside it: [start, end)."""
    start, x, seen = begin, begin, False
    for k in range(operations):
        word = uint32(raw, cigar + 4 * k)
        operation, length = word & 15, word >> 4
        if operation == SOFT_CLIP:
            if seen:
                x += length
            else:
                start -= length
        elif operation in (MATCH, EQUAL, DIFFERENT, DELETION, SKIP):
            seen = True
            x += length
        elif operation == INSERTION:
            seen = True
    return start, x


@numba.njit(cache=True)
def spans(columns):
    """(left, right): `projected` of each record."""
    raw, at, begin, flag, cigar, operations = columns
    left, right = np.empty(len(at), np.int64), np.empty(len(at), np.int64)
    for r in range(len(at)):
        left[r], right[r] = projected(raw, begin[r], cigar[r], operations[r])
    return left, right


@numba.njit(cache=True)
def segment(raw, begin, cigar, operations, first, last):
    """The read's letters [from, to) that lie on [first, last), clips laid out; and clipped ones."""
    start, _ = projected(raw, begin, cigar, operations)
    x, y, low, high, clips = start, np.int64(0), np.int64(-1), np.int64(0), np.int64(0)
    for k in range(operations):
        word = uint32(raw, cigar + 4 * k)
        operation, length = word & 15, np.int64(word >> 4)
        if operation in (MATCH, EQUAL, DIFFERENT, SOFT_CLIP):
            inside = max(np.int64(0), first - x)
            if inside < length and x + inside < last:
                if low < 0:
                    low = y + inside
                high = y + min(length, last - x)
            x += length
            y += length
            clips += length if operation == SOFT_CLIP else 0
        elif operation == INSERTION:
            if first < x < last:
                low = y if low < 0 else low
                high = y + length
            y += length
        elif operation in (DELETION, SKIP):
            x += length
    return max(low, np.int64(0)), high, clips


@numba.njit(cache=True)
def mismatches(raw, at, begin, cigar, operations, reference):
    """Letters of a record that differ from a reference; `begin` is relative to its first base."""
    sequence, _, letters = letters_of(raw, at)
    found, x, y = 0, begin, np.int64(0)
    for k in range(operations if letters > 0 else 0):
        word = uint32(raw, cigar + 4 * k)
        operation, length = word & 15, np.int64(word >> 4)
        if operation in (MATCH, EQUAL, DIFFERENT):
            for j in range(max(np.int64(0), -x), min(length, len(reference) - x)):
                code = CODES[bits_at(raw, u(sequence), u(y + j))]
                found += code < 4 and reference[x + j] < 4 and code != reference[x + j]
            x += length
            y += length
        elif operation in (INSERTION, SOFT_CLIP):
            y += length
        elif operation in (DELETION, SKIP):
            x += length
    return found


@numba.njit(cache=True)
def _join(one, other):
    """Evidence of a second record of the fragment: the better where both agree, else the rest.

    As with base qualities in `reads.observations`; both are relative to the reference.
    """
    if (one > 0) == (other > 0):
        return one if abs(one) > abs(other) else other
    return one + other


@numba.njit(cache=True, nogil=True)
def explain(columns, fragment, around, sites, error, unknown, half, n_alleles, evidence):
    """Fill `evidence`, and say how many observations there are.

    `fragment` is the first record of each record's fragment, `around` the reference with the
    position of its first letter, `error` the probability of an error by base quality. Images reach
    `half` positions to both sides.
    """
    reference, corner = around
    raw, at, begin, flag, cigar, operations = columns
    n, width = len(at), 2 * half + 1
    left, right = spans(columns)
    most = 0
    for h in range(len(sites.offsets) - 1):
        most = max(most, sites.offsets[h + 1] - sites.offsets[h])
    opening = np.empty(len(sites.letters))
    for h in range(len(sites.offsets) - 1):
        part = slice(sites.offsets[h], sites.offsets[h + 1])
        gap_open(sites.letters[part], opening[part])
    state = np.empty((3, 2, most + 1))
    read, hit, miss = np.empty(LONGEST, np.uint8), np.empty(LONGEST), np.empty(LONGEST)
    pieces = np.empty((operations.max() if n else 0, 5), np.int64)
    found, place = 0, np.full(n, -1, np.int64)  # of a fragment's observation
    ll = np.empty(n_alleles)
    for s in range(len(sites.start)):
        origin = found
        for r in range(n):
            if left[r] >= sites.end[s] or right[r] <= sites.start[s]:
                continue
            low, high, clips = segment(
                raw, begin[r], cigar[r], operations[r], sites.first[s], sites.last[s]
            )
            size = min(high - low, len(read))
            sequence, qualities, letters = letters_of(raw, at[r])
            if size <= 0 or letters == 0:  # a record may have no sequence
                continue
            for i in range(size):
                read[i] = min(CODES[bits_at(raw, u(sequence), u(low + i))], np.uint8(4))
                quality = raw[qualities + low + i]
                e = error[unknown if quality == NO_QUALITY else quality]
                hit[i], miss[i] = 1.0 - e, e / 3.0
            for a in range(sites.haplotypes[s + 1] - sites.haplotypes[s]):
                h = sites.haplotypes[s] + a
                part = slice(sites.offsets[h], sites.offsets[h + 1])
                ll[a] = align(
                    read[:size], hit[:size], miss[:size], sites.letters[part], opening[part], state
                )
            o = place[fragment[r]]
            fresh = o < origin
            if fresh:
                o, found = found, found + 1
                place[fragment[r]] = o
                evidence.site[o], evidence.reverse[o] = s, flag[r] & REVERSE != 0
                evidence.likelihood[o, 0] = ll[0]
                evidence.mapping[o], evidence.mismatches[o] = 255, 0
                evidence.codes[o], evidence.clipped[o] = NOTHING, False
                evidence.quality[o], evidence.insertion[o], evidence.strand[o] = 0, 0, False
                inside = sites.start[s] - left[r]
                evidence.end_distance[o] = max(0, min(inside, right[r] - sites.start[s] - 1))
            for a in range(1, n_alleles):
                other = ll[a] - ll[0] if a < sites.haplotypes[s + 1] - sites.haplotypes[s] else -1e3
                before = evidence.likelihood[o, a] - evidence.likelihood[o, 0]
                joined = other if fresh else _join(before, other)
                evidence.likelihood[o, a] = evidence.likelihood[o, 0] + joined
            evidence.mapping[o] = min(evidence.mapping[o], raw[at[r] + 13])
            low = max(corner, sites.start[s] - NEARBY)
            near = reference[low - corner : sites.start[s] + NEARBY - corner]
            count = mismatches(raw, at[r], begin[r] - low, cigar[r], operations[r], near)
            evidence.mismatches[o] = max(evidence.mismatches[o], count)
            evidence.clipped[o] |= clips > 0
            row = (
                evidence.codes[o],
                evidence.quality[o],
                evidence.insertion[o],
                evidence.strand[o],
            )
            edge = sites.start[s] - half
            count = aligned(raw, at[r], begin[r], cigar[r], operations[r], edge, width, pieces)
            lay(raw, at[r], flag[r] & REVERSE != 0, pieces[:count], unknown, row)
    return found


@numba.njit(cache=True)
def overlaps(columns, sites):
    """How many pairs of a site and a record that reaches it there are: room for `explain`."""
    left, right = spans(columns)
    count = 0
    for r in range(len(left)):
        for s in range(len(sites.start)):
            count += left[r] < sites.end[s] and right[r] > sites.start[s]
    return count


@numba.njit(cache=True)
def fragments_of(following):
    """The first record of each record's fragment, from `fragments.link`."""
    first = np.arange(len(following))
    for r in range(len(following)):
        if following[r] >= 0:
            first[following[r]] = first[r]
    return first


def observe(
    records: Records,
    fragment: np.ndarray,
    sites: Sites,
    reference: np.ndarray,
    origin: int,
    error: np.ndarray,
    *,
    unknown: int,
    half: int,
) -> Evidence:
    """What each fragment says of each site; `reference` begins at `origin`.

    `fragment` is the first record of each record's fragment (`fragments_of`).
    Images reach `half` positions to both sides. A "=" in a sequence says nothing.
    """
    columns = records.columns
    room = overlaps(columns, sites)
    alleles = int(np.diff(sites.haplotypes).max(initial=1))
    evidence = Evidence(
        np.zeros(room, np.int64),
        np.zeros((room, alleles)),
        *empty_rows((room, 2 * half + 1)),
        np.zeros(room, np.bool_),
        np.zeros(room, np.uint8),
        np.zeros(room, np.bool_),
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
    )
    found = explain(
        columns,
        fragment,
        (reference, origin),
        sites,
        error,
        np.uint8(unknown),
        half,
        alleles,
        evidence,
    )
    return Evidence(*(values[:found] for values in evidence))
