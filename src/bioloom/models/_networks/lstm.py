"""Bidirectional LSTM behind a strided convolution.

The convolution joins `stride` letters to one step, so that the recurrence is short and sees motifs
rather than letters (DanQ: Quang & Xie 2016, Nucleic Acids Res. 44, e107).
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bioloom.models._networks._dropout import Dropout


class Network(nn.Module):
    """Convolution, LSTM in both directions, then its last states beside an attention pooling.

    What comes out for an item does not depend on how far it is padded.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        filters: int,
        kernel: int,
        stride: int,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.convolution = nn.Conv1d(n_features, filters, kernel, stride)
        self.recurrence = nn.LSTM(filters, hidden, batch_first=True, bidirectional=True)
        self.score = nn.Linear(2 * hidden, 1)
        self.dropout = Dropout(dropout)
        self.head = nn.Sequential(
            nn.Linear(4 * hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, n_outputs)
        )

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits or standardised values (B, n_outputs) of x (B, L, D) with mask, or x (B, D)."""
        if mask is None:
            x, mask = x[:, None], torch.ones(len(x), 1, dtype=torch.bool, device=x.device)
        steps, mask = self._steps(x, mask)
        hidden, last = self._recur(self.dropout(steps), mask)
        scores = self.score(hidden)[..., 0].float().masked_fill(~mask, -math.inf)
        pooled = (scores.softmax(dim=1).to(hidden.dtype)[:, None] @ hidden)[:, 0]
        return self.head(self.dropout(torch.cat([last, pooled], dim=1)))

    def _steps(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the convolution sees at every `stride`-th token, and which of these are real."""
        left = (self.kernel - 1) // 2
        # Padded tokens are zeros, as are those beyond the ends: the last window is always whole.
        padded = F.pad(x.transpose(1, 2), (left, self.kernel - 1 - left))
        return F.gelu(self.convolution(padded)).transpose(1, 2), mask[:, :: self.stride]

    def _recur(self, steps: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States (B, L, 2 hidden), and the last ones of both directions (B, 2 hidden)."""
        lengths = mask.sum(dim=1)
        if bool((lengths == steps.shape[1]).all()):  # nothing is padded, so nothing to pack
            hidden, (last, _) = self.recurrence(steps)
        else:
            packed = pack_padded_sequence(
                steps, lengths.cpu(), batch_first=True, enforce_sorted=False
            )
            states, (last, _) = self.recurrence(packed)
            hidden, _ = pad_packed_sequence(states, batch_first=True, total_length=steps.shape[1])
        return hidden, torch.cat([last[0], last[1]], dim=1)
