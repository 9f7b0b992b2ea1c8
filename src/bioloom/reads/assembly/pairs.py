"""Contigs that pairs of reads join, where no single read does: at a repeat, or where few were read.

Mates lie on long unitigs on both sides. These overlap by as much as the pairs say, or between them
there is one way along k-mers of the reads that is as long: so Velvet joins contigs (Zerbino and
Birney 2008), and so Sealer closes gaps (Paulino et al. 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bioloom.reads.assembly.bridges import bridge, is_rare
from bioloom.reads.assembly.graph import NONE, Counts, Graph, only_way
from bioloom.reads.assembly.places import NOWHERE, K, found_at, places_of
from bioloom.reads.sequences import Reads

FEWEST = 100  # pairs on one unitig each, to know how far mates lie apart
WITNESSES = 3  # pairs that join two unitigs
TIMES = 5  # as many as those that join either with any other
TRIED = 3  # k-mers of a read, one behind the other, until one has a place
SPREADS = 3  # standard deviations that an insert may be off, and standard errors that a gap may


class Ends(NamedTuple):
    """Of n reads the oriented unitig, and how far its end is from where the read begins."""

    oriented: np.ndarray  # (n,) int64, NONE where the read has no place
    distance: np.ndarray  # (n,) int64, letters


class Link(NamedTuple):
    """What pairs say of two oriented unitigs: the letters between them, fewer than 0 of overlap."""

    gap: float  # the mean over pairs
    pairs: int


class _Facing(NamedTuple):
    """Two ends of unitigs that pairs put side by side, as letters of one strand."""

    first: np.ndarray  # up to the end of the one
    last: np.ndarray  # from the beginning of the other
    gaps: range  # letters between them that the pairs allow


class Solid(NamedTuple):
    """K-mers of the reads, and how often one has to occur."""

    k: int
    table: Counts
    threshold: int


def join_pairs(
    graph: Graph, reads: Reads, mates: np.ndarray, solid: Solid, rare: Callable[[], Solid]
) -> list[tuple[list[int], np.ndarray]]:
    """Oriented unitigs that pairs (m, 2) of the reads say are one contig, and its letters.

    The way between two is the overlap of both, or that of `solid` k-mers, or a bridge: one that is
    exact and of no repeat, or has a k-mer of few reads by `rare`, which counts where it is called.
    A unitig is in one of them at most.
    """
    ends = _ends(graph, reads)
    oriented, distance = ends.oriented[mates], ends.distance[mates]
    placed = (oriented != NONE).all(axis=1)
    (one, other), (near, far) = oriented[placed].T, distance[placed].T
    together = one == other ^ 1
    inserts = (near + far)[together] - graph.lengths[one[together] >> 1]
    if len(inserts) < FEWEST:
        return []
    insert = float(np.median(inserts))
    spread = 1.4826 * float(np.median(np.abs(inserts - insert)))
    margin = graph.k + solid.k  # of a unitig's end, where it may be cut short
    long = graph.lengths >= max(insert, 2 * margin)
    apart = (one >> 1 != other >> 1) & long[one >> 1] & long[other >> 1]
    apart_by = insert - (near + far)[apart]
    off = SPREADS * max(spread, 1)
    links = _links(one[apart], other[apart] ^ 1, apart_by, -graph.k - off, insert + off)
    facing = {
        (begin, end): _Facing(
            graph.sequence(begin)[-margin:],
            graph.sequence(end)[:margin],
            _about(link.gap, off / np.sqrt(link.pairs)),
        )
        for (begin, end), link in links.items()
    }
    ways = {link: _way(both, solid) for link, both in facing.items()}
    if without := [link for link, way in ways.items() if way is None]:
        beyond = _beyond(reads, ends, {o for begin, end in without for o in (begin, end ^ 1)})
        table = rare()
    for begin, end in without:
        after = beyond.get(begin, [])
        before = [3 - letters[::-1] for letters in beyond.get(end ^ 1, [])]
        first, last, gaps = facing[begin, end]
        way = bridge(first, last, after, before, gaps)
        if way is None:
            continue
        is_repeat = len(way.letters) <= 2 * margin - solid.k  # so much do both share
        if (way.is_exact and not is_repeat) or is_rare(way.letters, *table):
            ways[begin, end] = way.letters
    joins = dict[tuple[int, int], np.ndarray]()
    for (begin, end), letters in ways.items():
        if letters is not None:
            joins[begin, end] = letters
            joins[end ^ 1, begin ^ 1] = 3 - letters[::-1]
    return [(chain, _letters(graph, chain, joins, margin)) for chain in _chains([*joins])]


def _about(gap: float, off: float) -> range:
    return range(round(gap - off), round(gap + off) + 1)


def _way(facing: _Facing, solid: Solid) -> np.ndarray | None:
    """The letters of both ends and between them: by what they share, or along solid k-mers."""
    first, last, gaps = facing
    shared = [
        -gap
        for gap in gaps
        if solid.k <= -gap <= min(len(first), len(last)) and (first[gap:] == last[:-gap]).all()
    ]
    if len(shared) == 1:
        return np.concatenate([first, last[shared[0] :]])
    both = len(first) + len(last)
    lengths = range(max(both + gaps.start, solid.k + 1), both + gaps.stop)
    return only_way(first[: solid.k], last[-solid.k :], *solid, lengths)


def _letters(
    graph: Graph, chain: list[int], joins: dict[tuple[int, int], np.ndarray], margin: int
) -> np.ndarray:
    """The letters of a chain: unitigs without the margins that ways stand for."""
    parts = []
    for place, oriented in enumerate(chain):
        letters = graph.sequence(oriented)
        begin = margin if place else 0
        end = len(letters) - (margin if place < len(chain) - 1 else 0)
        parts.append(letters[begin:end])
        if place < len(chain) - 1:
            parts.append(joins[oriented, chain[place + 1]])
    return np.concatenate(parts)


def _ends(graph: Graph, reads: Reads) -> Ends:
    places, lengths = places_of(graph), graph.lengths
    n, last = len(reads.offsets) - 1, reads.offsets[1:] - K
    oriented, distance = np.full(n, NONE), np.zeros(n, np.int64)
    for skipped in range(0, TRIED * K, K):
        open_ = np.flatnonzero((oriented == NONE) & (reads.offsets[:-1] + skipped <= last))
        found, as_written = found_at(reads, reads.offsets[open_] + skipped, places)
        open_, as_written = open_[found != NOWHERE], as_written[found != NOWHERE]
        found = found[found != NOWHERE]
        unitig, place = places.unitig[found], places.place[found]
        oriented[open_] = 2 * unitig + ~as_written
        on_strand = np.where(as_written, place, lengths[unitig] - place - K)
        distance[open_] = lengths[unitig] - on_strand + skipped
    return Ends(oriented, distance)


def _beyond(reads: Reads, ends: Ends, asked: set[int]) -> dict[int, list[np.ndarray]]:
    """The letters by which reads go on beyond the end of each of these oriented unitigs."""
    over = np.isin(ends.oriented, [*asked]) & (ends.distance < np.diff(reads.offsets))
    beyond: dict[int, list[np.ndarray]] = {}
    for read in np.flatnonzero(over):
        letters = reads.codes[reads.offsets[read] + ends.distance[read] : reads.offsets[read + 1]]
        if letters.max() < 4:  # N says nothing
            beyond.setdefault(int(ends.oriented[read]), []).append(letters)
    return beyond


def _links(
    begin: np.ndarray, end: np.ndarray, gaps: np.ndarray, nearest: float, farthest: float
) -> dict[tuple[int, int], Link]:
    """Between two oriented unitigs that pairs join with each other and hardly any else."""
    near = (gaps > nearest) & (gaps < farthest)
    begin, end, gaps = begin[near], end[near], gaps[near]
    turned = begin > end ^ 1  # a -> b is b^1 -> a^1
    begin, end = np.where(turned, end ^ 1, begin), np.where(turned, begin ^ 1, end)
    pairs, which, counts = np.unique(
        np.stack([begin, end], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    mean = np.bincount(which.ravel(), gaps, len(pairs)) / np.maximum(counts, 1)
    rivals = dict[int, list[int]]()  # by the end of a unitig that a pair leaves it by
    for (one, other), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        for leaving in {one, other ^ 1}:
            rivals.setdefault(leaving, []).append(count)
    return {
        (one, other): Link(float(gap), count)
        for (one, other), count, gap in zip(pairs.tolist(), counts.tolist(), mean, strict=True)
        if count >= WITNESSES
        and all(count >= TIMES * (sum(rivals[leaving]) - count) for leaving in (one, other ^ 1))
    }


def _chains(joins: list[tuple[int, int]]) -> list[list[int]]:
    """Each chain of joined unitigs once, of one strand; a ring is cut open where it begins."""
    following = dict(joins)
    chains, taken = [], set[int]()
    begins = [unitig for unitig in following if unitig ^ 1 not in following]
    for begin in [*begins, *following]:  # first those with an end, then the rings
        if begin >> 1 in taken:
            continue
        chain = [begin]
        taken.add(begin >> 1)
        while (after := following.get(chain[-1], NONE)) != NONE and after >> 1 not in taken:
            taken.add(after >> 1)
            chain.append(after)
        chains.append(chain)
    return chains
