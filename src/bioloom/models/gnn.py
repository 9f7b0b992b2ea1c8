"""Graph neural network for links: nodes send messages over context and over training edges.

The encoder adds to a node's own features those of its context (co-expressed genes) and of its
known partners (GraphConv of Morris et al. 2019, mean over neighbours); the decoder reads both ends
and the features of the pair. Known partners are the positive pairs of the training rows, and they
are saved by node id, so that a new network meets those of them that are in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import numpy as np
import pandas as pd
import torch
from torch import nn

from bioloom.arrays import Links, Shaped
from bioloom.models._estimator import links_of_two_classes
from bioloom.models._network import NetworkModel


class Graph(NamedTuple):
    """The nodes' features (M, D), context and known edges (2, E), and the weights of the former."""

    x: torch.Tensor
    context: torch.Tensor
    weight: torch.Tensor
    known: torch.Tensor


class Messages(nn.Module):
    """One round of messages, (M, width) -> (M, width): means over context and known partners.

    Partners of a regulator are targets, those of a target regulators: directed known edges carry
    two kinds of message.
    """

    def __init__(self, width: int, dropout: float, directed: bool) -> None:
        from torch_geometric.nn import GraphConv

        super().__init__()
        self.context = GraphConv(width, width, aggr="mean")
        self.partners = GraphConv(width, width, aggr="mean")
        self.back = GraphConv(width, width, aggr="mean") if directed else None
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(width)

    def forward(self, hidden: torch.Tensor, graph: Graph) -> torch.Tensor:
        """The nodes after they have heard their neighbours."""
        message = self.context(hidden, graph.context, graph.weight)
        if self.back is None:
            both_ways = torch.cat([graph.known, graph.known.flip(0)], dim=1)
            message = message + self.partners(hidden, both_ways)
        else:
            message = message + self.partners(hidden, graph.known)
            message = message + self.back(hidden, graph.known.flip(0))
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
        network = links.network
        known = self._known(network.node_id)
        if self.network.training:
            known = self._masked(known, links.edges[rows], len(network.node_id))
        arrays = (network.X, network.context, network.weight, known)
        graph = Graph(*(torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in arrays))
        pairs = torch.from_numpy(links.edges[rows]).to(device)
        return graph, pairs, torch.from_numpy(links.X[rows]).to(device)

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


def _codes(edges: np.ndarray, n_nodes: int) -> np.ndarray:
    """One number an edge."""
    return edges[:, 0] * n_nodes + edges[:, 1]
