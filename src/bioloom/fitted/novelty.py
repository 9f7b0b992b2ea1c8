"""How far a new sample lies from the training data: the out-of-distribution flag.

The distance is Mahalanobis' in the leading principal components of the training features, joined
with the residual outside them (Jackson & Mudholkar 1979). The limit is the 99th percentile over
the validation rows, or over the training rows where that is larger. No training row is kept.
Whether distance tells wrong answers from right ones is measured on the validation rows, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from bioloom.arrays import Shaped, vectors

COMPONENTS = 32
ENOUGH = 20
"""Wrong and right answers each, without which nothing is known of what distance tells."""


@dataclass
class Novelty:
    """Principal axes of the training features and the limit of what counts as known."""

    mean: np.ndarray
    axes: np.ndarray
    deviations: np.ndarray
    residual: np.ndarray
    limit: np.ndarray
    separates: np.ndarray = field(default_factory=lambda: np.full(1, np.nan, dtype=np.float32))
    """AUROC by which distance tells wrong answers of validation rows; NaN where not known."""

    @classmethod
    def fit(cls, X: Shaped, X_valid: Shaped, before: Novelty | None = None) -> Novelty:
        """Fit on the preprocessed features of training rows; the limit also on valid rows.

        What was `measured` of the one `before` is kept.
        """
        from sklearn.decomposition import PCA

        X, X_valid = vectors(X), vectors(X_valid)
        count = max(1, min(COMPONENTS, X.shape[1] - 1, len(X) // 4))
        pca = PCA(
            count, svd_solver="randomized" if count < min(X.shape) else "full", random_state=0
        )
        projected = pca.fit_transform(X)
        left = X - pca.inverse_transform(projected)
        novelty = cls(
            pca.mean_.astype(np.float32),
            pca.components_.astype(np.float32),
            (projected.std(axis=0) + 1e-6).astype(np.float32),
            np.array([np.sqrt((left**2).sum(axis=1).mean()) + 1e-6], dtype=np.float32),
            np.zeros(1, dtype=np.float32),
        )
        highest = [np.quantile(novelty.distance(rows), 0.99) for rows in (X, X_valid) if len(rows)]
        novelty.limit = np.array([max(highest)], dtype=np.float32)
        novelty.separates = novelty.separates if before is None else before.separates
        return novelty

    def distance(self, X: Shaped) -> np.ndarray:
        """Distance of each row, (N,); about 1 for a typical training row."""
        centred = vectors(X) - self.mean
        projected = centred @ self.axes.T
        left = centred - projected @ self.axes
        inside = ((projected / self.deviations) ** 2).mean(axis=1)
        outside = (left**2).sum(axis=1) / self.residual**2
        return np.sqrt((inside + outside) / 2)

    def outside(self, X: Shaped) -> np.ndarray:
        """Whether each row lies beyond the limit, (N,) bool."""
        return self.distance(X) > self.limit

    @property
    def is_reason(self) -> bool:
        """Whether to be far is a reason to doubt an answer: not where it was measured not to be."""
        return not self.separates[0] <= 0.5

    def measured(self, X_valid: Shaped, wrong: np.ndarray | None) -> Novelty:
        """The same, knowing which answers to valid rows were `wrong (N,)`, 1 or 0.

        NaN where it is not known; None: of no row.
        """
        if wrong is None or min((wrong == 1).sum(), (wrong == 0).sum()) < ENOUGH:
            return self
        from sklearn.metrics import roc_auc_score

        known = np.isfinite(wrong)
        auroc = roc_auc_score(wrong[known], self.distance(X_valid)[known])
        return replace(self, separates=np.array([auroc], dtype=np.float32))

    def save(self, folder: Path) -> None:
        """Write novelty.safetensors."""
        from safetensors.numpy import save_file

        arrays = {f.name: np.ascontiguousarray(getattr(self, f.name)) for f in fields(self)}
        save_file(arrays, folder / "novelty.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Novelty:
        """Read novelty.safetensors."""
        from safetensors.numpy import load_file

        return cls(**load_file(folder / "novelty.safetensors"))
