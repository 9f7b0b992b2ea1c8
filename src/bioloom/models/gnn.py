"""Graph neural network for links: nodes send messages over context and over training edges.

The encoder adds to a node's own features those of its context (co-expressed genes) and of its
known partners (the graph convolution of Morris et al. 2019, mean over neighbours); the decoder
reads both ends and the features of the pair. Known partners are the positive pairs of the training
rows, and they are saved by node id, so that a new network meets those of them that are in it.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import numpy as np
import pandas as pd
import torch
from torch import nn

from bioloom.arrays import Links, Shaped
from bioloom.arrays import Network as LinkNetwork
from bioloom.models._estimator import links_of_two_classes
from bioloom.models._network import NetworkModel


class Means(NamedTuple):
    """A sparse matrix (M, M) that takes means over the neighbours of each node, and its transpose.

    The matrix is constant, so the way back is a product with its transpose.
    """

    matrix: torch.Tensor
    transposed: torch.Tensor

    def of(self, hidden: torch.Tensor) -> torch.Tensor:
        """The means of the neighbours' states, (M, width); zeros for a node without any."""
        return _Product.apply(hidden.float(), self.matrix, self.transposed)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, matrix: torch.Tensor, transposed: torch.Tensor):  # noqa: D102
        ctx.transposed = transposed
        return matrix @ hidden

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor):  # noqa: D102
        return ctx.transposed @ gradient, None, None


class Graph(NamedTuple):
    """The nodes' features (M, D), and means over context, known partners, and the way back.

    Of undirected networks `back` is None: partners are heard both ways at once.
    """

    x: torch.Tensor
    context: Means
    partners: Means
    back: Means | None


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
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(width)

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
        self.project = nn.Sequential(nn.Linear(n_features, width), nn.ReLU(), nn.Dropout(dropout))
        self.layers = nn.ModuleList(Messages(width, dropout, directed) for _ in range(layers))
        read = (3 if directed else 2) * width + n_pair_features
        self.decode = nn.Sequential(
            nn.Linear(read, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, n_outputs)
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


@dataclass(kw_only=True)
class Model(NetworkModel):
    """Learns whether two nodes are linked; the second class, the positive one, is an edge."""

    takes = ("links",)
    answered_at_once = 1 << 17
    """Links; the nodes are encoded once for all of them."""

    width: int = 64
    layers: int = 1
    dropout: float = 0.3
    hide: float = 0.5
    """Share of training pairs whose ends are shown without any known partner, as new nodes are.

    The others only lose the edges of their own batch, so that no edge is seen by itself.
    """
    epochs: int = 60
    patience: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        self._seen: tuple[Any, Any] = (None, None)

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Train on pairs of two classes; DataError for what is no pair."""
        X = links_of_two_classes(self, X)
        self.n_pair_features, self.directed = X.X.shape[1], X.directed
        self.edges = X.node_ids[np.asarray(y) == 1].astype(str)
        self._hidden_nodes = np.random.default_rng(self.seed)
        return super().fit(X, y, X_valid, y_valid, sample_weight)

    def build(self, n_features: int) -> Network:
        """The untrained network."""
        return Network(
            n_features,
            self.n_pair_features,
            self.n_outputs,
            width=self.width,
            layers=self.layers,
            dropout=self.dropout,
            directed=self.directed,
        )

    def batch(self, X: Shaped, rows: np.ndarray, device: torch.device) -> tuple[Any, ...]:
        """The graph with the known edges that these pairs may see, the pairs, their features."""
        links = cast(Links, X)
        x, context, known = self._fixed(links.network, device)
        if self.network.training:
            known = self._masked(known, links.edges[rows], len(x))
        graph = Graph(x, context, *self._partners(known, len(x), device))
        pairs = torch.from_numpy(links.edges[rows]).to(device)
        return graph, pairs, torch.from_numpy(links.X[rows]).to(device)

    def _fixed(
        self, network: LinkNetwork, device: torch.device
    ) -> tuple[torch.Tensor, Means, np.ndarray]:
        """What all batches of a network share: features, context, known edges (2, E)."""
        if self._seen[0] is not network:
            x = torch.from_numpy(np.ascontiguousarray(network.X)).to(device)
            context = means_of(network.context, network.weight, len(x), device)
            self._seen = network, (x, context, self._known(network.node_id))
        return self._seen[1]

    def _partners(
        self, known: np.ndarray, n_nodes: int, device: torch.device
    ) -> tuple[Means, Means | None]:
        if self.directed:
            return (
                means_of(known, None, n_nodes, device),
                means_of(known[::-1], None, n_nodes, device),
            )
        both_ways = np.hstack([known, known[::-1]])
        return means_of(both_ways, None, n_nodes, device), None

    def state(self) -> dict[str, np.ndarray]:
        """Weights and sizes."""
        sizes = np.array([self.n_pair_features, int(self.directed)])
        return super().state() | {"pairs": sizes}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Build the network and take over its weights."""
        self.n_pair_features, self.directed = int(arrays["pairs"][0]), bool(arrays["pairs"][1])
        super().restore(arrays)

    def write_state(self, folder: Path) -> None:
        """Write model.safetensors and the known edges by node id (edges.json)."""
        super().write_state(folder)
        (folder / "edges.json").write_text(json.dumps(self.edges.tolist()) + "\n")

    def read_state(self, folder: Path) -> None:
        """Read both."""
        super().read_state(folder)
        edges = json.loads((folder / "edges.json").read_text())
        self.edges = np.array(edges, dtype=str).reshape(-1, 2)

    def _known(self, node_id: np.ndarray) -> np.ndarray:
        """Known edges (2, E) with both ends among these nodes."""
        rows = pd.Index(node_id).get_indexer(self.edges.ravel()).reshape(-1, 2)
        return rows[(rows >= 0).all(axis=1)].T

    def _masked(self, known: np.ndarray, pairs: np.ndarray, n_nodes: int) -> np.ndarray:
        """The known edges without those of the batch, and without any of some of its nodes."""
        among = np.isin(_codes(known.T, n_nodes), _codes(pairs, n_nodes))
        if not self.directed:
            among |= np.isin(_codes(known.T, n_nodes), _codes(pairs[:, ::-1], n_nodes))
        chosen = self._hidden_nodes.random(len(pairs)) < self.hide
        hidden = np.zeros(n_nodes, dtype=bool)
        # Of a directed pair the regulator stays known: it is the target that is new.
        hidden[pairs[chosen, 1] if self.directed else pairs[chosen].ravel()] = True
        return known[:, ~(among | hidden[known].any(axis=0))]


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


def _codes(edges: np.ndarray, n_nodes: int) -> np.ndarray:
    """One number an edge."""
    return edges[:, 0] * n_nodes + edges[:, 1]
