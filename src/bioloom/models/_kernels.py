"""Kernel ridge regression with the answers it would give to rows it has not seen.

With C = (K + strength I)^-1 and A = C Y, a model fitted without the rows G answers them by
Y_G - C_GG^-1 A_G (Pahikkala et al. 2012 for blocks, Rifkin and Lippert 2007 for one row). So one
inverse stands for as many refits as there are groups, and whatever is chosen by these answers is
chosen on rows that were held out.

Of many rows the kernel is that of Nystroem (Williams and Seeger 2001): rows are compared with drawn
landmarks alone. The answers are then exact for this kernel, whose error grows with what no landmark
is like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

EXACT_ROWS = 6_000
"""Up to here every row is a landmark; in single precision beyond the half."""
LANDMARKS = 2_000
LEAST_WEIGHT = 1e-9
MOST_ROWS = 100_000
"""Of more training rows so many are drawn: their kernel takes 0.8 GB."""


@dataclass(frozen=True)
class Ridge:
    """One fitted ridge: `coefficients (M, T)` of the landmarks, for K_new @ coefficients."""

    strength: float
    coefficients: np.ndarray
    targets: np.ndarray
    residuals: np.ndarray
    """A = C Y of all rows, (N, T)."""
    diagonal: np.ndarray
    """Of C, (N,)."""
    block: Callable[[np.ndarray], np.ndarray]
    """C_GG of rows G, (G, G)."""

    def left_out(self, groups: np.ndarray) -> np.ndarray:
        """Answers to all rows, (N, T), each as if none of its group of `groups (N,)` were known."""
        answers = self.targets - self.residuals / self.diagonal[:, None]
        for members in pd.Series(np.arange(len(groups))).groupby(groups).indices.values():
            rows = np.asarray(members)
            if len(rows) > 1:
                answers[rows] = self.without(rows)
        return answers

    def without(self, rows: np.ndarray) -> np.ndarray:
        """Answers to these rows as if none of them were known, (R, T)."""
        return self.targets[rows] - np.linalg.solve(self.block(rows), self.residuals[rows])


def drawn_rows(rows: int, seed: int) -> np.ndarray:
    """The training rows that a kernel is of: all, or as many as fit into memory, in order."""
    if rows <= MOST_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])


def landmarks(rows: int, seed: int) -> np.ndarray:
    """The rows that all others are compared with, in order."""
    if rows <= EXACT_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).permutation(rows)[:LANDMARKS])


def ridges(
    kernel: np.ndarray, marks: np.ndarray, targets: np.ndarray, strengths: tuple[float, ...]
) -> Iterator[Ridge]:
    """Fit `targets (N, T)` with each strength, in units of the kernel's diagonal.

    `kernel (N, M)` compares the rows with the landmarks, which are the rows `marks (M,)`.
    """
    precision = np.float64 if len(kernel) <= EXACT_ROWS / 2 else np.float32
    kernel, targets = kernel.astype(precision), targets.astype(precision)
    yield from (_exact if len(marks) == len(kernel) else _nystroem)(
        kernel, marks, targets, strengths
    )


def _exact(
    kernel: np.ndarray, marks: np.ndarray, targets: np.ndarray, strengths: tuple[float, ...]
) -> Iterator[Ridge]:
    for strength in strengths:
        inverse = _inverse(kernel, strength)
        residuals = inverse @ targets

        def block(rows: np.ndarray, inverse: np.ndarray = inverse) -> np.ndarray:
            return inverse[np.ix_(rows, rows)]

        yield Ridge(strength, residuals, targets, residuals, np.diag(inverse), block)


def _nystroem(
    kernel: np.ndarray, marks: np.ndarray, targets: np.ndarray, strengths: tuple[float, ...]
) -> Iterator[Ridge]:
    """The kernel is Z Z' with Z = K_NM K_MM^-1/2, so that C = (I - Z (Z'Z + s I)^-1 Z') / s."""
    values, vectors = np.linalg.eigh(kernel[marks].astype(np.float64))
    kept = values > 1e-6 * values.max()
    root = (vectors[:, kept] / np.sqrt(values[kept])).astype(kernel.dtype)
    Z = kernel @ root
    products, own = Z.T @ Z, Z.T @ targets
    for strength in strengths:
        inverse = _inverse(products, strength)
        weights = inverse @ own
        residuals = (targets - Z @ weights) / strength
        turned = Z @ inverse
        diagonal = (1 - (turned * Z).sum(axis=1)) / strength

        def block(
            rows: np.ndarray, turned: np.ndarray = turned, strength: float = strength
        ) -> np.ndarray:
            return (np.eye(len(rows)) - turned[rows] @ Z[rows].T) / strength

        yield Ridge(strength, root @ weights, targets, residuals, diagonal, block)


def _inverse(matrix: np.ndarray, strength: float) -> np.ndarray:
    """(matrix + strength I)^-1 of a symmetric matrix without negative eigenvalues."""
    from scipy.linalg.lapack import get_lapack_funcs

    factor, invert = get_lapack_funcs(("potrf", "potri"), (matrix,))
    ridge = matrix + np.asarray(strength, matrix.dtype) * np.eye(len(matrix), dtype=matrix.dtype)
    lower, failed = factor(ridge, lower=True)
    inverse, singular = invert(lower, lower=True)
    if failed or singular:  # by rounding alone: the ridge makes it positive
        return np.linalg.pinv(ridge, hermitian=True)
    whole = inverse + inverse.T  # above the diagonal potri leaves the zeros of potrf
    np.fill_diagonal(whole, np.diag(inverse))
    return whole


def variance_weights(errors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """How much each row should count, (N,) with mean 1, by its left-out `errors (N, T)`.

    The variance of an error is taken for c0 + c1 / counts, both 0 or more, fitted to the squares by
    least squares (moments); the largest 2 % of these are cut, so that no single row says it. What
    more reads do not take away is c0, so that rows of many count hardly more than those of some.
    Rows of no count weigh nothing, and say nothing of the others.
    """
    from scipy.optimize import nnls

    if not (counts > 0).all():
        weight = np.zeros(len(counts))
        some = counts > 0
        weight[some] = variance_weights(errors[some], counts[some])
        return weight / weight.mean()
    squares = (errors**2).mean(axis=1)
    squares = np.minimum(squares, np.quantile(squares, 0.98))
    columns = np.column_stack([np.ones(len(counts)), 1 / counts])
    variance = columns @ nnls(columns, squares.astype(np.float64))[0]
    weight = 1 / variance if variance.min() > 0 else np.ones(len(counts))
    return weight / weight.mean()


def roots(weight: np.ndarray) -> np.ndarray:
    """The square roots of weights (N,), by which a kernel and its targets are multiplied.

    None is 0: a row that weighs nothing is still answered.
    """
    return np.sqrt(np.maximum(weight, LEAST_WEIGHT))


def effective_rows(weight: np.ndarray) -> float:
    """So many rows of equal weight say as much as these (Kish 1965)."""
    return float(weight.sum() ** 2 / (weight**2).sum())


def missed(compared: np.ndarray, marks: np.ndarray, exact: np.ndarray) -> float:
    """What the kernel of landmarks lacks, as a share of the exact one (Frobenius norms).

    `compared (S, M)` are some rows against the landmarks, `marks (M, M)` these against each other,
    `exact (S, S)` the rows against each other.
    """
    inverse = np.linalg.pinv(marks.astype(np.float64), rcond=1e-6, hermitian=True)
    return float(np.linalg.norm(exact - compared @ inverse @ compared.T) / np.linalg.norm(exact))


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
