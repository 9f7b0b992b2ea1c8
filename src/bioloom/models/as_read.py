"""Letters of a read as they are: nothing is learnt. The floor and the rival of every corrector.

X has the columns of `embedders.read_evidence`, scaled or not: that of the letter is the highest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bioloom.arrays import Shaped, end_to_end
from bioloom.embedders.read_evidence import READ
from bioloom.models._estimator import Estimator

SURE = 0.999
"""Never 1: what is read may be wrong."""


@dataclass(kw_only=True)
class Model(Estimator):
    """Gives each letter as it was read."""

    columns: ClassVar[slice] = READ
    takes = ("tokens",)
    answers = ("residue",)

    def fit(self, X: Shaped, y: Shaped, X_valid: Shaped, y_valid: Shaped) -> Self:
        """Nothing to learn."""
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """`SURE` of the letter, and the rest shared by the others, (T, 4)."""
        return nearly_sure(end_to_end(self.taken(X))[:, self.columns])

    def state(self) -> dict[str, np.ndarray]:
        """Nothing but a mark, for a file is not empty."""
        return {"sure": np.array([SURE])}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Nothing to take over."""


def nearly_sure(letters: np.ndarray) -> np.ndarray:
    """Probabilities (T, 4) of letters (T, 4), the highest of each row; an unknown one is any."""
    sure = np.full(letters.shape, (1 - SURE) / 3)
    sure[np.arange(len(letters)), letters.argmax(axis=1)] = SURE
    unknown = letters.max(axis=1) == letters.min(axis=1)
    sure[unknown] = 0.25
    return sure
