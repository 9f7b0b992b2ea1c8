"""Deep neural network for tables and pooled embeddings: layers of linear, norm, ReLU, dropout."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from bioloom.models._network import NetworkModel


class Network(nn.Module):
    """Multilayer perceptron: (B, D) -> (B, n_outputs)."""

    def __init__(
        self, n_features: int, n_outputs: int, width: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        sizes = [n_features] + [width] * layers
        hidden: list[nn.Module] = []
        for size, next_size in zip(sizes, sizes[1:], strict=False):
            # Layer norm, not batch norm: the last batch of a small fold may hold one row.
            hidden += [nn.Linear(size, next_size), nn.LayerNorm(next_size), nn.ReLU()]
            hidden.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], n_outputs))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits or standardised values; rows have no tokens, so `mask` is None."""
        return self.layers(x)


@dataclass(kw_only=True)
class Model(NetworkModel):
    """A multilayer perceptron that is sized for hundreds to thousands of samples."""

    width: int = 128
    layers: int = 2
    dropout: float = 0.2
    epochs: int = 100
    patience: int = 20
    learning_rate: float = 3e-4

    def build(self, n_features: int) -> Network:
        """The untrained network."""
        return Network(n_features, self.n_outputs, self.width, self.layers, self.dropout)
