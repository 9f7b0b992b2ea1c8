"""Dilated residual 1-D CNN over per-token embeddings: an answer a residue, or one a sample.

A table row is a sequence of one token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioloom.models._estimator import Share
from bioloom.models._network import NetworkModel

if TYPE_CHECKING:
    from bioloom.models._networks.cnn import Network


@dataclass(kw_only=True)
class Model(NetworkModel):
    """A small CNN; a block of `kernel` tokens sees twice as far as the one before."""

    width: int = 64
    """Channels."""
    kernel: int = 5
    """Tokens that one filter sees."""
    layers: int = 4
    """Blocks."""
    dropout: Share = 0.2
    """Share of the channels that is hidden in training."""
    epochs: int = 12
    patience: int = 3
    batch_size: int = 16
    learning_rate: float = 2e-3

    takes = ("vectors", "tokens")
    answers = ("sample", "residue")

    def build(self, n_features: int) -> Network:
        """The untrained network."""
        from bioloom.models._networks.cnn import Network, Trunk

        trunk = Trunk(n_features, self.width, self.kernel, self.layers, self.dropout)
        return Network(trunk, self.n_outputs, self.dropout, self.unit == "residue")
