"""Random forest (Breiman 2001); of several targets or labels one forest each, on what is known.

Classes are regressed on as columns of 0 and 1: the mean squared error of these is Gini's impurity,
and the means in the leaves are their probabilities. Trees are kept as arrays of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from bioloom.arrays import Shaped, vectors
from bioloom.errors import DataError
from bioloom.models._estimator import Estimator, Share, target_matrix

ROWS_AT_ONCE = 1000  # rows times trees stay in memory
LEAF = -1


@dataclass(kw_only=True)
class Model(Estimator):
    """Means over trees, each of rows drawn with repeats and of columns drawn at each split."""

    n_estimators: int = 300
    """Trees."""
    min_samples_leaf: int = 5
    """Rows of a leaf, at least."""
    max_features: Share = 0.33
    """Share of the columns that each split chooses from."""
    class_weight: Literal["balanced"] | None = None
    """`balanced`: a rare class counts as much as a frequent one."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Grow the trees on the training rows; valid rows are not used.

        A target that no row has gets 0.
        """
        X = vectors(X).astype(np.float32)
        targets = target_matrix(y, self.output, self.n_outputs)
        columns = [targets] if self.classes else [column[:, None] for column in targets.T]
        self.forests = [self._grow(X, column, sample_weight) for column in columns]
        return self

    def _grow(self, X: np.ndarray, Y: np.ndarray, weight: np.ndarray | None) -> Forest:
        """A forest of the rows where Y (N, O) is known."""
        from sklearn.ensemble import RandomForestRegressor

        rows = np.isfinite(Y).all(axis=1)
        if not rows.any():
            return Forest.constant(Y.shape[1])
        if self.class_weight and self.output != "values":
            shares = np.column_stack([1 - Y, Y]) if self.labels else Y
            sizes = shares[rows].sum(axis=0)
            balance = (shares / np.where(sizes > 0, sizes, 1)).sum(axis=1)
            weight = balance if weight is None else weight * balance
        forest = RandomForestRegressor(
            n_estimators=self.n_estimators,
            min_samples_leaf=self.min_samples_leaf,
            max_features=max(self.max_features, 1e-9),  # one column at least
            random_state=self.seed,
        )
        known = Y[rows] if Y.shape[1] > 1 else Y[rows, 0]
        forest.fit(X[rows], known, sample_weight=None if weight is None else weight[rows])
        return Forest.of([each.tree_ for each in forest.estimators_])

    def outputs(self, X: Shaped) -> np.ndarray:
        """Means over the trees, (N, n_outputs)."""
        values = vectors(X).astype(np.float32)
        return np.hstack([forest.means(values) for forest in self.forests])

    def state(self) -> dict[str, np.ndarray]:
        """The arrays of each forest, by its number."""
        return {
            f"{name}.{number}": array
            for number, forest in enumerate(self.forests)
            for name, array in vars(forest).items()
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over the forests; DataError where a tree does not end."""
        parts: dict[int, dict[str, np.ndarray]] = {}
        for key, array in arrays.items():
            name, _, number = key.partition(".")
            parts.setdefault(int(number), {})[name] = array
        self.forests = [Forest(**parts[number]) for number in sorted(parts)]
        if not all(forest.is_sound() for forest in self.forests):
            raise DataError("The trees of the forest are damaged")


@dataclass(frozen=True)
class Forest:
    """Trees whose M nodes stand end to end.

    `roots (T,)`; `left`, `right (M,)` are the nodes to which a row goes whose `feature (M,)` is at
    most `threshold (M,)`, or more; a leaf has the feature -1. `value (M, O)` is the mean of a leaf.
    """

    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, trees: list[Any]) -> Forest:
        """The trees of scikit-learn."""
        roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
        pairs = list(zip(roots, trees, strict=True))
        return cls(
            roots,
            np.concatenate([root + tree.children_left for root, tree in pairs]),
            np.concatenate([root + tree.children_right for root, tree in pairs]),
            np.concatenate([np.maximum(tree.feature, LEAF) for tree in trees]),
            np.concatenate([tree.threshold for tree in trees]),
            np.concatenate([tree.value[:, :, 0] for tree in trees]),
        )

    @classmethod
    def constant(cls, size: int) -> Forest:
        """A leaf of zeros."""
        none, zero = np.array([LEAF]), np.array([0])
        return cls(zero, zero, zero, none, np.zeros(1), np.zeros((1, size)))

    def means(self, X: np.ndarray) -> np.ndarray:
        """The mean over the trees of the leaves that rows of X (N, D) come to, (N, O)."""
        blocks = np.split(X, range(ROWS_AT_ONCE, len(X), ROWS_AT_ONCE))
        return np.concatenate([self.value[self._leaves(block)].mean(axis=1) for block in blocks])

    def _leaves(self, X: np.ndarray) -> np.ndarray:
        """The leaf of each row in each tree, (N, T)."""
        node = np.tile(self.roots, (len(X), 1))
        row = np.arange(len(X))[:, None]
        while (inner := self.feature[node] != LEAF).any():
            small = X[row, self.feature[node]] <= self.threshold[node]
            following = np.where(small, self.left[node], self.right[node])
            node = np.where(inner, following, node)
        return node

    def is_sound(self) -> bool:
        """Whether each split has two children that come after it."""
        nodes = len(self.feature)
        splits = np.flatnonzero(self.feature != LEAF)
        children = np.stack([self.left[splits], self.right[splits]])
        same = {len(array) for array in (self.left, self.right, self.threshold, self.value)}
        starts = (self.roots >= 0) & (self.roots < nodes)
        sound = (children > splits) & (children < nodes) & (self.feature[splits] >= 0)
        return same == {nodes} and bool(sound.all() and starts.all())
