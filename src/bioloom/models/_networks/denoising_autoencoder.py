"""Convolutional encoder-decoder over the letters of a read, added to what is proposed.

Two steps of stride 4 and back, with skips (Ronneberger et al. 2015), of widths 1, 3/2 and 2.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from bioloom.embedders.read_evidence import PROPOSED

STRIDE = 4
TRUST = 6.0  # logits by which the proposal is ahead at the start; learnt from there


class Network(nn.Module):
    """Evidence (B, L, D) and mask (B, L) to logits of the bases (letters, 4), end to end."""

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        widths = width, width * 3 // 2, width * 2
        self.first = _mixed(n_features, widths[0], 5)
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv1d(a, b, STRIDE, STRIDE), nn.GELU(), _mixed(b, b, 5))
            for a, b in zip(widths, widths[1:], strict=False)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose1d(b, a, STRIDE, STRIDE)
            for a, b in reversed(list(zip(widths, widths[1:], strict=False)))
        )
        self.joined = nn.ModuleList(_mixed(2 * w, w, 5) for w in reversed(widths[:-1]))
        self.head = nn.Conv1d(widths[0], 4, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]
        self.trust = nn.Parameter(torch.tensor(TRUST))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits of the letters that are not padding."""
        proposed = F.one_hot(x[..., PROPOSED].argmax(dim=2), 4).to(x.dtype)
        padding = -x.shape[1] % STRIDE ** len(self.down)
        states = [self.first(F.pad(x, (0, 0, 0, padding)).transpose(1, 2))]
        for down in self.down:
            states.append(down(states[-1]))
        hidden = states.pop()
        for up, joined in zip(self.up, self.joined, strict=True):
            hidden = joined(torch.cat([up(hidden), states.pop()], dim=1))
        added = self.head(hidden).transpose(1, 2)[:, : x.shape[1]]
        return (added + self.trust * proposed)[mask]


def _mixed(before: int, after: int, kernel: int) -> nn.Sequential:
    """Two convolutions over neighbours."""
    return nn.Sequential(
        nn.Conv1d(before, after, kernel, padding="same"),
        nn.GELU(),
        nn.Conv1d(after, after, kernel, padding="same"),
        nn.GELU(),
    )
