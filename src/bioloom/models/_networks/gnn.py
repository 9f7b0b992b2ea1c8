"""Nodes that send messages over context and over known edges, and a decoder of links.

The encoder adds to a node's own features those of its context and of its known partners (the graph
convolution of Morris et al. 2019, mean over neighbours); the decoder reads both ends and the
features of the pair.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from bioloom.models._networks._dropout import Dropout


class Means(NamedTuple):
    """A sparse matrix (M, M) that takes means over the neighbours of each node, and its transpose.

    The matrix is constant, so the way back is a product with its transpose.
    """

    matrix: torch.Tensor
    transposed: torch.Tensor

    def of(self, hidden: torch.Tensor) -> torch.Tensor:
        """The means of the neighbours' states, (M, width); zeros for a node without any."""
        return _Product.apply(hidden, self.matrix, self.transposed)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, matrix: torch.Tensor, transposed: torch.Tensor):  # noqa: D102
        ctx.transposed = transposed
        with torch.autocast(hidden.device.type, enabled=False):  # sparse products have no bf16
            return matrix @ hidden.float()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor):  # noqa: D102
        return ctx.transposed @ gradient.float(), None, None


class Graph(NamedTuple):
    """The nodes' features (M, D), and means over context, known partners, and the way back.

    Of undirected networks `back` is None: partners are heard both ways at once.
    """

    x: torch.Tensor
    context: Means
    partners: Means
    back: Means | None = None


class Convolution(nn.Module):
    """What the neighbours' mean and the node itself say, (M, width) -> (M, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.neighbours = nn.Linear(width, width)
        self.own = nn.Linear(width, width, bias=False)

    def forward(self, hidden: torch.Tensor, means: Means) -> torch.Tensor:
        """The message to each node."""
        return self.neighbours(means.of(hidden)) + self.own(hidden)


class Messages(nn.Module):
    """One round of messages, (M, width) -> (M, width): from context and from known partners.

    Partners of a regulator are targets, those of a target regulators: directed known edges carry
    two kinds of message.
    """

    def __init__(self, width: int, dropout: float, directed: bool) -> None:
        super().__init__()
        self.context = Convolution(width)
        self.partners = Convolution(width)
        self.back = Convolution(width) if directed else None
        self.dropout, self.norm = Dropout(dropout), nn.LayerNorm(width)

    def forward(self, hidden: torch.Tensor, graph: Graph) -> torch.Tensor:
        """The nodes after they have heard their neighbours."""
        message = self.context(hidden, graph.context) + self.partners(hidden, graph.partners)
        if self.back is not None and graph.back is not None:
            message = message + self.back(hidden, graph.back)
        return self.norm(hidden + self.dropout(message.relu()))


class Network(nn.Module):
    """Link prediction: (Graph, pairs (B, 2), pair features (B, F)) -> (B, n_outputs)."""

    def __init__(
        self,
        n_features: int,
        n_pair_features: int,
        n_outputs: int,
        *,
        width: int,
        layers: int,
        dropout: float,
        directed: bool,
    ) -> None:
        super().__init__()
        self.directed = directed
        self.project = nn.Sequential(nn.Linear(n_features, width), nn.ReLU(), Dropout(dropout))
        self.layers = nn.ModuleList(Messages(width, dropout, directed) for _ in range(layers))
        read = (3 if directed else 2) * width + n_pair_features
        self.decode = nn.Sequential(
            nn.Linear(read, width), nn.ReLU(), Dropout(dropout), nn.Linear(width, n_outputs)
        )
        # What says much by itself, such as co-expression, need not pass through hidden layers.
        self.skip = nn.Linear(n_pair_features, n_outputs, bias=False) if n_pair_features else None

    def forward(self, graph: Graph, pairs: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Logits of the pairs."""
        hidden = self.encode(graph)
        source, target = hidden[pairs[:, 0]], hidden[pairs[:, 1]]
        if self.directed:
            ends = [source, target, source * target]
        else:
            ends = [source * target, (source - target).abs()]
        logits = self.decode(torch.cat([*ends, features], dim=1))
        return logits if self.skip is None else logits + self.skip(features)

    def encode(self, graph: Graph) -> torch.Tensor:
        """Hidden states of all nodes, (M, width)."""
        hidden = self.project(graph.x)
        for layer in self.layers:
            hidden = layer(hidden, graph)
        return hidden


def graph_of(x: torch.Tensor, context: Means, known: np.ndarray, directed: bool) -> Graph:
    """The graph of nodes with features x (M, D), their context, and known edges (2, E)."""
    if directed:
        ways = [known, known[::-1]]
    else:
        ways = [np.hstack([known, known[::-1]])]
    partners = [means_of(edges, None, len(x), x.device) for edges in ways]
    return Graph(x, context, *partners)


def means_of(
    edges: np.ndarray, weight: np.ndarray | None, n_nodes: int, device: torch.device
) -> Means:
    """Means over the nodes that edges (2, E) lead from, times their `weight (E,)`."""
    from scipy.sparse import csr_array

    source, target = edges
    counts = np.bincount(target, minlength=n_nodes)
    share = np.float32(1) / counts[target] if weight is None else weight / counts[target]
    matrix = csr_array((share.astype(np.float32), (target, source)), shape=(n_nodes, n_nodes))
    return Means(*(_tensor(side, device) for side in (matrix, matrix.T.tocsr())))


def _tensor(matrix: Any, device: torch.device) -> torch.Tensor:
    starts, columns, values = map(torch.from_numpy, (matrix.indptr, matrix.indices, matrix.data))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            starts, columns, values, matrix.shape, check_invariants=False, device=device
        )
