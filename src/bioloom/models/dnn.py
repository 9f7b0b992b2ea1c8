"""Deep neural network for tables and pooled embeddings: layers of linear, norm, ReLU, dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioloom.models._estimator import Share
from bioloom.models._network import NetworkModel

if TYPE_CHECKING:
    from bioloom.models._networks.dnn import Network


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
