"""Distances of residue pairs: 1-D CNN over embeddings, pairs of its states, 2-D dilated CNN.

A pair is what both residues say and how far apart they are in the sequence; answers are the bins
of `bioloom.structures.distances` for pairs i < j. Long chains are trained in windows of `crop`
residues.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bioloom.arrays import Ragged, Shaped
from bioloom.models._network import NetworkModel
from bioloom.models.cnn import Trunk
from bioloom.structures.distances import pair_offsets, square, upper

FARTHEST = 64
"""Separations beyond it are not told apart."""


class Block(nn.Module):
    """Normalised, mixed over neighbouring pairs, and added to the input: (B, L, L, width)."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.channels = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

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


@dataclass(kw_only=True)
class Model(NetworkModel):
    """Sized for some hundred short chains on a CPU; on a GPU take more of everything."""

    trunk_width: int = 48
    trunk_layers: int = 3
    width: int = 16
    layers: int = 4
    dropout: float = 0.1
    crop: int = 128
    epochs: int = 8
    patience: int = 3
    batch_size: int = 4
    learning_rate: float = 2e-3

    takes = ("tokens",)
    answers = ("residue_pair",)
    answered_at_once = 8

    def build(self, n_features: int) -> Network:
        """The untrained network."""
        trunk = Trunk(n_features, self.trunk_width, 5, self.trunk_layers, self.dropout)
        return Network(trunk, self.n_outputs, self.width, self.layers, self.dropout)

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Train on windows of the chains; `y` are the bins of their pairs, Ragged."""
        inside, labels = windows(cast(Ragged, self.taken(X)), cast(Ragged, y), self.crop)
        return super().fit(inside, labels, X_valid, y_valid, sample_weight)


def windows(X: Ragged, y: Ragged, size: int) -> tuple[Ragged, Ragged]:
    """Features and pair bins of windows of at most `size` residues, which overlap by half."""
    tokens, pairs, lengths = [], [], []
    for i, length in enumerate(X.lengths):
        count = max(1, int(np.ceil((length - size) / (size / 2))) + 1)
        bins = square(y.item(i), length)
        for start in np.linspace(0, max(0, length - size), count).astype(int):
            inside = slice(start, start + size)
            tokens.append(X.item(i)[inside])
            pairs.append(upper(bins[inside, inside]))
            lengths.append(len(tokens[-1]))
    sizes = np.array(lengths)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    features = Ragged(np.concatenate(tokens), offsets)
    return features, Ragged(np.concatenate(pairs), pair_offsets(sizes))
