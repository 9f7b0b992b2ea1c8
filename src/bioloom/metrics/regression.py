"""Scores of numbers; see `bioloom.metrics`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioloom.metrics import Metric, Scores
from bioloom.metrics._weighted import beyond_rounding, nanmedian, pearson, ratio, spearman

METRICS = (
    Metric("spearman", "Spearman ρ", least=-1),
    Metric("pearson", "Pearson r", least=-1),
    Metric("r2", "R²"),
    Metric("rmse", "RMSE", lower_is_better=True, bounded=False),
    Metric("mae", "MAE", lower_is_better=True, bounded=False),
)
TARGET_METRICS = (
    *(
        replace(
            metric,
            name=f"{metric.name}_median",
            label=f"{metric.label}, median over targets",
            short=f"Median {metric.label.rpartition(' ')[2]}",
        )
        for metric in METRICS[:-1]
    ),
    Metric("r2_pooled", "R² pooled over targets"),
)


def regression_scores(y: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> Scores:
    """Scores of one number a row: `y`, `prediction (N,)`.

    A constant prediction correlates 0 with anything; a constant truth leaves NaN.
    """
    if not len(y):
        return dict.fromkeys((m.name for m in METRICS), np.full(weights.shape[1], np.nan))
    n = weights.sum(axis=0)
    error = prediction - y
    squared = error**2 @ weights
    spread = (y - y.mean()) ** 2 @ weights - ((y - y.mean()) @ weights) ** 2 / n
    return {
        "spearman": spearman(y, prediction, weights),
        "pearson": pearson(y, prediction, weights),
        "r2": 1 - ratio(squared, beyond_rounding(spread, n, y)),
        "rmse": np.sqrt(squared / n),
        "mae": np.abs(error) @ weights / n,
    }


def targets_scores(y: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> Scores:
    """Scores of T targets: `y`, `prediction (N, T)`, NaN in `y` where not measured.

    Each target is scored alone, which takes its mean out, and the median over targets is
    reported. `r2_pooled` puts all targets in one sum, where the targets' means count as
    explained: it is mostly the difference between targets and no measure of the model.
    """
    per_target = target_scores(y, prediction, weights)
    names = ("spearman", "pearson", "r2", "rmse")
    medians = {f"{name}_median": nanmedian(per_target[name]) for name in names}
    measured = np.isfinite(y)
    centred = np.where(measured, y - y[measured].mean(), 0.0)
    n = measured.sum(axis=1) @ weights
    spread = (centred**2).sum(axis=1) @ weights - (centred.sum(axis=1) @ weights) ** 2 / n
    squared = np.where(measured, (prediction - y) ** 2, 0.0).sum(axis=1) @ weights
    return medians | {"r2_pooled": 1 - ratio(squared, spread)}


def target_scores(y: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> Scores:
    """The regression scores of each target by itself, `{metric: (T, B)}`."""
    columns = []
    for truth, said in zip(y.T, prediction.T, strict=True):
        rows = np.isfinite(truth)
        columns.append(regression_scores(truth[rows], said[rows], weights[rows]))
    return {name: np.array([column[name] for column in columns]) for name in columns[0]}
