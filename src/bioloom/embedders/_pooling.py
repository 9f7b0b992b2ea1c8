"""From the states of the tokens of a batch to one vector, n segments or all tokens a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bioloom.arrays import Ragged
from bioloom.embedders import Encoder, States

if TYPE_CHECKING:
    import torch

RAGGED_POOLINGS = ("tokens", "segments")
LARGEST_HALF = 65504.0


def pool(states: States, pooling: str, segments: int | None, encoder: Encoder) -> Ragged:
    """One float32 row a sequence (mean, cls, max), or float16 rows (tokens, segments).

    Special tokens count only for cls, and for the mean where the encoder says so. Segments are n
    equal consecutive parts of the residues; a shorter sequence has one row a residue.
    """
    before, after = encoder.special
    ends = np.cumsum(states.lengths)
    starts = ends - states.lengths
    if not (pooling == "cls" or (pooling == "mean" and encoder.mean_special)):
        starts, ends = starts + before, ends - after
    parts = np.ones_like(starts)
    if pooling == "cls":
        rows = states.values[starts].float()
    elif pooling == "max":
        rows = _maxima(states.values, starts, ends)
    elif pooling == "tokens":
        parts = ends - starts
        rows = states.values[_tokens(states.values, starts, parts)].float()
    else:
        if pooling == "segments":
            parts = np.minimum(segments or 1, ends - starts)
        rows = segment_means(states.values, starts, ends, parts)
    if pooling in RAGGED_POOLINGS:
        # the few states beyond the range of half precision are set to its largest number
        rows = rows.clamp_(-LARGEST_HALF, LARGEST_HALF).half()
    return Ragged(rows.cpu().numpy(), np.concatenate([[0], np.cumsum(parts)]))


def segment_means(
    values: torch.Tensor, starts: np.ndarray, ends: np.ndarray, parts: np.ndarray
) -> torch.Tensor:
    """Mean of each of `parts[i]` equal consecutive pieces of tokens starts[i]:ends[i], in fp32."""
    import torch

    lengths = ends - starts
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    row = np.repeat(np.cumsum(parts) - parts, lengths)
    row += within * np.repeat(parts, lengths) // np.repeat(lengths, lengths)
    # an item without tokens has a row of zeros
    size = torch.from_numpy(np.bincount(row, minlength=parts.sum()).clip(1)).to(values.device)
    sums = torch.zeros(len(size), values.shape[1], device=values.device)
    picked = values[_tokens(values, starts, lengths)].float()
    sums.index_add_(0, torch.from_numpy(row).to(values.device), picked)
    return sums / size[:, None]


def _maxima(values: torch.Tensor, starts: np.ndarray, ends: np.ndarray) -> torch.Tensor:
    import torch

    pairs = zip(starts.tolist(), ends.tolist(), strict=True)
    nothing = torch.zeros(values.shape[1], dtype=values.dtype, device=values.device)
    rows = [values[start:end].amax(0) if end > start else nothing for start, end in pairs]
    return torch.stack(rows).float()


def _tokens(values: torch.Tensor, starts: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
    """The rows starts[i] .. starts[i] + lengths[i] of all i, as an index on the right device."""
    import torch

    shift = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    return torch.from_numpy(shift + np.arange(lengths.sum())).to(values.device)
