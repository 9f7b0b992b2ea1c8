"""Logistic (or ridge) regression on the states of columns: what a Bayesian network sees.

A linear model of the same bins is the fair peer of a network: the two differ in the form of the
dependence alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from bioloom.arrays import Shaped
from bioloom.models import _fields, logistic_regression


@dataclass(kw_only=True)
class Model(logistic_regression.Model):
    """Linear in a column of 0 and 1 a state; what is missing or unseen has 0 in all of them."""

    takes = ("table", "vectors")
    scaled = False  # bins are in the unit of the column

    bins: int = 4
    """Of a number, at most."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Learn the bins and then the regression from the training rows."""
        X = self.taken(X)
        self.fields = _fields.learn(X if sample_weight is None else X[sample_weight > 0], self.bins)
        return super().fit(self._states(X), y, X_valid, y_valid, sample_weight)

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities or values, (N, n_outputs)."""
        return super().outputs(self._states(self.taken(X)))

    def write_state(self, folder: Path) -> None:
        """Write model.skops, and model.safetensors with the bins."""
        from safetensors.numpy import save_file

        super().write_state(folder)
        save_file(_fields.as_arrays(self.fields), folder / "model.safetensors")

    def read_state(self, folder: Path) -> None:
        """Read both."""
        from safetensors.numpy import load_file

        super().read_state(folder)
        self.fields = _fields.from_arrays(load_file(folder / "model.safetensors"))

    def _states(self, X: Shaped) -> np.ndarray:
        """A column of 0 and 1 a state, (N, states of all columns)."""
        coded = zip(_fields.code(X, self.fields).T, _fields.state_names(self.fields), strict=True)
        flags = [codes[:, None] == np.arange(len(states)) for codes, states in coded]
        return np.hstack(flags).astype(np.float32)
