"""Graph neural network for links: nodes send messages over context and over training edges.

Known partners are the positive pairs of the training rows, and they are saved by node id, so that a
new network meets those of them that are in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import pandas as pd

from bioloom.arrays import Links, Shaped
from bioloom.arrays import Network as LinkNetwork
from bioloom.models._estimator import Share, links_of_two_classes
from bioloom.models._network import NetworkModel

if TYPE_CHECKING:
    import torch

    from bioloom.models._networks.gnn import Means, Network


@dataclass(kw_only=True)
class Model(NetworkModel):
    """Learns whether two nodes are linked; the second class, the positive one, is an edge."""

    takes = ("links",)
    answered_at_once = 1 << 17
    """Links; the nodes are encoded once for all of them."""

    width: int = 64
    """Numbers that stand for a node."""
    layers: int = 1
    """Steps over the graph."""
    dropout: Share = 0.3
    """Share of the units that is hidden in training."""
    hide: Share = 0.5
    """Share of training pairs whose ends are shown without any known partner, as new nodes are.

    The others only lose the edges of their own batch, so that no edge is seen by itself.
    """
    epochs: int = 60
    patience: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        self._seen: tuple[Any, ...] = (None, None)

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
        self._seen = (None, None)  # of another fit: other known edges
        return super().fit(X, y, X_valid, y_valid, sample_weight)

    def build(self, n_features: int) -> Network:
        """The untrained network."""
        from bioloom.models._networks.gnn import Network

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
        import torch

        from bioloom.models._networks.gnn import graph_of

        links = cast(Links, X)
        x, context, known = self._fixed(links.network, device)
        if self.network.training:
            known = self._masked(known, links.edges[rows], len(x))
        graph = graph_of(x, context, known, self.directed)
        pairs = torch.from_numpy(links.edges[rows]).to(device)
        return graph, pairs, torch.from_numpy(links.X[rows]).to(device)

    def _fixed(
        self, network: LinkNetwork, device: torch.device
    ) -> tuple[torch.Tensor, Means, np.ndarray]:
        """What all batches of a network share: features, context, known edges (2, E)."""
        import torch

        from bioloom.models._networks.gnn import means_of

        if self._seen[0] is not network or self._seen[1] != device:
            x = torch.from_numpy(np.ascontiguousarray(network.X)).to(device)
            context = means_of(network.context, network.weight, len(x), device)
            self._seen = network, device, (x, context, self._known(network.node_id))
        return self._seen[2]

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
