"""Kernel ridge regression of many values a sample, such as its response to each of many drugs.

Two samples are alike by their numbers and flags (RBF) and by their categories (the share of them
that both have); the kernel is r + c + r c / 2. On it stand two models: one that all targets share,
of the components of the table of labels, of which each has a penalty of its own or none speaks for
it; and one a target, of the samples in which it was measured. Penalties, the width of the kernel,
and how much each of the two counts for each target come from left-out answers (`_kernels`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, Self

import numpy as np

from bioloom.arrays import Shaped, vectors
from bioloom.models._estimator import Altered, Estimator, column_means, target_matrix
from bioloom.models._folds import held_out_together
from bioloom.models._kernels import ridges

STRENGTHS = (0.25, 1.0, 4.0, 16.0, 64.0, 256.0)
"""Of a ridge; rows have a kernel of 1 to 2.5 with themselves."""
POWERS = (0.0, 0.5, 1.0)
"""Of the deviation of a flag, by which it is divided; numbers are standardised."""
WIDTHS = (1.0, 4.0, 16.0)
"""Of the RBF kernel, in mean squared lengths of a row."""
LEAST_TARGETS = 3
"""From so many on there is something to share."""
COMPONENTS, ROUNDS = 8, 15
"""Of the table of labels, and how often cells that were not measured are filled from them."""
DRAWN = 300
"""So many rows speak for one target's weights being those of all targets."""
MOST_ROWS = 6_000
"""Of more so many are drawn."""
BLOCK = 2_000
"""Rows that are answered at once."""
MOST_WORK = 2e12
"""Products in inverses of single targets' kernels; beyond, cells not measured count as filled."""


class Shared(NamedTuple):
    """Coefficients (N, T) and left-out answers (N, T) of the model that targets share."""

    coefficients: np.ndarray
    left_out: np.ndarray


@dataclass(kw_only=True)
class Model(Estimator):
    """The weighted sum of both models: one coefficient a training row and target."""

    gives = ("values",)
    scaled = False

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        groups: np.ndarray | None = None,
        columns: np.ndarray | None = None,
    ) -> Self:
        """Learn from the training rows; valid rows are not used.

        `groups (N,)` are left out together; a category is the `columns (D,)` named `column=value`.
        """
        drawn = np.sort(np.random.default_rng(self.seed).permutation(len(X))[:MOST_ROWS])
        rows, own = vectors(X)[drawn].astype(np.float64), np.asarray(y)[drawn]
        groups = held_out_together(len(drawn), None if groups is None else groups[drawn])
        targets = target_matrix(own, self.output, self.n_outputs)
        self.level = column_means(targets, empty=0.0)
        spread = np.sqrt(column_means((targets - self.level) ** 2, empty=1.0))
        spread = np.where(spread > 0, spread, 1.0)
        targets = (targets - self.level) / spread
        filled = _filled(targets)
        named = np.zeros(rows.shape[1], dtype=bool)
        if columns is not None:
            named = np.array(["=" in str(name) for name in columns])
        least = np.inf
        for power, width in product(POWERS, WIDTHS):
            scales = _scales(rows, named, power, width)
            kernel = _kernel(rows * scales[0], rows * scales[1])
            shared = _shared(kernel, filled, groups)
            error = float(np.nansum((shared.left_out - targets) ** 2))
            if error < least:
                least, chosen, best = error, (scales, kernel), shared
        (self.near, self.same), kernel = chosen
        single = _single(kernel, targets, filled, groups)
        weights = _weights(targets, best.left_out, single.left_out)
        self.rows = rows.astype(np.float32)
        coefficients = weights[0] * best.coefficients + weights[1] * single.coefficients
        self.coefficients = coefficients * spread
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """Values, (N, n_outputs)."""
        X, said = vectors(X), np.zeros((len(X), len(self.level)))
        for start in range(0, len(X), BLOCK):
            some = slice(start, start + BLOCK)
            distances, matches = self._compared(X[some].astype(np.float64))
            said[some] = _joined(distances, matches) @ self.coefficients + self.level
        return said

    def _compared(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The squared distance of each row to each training row, and how many categories match."""
        return _compared(X * self.near, X * self.same, self.rows * self.near, self.rows * self.same)

    def altered(self, X: Shaped) -> Altered:
        """Other cells of a column change each comparison with a training row by a term."""
        if not isinstance(X, np.ndarray):
            return super().altered(X)
        own = X.astype(np.float64)
        distances, matches = self._compared(own)

        def answers(columns: np.ndarray, others: np.ndarray) -> np.ndarray:
            near, same, rows = self.near[columns], self.same[columns], self.rows[:, columns]
            given = []
            for other in others.astype(np.float64):
                change, both = other - own[:, columns], other + own[:, columns]
                further = (change * both * near**2).sum(axis=1)[:, None]
                moved = distances + further - 2 * (change * near**2) @ rows.T
                matched = matches + (change * same**2) @ rows.T
                given.append(_joined(moved, matched) @ self.coefficients + self.level)
            return np.stack(given)

        return answers

    def state(self) -> dict[str, np.ndarray]:
        """Training rows, their coefficients, the scales of columns and the level of targets."""
        names = ("rows", "coefficients", "near", "same", "level")
        return {name: getattr(self, name) for name in names}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take them over."""
        vars(self).update(arrays)


def _scales(
    rows: np.ndarray, named: np.ndarray, power: float, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Of each column the factor with which it counts for distances, and for matches, (D,) each."""
    deviation = rows.std(axis=0)
    flag = ((rows == rows.min(axis=0)) | (rows == rows.max(axis=0))).all(axis=0)
    divisor = np.where(flag, deviation**power, deviation)
    near = np.where(named | (deviation == 0), 0.0, 1 / np.where(divisor > 0, divisor, 1))
    length = ((near * (rows - rows.mean(axis=0))) ** 2).sum(axis=1).mean()
    near = near / np.sqrt(width * length) if length > 0 else near
    matches = ((rows * named) ** 2).sum(axis=1).mean()
    return near, named / np.sqrt(matches) if matches > 0 else np.zeros(len(named))


def _compared(
    near: np.ndarray, same: np.ndarray, others_near: np.ndarray, others_same: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.metrics import euclidean_distances

    return euclidean_distances(near, others_near, squared=True), same @ others_same.T


def _joined(distances: np.ndarray, matches: np.ndarray) -> np.ndarray:
    """The kernel of these squared distances and matches."""
    near = np.exp(-np.maximum(distances, 0))
    return near + matches + near * matches / 2


def _kernel(near: np.ndarray, same: np.ndarray) -> np.ndarray:
    return _joined(*_compared(near, same, near, same))


def _filled(targets: np.ndarray) -> np.ndarray:
    """Standardised targets (N, T) whose unknown cells come from a few components; 0 of few."""
    known, filled = ~np.isnan(targets), np.nan_to_num(targets)
    size = min(COMPONENTS, targets.shape[1] // 3, len(targets))
    if known.all() or size < 1:
        return filled
    for _ in range(ROUNDS):
        left, values, right = np.linalg.svd(filled, full_matrices=False)
        values = np.maximum(values[:size] - values[size - 1] / 2, 0)
        filled = np.where(known, filled, (left[:, :size] * values) @ right[:size])
    return filled


def _shared(kernel: np.ndarray, filled: np.ndarray, groups: np.ndarray) -> Shared:
    """The ridge of each component of the targets, with its best penalty; none where none helps."""
    axes = np.linalg.svd(filled, full_matrices=False)[2].T
    parts = filled @ axes
    least = (parts**2).sum(axis=0)
    coefficients, left_out = np.zeros_like(parts), np.zeros_like(parts)
    for ridge in ridges(kernel, np.arange(len(kernel)), parts, STRENGTHS):
        answers = ridge.left_out(groups)
        errors = ((answers - parts) ** 2).sum(axis=0)
        better = errors < least
        least = np.where(better, errors, least)
        coefficients[:, better], left_out[:, better] = (
            ridge.coefficients[:, better],
            answers[:, better],
        )
    return Shared(coefficients @ axes.T, left_out @ axes.T)


def _single(
    kernel: np.ndarray, targets: np.ndarray, filled: np.ndarray, groups: np.ndarray
) -> Shared:
    """A ridge a target, of the rows where it is known; its penalty is found where all are filled.

    Targets known in the same rows, with the same penalty, share an inverse.
    """
    known, everything = ~np.isnan(targets), np.arange(len(kernel))
    least, strengths = np.full(targets.shape[1], np.inf), np.zeros(targets.shape[1])
    for ridge in ridges(kernel, everything, filled, STRENGTHS):
        errors = np.where(known, (ridge.left_out(groups) - filled) ** 2, 0).sum(axis=0)
        strengths = np.where(errors < least, ridge.strength, strengths)
        least = np.minimum(errors, least)
    alike = _alike(known, strengths)
    if len(alike) * float(len(kernel)) ** 3 > MOST_WORK:
        alike = _alike(np.ones_like(known), strengths)
    coefficients, left_out = np.zeros_like(filled), np.zeros_like(filled)
    for (measured, strength), places in alike.items():
        rows = np.flatnonzero(np.frombuffer(measured, dtype=bool))
        if not len(rows):
            continue
        here = kernel if len(rows) == len(kernel) else kernel[np.ix_(rows, rows)]
        some = np.ix_(rows, np.array(places))
        [ridge] = ridges(here, np.arange(len(rows)), filled[some], (strength,))
        coefficients[some], left_out[some] = ridge.coefficients, ridge.left_out(groups[rows])
    return Shared(coefficients, left_out)


def _alike(known: np.ndarray, strengths: np.ndarray) -> dict[tuple[bytes, float], list[int]]:
    """Targets by the rows in which they are known, (N,) bool as bytes, and their penalty."""
    alike: dict[tuple[bytes, float], list[int]] = defaultdict(list)
    for place, strength in enumerate(strengths.tolist()):
        alike[known[:, place].tobytes(), strength].append(place)
    return alike


def _weights(targets: np.ndarray, shared: np.ndarray, single: np.ndarray) -> np.ndarray:
    """How much each of both models counts for each target, (2, T), never less than 0.

    Least squares of left-out answers, drawn to those of all targets together.
    """
    from scipy.optimize import nnls

    known = ~np.isnan(targets)
    if targets.shape[1] < LEAST_TARGETS or not known.any():
        return np.outer([0.0, 1.0], np.ones(targets.shape[1]))
    answers = np.stack([shared, single], axis=2)
    overall, _ = nnls(answers[known], targets[known])
    root = (
        np.sqrt(DRAWN / max(known.sum(), 1))
        * np.linalg.cholesky(answers[known].T @ answers[known] + 1e-9 * np.eye(2)).T
    )
    weights = np.zeros((2, targets.shape[1]))
    for place, rows in enumerate(known.T):
        columns = np.vstack([answers[rows, place], root])
        weights[:, place], _ = nnls(columns, np.append(targets[rows, place], root @ overall))
    return weights
