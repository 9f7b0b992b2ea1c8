"""scikit-learn classifiers and regressors as models: one, or one a label or target; by skops."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from bioloom.arrays import Shaped, cells, end_to_end
from bioloom.files import skops_io, write_skops
from bioloom.models._estimator import Estimator

DUMMIES = ("sklearn.dummy.DummyClassifier", "sklearn.dummy.DummyRegressor")
"""Types of where there was nothing to learn."""


@dataclass(kw_only=True)
class ScikitModel(Estimator):
    """A model whose work is done by the scikit-learn estimator that `build` gives."""

    @abstractmethod
    def build(self, X: Shaped) -> Any:
        """The unfitted scikit-learn estimator for this kind of label, and X of the shape taken."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Fit on the training rows; valid rows are not used."""
        X, y = self.taken(X), end_to_end(y)
        if self.labels:
            self.estimators = [self._fit_label(X, label, sample_weight) for label in y.T]
            return self
        targets = [y] if y.ndim == 1 else y.T
        self.estimators = [self._fit_values(X, target, sample_weight) for target in targets]
        return self

    def _fit_values(self, X: Shaped, y: np.ndarray, sample_weight: np.ndarray | None) -> Any:
        """An estimator of the rows where the value is known, without any 0; of one class, that."""
        from sklearn.dummy import DummyClassifier, DummyRegressor

        rows = np.isfinite(y)
        if self.classes and len(np.unique(y[rows])) < 2:
            return DummyClassifier().fit(cells(X)[:1], y[rows][:1])
        if not rows.any():
            return DummyRegressor(strategy="constant", constant=0.0).fit(cells(X)[:1], [0.0])
        weight = None if sample_weight is None else sample_weight[rows]
        return self.build(X).fit(self.learnable(cells(X)[rows]), y[rows], sample_weight=weight)

    def _fit_label(self, X: Shaped, y: np.ndarray, sample_weight: np.ndarray | None) -> Any:
        """A classifier of the rows where the label is known; where all have it, or none, that."""
        from sklearn.dummy import DummyClassifier

        rows = np.isfinite(y)
        known = y[rows].astype(np.int64)
        if len(np.unique(known)) < 2:
            return DummyClassifier().fit(cells(X)[:1], [known.max(initial=0)])
        weight = None if sample_weight is None else sample_weight[rows]
        return self.build(X).fit(self.learnable(cells(X)[rows]), known, sample_weight=weight)

    def learnable(self, values: np.ndarray) -> np.ndarray:
        """The rows (N, D) as the estimator can learn from them."""
        return values

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities or values, (N, n_outputs); a class without training rows gets 0."""
        values = cells(self.taken(X))
        if self.labels:
            columns = [_probabilities(each, values, 2)[:, 1] for each in self.estimators]
            return np.column_stack(columns)
        if self.classes:
            [estimator] = self.estimators
            return _probabilities(estimator, values, self.n_outputs)
        return np.column_stack([each.predict(values) for each in self.estimators])

    def write_state(self, folder: Path) -> None:
        """Write model.skops."""
        write_skops(self.estimators, folder / "model.skops")

    def read_state(self, folder: Path) -> None:
        """Read model.skops; skops refuses every type but scikit-learn's and those `trusted`."""
        self.estimators = skops_io().load(folder / "model.skops", trusted=[*DUMMIES, *self.trusted])

    @property
    @abstractmethod
    def trusted(self) -> list[str]:
        """The types in the file beside `DUMMIES`, which were looked at and only hold numbers."""


def _probabilities(estimator: Any, X: np.ndarray, n_classes: int) -> np.ndarray:
    """Class probabilities, (N, n_classes); 0 for a class that the estimator did not see."""
    probabilities = np.zeros((len(X), n_classes))
    probabilities[:, estimator.classes_] = estimator.predict_proba(X)
    return probabilities
