"""A graph made simpler: what errors leave is taken out, and what then is one path becomes one.

Tips end where no read goes on, bubbles are two ways between the same places, weak unitigs are
seen far less often than what they join (Zerbino and Birney 2008; Li et al. 2015, MEGAHIT).
"""

from __future__ import annotations

import numba
import numpy as np

from bioloom.reads.assembly.graph import NONE, Graph

ROUNDS = 8
WEAK = 0.2  # of the coverage of what it joins
INDEL = 3  # the ways of a bubble differ by so many letters at most


def simplify(graph: Graph) -> Graph:
    """Prune and compact, until nothing changes or after `ROUNDS`."""
    for _ in range(ROUNDS):
        alive = np.ones(len(graph.coverage), np.bool_)
        removed = _prune(
            graph.lengths, graph.coverage, graph.links, alive, 2 * graph.k, WEAK, INDEL
        )
        graph = compact(graph, alive)
        if not removed:
            break
    return graph


def compact(graph: Graph, alive: np.ndarray) -> Graph:
    """The graph of those that are `alive` (n,), with each unbranched path as one unitig."""
    following = _following(graph.links, alive)
    paths = _paths(following, alive)
    links = np.full((2 * len(paths), 4), NONE, np.int32)
    start = {}  # the new oriented unitig that begins with this one
    for i, path in enumerate(paths):
        start[path[0]], start[path[-1] ^ 1] = 2 * i, 2 * i + 1
    for i, path in enumerate(paths):
        for oriented, last in ((2 * i, path[-1]), (2 * i + 1, path[0] ^ 1)):
            targets = [start[t] for t in graph.links[last] if t != NONE and alive[t >> 1]]
            links[oriented, : len(targets)] = targets
    k = graph.k
    kmers = graph.lengths - k + 1
    sequences = [_joined(graph, path) for path in paths]
    total = [sum(graph.coverage[o >> 1] * kmers[o >> 1] for o in path) for path in paths]
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    codes = np.concatenate(sequences) if sequences else np.empty(0, np.uint8)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Graph(k, codes, offsets, np.array(total) / np.maximum(lengths - k + 1, 1), links)


def _joined(graph: Graph, path: list[int]) -> np.ndarray:
    """The letters of unitigs that overlap by k - 1."""
    parts = [graph.sequence(oriented) for oriented in path]
    return np.concatenate([parts[0], *(part[graph.k - 1 :] for part in parts[1:])])


def _paths(following: np.ndarray, alive: np.ndarray) -> list[list[int]]:
    """Oriented unitigs along each unbranched path; each unitig in one of them."""
    taken = ~alive
    paths = []
    for unitig in np.flatnonzero(alive).tolist():
        if taken[unitig]:
            continue
        taken[unitig] = True
        path = [2 * unitig]
        while (new := int(following[path[-1]])) != NONE and not taken[new >> 1]:
            taken[new >> 1] = True
            path.append(new)
        path = [oriented ^ 1 for oriented in reversed(path)]
        while (new := int(following[path[-1]])) != NONE and not taken[new >> 1]:
            taken[new >> 1] = True
            path.append(new)
        paths.append(path)
    return paths


@numba.njit(cache=True)
def _following(links, alive):
    """The only way on from each oriented unitig, where it is the only way back, too; else NONE."""
    following = np.full(len(links), NONE, np.int64)
    for oriented in range(len(links)):
        if alive[oriented >> 1] and _degree(links, alive, oriented) == 1:
            new = _only(links, alive, oriented)
            if _degree(links, alive, new ^ 1) == 1:
                following[oriented] = new
    return following


@numba.njit(cache=True)
def _degree(links, alive, oriented):
    n = 0
    for target in links[oriented]:
        n += target != NONE and alive[target >> 1]
    return n


@numba.njit(cache=True)
def _only(links, alive, oriented):
    for target in links[oriented]:
        if target != NONE and alive[target >> 1]:
            return target
    return np.int32(NONE)


@numba.njit(cache=True)
def _prune(lengths, coverage, links, alive, short, weak, indel):
    """Mark what is to go as not alive; how many."""
    removed = 0
    # The rarest first, so that of two that vouch for each other the rarer one goes.
    for unitig in np.argsort(coverage, kind="mergesort"):
        if lengths[unitig] >= short + indel:
            continue
        gone = (
            _is_tip(coverage, links, alive, unitig)
            or _is_bubble(lengths, coverage, links, alive, unitig, indel)
            or _is_weak(coverage, links, alive, unitig, weak)
        )
        if gone:
            alive[unitig] = False
            removed += 1
    return removed


@numba.njit(cache=True)
def _rival(coverage, links, alive, oriented):
    """The least, over what follows, of the best coverage of another way to the same place."""
    least = np.inf
    for target in links[oriented]:
        if target == NONE or not alive[target >> 1]:
            continue
        best = 0.0
        for other in links[target ^ 1]:
            if other != NONE and other != oriented ^ 1 and alive[other >> 1]:
                best = max(best, coverage[other >> 1])
        least = min(least, best)
    return least


@numba.njit(cache=True)
def _is_tip(coverage, links, alive, unitig):
    for oriented in (2 * unitig, 2 * unitig + 1):
        if _degree(links, alive, oriented ^ 1) == 0 and _degree(links, alive, oriented) > 0:
            return _rival(coverage, links, alive, oriented) > coverage[unitig]
    return False


@numba.njit(cache=True)
def _is_bubble(lengths, coverage, links, alive, unitig, indel):
    """Whether another unitig of about its length and no less coverage joins the same two."""
    right, left = 2 * unitig, 2 * unitig + 1
    if _degree(links, alive, right) != 1 or _degree(links, alive, left) != 1:
        return False
    after, before = _only(links, alive, right), _only(links, alive, left)
    for other in links[before ^ 1]:
        if other == NONE or not alive[other >> 1] or other >> 1 == unitig:
            continue
        alike = abs(lengths[other >> 1] - lengths[unitig]) <= indel
        if (
            alike
            and coverage[other >> 1] >= coverage[unitig]
            and _degree(links, alive, other) == 1
            and _degree(links, alive, other ^ 1) == 1
            and _only(links, alive, other) == after
        ):
            return True
    return False


@numba.njit(cache=True)
def _is_weak(coverage, links, alive, unitig, weak):
    """Whether it joins places that all have a far better way."""
    for oriented in (2 * unitig, 2 * unitig + 1):
        if _degree(links, alive, oriented) == 0:
            return False
        if coverage[unitig] >= weak * _rival(coverage, links, alive, oriented):
            return False
    return True
