"""Deep neural network for tables and pooled embeddings: layers of linear, norm, ReLU, dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from bioloom.arrays import Shaped
from bioloom.models._estimator import Altered, Share
from bioloom.models._network import NetworkModel

if TYPE_CHECKING:
    from bioloom.models._networks.dnn import Network

ROWS = 4_096
"""That are answered at once where a column has other cells."""


@dataclass(kw_only=True)
class Model(NetworkModel):
    """A multilayer perceptron that is sized for hundreds to thousands of samples."""

    width: int = 128
    """Units of a hidden layer."""
    layers: int = 2
    """Hidden layers."""
    dropout: Share = 0.2
    """Share of the units that is hidden in training."""
    epochs: int = 100
    patience: int = 20
    learning_rate: float = 3e-4

    def build(self, n_features: int) -> Network:
        """The untrained network."""
        from bioloom.models._networks.dnn import Network

        return Network(n_features, self.n_outputs, self.width, self.layers, self.dropout)

    def altered(self, X: Shaped) -> Altered:
        """Other cells of a column change what the first layer gives by a matrix of rank one."""
        import torch

        if not isinstance(X, np.ndarray):
            return super().altered(X)
        self.network.cpu().eval()
        layers = cast("Network", self.network).layers
        first, later = cast(torch.nn.Linear, layers[0]), layers[1:]
        with torch.inference_mode():
            before = first(torch.from_numpy(X))
        starts = range(0, len(X), ROWS)

        def answers(columns: np.ndarray, others: np.ndarray) -> np.ndarray:
            change, weight = torch.from_numpy(others - X[:, columns]), first.weight[:, columns].T
            with torch.inference_mode():
                said = [
                    self._said(later(before[start : start + ROWS] + part @ weight))
                    for one in change
                    for start, part in zip(starts, one.split(ROWS), strict=True)
                ]
            return np.concatenate(said).reshape(len(others), len(X), -1)

        return answers
