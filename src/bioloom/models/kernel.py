"""An exact kernel model: ridge on the mean of one kernel a view, chosen by left-out answers.

Each part of a `features` list is a view. Of a sample with a row a token, or a segment, six are
compared: the mean, the largest and the spread of its rows, and the means of its beginning, middle
and end. Classes are told by a logistic regression on what the ridge says of rows whose group it
has not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np

from bioloom.arrays import Ragged, Shaped, vectors
from bioloom.models._estimator import Estimator, column_means, target_matrix
from bioloom.models._folds import held_out_together
from bioloom.models._kernels import drawn_rows, landmarks, ridges, roots

STRENGTHS = (0.1, 0.3, 1.0)
"""Of the ridge, in units of the kernel's diagonal."""
PENALTIES = (0.1, 1.0)
"""Of the logistic regression (`C`)."""
FOLDS = 5
NEVER = -30.0
"""The log odds of a class that no training row has."""
SMALLEST = 1e-6
"""A probability is taken for no less."""
WIDTH_ROWS = 1_000
"""From so many rows the width is found: the median distance of two."""
BLOCK = 2_000  # rows that are compared at once


@dataclass(kw_only=True)
class Model(Estimator):
    """Kernel ridge for values; for classes and labels logistic regressions on left-out answers."""

    takes: ClassVar[tuple[str, ...]] = ("vectors", "tokens")

    class_weight: Literal["balanced"] | None = None
    """`balanced`: a rare class counts as much as a frequent one."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        groups: np.ndarray | None = None,
        blocks: np.ndarray | None = None,
    ) -> Self:
        """Learn from the training rows; valid rows are not used.

        `groups (N,)` are left out together where a strength is chosen; `blocks (D,)` is the part
        of the features that each column of vectors is of.
        """
        drawn, groups = rows_and_groups(len(X), groups, self.seed)
        self.blocks = np.zeros(0, dtype=np.int64) if blocks is None else np.asarray(blocks)
        views = views_of(X[drawn], self.blocks)
        self.scales = [_scale(view) for view in views]
        views = self._standardised(views)
        self.widths = np.array([_median_distance(view, self.seed) for view in views])
        marks = landmarks(len(drawn), self.seed)
        self.rows = [view[marks] for view in views]
        kernel = np.vstack(list(self._kernels(views)))
        _, self.coefficients, self.told, _ = self._best(kernel, marks, np.asarray(y)[drawn], groups)
        return self

    def _best(
        self,
        kernel: np.ndarray,
        marks: np.ndarray,
        y: np.ndarray,
        groups: np.ndarray,
        weight: np.ndarray | None = None,
    ) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """The strength of the least loss: this, coefficients, what turns answers into the model's.

        Last its left-out answers less the targets, (N, T). `kernel (N, L)` compares the rows with
        those of them that are `marks (L,)`. Rows count by `weight (N,)`: a ridge on rows and
        targets times its root. Values are learnt without their gaps.
        """
        targets = target_matrix(y, self.output, self.n_outputs)
        known = ~np.isnan(targets)
        if self.output == "values" and targets.shape[1] > 1 and not known.all():
            return self._by_gaps(kernel, marks, targets, groups, weight)
        self.level = column_means(targets, 0.0, weight)
        # A label that is not known of a row is taken for the mean.
        targets = np.where(np.isnan(targets), 0, targets - self.level)
        root = np.ones((len(y), 1), np.float32)
        if weight is not None:
            root = roots(weight).astype(np.float32)[:, None]
            kernel = kernel * (root * root[marks].T).astype(kernel.dtype)
        found = []
        for ridge in ridges(kernel, marks, targets * root, STRENGTHS):
            left_out = ridge.left_out(groups)
            answers = np.divide(left_out, root, out=np.zeros_like(left_out), where=root > 0)
            loss, told = self._told(answers, y, targets, groups, weight)
            found.append((loss, root[marks] * ridge.coefficients, told, answers - targets))
        return min(found, key=lambda each: each[0])

    def _by_gaps(
        self,
        kernel: np.ndarray,
        marks: np.ndarray,
        targets: np.ndarray,
        groups: np.ndarray,
        weight: np.ndarray | None,
    ) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """As `_best`, of values with gaps: those that have the same are learnt together."""
        size, known = targets.shape[1], ~np.isnan(targets)
        loss, told, errors = 0.0, np.zeros((size + 1, size)), np.zeros_like(targets)
        coefficients = np.zeros((len(marks), size))
        patterns, pattern_of = np.unique(known, axis=1, return_inverse=True)
        for place, rows in enumerate(patterns.T):
            own = np.flatnonzero(pattern_of.ravel() == place)
            count = rows if weight is None else rows * weight
            if not count.any():
                continue
            y = np.where(known[:, own], targets[:, own], 0)
            model = replace(self, n_outputs=len(own))
            found = model._best(kernel, marks, y, groups, count.astype(float))
            loss += found[0] * len(own) / size
            coefficients[:, own] = found[1]
            told[np.ix_([*own, size], own)] = found[2]
            errors[:, own] = np.where(known[:, own], found[3], 0)
        return loss, coefficients, told, errors

    def _told(
        self,
        answers: np.ndarray,
        y: np.ndarray,
        targets: np.ndarray,
        groups: np.ndarray,
        weight: np.ndarray | None,
    ) -> tuple[float, np.ndarray]:
        """The loss of left-out answers (N, T), and what turns them into the model's, (T + 1, T).

        The last row is an intercept. Values are what the ridge says.
        """
        size = answers.shape[1]
        if self.classes:
            return self._told_classes(answers, y, groups)
        if not self.labels:
            error = np.average((answers - targets) ** 2, axis=0, weights=weight).mean()
            return float(error), np.vstack([np.eye(size), self.level])
        columns = [self._told_label(answers[:, label], y[:, label]) for label in range(size)]
        turned = np.vstack([np.diag([c[1] for c in columns]), [c[2] for c in columns]])
        return sum(c[0] for c in columns), turned

    def _told_classes(
        self, answers: np.ndarray, y: np.ndarray, groups: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """The penalty of the least log loss over folds of groups."""
        from sklearn.linear_model import LogisticRegression

        scale = answers.std(axis=0)
        scale = np.where(scale > 0, scale, 1)
        known = np.unique(y)
        weights, intercept = np.zeros((len(scale), self.n_outputs)), np.full(self.n_outputs, NEVER)
        if len(known) < 2:
            intercept[known] = 0
            return 0.0, np.vstack([weights, intercept])
        rows, found = answers / scale, []
        for penalty in PENALTIES:
            logistic = LogisticRegression(C=penalty, max_iter=1_000, class_weight=self.class_weight)
            losses = [
                -np.log(logistic.fit(rows[a], y[a]).predict_proba(rows[b]).clip(SMALLEST))[
                    np.arange(len(b)), np.searchsorted(known, y[b])
                ]
                for a, b in _folds(y, groups)
            ]
            found.append((np.concatenate(losses).mean(), penalty, logistic))
        loss, _, logistic = min(found, key=lambda each: each[:2])
        logistic.fit(rows, y)
        slopes, level = logistic.coef_.T / scale[:, None], logistic.intercept_
        if len(known) == 2:
            slopes, level = (np.column_stack([-half, half]) for half in (slopes / 2, level / 2))
        weights[:, known], intercept[known] = slopes, level
        return float(loss), np.vstack([weights, intercept])

    def _told_label(self, answer: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
        """Loss, slope and intercept of one label on the rows where it is known."""
        from sklearn.linear_model import LogisticRegression

        known = ~np.isnan(y)
        own, spread = y[known].astype(int), float(answer[known].std()) if known.any() else 0.0
        if len(np.unique(own)) < 2 or not spread:
            share = np.clip(own.mean() if len(own) else 0.5, SMALLEST, 1 - SMALLEST)
            return 0.0, 0.0, float(np.log(share / (1 - share)))
        logistic = LogisticRegression(class_weight=self.class_weight)
        logistic.fit(answer[known, None] / spread, own)
        said = logistic.predict_proba(answer[known, None] / spread)[np.arange(len(own)), own]
        loss = float(-np.log(said.clip(SMALLEST)).mean())
        return loss, float(logistic.coef_[0, 0] / spread), float(logistic.intercept_[0])

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities or values, (N, n_outputs)."""
        from scipy.special import expit, softmax

        none = np.zeros((0, self.coefficients.shape[1]))
        answers = np.vstack([none, *(block @ self.coefficients for block in self._compared(X))])
        decision = answers @ self.told[:-1] + self.told[-1]
        if self.labels:
            return expit(decision)
        return softmax(decision, axis=1) if self.classes else decision

    def _compared(self, X: Shaped) -> Iterator[np.ndarray]:
        """New rows against the landmarks, block by block: (M, L) each."""
        return self._kernels(self._standardised(views_of(X, self.blocks)))

    def _standardised(self, views: list[np.ndarray]) -> list[np.ndarray]:
        return [
            (view - mean) / spread for view, (mean, spread) in zip(views, self.scales, strict=True)
        ]

    def _kernels(self, views: list[np.ndarray]) -> Iterator[np.ndarray]:
        """Rows against the landmarks, the mean over the views, block by block: (M, L) each."""
        for start in range(0, len(views[0]), BLOCK):
            kernels = (
                np.exp(-_distances(view[start : start + BLOCK], rows) / width)
                for view, rows, width in zip(views, self.rows, self.widths, strict=True)
            )
            yield sum(kernels) / len(views)

    def state(self) -> dict[str, np.ndarray]:
        """Landmarks and scales by view, the landmarks' coefficients, and the regression."""
        names = ("blocks", "widths", "coefficients", "told")
        views = {f"rows.{i}": rows for i, rows in enumerate(self.rows)}
        scales = {f"scale.{i}": np.stack(scale) for i, scale in enumerate(self.scales)}
        return {name: getattr(self, name) for name in names} | views | scales

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state."""
        views = range(sum(name.startswith("rows.") for name in arrays))
        self.rows = [arrays.pop(f"rows.{i}") for i in views]
        self.scales = [tuple(arrays.pop(f"scale.{i}")) for i in views]
        vars(self).update(arrays)


def rows_and_groups(
    rows: int, groups: np.ndarray | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The training rows that are learnt from, and what of them is left out together."""
    drawn = drawn_rows(rows, seed)
    return drawn, held_out_together(len(drawn), None if groups is None else groups[drawn])


def _folds(y: np.ndarray, groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds of whole groups whose training side has every class; where none has, all rows twice."""
    from sklearn.model_selection import GroupKFold

    size = min(FOLDS, len(np.unique(groups)))
    folds = list(GroupKFold(size).split(y, y, groups)) if size > 1 else []
    whole = [(a, b) for a, b in folds if len(np.unique(y[a])) == len(np.unique(y))]
    return whole or [(np.arange(len(y)), np.arange(len(y)))]


def views_of(X: Shaped, blocks: np.ndarray) -> list[np.ndarray]:
    """The views of each sample, float32 (N, D) each: one a block, or six of tokens or segments."""
    if not isinstance(X, Ragged):
        rows = vectors(X).astype(np.float32)
        return [rows[:, blocks == block] for block in np.unique(blocks)] or [rows]
    items = [X.item(i).astype(np.float32) for i in range(len(X))]
    nothing = np.zeros((1, X.values.shape[1]), dtype=np.float32)
    views = [_views_of_item(item if len(item) else nothing) for item in items]
    return [np.stack(view) for view in zip(*views, strict=True)]


def _views_of_item(item: np.ndarray) -> list[np.ndarray]:
    """Mean, maximum, spread; means of the first quarter, the middle half and the last quarter."""
    quarter = max(1, round(len(item) / 4))
    middle = item[quarter:-quarter] if len(item) > 2 * quarter else item
    parts = [part.mean(axis=0) for part in (item, item[:quarter], middle, item[-quarter:])]
    return [*parts, item.max(axis=0), item.std(axis=0)]


def _scale(view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spread = view.std(axis=0)
    return view.mean(axis=0), np.where(spread > 0, spread, 1)


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances (A, B)."""
    from sklearn.metrics import euclidean_distances

    return euclidean_distances(a, b, squared=True)


def _median_distance(rows: np.ndarray, seed: int) -> float:
    """The median squared distance of two rows, 1 where all are the same."""
    chosen = np.random.default_rng(seed).permutation(len(rows))[:WIDTH_ROWS]
    apart = _distances(rows[chosen], rows[chosen])[np.triu_indices(len(chosen), 1)]
    return float(np.median(apart)) or 1.0 if len(apart) else 1.0
