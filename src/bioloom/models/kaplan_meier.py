"""The floor under times to an event: the curve of all training rows.

It is that of Kaplan and Meier; where events compete, of Aalen and Johansen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from bioloom.arrays import Shaped
from bioloom.metrics.survival import OTHER, aalen_johansen, cause_of, kaplan_meier
from bioloom.models._estimator import Estimator


@dataclass(kw_only=True)
class Model(Estimator):
    """Gives every sample the same curve; the features are not looked at."""

    gives = ("survival",)

    def fit(self, X: Shaped, y: Shaped, X_valid: Shaped, y_valid: Shaped) -> Self:
        """The share without the event at each time."""
        rows, times = np.asarray(y), np.array(self.times)
        competes = rows.shape[1] > OTHER
        self.curve = (
            1 - aalen_johansen(rows, cause_of(rows), times)[0]
            if competes
            else kaplan_meier(rows, times)
        )
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """The same curve for each sample, (N, n_outputs)."""
        return np.tile(self.curve, (len(X), 1))

    def state(self) -> dict[str, np.ndarray]:
        """The curve."""
        return {"curve": self.curve}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over the curve."""
        self.curve = arrays["curve"]
