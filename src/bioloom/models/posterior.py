"""The probabilities that features bring themselves, such as those of a likelihood or of a peer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, cast

import numpy as np

from bioloom.arrays import Images, Shaped
from bioloom.arrays.images import NEVER
from bioloom.errors import DataError
from bioloom.models._estimator import Estimator


@dataclass(kw_only=True)
class Model(Estimator):
    """Learns nothing: a baseline that shows what a network adds to where it starts from.

    With `quality`, a Phred value, what is not of the first class with at least that is certain, and
    all else is of the first class: a filter as it is used in practice.
    """

    takes = ("images",)

    quality: float | None = None
    """Phred; from it on a call is certain."""

    def fit(self, X: Shaped, y: Shaped, X_valid: Shaped, y_valid: Shaped) -> Self:
        """Check that there is a prior of as many classes; DataError otherwise."""
        prior = cast(Images, self.taken(X)).prior
        if not self.classes or prior.shape[1] != self.n_outputs:
            raise DataError(f"Model {self.name} needs a prior of {self.n_outputs} classes")
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """The prior's probabilities, (N, n_outputs)."""
        prior = cast(Images, self.taken(X)).prior.astype(np.float64)
        p = np.exp(prior)
        p /= p.sum(axis=1, keepdims=True)
        if self.quality is None:
            return p
        passed = -10 * np.log10(np.maximum(p[:, 0], 1e-300)) >= self.quality
        passed &= prior[:, 1:].max(axis=1) > NEVER
        first = np.where(passed, 1 + p[:, 1:].argmax(axis=1), 0)
        return np.eye(self.n_outputs)[first]

    def state(self) -> dict[str, np.ndarray]:
        """Nothing is learnt; a file holds at least one number."""
        return {"nothing": np.zeros(1)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Nothing to take over."""
