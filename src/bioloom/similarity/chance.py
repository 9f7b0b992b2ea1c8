"""Which pairs of rows are more alike than chance makes any two rows of their table.

In a table of few or coarse columns, and among variants of one sequence, many unrelated rows are
nearly equal; two that are one patient, entered twice, agree in what is rare.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

RANDOM_PAIRS = 1000
EXPECTED = 0.05
"""Pairs as alike as this that chance alone would give among all that were compared."""


def beyond_chance(
    table: pd.DataFrame, left: np.ndarray, right: np.ndarray, compared: int
) -> np.ndarray:
    """Whether row `left` and row `right` of the table are no chance among so many pairs, (P,) bool.

    A column says how many rows are as near to the one as the other is: a share of all, in a column
    of categories that of the category or 1. The logarithms of these shares are summed (Fisher 1932,
    Statistical Methods for Research Workers), and the sum is held against random pairs of rows, by
    a gamma distribution of their mean and variance, for columns go together (Brown 1975, Biometrics
    31:987). What one of the two lacks says nothing.
    """
    rng = np.random.default_rng(0)
    random = rng.integers(len(table), size=RANDOM_PAIRS)
    other = (random + rng.integers(1, max(len(table), 2), size=RANDOM_PAIRS)) % len(table)
    rows, others = np.concatenate([left, random]), np.concatenate([right, other])
    evidence = np.zeros(len(rows))
    for _, column in table.items():
        share = _as_near if pd.api.types.is_numeric_dtype(column) else _as_equal
        evidence -= np.log(share(column, rows, others))
    by_chance, evidence = evidence[len(left) :], evidence[: len(left)]
    mean, variance = by_chance.mean(), by_chance.var()
    if not variance > 0:
        return np.zeros(len(left), dtype=bool)
    from scipy.special import gammaincc

    by_chance_as_large = gammaincc(mean**2 / variance, evidence * mean / variance)
    return by_chance_as_large * compared < EXPECTED


def _as_near(column: pd.Series, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of the known values that are as near to that of `rows` as that of `others` is."""
    values = column.to_numpy(dtype=float, na_value=np.nan)
    own, distance = values[rows], np.abs(values[rows] - values[others])
    known = np.sort(values[np.isfinite(values)])
    within = np.searchsorted(known, own + distance, "right")
    within -= np.searchsorted(known, own - distance, "left")
    return np.where(np.isfinite(distance), within / max(len(known), 1), 1.0)


def _as_equal(column: pd.Series, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of the known values that are this category where both have it, else 1."""
    codes, values = pd.factorize(column)
    share = np.bincount(codes[codes >= 0], minlength=max(len(values), 1)) / max(
        (codes >= 0).sum(), 1
    )
    equal = (codes[rows] == codes[others]) & (codes[rows] >= 0)
    return np.where(equal, share[codes[rows]], 1.0)
