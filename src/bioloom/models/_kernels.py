"""Kernel ridge regression, exact, with the answers it would give to rows it has not seen.

With C = (K + ridge I)^-1 and A = C Y, a model fitted without the rows G answers them by
Y_G - C_GG^-1 A_G (Pahikkala et al. 2012 for blocks, Rifkin and Lippert 2007 for one row). So one
inverse stands for as many refits as there are groups, and whatever is chosen by these answers is
chosen on rows that were held out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bioloom.errors import DataError

MOST_ROWS = 15_000
"""The kernel matrix of this many rows and its inverse take 2 GB in single precision."""
DOUBLE_ROWS = 5_000
"""Up to here they are in double precision."""


@dataclass(frozen=True)
class Ridge:
    """One fitted ridge: `coefficients (N, T)` of the rows, for answers K_new @ coefficients."""

    strength: float
    coefficients: np.ndarray
    targets: np.ndarray
    inverse: np.ndarray

    def left_out(self, groups: np.ndarray) -> np.ndarray:
        """Answers to all rows, (N, T), each as if none of its group of `groups (N,)` were known."""
        answers = self.targets - self.coefficients / np.diag(self.inverse)[:, None]
        for rows in members_of(groups):
            if len(rows) > 1:
                answers[rows] = self.without(rows)
        return answers

    def without(self, rows: np.ndarray) -> np.ndarray:
        """Answers to these rows as if none of them were known, (R, T)."""
        block = self.inverse[np.ix_(rows, rows)]
        return self.targets[rows] - np.linalg.solve(block, self.coefficients[rows])


def check_rows(name: str, rows: int) -> None:
    """Raise DataError where a kernel matrix of so many rows would not fit into memory."""
    if rows > MOST_ROWS:
        raise DataError(
            f"Model {name} compares all pairs of training rows, {rows} are too many",
            hint=f"it takes {MOST_ROWS}; gradient_boosting, dnn and transformer take more",
        )


def ridges(
    kernel: np.ndarray, targets: np.ndarray, strengths: tuple[float, ...]
) -> Iterator[Ridge]:
    """Fit `targets (N, T)` on `kernel (N, N)` with each strength, in units of its diagonal."""
    precision = np.float64 if len(kernel) <= DOUBLE_ROWS else np.float32
    kernel, targets = kernel.astype(precision), targets.astype(precision)
    for strength in strengths:
        inverse = _inverse(kernel, strength)
        yield Ridge(strength, inverse @ targets, targets, inverse)


def logistic_weights(columns: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Logistic regression on standardised `columns (N, F)`, as weights of plain ones, (F + 1,).

    The last one is the intercept.
    """
    from sklearn.linear_model import LogisticRegression

    mean, scale = columns.mean(axis=0), columns.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    fitted = LogisticRegression(max_iter=1_000).fit((columns - mean) / scale, labels)
    weights = fitted.coef_[0] / scale
    return np.append(weights, fitted.intercept_ - weights @ mean)


def chances(columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probabilities of no and of yes by `logistic_weights`, (N, 2)."""
    from scipy.special import expit

    decision = columns @ weights[:-1] + weights[-1]
    return np.column_stack([expit(-decision), expit(decision)])


def members_of(groups: np.ndarray) -> list[np.ndarray]:
    """The rows of each group."""
    return list(pd.Series(np.arange(len(groups))).groupby(groups).indices.values())


def _inverse(kernel: np.ndarray, strength: float) -> np.ndarray:
    """(K + strength I)^-1 by Cholesky's factor."""
    from scipy.linalg.lapack import get_lapack_funcs

    factor, invert = get_lapack_funcs(("potrf", "potri"), (kernel,))
    lower, failed = factor(kernel + strength * np.eye(len(kernel), dtype=kernel.dtype), lower=True)
    inverse, failed_too = invert(lower, lower=True) if not failed else (lower, 1)
    if failed or failed_too:
        raise DataError(
            "A kernel matrix could not be inverted", hint="are there numbers beyond all others?"
        )
    below = np.tril(inverse)
    return below + np.tril(below, -1).T
