"""Pairs for an honest split: units of proteins that stay together, blocks of units, negatives.

A unit holds the proteins that are linked, or alike, so that no complex and no family is on two
sides. Blocks are sets of units of about equal numbers of pairs, and every pair lies inside one, so
that whole blocks can be held out and no protein is in two of them.
"""

from __future__ import annotations

import numpy as np

from bioloom.similarity import connected

ROUNDS = 50
"""Shuffles after which the ends that found no partner stay without one."""


def make_units(edges: np.ndarray, family: np.ndarray, blocks: int, seed: int) -> np.ndarray:
    """Unit of each of M nodes, (M,): connected through `edges (N, 2)` or of one `family (M,)`.

    Components that hold more pairs than a block should are cut into communities (Louvain, Blondel
    et al. 2008) of families: pairs between them must then be left out.
    """
    links = np.unique(np.sort(family[edges], axis=1), axis=0)
    unit = connected(links[:, 0], links[:, 1], family.max() + 1)
    counts = np.bincount(unit[family[edges[:, 0]]], minlength=unit.max() + 1)
    large = np.flatnonzero(counts > len(edges) / blocks)
    if not len(large):
        return unit[family]
    import networkx

    following = unit.max() + 1
    for component in large:
        graph = networkx.Graph(links[unit[links[:, 0]] == component].tolist())
        for community in networkx.community.louvain_communities(graph, seed=seed):
            unit[list(community)] = following
            following += 1
    return unit[family]


def make_blocks(unit: np.ndarray, edges: np.ndarray, blocks: int) -> np.ndarray:
    """Block of each node, (M,): units from the largest on go where the fewest pairs are."""
    counts = np.bincount(unit[edges[:, 0]], minlength=unit.max() + 1)
    filled, block = np.zeros(blocks), np.zeros(len(counts), dtype=int)
    for i in np.argsort(-counts, kind="stable"):
        block[i] = filled.argmin()
        filled[block[i]] += counts[i]
    return block[unit]


def matched_negatives(
    edges: np.ndarray, unit: np.ndarray, block: np.ndarray, ratio: int, seed: int
) -> np.ndarray:
    """Pairs of nodes of different units of a block, (K, 2), about `ratio` times as many as `edges`.

    Each node occurs `ratio` times as often as in `edges`, so that its degree says nothing; a node
    whose unit is more than half of its block finds fewer partners.
    """
    rng = np.random.default_rng(seed)
    taken = set(map(tuple, np.sort(edges, axis=1).tolist()))
    found: list[tuple[int, int]] = []
    for b in np.unique(block):
        ends = np.tile(edges[block[edges[:, 0]] == b].ravel(), ratio)
        for _ in range(ROUNDS):
            rng.shuffle(ends)
            left, right = ends[: len(ends) // 2], ends[len(ends) // 2 : 2 * (len(ends) // 2)]
            used = np.zeros(len(ends), dtype=bool)
            for i, (a, c) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
                pair = (min(a, c), max(a, c))
                if unit[a] != unit[c] and pair not in taken:
                    taken.add(pair)
                    found.append(pair)
                    used[[i, len(left) + i]] = True
            ends = ends[~used]
    return np.array(found, dtype=np.int64).reshape(-1, 2)
