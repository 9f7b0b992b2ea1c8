"""Sites where reads of a region may differ from the reference, with their alleles.

A site is a position and all alleles that begin there once written left-most. It is a candidate if
a rough likelihood of counts gives a variant a probability above `SCREEN`; realignment then decides.
What a region gives is what begins in it, whatever its size.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass
from itertools import groupby, islice, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from bioloom.reads.pileup import COUNTING, Counting, Pileup, pileup
from bioloom.reads.records import Records
from bioloom.variants.alleles import (
    Edit,
    N,
    decode,
    edit_of,
    edited,
    encode,
    indels,
    left_aligned,
)
from bioloom.variants.clips import NEAR, clips, joined
from bioloom.variants.realignment import Sites

SCREEN = 5e-4
MOST_ALLELES = 4  # of a site, with the reference
LONGEST = 200  # bases of an indel, and of the repeat that it may lie in
MINOR = 0.05  # share of the fragments at a place whose clips are looked at
FLANK = 25  # bases of reference beside a site that reads are aligned to
PHRED = np.log(10) / 10


@dataclass(frozen=True)
class Theta:
    """How many bases of two unrelated chromosomes differ: the prior of a variant at a base."""

    snp: float = 1e-3
    indel: float = 1.25e-4


class Site(NamedTuple):
    """Alleles at a position: codes, the reference first. `reach` is behind what they may cover."""

    start: int
    alleles: list[np.ndarray]
    reach: int

    @property
    def letters(self) -> list[str]:
        """The alleles as text."""
        return [decode(allele) for allele in self.alleles]

    @property
    def is_indel(self) -> tuple[bool, ...]:
        """Of each alternative."""
        return tuple(len(allele) != len(self.alleles[0]) for allele in self.alleles[1:])


class Proposal(NamedTuple):
    """An allele at a position: bases after it that are deleted, and codes in the first's place."""

    start: int
    deleted: int
    allele: bytes


def propose(
    records: Records,
    reference: np.ndarray,
    origin: int,
    start: int,
    end: int,
    *,
    theta: Theta,
    first: np.ndarray,
    opening: np.ndarray,
    counting: Counting = COUNTING,
) -> dict[Proposal, float]:
    """Alleles that may begin on [start, end), with their scores; `reference` is at `origin`.

    `records` are of one sample and count; `first` is the first record of each one's fragment, and
    `opening` the probability of a gap at each letter of the reference.
    """
    counts = pileup(records, start, end, counting)
    here = reference[start - origin : end - origin]
    found = _substitutions(counts, here, start, theta)
    depth = counts.depth
    events = _events(records, reference, origin, first, found)
    events.update(_clip_events(records, reference, origin, start, depth))
    for event, support in events.items():
        long = max(event.deleted, len(event.allele) - 1) > LONGEST
        if long or not start <= event.start < end or reference[event.start - origin] == N:
            continue
        error = 2 * opening[event.start + 1 - origin]
        odds = -support * np.log(error)
        score = _posterior(int(depth[event.start - start]), support, odds, theta.indel)
        if score > np.log(SCREEN):
            found[event] = score
    return found


def sites_of(
    proposals: Iterable[dict[Proposal, float]], reference: np.ndarray, origin: int
) -> list[Site]:
    """Sites of the alleles that any sample has, in order; at each place the likeliest few."""
    score: dict[Proposal, float] = {}
    for proposed in proposals:
        for allele, value in proposed.items():
            score[allele] = max(value, score.get(allele, value))
    ranked = sorted(score, key=lambda allele: (allele.start, -score[allele], allele))
    return [
        _site(start, list(islice(alleles, MOST_ALLELES - 1)), reference, origin)
        for start, alleles in groupby(ranked, key=attrgetter("start"))
    ]


def _posterior(depth: Any, support: Any, odds: Any, prior: float) -> Any:
    """Logarithm of the odds of a variant, heterozygous or not, by counts alone.

    `odds` is how much likelier all supporting observations are if the allele is there.
    """
    heterozygous = depth * np.log(0.5) + odds
    homozygous = odds - (depth - support) * 4.0 - np.log(2)
    return np.log(prior) + np.logaddexp(heterozygous, homozygous)


def _substitutions(
    counts: Pileup, here: np.ndarray, start: int, theta: Theta
) -> dict[Proposal, float]:
    """Bases that may be alleles."""
    bases = counts.counts[:, :4].sum(axis=2)
    qualities = counts.qualities[:, :4].sum(axis=2)
    odds = bases * np.log(3) + qualities * PHRED
    score = _posterior(counts.depth[:, None], bases, odds, theta.snp / 3)
    likely = (bases > 0) & (score > np.log(SCREEN)) & (here[:, None] != N)
    likely &= np.arange(4) != here[:, None]
    return {
        Proposal(start + int(place), 0, bytes([base])): float(score[place, base])
        for place, base in zip(*np.nonzero(likely), strict=True)
    }


def _events(
    records: Records,
    reference: np.ndarray,
    origin: int,
    first: np.ndarray,
    substitutions: Container[Proposal],
) -> Counter[Proposal]:
    """Indels in alignments, and how many fragments have each.

    In a read with a likely substitution of the base before it, an indel is another allele.
    """
    events = np.zeros((int(records.operations.sum()), 6), np.int64)
    inserted = np.zeros(sum_of_letters(records), np.uint8)
    count, _ = indels(records.columns, reference, origin, events, inserted)
    seen = set()
    for r, anchor, base, deleted, size, at in events[:count].tolist():
        if not origin <= anchor < origin + len(reference):
            continue
        letters = inserted[at : at + size].tobytes()
        ref = reference[anchor - origin : anchor - origin + 1 + deleted].tobytes()
        event = Proposal(anchor, deleted, ref[:1] + letters)
        if Proposal(anchor, 0, bytes([base])) in substitutions:
            place, ref, alt = _left_most(anchor, ref, bytes([base]) + letters, reference, origin)
            event = Proposal(place, len(ref) - 1, alt)
        seen.add((event, first[r]))
    return Counter(event for event, _ in seen)


def _clip_events(
    records: Records, reference: np.ndarray, origin: int, start: int, depth: np.ndarray
) -> Counter[Proposal]:
    """Insertions that clipped ends tell of, and how many reads are clipped there.

    `depth` is of the positions from `start` on. Each place where right ends are clipped is joined
    with the one near it where most left ends are.
    """
    left, right = clips(records, sum_of_letters(records))
    places = sorted(left)
    found: Counter[Proposal] = Counter()
    for end, one in right.items():
        near = places[bisect_left(places, end - NEAR) : bisect_right(places, end + NEAR)]
        if not near or not start <= end < start + len(depth):
            continue
        begin = max(near, key=lambda place: (left[place].reads, -abs(place - end)))
        support = one.reads + left[begin].reads
        if support < MINOR * depth[end - start]:
            continue
        allele = joined(left[begin], one, begin, end, reference, origin)
        if allele and len(allele[1]) == 1:
            place, _, letters = _left_most(*allele, reference, origin)
            found[Proposal(place, 0, letters)] = support
    return found


def _left_most(
    start: int, ref: bytes, alt: bytes, reference: np.ndarray, origin: int
) -> tuple[int, bytes, bytes]:
    """`left_aligned` of codes, on a stretch of the reference."""
    given, made = (decode(np.frombuffer(part, np.uint8)) for part in (ref, alt))
    place, one, other = left_aligned(start - origin, given, made, reference)
    return place + origin, encode(one).tobytes(), encode(other).tobytes()


def sum_of_letters(records: Records) -> int:
    """Letters of all records' sequences."""
    size = records.raw[records.at[:, None] + np.arange(20, 24)].astype(np.int64)
    return int((size << np.array([0, 8, 16, 24])).sum())


def _site(position: int, proposed: list[Proposal], reference: np.ndarray, origin: int) -> Site:
    """The site of these alleles, written over the longest deletion among them."""
    longest = max(one.deleted for one in proposed)
    at = position - origin
    behind = reference[at + 1 : at + 1 + longest]
    alleles = [reference[at : at + 1 + longest]] + [
        np.concatenate([np.frombuffer(one.allele, np.uint8), behind[one.deleted :]])
        for one in proposed
    ]
    return Site(position, alleles, position + max(_reach(one, reference, at) for one in proposed))


def _reach(one: Proposal, reference: np.ndarray, at: int) -> int:
    """How many bases from the site on the allele may be written at, by shifting it right."""
    cycle = reference[at + 1 : at + 1 + one.deleted].tobytes() or one.allele[1:]
    if not cycle:
        return 1
    shift, behind = 0, reference[at + 1 + one.deleted : at + 1 + one.deleted + LONGEST]
    while shift < len(behind) and behind[shift] == cycle[shift % len(cycle)]:
        shift += 1
    return 1 + one.deleted + shift


def haplotypes(
    sites: list[Site], beside: list[list[Site]], reference: np.ndarray, origin: int
) -> tuple[Sites, list[np.ndarray]]:
    """Haplotypes of the sites for realignment, and the allele that each of them has.

    `beside` are sites whose first alternative may lie on the same haplotype: each allele is shown
    with and without it, so that what a neighbour explains is no evidence for the site. A neighbour
    that deletes the site stands with the reference: it is not the alternative.
    """
    start = np.array([site.start for site in sites], np.int64)
    end = np.array([max(site.reach, site.start + 1) for site in sites], np.int64)
    first = np.maximum(start - FLANK, origin)
    last = np.minimum(end + FLANK, origin + len(reference))
    letters: list[np.ndarray] = []
    owners: list[np.ndarray] = []
    for site, others, low, high in zip(sites, beside, first, last, strict=True):
        owner = []
        for edits in [[], *[[_edit(other, 1)] for other in others]]:
            for allele in range(len(site.alleles)):
                parts = sorted([*edits, _edit(site, allele)] if allele else edits)
                if all(one.end <= other.start for one, other in pairwise(parts)):
                    letters.append(edited(parts, reference, origin, int(low), int(high)))
                    owner.append(allele)
        owners.append(np.array(owner))
    offsets = np.cumsum([0, *map(len, letters)])
    flat = np.concatenate(letters) if letters else np.zeros(0, np.uint8)
    counts = np.cumsum([0, *map(len, owners)])
    return Sites(start, end, first, last, counts, flat.astype(np.uint8), offsets), owners


def _edit(site: Site, allele: int) -> Edit:
    """What an allele replaces."""
    return edit_of(site.start, site.alleles[0].tobytes(), site.alleles[allele].tobytes())
