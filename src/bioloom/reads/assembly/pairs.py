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
WITNESSES = 2  # pairs that join two unitigs where k-mers of the reads have a way between them
MORE_WITNESSES = 3  # and where single reads make the way
TIMES = 5  # as many as those that join either with any other
TRIED = 3  # k-mers of a read, one behind the other, until one has a place
SPREADS = 3  # standard errors that pairs over a gap may be off
FAR = 6  # standard deviations, about, that an insert may be off


class Ends(NamedTuple):
    """Of n reads the oriented unitig, and how far its end is from where the read begins."""

    oriented: np.ndarray  # (n,) int64, NONE where the read has no place
    distance: np.ndarray  # (n,) int64, letters


class Link(NamedTuple):
    """What pairs say of two oriented unitigs that they join."""

    outside: float  # the mean of the letters of an insert that lie on the unitigs
    pairs: int


class Gaps(NamedTuple):
    """What pairs over a gap tell of it, for each of n gaps; fewer letters than 0 are an overlap."""

    letters: np.ndarray  # (n,) int64
    outside: np.ndarray  # (n,) float64, letters of an insert that lie beside the gap, their mean
    spread: np.ndarray  # (n,) float64, and standard deviation

    def of(self, link: Link) -> range:
        """From the least to the most that a link allows, or that is nearest to it."""
        off = np.abs(self.outside - link.outside)
        allowed = off <= np.maximum(SPREADS * self.spread / np.sqrt(link.pairs), 1)
        found = self.letters[allowed | (off == off.min())]
        return range(int(found[0]), int(found[-1]) + 1)


class Facing(NamedTuple):
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
    inserts = inserts[np.abs(inserts - insert) <= FAR * max(spread, 1)]
    margin = graph.k + solid.k  # of a unitig's end, where it may be cut short
    long = graph.lengths >= max(insert, 2 * margin)
    apart = (one >> 1 != other >> 1) & long[one >> 1] & long[other >> 1]
    outside = (near + far)[apart]
    links = _links(one[apart], other[apart] ^ 1, outside, inserts.max() + graph.k)
    gaps = gaps_of(inserts, graph.k)
    facing = {
        (begin, end): Facing(
            graph.sequence(begin)[-margin:], graph.sequence(end)[:margin], gaps.of(link)
        )
        for (begin, end), link in links.items()
    }
    ways = {link: _way(both, solid) for link, both in facing.items()}
    enough = {link for link, said in links.items() if said.pairs >= MORE_WITNESSES}
    if without := [link for link, way in ways.items() if way is None and link in enough]:
        beyond = _beyond(reads, ends, {o for begin, end in without for o in (begin, end ^ 1)})
        table = rare()
    for begin, end in without:
        after = beyond.get(begin, [])
        before = [3 - letters[::-1] for letters in beyond.get(end ^ 1, [])]
        first, last, allowed = facing[begin, end]
        way = bridge(first, last, after, before, allowed)
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


def gaps_of(inserts: np.ndarray, k: int) -> Gaps:
    """From an overlap of k letters on, by inserts (n,) of pairs on one unitig.

    The longer an insert is, the more places it has over a gap (Sahlin et al. 2012, Bioinformatics
    28:2215). Mates begin on letters that no other unitig has, `K` of them, and not on shared ones.
    """
    lengths, counts = np.unique(inserts, return_counts=True)
    letters = np.arange(-k, lengths[-1] - 2 * K)
    places = np.maximum(lengths - np.abs(letters)[:, None] - 2 * K, 0) * counts  # (gaps, lengths)
    letters, places = letters[places.any(axis=1)], places[places.any(axis=1)]
    total = places.sum(axis=1)
    mean = places @ lengths / total
    spread = np.sqrt(np.maximum(places @ lengths**2 / total - mean**2, 0))
    return Gaps(letters, mean - letters, spread)


def _way(facing: Facing, solid: Solid) -> np.ndarray | None:
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
    begin: np.ndarray, end: np.ndarray, outside: np.ndarray, most: int
) -> dict[tuple[int, int], Link]:
    """Between two oriented unitigs that pairs join with each other and hardly any else."""
    near = outside <= most
    begin, end, outside = begin[near], end[near], outside[near]
    turned = begin > end ^ 1  # a -> b is b^1 -> a^1
    begin, end = np.where(turned, end ^ 1, begin), np.where(turned, begin ^ 1, end)
    pairs, which, counts = np.unique(
        np.stack([begin, end], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    mean = np.bincount(which.ravel(), outside, len(pairs)) / np.maximum(counts, 1)
    rivals = dict[int, list[int]]()  # by the end of a unitig that a pair leaves it by
    for (one, other), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        for leaving in {one, other ^ 1}:
            rivals.setdefault(leaving, []).append(count)
    return {
        (one, other): Link(float(letters), count)
        for (one, other), count, letters in zip(pairs.tolist(), counts.tolist(), mean, strict=True)
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
