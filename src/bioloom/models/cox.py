"""Cox's proportional hazards with an L2 penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, cast

import numpy as np

from bioloom.arrays import Shaped
from bioloom.metrics.survival import by_cause
from bioloom.models._estimator import Estimator
from bioloom.models._survival import RiskSets, baseline_hazard, free_of, partial_likelihood

STEPS = 50
TOLERANCE = 1e-8
MOST = 50.0  # log of a hazard ratio: beyond, a curve is 0 or 1


@dataclass(kw_only=True)
class Model(Estimator):
    """The log of the hazard is linear in the features, which should be standardised.

    Ties as Breslow has them; rows that enter late are at risk from their entry. Where events
    compete each has coefficients of its own.
    """

    gives = ("survival",)

    penalty: float = 1.0
    """Strength of the penalty: half of it times the squared length of the coefficients."""

    def fit(self, X: Shaped, y: Shaped, X_valid: Shaped, y_valid: Shaped) -> Self:
        """Newton steps on the penalised partial likelihood (convex); valid rows are not used."""
        values = np.asarray(self.taken(X), dtype=np.float64)
        causes = [RiskSets.of(one) for one in by_cause(np.asarray(y))]
        self.mean = values.mean(axis=0)
        values = values - self.mean
        # Of more columns than rows, the coefficients lie in the space that the rows span.
        basis = np.eye(values.shape[1])
        if values.shape[1] > len(values):
            basis = np.linalg.svd(values, full_matrices=False)[2].T
        found = [basis @ _newton(values @ basis, sets, self.penalty) for sets in causes]
        self.coefficients = np.array(found)
        times = np.array(self.times)
        self.hazard = np.array(
            [
                baseline_hazard(values @ b, sets, times)
                for b, sets in zip(found, causes, strict=True)
            ]
        )
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """The share without the event at each time, (N, n_outputs)."""
        values = np.asarray(cast(np.ndarray, self.taken(X)), dtype=np.float64) - self.mean
        scores = np.clip(values @ self.coefficients.T, -MOST, MOST)
        return free_of([np.outer(np.exp(scores[:, c]), one) for c, one in enumerate(self.hazard)])

    def state(self) -> dict[str, np.ndarray]:
        """Means of the columns; of each cause coefficients, and the hazard of a row of means."""
        return {"mean": self.mean, "coefficients": self.coefficients, "hazard": self.hazard}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state."""
        self.mean = arrays["mean"]
        # Older models have one event, and no axis of causes.
        self.coefficients = np.atleast_2d(arrays["coefficients"])
        self.hazard = np.atleast_2d(arrays["hazard"])


def _newton(X: np.ndarray, sets: RiskSets, penalty: float) -> np.ndarray:
    """The coefficients (D,) of least penalised loss."""
    b = np.zeros(X.shape[1])
    loss = partial_likelihood(X @ b, sets)[0]
    for _ in range(STEPS):
        gradient = X.T @ partial_likelihood(X @ b, sets)[1] + penalty * b
        move = np.linalg.lstsq(_curvature(X, b, sets) + penalty * np.eye(len(b)), gradient)[0]
        for share in 0.5 ** np.arange(20):
            new = b - share * move
            found = partial_likelihood(X @ new, sets)[0] + penalty * new @ new / 2
            if found <= loss + TOLERANCE:
                break
        done = loss - found <= TOLERANCE * (1 + abs(loss))
        b, loss = new, found
        if done:
            break
    return b


def _curvature(X: np.ndarray, b: np.ndarray, sets: RiskSets) -> np.ndarray:
    """Second derivatives of minus the log partial likelihood, (D, D)."""
    score = X @ b
    hazard = np.exp(score - score.max())
    total = np.maximum(sets.sums(hazard), 1e-300)
    mean = sets.sums(hazard[:, None] * X) / total[:, None]
    at_risk = hazard * sets.spread(sets.events / total)
    return X.T @ (at_risk[:, None] * X) - mean.T @ (sets.events[:, None] * mean)
