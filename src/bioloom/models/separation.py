"""How often residues so far apart in the sequence are at each distance: the floor of contacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, cast

import numpy as np

from bioloom.arrays import Ragged, Shaped, end_to_end
from bioloom.models._estimator import Estimator
from bioloom.structures.distances import pairs_of


@dataclass(kw_only=True)
class Model(Estimator):
    """Frequencies of the training pairs by separation; a few at each end are pooled smoothly."""

    farthest: int = 100
    """Residues apart; what is farther counts as this."""
    prior: float = 10.0
    """Pairs of the overall frequencies that are added at each separation."""

    takes = ("tokens",)
    answers = ("residue_pair",)

    def fit(self, X: Shaped, y: Shaped, X_valid: Shaped, y_valid: Shaped) -> Self:
        """Count the bins of the training pairs; `y` is Ragged."""
        counts = np.zeros((self.farthest + 1, self.n_outputs))
        np.add.at(counts, (self._separation(X), end_to_end(y)), 1)
        overall = counts.sum(axis=0) / counts.sum()
        counts += self.prior * overall
        self.frequencies = counts / counts.sum(axis=1, keepdims=True)
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """The frequencies at each pair's separation, (P, n_outputs)."""
        return self.frequencies[self._separation(X)]

    def _separation(self, X: Shaped) -> np.ndarray:
        pairs = pairs_of(np.arange(len(X)), cast(Ragged, self.taken(X)).lengths)
        return np.minimum(pairs["j"] - pairs["i"], self.farthest)

    def state(self) -> dict[str, np.ndarray]:
        """The table of frequencies."""
        return {"frequencies": self.frequencies}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over the table."""
        self.frequencies = arrays["frequencies"]
