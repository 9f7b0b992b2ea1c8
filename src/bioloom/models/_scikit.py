"""scikit-learn classifiers and regressors as models: one fit, stored by skops."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from bioloom.arrays import Shaped, cells, end_to_end
from bioloom.errors import DataError
from bioloom.files import write_skops
from bioloom.models._estimator import Estimator


@dataclass(kw_only=True)
class ScikitModel(Estimator):
    """A model whose work is done by the scikit-learn estimator that `build` gives."""

    @abstractmethod
    def build(self) -> Any:
        """The unfitted scikit-learn estimator for this kind of label."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Fit on the training rows; valid rows are not used."""
        y = end_to_end(y)
        if y.ndim > 1:
            raise DataError(
                f"Model {self.name} predicts one label, the samples have {self.n_outputs}",
                hint="take svm, dnn, category_mean or naive",
            )
        self.estimator = self.build().fit(cells(self.taken(X)), y, sample_weight=sample_weight)
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities or values, (N, n_outputs); a class without training rows gets 0."""
        values = cells(self.taken(X))
        if not self.classes:
            return self.estimator.predict(values)[:, None]
        probabilities = np.zeros((len(X), self.n_outputs))
        probabilities[:, self.estimator.classes_] = self.estimator.predict_proba(values)
        return probabilities

    def write_state(self, folder: Path) -> None:
        """Write model.skops."""
        write_skops(self.estimator, folder / "model.skops")

    def read_state(self, folder: Path) -> None:
        """Read model.skops; skops refuses every type but scikit-learn's and those `trusted`."""
        from skops.io import load

        self.estimator = load(folder / "model.skops", trusted=self.trusted)

    @property
    def trusted(self) -> list[str]:
        """Further types in the file, which were looked at and only hold numbers."""
        return []
