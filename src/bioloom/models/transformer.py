"""Transformer over per-token embeddings, pooled by attention; a table row is one token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from bioloom.arrays import Shaped
from bioloom.errors import DataError
from bioloom.models._estimator import Share
from bioloom.models._network import NetworkModel

if TYPE_CHECKING:
    from bioloom.models._networks.transformer import Network


@dataclass(kw_only=True)
class Model(NetworkModel):
    """A small Transformer encoder on top of embeddings that a foundation model made."""

    width: int = 128
    layers: int = 1
    heads: int = 4
    dropout: Share = 0.3
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

    def attention(self, X: Shaped) -> list[np.ndarray]:
        """The pooling weight of each token: one array (L,) a sample, sum 1, empty for no token."""
        import torch

        from bioloom.models._networks._loop import batches_by_length, take
        from bioloom.models._networks.transformer import tokens

        network = cast("Network", self.network)
        device = network.score.weight.device
        lengths = getattr(X, "lengths", np.ones(len(X), dtype=int))
        weights = [np.empty(0, dtype=np.float32)] * len(X)
        for rows in batches_by_length(X, np.arange(len(X)), size=1024):
            with torch.inference_mode():
                _, batch = network.attend(*tokens(*take(X, rows, device)))
            for row, shares in zip(rows, batch.float().cpu().numpy(), strict=True):
                weights[row] = shares[: lengths[row]].copy()
        return weights
