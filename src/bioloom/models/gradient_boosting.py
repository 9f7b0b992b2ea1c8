"""Gradient-boosted trees on binned features (scikit-learn's histogram version)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bioloom.errors import DataError
from bioloom.models._scikit import ScikitModel


@dataclass(kw_only=True)
class Model(ScikitModel):
    """Interactions and steps that a linear model misses; needs no scaling."""

    max_iter: int = 100
    learning_rate: float = 0.1
    max_leaf_nodes: int = 15
    min_samples_leaf: int = 10
    l2_regularization: float = 1.0
    class_weight: Literal["balanced"] | None = None

    def build(self) -> Any:
        """HistGradientBoostingClassifier or HistGradientBoostingRegressor, a fixed number of trees.

        scikit-learn would stop early on rows it draws by itself, whatever their group.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        options: dict[str, Any] = {
            "max_iter": self.max_iter,
            "learning_rate": self.learning_rate,
            "max_leaf_nodes": self.max_leaf_nodes,
            "min_samples_leaf": self.min_samples_leaf,
            "l2_regularization": self.l2_regularization,
            "early_stopping": False,
            "random_state": self.seed,
        }
        if self.output == "values":
            return HistGradientBoostingRegressor(**options)
        return HistGradientBoostingClassifier(class_weight=self.class_weight, **options)

    def read_state(self, folder: Path) -> None:
        """Read model.skops, and check the trees: scikit-learn walks them without bounds checks."""
        super().read_state(folder)
        for estimator in self.estimators:
            # A label that all training rows have, or none, has no trees.
            for tree in chain.from_iterable(getattr(estimator, "_predictors", [])):
                if not _is_tree(tree.nodes, estimator.n_features_in_):
                    raise DataError("The trees are damaged", file=folder / "model.skops")

    @property
    def trusted(self) -> list[str]:
        """A tree is arrays of numbers; `read_state` checks that they point inside it."""
        return ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


def _is_tree(nodes: np.ndarray, n_features: int) -> bool:
    """Whether each split has a column of X and two children that come after it."""
    splits = np.flatnonzero(nodes["is_leaf"] == 0)
    children = np.stack([nodes["left"][splits], nodes["right"][splits]])
    columns = nodes["feature_idx"][splits]
    inside = (children > splits) & (children < len(nodes))
    return bool(inside.all() and (columns >= 0).all() and (columns < n_features).all())
