"""The mean label of each category, such as a tissue: how much the kind of sample alone explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from bioloom.arrays import Shaped, vectors
from bioloom.models._estimator import Estimator, column_means, target_matrix


@dataclass(kw_only=True)
class Model(Estimator):
    """Training rows with the same features are one category; no shrinkage.

    A category without a measured label, and one not seen in training, gets the overall mean.
    """

    def fit(self, X: Shaped, y: Shaped, X_valid: Shaped, y_valid: Shaped) -> Self:
        """Average the training labels within each category."""
        targets = target_matrix(y, self.output, self.n_outputs)
        self.overall = column_means(targets, empty=0.0)
        self.categories, member = np.unique(vectors(X), axis=0, return_inverse=True)
        self.means = np.array(
            [
                column_means(targets[member == category], empty=self.overall)
                for category in range(len(self.categories))
            ]
        )
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """The mean of each row's category, (N, n_outputs)."""
        known = {category.tobytes(): i for i, category in enumerate(self.categories)}
        # Row -1 stands for the categories that were not seen.
        table = np.vstack([self.means, self.overall])
        rows = np.ascontiguousarray(vectors(X), dtype=self.categories.dtype)
        return table[[known.get(row.tobytes(), -1) for row in rows]]

    def state(self) -> dict[str, np.ndarray]:
        """The categories with their means, and the overall mean."""
        return {"categories": self.categories, "means": self.means, "overall": self.overall}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over the means."""
        self.categories, self.means = arrays["categories"], arrays["means"]
        self.overall = arrays["overall"]
