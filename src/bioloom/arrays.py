"""Ragged: per-token arrays of N items laid end to end, with offsets instead of padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Per-token vectors of N items: `values (T, D)`; `offsets (N + 1,)` say where each begins."""

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: np.ndarray) -> Ragged:
        """The items at `index` (integers or a boolean mask), in that order."""
        index = np.arange(len(self))[index]
        lengths = self.lengths[index]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        tokens = np.repeat(self.offsets[index] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Ragged(self.values[tokens], offsets)

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
        for i in range(len(self)):
            if self.lengths[i]:
                means[i] = self.item(i).mean(axis=0, dtype=np.float32)
        return means
