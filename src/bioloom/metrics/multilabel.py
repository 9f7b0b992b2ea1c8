"""Scores of several labels a sample; see `bioloom.metrics`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioloom.metrics import Metric, Scores, classification, coverage
from bioloom.metrics._weighted import macro_mean, ratio

METRICS = (
    *(replace(metric, label=f"{metric.label} (macro)") for metric in classification.METRICS),
    Metric("f1_micro", "F1 (micro)"),
    Metric("exact", "All labels of a sample right"),
    coverage.METRICS[0],
)


def multilabel_scores(
    y: np.ndarray, call: np.ndarray, p: np.ndarray, inside: np.ndarray | None, weights: np.ndarray
) -> Scores:
    """Scores of T labels: `y`, `call (N, T)` in {0, 1}, `y` NaN where not known, `p (N, T)`.

    Those of two classes are means (macro) over the labels that the drawn rows define them for.
    `f1_micro` counts all labels as one; `exact` is the share of samples, of
    which a label is known, without a wrong one.
    """
    per_label = label_scores(y, call, p, weights)
    scores = {name: macro_mean(each, np.isfinite(each)) for name, each in per_label.items()}
    known, truth = np.isfinite(y), np.nan_to_num(y)
    called = np.where(known, call, 0.0)
    hit, positive = (truth * called).sum(axis=1) @ weights, truth.sum(axis=1) @ weights
    scores["f1_micro"] = ratio(2 * hit, positive + called.sum(axis=1) @ weights)
    right, any_known = (called == truth).all(axis=1), known.any(axis=1)
    scores["exact"] = ratio((right & any_known) @ weights, any_known @ weights)
    return scores | coverage.coverage(inside, weights)


def label_scores(y: np.ndarray, call: np.ndarray, p: np.ndarray, weights: np.ndarray) -> Scores:
    """The scores of two classes of each label by itself, `{metric: (T, B)}`."""
    columns = []
    for truth, called, said in zip(y.T, call.T, p.T, strict=True):
        rows = np.isfinite(truth)
        two = np.column_stack([1 - said[rows], said[rows]])
        columns.append(_binary(truth[rows].astype(int), called[rows], two, weights[rows]))
    return {name: np.array([column[name] for column in columns]) for name in columns[0]}


def _binary(y: np.ndarray, call: np.ndarray, p: np.ndarray, weights: np.ndarray) -> Scores:
    if len(y):
        return classification.binary_scores(y, call, p, weights)
    nothing = np.full(weights.shape[1], np.nan)
    return dict.fromkeys((metric.name for metric in classification.METRICS), nothing)
