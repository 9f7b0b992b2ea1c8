"""Reads of a site as one-dimensional images, pooled by the allele that they speak for.

A read is seen by the same convolutions as every other (as a set: Zaheer et al. 2017), and each pool
is a mean, so that neither their order nor their number is learnt; depth is in the table. The answer
is added to the logarithms of the prior.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from bioloom.arrays.images import NEVER, SCALARS, SPAN
from bioloom.models._networks._dropout import Dropout

CODES = 6  # A, C, G, T, gap, nothing
NOTHING = CODES - 1
ODDS = 128  # of a read that says nothing
CLEAR = 5.0  # tenths of a natural logarithm, from which a read speaks for or against the allele
POOLS = 3  # reads for it, against it, and those that say little
SCALE = (20.0, 60.0, 1.0, 1.0, 10.0, 75.0)  # of `SCALARS`


class Network(nn.Module):
    """Images, table and prior to logits of the classes."""

    def __init__(
        self, n_features: int, n_outputs: int, width: int, dropout: float, clamp: float
    ) -> None:
        super().__init__()
        self.clamp = clamp
        # Read and reference as one-hot, whether they differ, quality, inserted letters.
        self.first = nn.Conv1d(2 * CODES + 3, width, 5, padding=2)
        self.second = nn.Conv1d(width, width, 5, padding=2)
        self.read = nn.Linear(3 * width + len(SCALARS), width)
        self.site = nn.Linear(POOLS * width + POOLS + n_features, 2 * width)
        self.hidden = nn.Linear(2 * width, 2 * width)
        self.dropout = Dropout(dropout)
        self.trust = nn.Parameter(torch.ones(1))
        self.answer = nn.Linear(2 * width, n_outputs)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def forward(
        self,
        rows: torch.Tensor,
        site: torch.Tensor,
        first: torch.Tensor,
        table: torch.Tensor,
        prior: torch.Tensor,
    ) -> torch.Tensor:
        """Rows (R, bytes), the site of each (R,), its reference row (B,), table, prior (B, K)."""
        is_read = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
        is_read[first] = False
        reference, owner, reads = rows[first][:, :SPAN].long(), site[is_read], rows[is_read]
        seen = self._reads(reads, reference[owner])
        odds = reads[:, 3 * SPAN].float() - ODDS
        speaks = torch.stack([odds > CLEAR, odds < -CLEAR, odds.abs() <= CLEAR], dim=1).to(seen)
        pools = torch.zeros(len(first), POOLS, seen.shape[1], device=rows.device, dtype=seen.dtype)
        pools = pools.index_add(0, owner, speaks[:, :, None] * seen[:, None, :])
        counts = torch.zeros(len(first), POOLS, device=rows.device, dtype=seen.dtype)
        counts = counts.index_add(0, owner, speaks)
        means = (pools / counts.clamp(min=1)[:, :, None]).flatten(1)
        x = self.dropout(F.gelu(self.site(torch.cat([means, counts.log1p(), table], dim=1))))
        x = x + self.dropout(F.gelu(self.hidden(x)))
        logits = self.trust * prior.clamp(min=-self.clamp) + self.answer(x)
        # What can never be stays so, however little the prior is trusted.
        return torch.where(prior <= NEVER, prior, logits)

    def _reads(self, reads: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        """One vector a read, (R, width)."""
        codes = reads[:, :SPAN].long()
        differs = (codes != NOTHING) & (reference < NOTHING - 1) & (codes != reference)
        quality = reads[:, SPAN : 2 * SPAN].float() / 40
        inserted = reads[:, 2 * SPAN : 3 * SPAN].float().log1p()
        one_hot = [F.one_hot(c, CODES).transpose(1, 2).float() for c in (codes, reference)]
        beside = torch.stack([differs.float(), quality, inserted], dim=1)
        x = F.gelu(self.first(torch.cat([*one_hot, beside], dim=1)))
        x = x + F.gelu(self.second(x))
        scalars = reads[:, 3 * SPAN :].float()
        scalars[:, 0] -= ODDS
        scalars /= torch.tensor(SCALE, device=scalars.device)
        middle = x[:, :, SPAN // 2]
        return F.gelu(self.read(torch.cat([middle, x.mean(dim=2), x.amax(dim=2), scalars], dim=1)))
