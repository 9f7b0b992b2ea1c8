"""Layers of linear, norm, ReLU, dropout."""

from __future__ import annotations

import torch
from torch import nn

from bioloom.models._networks._dropout import Dropout


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
            hidden.append(Dropout(dropout))
        self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], n_outputs))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits or standardised values; rows have no tokens, so `mask` is None."""
        return self.layers(x)
