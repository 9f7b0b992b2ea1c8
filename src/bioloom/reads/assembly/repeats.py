"""Repeats that a larger k hides, where forks of the graph are lost with the k-mers that show them.

A repeat of two copies, A R B and C R D, has two ways in and two out. Where reads are few, R B and
C R may lack the one k-mer at their fork: then A R D looks like one unitig. No k-mer that is as long
as R at most can tell that it is, so what the graph of a smaller k has shown of R counts.
"""

from __future__ import annotations

import numpy as np

from bioloom.reads.assembly.graph import NONE, Graph, count_hashes, place_of
from bioloom.reads.sequences import Reads

MORE = 1.1  # times the coverage of each neighbour, of a repeat at least


def repeats_of(graph: Graph) -> list[np.ndarray]:
    """The letters of unitigs that are several copies: what is beside them joins nothing else."""
    ways = (graph.links != NONE).sum(axis=1)
    found = list[np.ndarray]()
    for unitig in np.flatnonzero((ways.reshape(-1, 2) > 1).all(axis=1)).tolist():
        beside = graph.links[2 * unitig : 2 * unitig + 2]
        beside = beside[beside != NONE]
        most = graph.coverage[beside >> 1].max()
        if (ways[beside ^ 1] == 1).all() and graph.coverage[unitig] > MORE * most:
            found.append(graph.sequence(2 * unitig))
    return found


def without_ways_through(graph: Graph, repeats: list[np.ndarray]) -> Graph:
    """The graph with unitigs cut at both ends of each repeat that they go through.

    `repeats` are as long as `graph.k` at least. Parts share k - 1 letters, and have no link there.
    """
    if not repeats:
        return graph
    k, own = graph.k, Reads(graph.codes, np.zeros(0, np.uint8), graph.offsets)
    table = count_hashes(own, k)
    cuts: dict[int, set[int]] = {}  # by unitig, the k-mers that begin a part
    for letters in repeats:
        begin, last = sorted(place_of(kmer, table) for kmer in (letters[:k], letters[-k:]))
        if begin == NONE or last + k - begin != len(letters):
            continue
        unitig = int(np.searchsorted(graph.offsets, begin, side="right")) - 1
        first, end = graph.offsets[unitig : unitig + 2].tolist()
        if first < begin and last + k < end:
            cuts.setdefault(unitig, set()).update((begin - first, last + 1 - first))
    return _cut(graph, cuts) if cuts else graph


def _cut(graph: Graph, cuts: dict[int, set[int]]) -> Graph:
    """Each unitig in parts that begin with these of its k-mers; it has its links at both ends."""
    k, kmers = graph.k, graph.lengths - graph.k + 1
    whole, sequences = list[int](), list[np.ndarray]()
    for unitig, n in enumerate(kmers.tolist()):
        places = [0, *sorted(cuts.get(unitig, ())), n]
        for begin, end in zip(places, places[1:], strict=False):
            whole.append(unitig)
            sequences.append(graph.sequence(2 * unitig)[begin : end + k - 1])
    first = np.searchsorted(whole, np.arange(len(kmers)))
    last = np.searchsorted(whole, np.arange(len(kmers)), side="right") - 1
    # An oriented unitig is entered by its first part as written, or by its last one turned.
    entered = np.column_stack([2 * first, 2 * last + 1]).ravel()
    left = np.column_stack([2 * last, 2 * first + 1]).ravel()
    links = np.full((2 * len(whole), 4), NONE, np.int32)
    links[left] = np.where(graph.links == NONE, NONE, entered[graph.links])
    offsets = np.append(0, np.cumsum([len(letters) for letters in sequences])).astype(np.int64)
    return Graph(k, np.concatenate(sequences), offsets, graph.coverage[whole], links)
