"""How alike two links of a network are."""

from __future__ import annotations

import numpy as np

from bioloom.similarity import BLOCK


def nearest_links(
    queries: np.ndarray, targets: np.ndarray, alike: np.ndarray, *, directed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Similarity to the nearest pair of `targets (T, 2)` of each query (Q, 2), and its index, (Q,).

    Pairs are rows of the matrix `alike (M, M)` of their nodes; the similarity of two pairs is the
    mean of that of their ends, of undirected ones in the better of both orders: 0.5 where one end
    is the same and the other unlike. The index is -1 where nothing is alike.
    """
    similarity, nearest = np.zeros(len(queries)), np.full(len(queries), -1)
    size = max(1, BLOCK // max(len(targets), 1))
    for start in range(0, len(queries) if len(targets) else 0, size):
        source, target = queries[start : start + size].T
        score = alike[source][:, targets[:, 0]] + alike[target][:, targets[:, 1]]
        if not directed:
            turned = alike[source][:, targets[:, 1]] + alike[target][:, targets[:, 0]]
            score = np.maximum(score, turned)
        best = score.argmax(axis=1)
        similarity[start : start + size] = score[np.arange(len(best)), best] / 2
        nearest[start : start + size] = best
    return similarity, np.where(similarity > 0, nearest, -1)
