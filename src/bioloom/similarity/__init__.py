"""How alike two samples are, 0 to 1; one module a measure."""

from __future__ import annotations

import numpy as np

BLOCK = 2_000_000  # pairs held in memory at a time


def connected(i: np.ndarray, j: np.ndarray, size: int) -> np.ndarray:
    """Connected component, (size,) int, of each node of the graph with the edges (i, j)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(i), dtype=bool), (i, j)), shape=(size, size))
    return connected_components(edges, directed=False)[1]
