"""Transformer over per-token embeddings, pooled by attention; a table row is one token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioloom.errors import DataError
from bioloom.models._estimator import Share
from bioloom.models._network import NetworkModel

if TYPE_CHECKING:
    from bioloom.models._networks.transformer import Network


@dataclass(kw_only=True)
class Model(NetworkModel):
    """A small Transformer encoder on top of embeddings that a foundation model made."""

    width: int = 128
    """Numbers that stand for a token; a multiple of `heads`."""
    layers: int = 1
    """Blocks."""
    heads: int = 4
    """Heads of attention."""
    dropout: Share = 0.3
    """Share of the units that is hidden in training."""
    epochs: int = 20
    patience: int = 6
    batch_size: int = 64

    takes = ("vectors", "tokens")

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise DataError(
                f"Model transformer: width {self.width} is no multiple of heads {self.heads}"
            )

    def build(self, n_features: int) -> Network:
        """The untrained network."""
        from bioloom.models._networks.transformer import Network

        return Network(
            n_features, self.n_outputs, self.width, self.layers, self.heads, self.dropout
        )
