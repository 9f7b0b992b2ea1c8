"""The floor under every score: class frequencies, mean or per-target means of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from bioloom.arrays import Shaped
from bioloom.models._estimator import Estimator, column_means, target_matrix


@dataclass(kw_only=True)
class Model(Estimator):
    """Gives every sample the same answer; the features are not looked at."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Average the training labels; a target that was never measured gets 0."""
        targets = target_matrix(y, self.output, self.n_outputs)
        self.means = column_means(targets, empty=0.0, weight=sample_weight)
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """The same row for each sample, (N, n_outputs)."""
        return np.tile(self.means, (len(X), 1))

    def state(self) -> dict[str, np.ndarray]:
        """The means."""
        return {"means": self.means}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over the means."""
        self.means = arrays["means"]
