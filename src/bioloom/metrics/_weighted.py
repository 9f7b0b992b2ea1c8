"""What the metrics are made of, for many weightings of the rows at once; see `bioloom.metrics`."""

from __future__ import annotations

import numpy as np


def ranking(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """(AUROC, average precision) of a score, equal scores taken as one step of the curve."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
    drawn, truth = weights[order], y[order].astype(bool)
    gained = np.add.reduceat(drawn * truth[:, None], starts, axis=0)
    false = np.add.reduceat(drawn, starts, axis=0) - gained
    hits, alarms = np.cumsum(gained, axis=0), np.cumsum(false, axis=0)
    area = (false * (hits - gained / 2)).sum(axis=0)
    precision = np.divide(hits, hits + alarms, out=np.zeros_like(hits), where=hits > 0)
    positive, negative = hits[-1], alarms[-1]
    average = ratio((gained * precision).sum(axis=0), positive)
    return ratio(area, positive * negative), average


def spearman(y: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    (x, xx), (z, zz) = _centred_ranks(y, weights), _centred_ranks(prediction, weights)
    return _correlation(xx, zz, np.einsum("nb,nb,nb->b", weights, x, z))


def _centred_ranks(x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mid-ranks of x among the drawn rows minus their mean, (N, B), and their sum of squares."""
    order = np.argsort(x, kind="stable")
    first = np.diff(x[order], prepend=-np.inf) > 0
    drawn = weights[order]
    if not first.all():
        drawn = np.add.reduceat(drawn, np.flatnonzero(first), axis=0)
    ranks = np.cumsum(drawn, axis=0) - drawn / 2 - drawn.sum(axis=0) / 2
    group = np.empty(len(x), dtype=np.int64)
    group[order] = np.cumsum(first) - 1
    return ranks[group], np.einsum("nb,nb,nb->b", drawn, ranks, ranks)


def pearson(y: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    x, z, n = _standard(y), _standard(prediction), weights.sum(axis=0)
    mean_x, mean_z, xx, zz, xz = np.stack([x, z, x * x, z * z, x * z]) @ weights / n
    # What is left of a constant after subtracting its mean is rounding, not variation.
    spread_x, spread_z = (np.where(v > 1e-12, v, 0.0) for v in (xx - mean_x**2, zz - mean_z**2))
    return _correlation(spread_x, spread_z, xz - mean_x * mean_z)


def _correlation(xx: np.ndarray, zz: np.ndarray, xz: np.ndarray) -> np.ndarray:
    """Give xz / sqrt(xx zz): 0 for a constant prediction z, NaN for a constant truth x."""
    return np.where(xx > 0, np.where(zz > 0, ratio(xz, np.sqrt(xx * zz)), 0.0), np.nan)


def _standard(x: np.ndarray) -> np.ndarray:
    """Centre x and give it deviation 1; a constant becomes zeros."""
    centred = x - x.mean()
    deviation = centred.std()
    return centred / deviation if deviation > 1e-12 * np.abs(x).max() else np.zeros_like(x)


def beyond_rounding(spread: np.ndarray, n: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sum of squares that `n` drawn of `y` differ by, (B,); 0 where all of them are equal."""
    return np.where(spread > 1e-12 * n * y.var(), spread, 0.0)


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.full(np.shape(b), np.nan), where=b > 0)


def macro_mean(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Mean over the classes present, (K, B) -> (B,)."""
    return np.where(present, values, 0.0).sum(axis=0) / present.sum(axis=0)


def nanmedian(values: np.ndarray) -> np.ndarray:
    """Median over rows without NaN; a column of NaN alone stays NaN, without a warning."""
    rows = np.isfinite(values)
    filled = np.where(rows.any(axis=0), values, 0.0)
    return np.where(rows.any(axis=0), np.nanmedian(filled, axis=0), np.nan)
