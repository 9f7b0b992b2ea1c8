"""Per-token arrays of N items, laid end to end with offsets instead of padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Per-token vectors of N items: `values (T, D)`; `offsets (N + 1,)` say where each begins.

    Where a token has one number only (its class), `values` is `(T,)`.
    """

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: np.ndarray) -> Ragged:
        """The items at `index` (integers or a boolean mask), in that order."""
        offsets = np.concatenate([[0], np.cumsum(self.lengths[index])])
        return Ragged(self.values[self.tokens(index)], offsets)

    def tokens(self, index: np.ndarray) -> np.ndarray:
        """The rows of `values` that belong to the items at `index`, item after item."""
        index = np.arange(len(self))[index]
        lengths = self.lengths[index]
        ends = np.cumsum(lengths)
        return np.repeat(self.offsets[index] - ends + lengths, lengths) + np.arange(lengths.sum())

    @property
    def lengths(self) -> np.ndarray:
        """Tokens in each item, (N,)."""
        return np.diff(self.offsets)

    def item(self, i: int) -> np.ndarray:
        """Item i, (L, D)."""
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    def mean(self) -> np.ndarray:
        """The mean vector of each item, (N, D) float32; an item without tokens gives zeros."""
        means = np.zeros((len(self), self.values.shape[1]), dtype=np.float32)
        for i in np.flatnonzero(self.lengths).tolist():
            means[i] = self.item(i).mean(axis=0, dtype=np.float32)
        return means


def residues_of(sample_ids: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """`sample_id` and `position` (from 1) of each token, (T,), where each sample has `lengths`."""
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    position = np.arange(lengths.sum()) - starts + 1
    return {"sample_id": np.repeat(sample_ids, lengths), "position": position}
