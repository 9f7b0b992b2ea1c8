"""What every model is: parameters as dataclass fields, fit, predict, and two plain files.

X is (N, D) float32 without NaN, Ragged, or Pairs. y is class codes (N,) int64, values (N,) or
(N, T) with NaN where a target was not measured; a model with `per_residue` takes Ragged class codes
of the kind "per_residue" and answers residue by residue, (T, classes). A fitted model is its
parameters (parameters.json) and its state (model.safetensors); nothing is pickled.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np

from bioloom.arrays import Links, Ragged, end_to_end
from bioloom.kinds import CLASSIFICATION, Kind

Features = np.ndarray | Ragged | Links


@dataclass(kw_only=True)
class Estimator(ABC):
    """The model contract: a model module's `Model` adds its parameters, `fit` and `outputs`."""

    kind: Kind
    n_outputs: int
    """Classes (two where binary), targets, or 1."""
    seed: int

    per_residue = False
    """Whether it has an answer a residue; other models see residues as rows (`fitted.py`)."""
    per_pair = False
    """Whether it has an answer a pair of residues."""

    @property
    def name(self) -> str:
        """The name of the model in config.yaml: its module's."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def fit(self, X: Features, y: np.ndarray, X_valid: Features, y_valid: np.ndarray) -> Self:
        """Learn from the training rows; valid rows may only say when to stop.

        A model whose signature goes on with `sample_weight: np.ndarray | None = None` is given
        the weights of the training rows, (N,) with mean 1, where the samples have any.
        """

    @abstractmethod
    def outputs(self, X: Features) -> np.ndarray:
        """Class probabilities, not yet calibrated, or values: (N, n_outputs)."""

    def predict_proba(self, X: Features) -> np.ndarray:
        """Class probabilities before calibration, (N, n_outputs) float64."""
        return self._outputs(X)

    def predict(self, X: Features) -> np.ndarray:
        """Values, float64: (N,) for a regression, (N, n_outputs) for a multiregression."""
        values = self._outputs(X)
        return values[:, 0] if self.kind == "regression" else values

    def _outputs(self, X: Features) -> np.ndarray:
        # scikit-learn refuses a table of no rows; no samples have no answers.
        if len(X) == 0:
            return np.zeros((0, self.n_outputs))
        return np.asarray(self.outputs(X), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write parameters.json and the fitted state into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "parameters.json").write_text(json.dumps(asdict(self), indent=1) + "\n")
        self.write_state(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        model = cls(**json.loads((folder / "parameters.json").read_text()))
        model.read_state(folder)
        return model

    def write_state(self, folder: Path) -> None:
        """Write what `fit` learnt: model.safetensors, unless the model has another format."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(value) for name, value in self.state().items()}
        save_file(arrays, folder / "model.safetensors")

    def read_state(self, folder: Path) -> None:
        """Read what `write_state` wrote."""
        from safetensors.numpy import load_file

        self.restore(load_file(folder / "model.safetensors"))

    def state(self) -> dict[str, np.ndarray]:
        """What `fit` learnt, as named arrays."""
        raise NotImplementedError

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state."""
        raise NotImplementedError


def one_vector(X: Features) -> np.ndarray:
    """X as (N, D), for models that take one vector a sample.

    Per-token features are averaged; of pairs it is what `Pairs.dense` joins.
    """
    if isinstance(X, Links):
        return X.dense()
    return X.mean() if isinstance(X, Ragged) else X


def target_matrix(y: np.ndarray | Ragged, kind: Kind, n_outputs: int) -> np.ndarray:
    """Labels as (N, n_outputs) float64: one-hot classes, or values with NaN where not measured.

    Class codes of residues (Ragged) give a row a residue.
    """
    if kind in CLASSIFICATION:
        return np.eye(n_outputs)[end_to_end(y)]
    return np.asarray(y, dtype=np.float64).reshape(len(y), n_outputs)


def column_means(
    targets: np.ndarray, empty: np.ndarray | float, weight: np.ndarray | None = None
) -> np.ndarray:
    """Means of the measured values of each column, (T,); `empty` where a column has none.

    `weight (N,)`: how much each row counts.
    """
    measured = ~np.isnan(targets)
    weights = np.where(measured, 1.0 if weight is None else weight[:, None], 0.0)
    counts = weights.sum(axis=0)
    totals = (weights * np.where(measured, targets, 0.0)).sum(axis=0)
    return np.where(counts > 0, totals / np.where(counts > 0, counts, 1), empty)
