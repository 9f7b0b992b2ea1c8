"""Transformer blocks, pooled by attention; a table row is one token."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from bioloom.models._networks._dropout import Dropout


class Block(nn.Module):
    """Self-attention and a two-layer network, each on normalised input and added to it."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Hidden states (B, L, width) to the same; mask (B, L) is true at real tokens."""
        projected = self.query_key_value(self.attention_norm(x))
        query, key, value = projected.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
        x = x + self.dropout(self.attended(mixed.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.feed_forward(x))


class Network(nn.Module):
    """Projection, positions, blocks, attention pooling beside the mean of the input, linear head.

    The mean of the input goes past the blocks: on small data it carries most of the signal, and
    the blocks need to learn only what it lacks.
    """

    def __init__(
        self, n_features: int, n_outputs: int, width: int, layers: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.project = nn.Linear(n_features, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)
        # A mean of tokens varies less than tokens do: bring it back to unit scale.
        self.project_mean = nn.Sequential(nn.LayerNorm(n_features), nn.Linear(n_features, width))
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(2 * width, n_outputs)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits or standardised values (B, n_outputs) of x (B, L, D) or (B, D)."""
        x, mask = tokens(x, mask)
        hidden, weights = self.attend(x, mask)
        pooled = (weights[:, None] @ hidden)[:, 0]
        mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        joined = torch.cat([pooled, F.gelu(self.project_mean(mean))], dim=1)
        return self.head(self.dropout(joined))

    def attend(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states (B, L, width) and each token's share of the pooled vector (B, L)."""
        hidden = self.project(x)
        hidden = hidden + _positions(hidden)
        for block in self.blocks:
            hidden = block(hidden, mask)
        hidden = self.norm(hidden)
        scores = self.score(hidden)[..., 0].float().masked_fill(~mask, -math.inf)
        return hidden, scores.softmax(dim=1).to(hidden.dtype)


def tokens(x: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """A row of a table is a sequence of one token."""
    if mask is not None:
        return x, mask
    return x[:, None], torch.ones(len(x), 1, dtype=torch.bool, device=x.device)


def _positions(hidden: torch.Tensor) -> torch.Tensor:
    """Sinusoidal positions (L, width) for hidden states (B, L, width) (Vaswani et al. 2017)."""
    _, length, width = hidden.shape
    pair = torch.arange((width + 1) // 2, device=hidden.device)
    frequencies = torch.exp(-math.log(10_000) * pair * 2 / width)
    angles = torch.arange(length, device=hidden.device)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]
