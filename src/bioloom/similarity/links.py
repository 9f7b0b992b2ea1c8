"""How alike two links of a network are."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.similarity import BLOCK, Compare, Measure, Nearest, auroc
from bioloom.similarity.sequence import identities


class Alike(Protocol):
    """A matrix (M, M) of how alike nodes are, or what answers like one."""

    def __getitem__(self, place: tuple[np.ndarray, ...], /) -> np.ndarray:
        """A part of it, of `np.ix_`."""


def nearest_links(
    queries: np.ndarray, targets: np.ndarray, alike: Alike, *, directed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Similarity to the nearest pair of `targets (T, 2)` of each query (Q, 2), and its index, (Q,).

    Pairs are rows of the matrix `alike (M, M)` of their nodes; the similarity of two pairs is the
    mean of that of their ends, of undirected ones in the better of both orders: 0.5 where one end
    is the same and the other unlike. The index is -1 where nothing is alike.
    """
    if not len(targets):
        return np.zeros(len(queries)), np.full(len(queries), -1)
    count = len(targets)
    if not directed:
        targets = np.concatenate([targets, targets[:, ::-1]])
    # Targets of one first end are compared once with each node that is a second end of a query.
    first, group = np.unique(targets[:, 0], return_inverse=True)
    second, place = np.unique(queries[:, 1], return_inverse=True)
    best = np.empty((len(second), len(first)), np.float32)
    which = np.empty(best.shape, np.int32)
    for u in range(len(first)):
        rows = np.flatnonzero(group == u)
        among = alike[np.ix_(second, targets[rows, 1])]
        chosen = among.argmax(axis=1)
        best[:, u], which[:, u] = among[np.arange(len(second)), chosen], rows[chosen] % count
    similarity, nearest = np.zeros(len(queries)), np.full(len(queries), -1)
    size = max(1, BLOCK // len(first))
    for start in range(0, len(queries), size):
        rows = place[start : start + size]
        score = alike[np.ix_(queries[start : start + size, 0], first)] + best[rows]
        highest = score.max(axis=1)
        # Of equal ones the first.
        ties = np.where(score == highest[:, None], which[rows], count)
        similarity[start : start + size] = highest / 2
        nearest[start : start + size] = ties.min(axis=1)
    return similarity, np.where(similarity > 0, nearest, -1)


def compare(samples: pd.DataFrame, nodes: pd.DataFrame | None, directed: bool) -> Compare:
    """Nodes are as alike as their sequences; without these a node is like itself alone."""
    return of_ends(samples, _nodes(nodes), _alike(_nodes(nodes)), directed)


def of_ends(samples: pd.DataFrame, nodes: pd.DataFrame, alike: Alike, directed: bool) -> Compare:
    """The nearest link by how alike the nodes are, `alike (M, M)`."""
    index = pd.Index(nodes["node_id"])
    ends = np.stack([index.get_indexer(pd.Index(samples[e])) for e in ("source", "target")], axis=1)
    if (ends < 0).any():
        raise DataError(f"{(ends < 0).any(axis=1).sum()} pairs have an end that is no node")

    def nearest(queries: np.ndarray, targets: np.ndarray) -> Nearest:
        return nearest_links(ends[queries], ends[targets], alike, directed=directed)

    return nearest


def _nodes(nodes: pd.DataFrame | None) -> pd.DataFrame:
    if nodes is None:
        raise DataError("the leakage audit of links needs their nodes")
    return nodes


def _alike(nodes: pd.DataFrame) -> np.ndarray:
    if "sequence" not in nodes:
        return np.eye(len(nodes), dtype=np.float32)
    if nodes["sequence"].notna().all():
        return identities(nodes["sequence"].tolist())
    matrix = np.eye(len(nodes), dtype=np.float32)
    known = np.flatnonzero(nodes["sequence"].notna())
    matrix[np.ix_(known, known)] = identities(nodes["sequence"].iloc[known].tolist())
    return matrix


def shortcuts(samples: pd.DataFrame, positive: np.ndarray) -> dict[str, float]:
    """How often the ends occur, whatever the label."""
    ends = [samples[name].map(samples[name].value_counts()) for name in ("source", "target")]
    return {"how often its ends occur": auroc(ends[0] + ends[1], positive)}


measure = Measure(
    name="links",
    description="mean over both ends of the identity with the ends of a training pair",
    fits=lambda samples: True,
    compare=compare,
    shortcuts=shortcuts,
    alarm=0.75,
)
