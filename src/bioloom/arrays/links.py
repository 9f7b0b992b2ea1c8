"""Samples that are edges of a network, with the features of its nodes and of the links.

A model for tables takes `dense()`, a graph network nodes, edges and context. Nodes carry ids, so
that a model can remember training edges and find their ends again in other data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

EXPRESSION = "expression."
"""What the names of a node's expression columns begin with."""

KNOCKOUT = "knockout."
"""Before a gene's id: how far a node's expression is from its usual one without that gene."""


@dataclass(frozen=True)
class Network:
    """M nodes: `node_id (M,)`, `X (M, D)`; and label-free `context (2, E)` with `weight (E,)`.

    A context edge says that two nodes resemble each other (co-expression), not that they interact.
    It is there in both directions.
    """

    node_id: np.ndarray
    X: np.ndarray
    context: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Links:
    """N pairs: `edges (N, 2)` are rows of `network`, `X (N, F)` features of the pairs themselves.

    `directed`: whether (a, b) and (b, a) are different pairs (regulator and target).
    """

    network: Network
    edges: np.ndarray
    X: np.ndarray
    directed: bool = False

    def __len__(self) -> int:
        return len(self.edges)

    def __getitem__(self, index: np.ndarray) -> Links:
        """The pairs at `index` (integers or a boolean mask); the network stays whole."""
        return replace(self, edges=self.edges[index], X=self.X[index])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of pairs, and of features of a node."""
        return len(self.edges), self.network.X.shape[1]

    @property
    def node_ids(self) -> np.ndarray:
        """The ids of both ends, (N, 2)."""
        return self.network.node_id[self.edges]

    def used_nodes(self) -> np.ndarray:
        """Rows of the nodes that are an end of some pair."""
        return np.unique(self.edges)

    def dense(self) -> np.ndarray:
        """One row a pair, float32: (N, 2 D + F), or (N, 3 D + F) where directed.

        Undirected: product and absolute difference of the ends, which know no order. Directed:
        source, target and their product.
        """
        source, target = (self.network.X[self.edges[:, end]] for end in (0, 1))
        if self.directed:
            columns = [source, target, source * target, self.X]
        else:
            columns = [source * target, np.abs(source - target), self.X]
        return np.hstack(columns).astype(np.float32)
