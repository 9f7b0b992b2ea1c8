"""1-D CNN over embeddings, pairs of its states, 2-D dilated CNN.

A pair is what both residues say and how far apart they are in the sequence.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from bioloom.models._networks._dropout import Dropout
from bioloom.models._networks.cnn import Trunk

FARTHEST = 64
"""Separations beyond it are not told apart."""


class Block(nn.Module):
    """Normalised, mixed over neighbouring pairs, and added to the input: (B, L, L, width)."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.channels = nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """`mask (B, L, L, 1)` is 0 where padded."""
        mixed = self.mix((self.norm(x) * mask).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return x + self.dropout(self.channels(F.gelu(mixed)))


class Network(nn.Module):
    """Trunk, pairs, 2-D blocks, linear head; the answer for (i, j) is that for (j, i)."""

    def __init__(
        self, trunk: Trunk, n_outputs: int, width: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.both = nn.Linear(trunk.project.out_features, 2 * width)
        self.separation = nn.Embedding(FARTHEST + 1, width)
        self.blocks = nn.ModuleList(Block(width, 2 ** (i % 4), dropout) for i in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (P, n_outputs) of the pairs i < j of all chains; x (B, L, D), mask (B, L)."""
        if mask is None:
            raise ValueError("pairs need per-token features")
        sums, products = self.both(self.trunk(x, mask)).chunk(2, dim=-1)
        place = torch.arange(x.shape[1], device=x.device)
        apart = (place[:, None] - place).abs().clamp(max=FARTHEST)
        pairs = sums[:, :, None] + sums[:, None] + products[:, :, None] * products[:, None]
        pairs = pairs + self.separation(apart)
        known = mask[:, :, None] & mask[:, None]
        for block in self.blocks:
            pairs = block(pairs, known[..., None].to(pairs.dtype))
        logits = self.head(self.norm(pairs + pairs.transpose(1, 2)))
        return logits[known & (place[:, None] < place)]
