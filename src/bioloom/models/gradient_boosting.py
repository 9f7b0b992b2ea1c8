"""Gradient-boosted trees on binned features (scikit-learn's histogram version)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from bioloom.arrays import Shaped, Table, shape_of, vectors
from bioloom.errors import DataError
from bioloom.models._scikit import ScikitModel

MOST_CATEGORIES = 255  # of a column: the bins that scikit-learn has


@dataclass(kw_only=True)
class Model(ScikitModel):
    """Interactions and steps that a linear model misses; needs no scaling.

    A split of a table sends any set of categories to one side, and missing values to the side that
    suits them. What training did not have counts as missing. A table with a column of more than
    `MOST_CATEGORIES` comes dissolved, as to other models.
    """

    takes = ("table", "vectors")
    most_categories = MOST_CATEGORIES

    max_iter: int = 100
    """Trees, one after the other."""
    learning_rate: float = 0.1
    """How much of a tree is taken."""
    max_leaf_nodes: int = 15
    """Leaves of a tree, at most."""
    min_samples_leaf: int = 10
    """Rows of a leaf, at least."""
    l2_regularization: float = 1.0
    """Curvature that is added to that of a leaf, so that few rows move little."""
    class_weight: Literal["balanced"] | None = None
    """`balanced`: a rare class counts as much as a frequent one."""

    def taken(self, X: Shaped) -> Shaped:
        """A table as it is, unless a column has too many categories; else vectors."""
        X = super().taken(X)
        if shape_of(X) != "table":
            return X
        most = max(map(len, cast(Table, X).categories), default=0)
        return X if most <= MOST_CATEGORIES else vectors(X)

    def build(self, X: Shaped) -> Any:
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
            "categorical_features": cast(Table, X).is_category if shape_of(X) == "table" else None,
            "early_stopping": False,
            "random_state": self.seed,
        }
        if self.output == "values":
            return HistGradientBoostingRegressor(**options)
        return HistGradientBoostingClassifier(class_weight=self.class_weight, **options)

    def learnable(self, values: np.ndarray) -> np.ndarray:
        """0 in columns that no row has, of which scikit-learn can make no bins."""
        empty = np.isnan(values).all(axis=0)
        return np.where(empty, 0, values) if empty.any() else values

    def write_state(self, folder: Path) -> None:
        """Write model.skops."""
        for estimator in self._boosted:
            _drop_functions(estimator)
        super().write_state(folder)

    def read_state(self, folder: Path) -> None:
        """Read model.skops, and check the trees: scikit-learn walks them without bounds checks."""
        super().read_state(folder)
        if not all(map(_has_sound_trees, self._boosted)):
            raise DataError("The trees are damaged", file=folder / "model.skops")

    @property
    def _boosted(self) -> list[Any]:
        """The estimators that have trees: not those of a label that all training rows have."""
        return [each for each in self.estimators if hasattr(each, "_predictors")]

    @property
    def trusted(self) -> list[str]:
        """What `build` gives, with its trees, which `read_state` checks, and its encoder."""
        boosting = "sklearn.ensemble._hist_gradient_boosting"
        return [
            f"{boosting}.gradient_boosting.HistGradientBoostingClassifier",
            f"{boosting}.gradient_boosting.HistGradientBoostingRegressor",
            f"{boosting}.predictor.TreePredictor",
            "sklearn.compose._column_transformer.ColumnTransformer",
            "sklearn.preprocessing._encoders.OrdinalEncoder",
            "sklearn.preprocessing._function_transformer.FunctionTransformer",
            "sklearn.preprocessing._label.LabelEncoder",
        ]


def _drop_functions(estimator: Any) -> None:
    """Numbers pass by scikit-learn's encoder of categories unchecked: files hold no functions."""
    if estimator._preprocessor is None:
        return
    for steps in (estimator._preprocessor.transformers, estimator._preprocessor.transformers_):
        for name, step, _ in steps:
            if name == "numerical":
                step.set_params(func=None)


def _has_sound_trees(estimator: Any) -> bool:
    """Whether each tree stays inside itself, the columns of X and the sets of categories."""
    row = np.full((1, estimator.n_features_in_), np.nan)
    n_columns = estimator._preprocess_X(row, reset=False).shape[1]
    known, place = estimator._bin_mapper.make_known_categories_bitsets()
    # the set of known categories of each column, len(known) where it has none
    place = np.where(estimator._bin_mapper.is_categorical_, place, len(known))[:n_columns]
    trees = chain.from_iterable(estimator._predictors)
    return len(place) == n_columns and all(
        _is_tree(tree.nodes, n_columns) and _is_categorical(tree, place < len(known))
        for tree in trees
    )


def _is_tree(nodes: np.ndarray, n_features: int) -> bool:
    """Whether each split has a column of X and two children that come after it."""
    splits = np.flatnonzero(nodes["is_leaf"] == 0)
    children = np.stack([nodes["left"][splits], nodes["right"][splits]])
    columns = nodes["feature_idx"][splits]
    inside = (children > splits) & (children < len(nodes))
    return bool(inside.all() and (columns >= 0).all() and (columns < n_features).all())


def _is_categorical(tree: Any, categorical: np.ndarray) -> bool:
    """Whether each split by categories is of a column that has such, and has its set of them."""
    nodes = tree.nodes[(tree.nodes["is_leaf"] == 0) & (tree.nodes["is_categorical"] == 1)]
    sets = tree.raw_left_cat_bitsets, tree.binned_left_cat_bitsets
    return bool(categorical[nodes["feature_idx"]].all()) and all(
        bits.shape[1:] == (8,) and (nodes["bitset_idx"] < len(bits)).all() for bits in sets
    )
