"""How often a prediction set or an interval holds the truth; see `bioloom.metrics`."""

from __future__ import annotations

import numpy as np

from bioloom.metrics import Metric, Scores

METRICS = (
    Metric("coverage", "Coverage of sets or intervals (90 % asked)", ordered=False),
    Metric("set_size", "Classes in the prediction set", lower_is_better=True, bounded=False),
)


def coverage(
    y: np.ndarray, call: np.ndarray, p: np.ndarray, quantile: np.ndarray, weights: np.ndarray
) -> Scores:
    """How often the prediction set or interval holds the truth, and how wide it is.

    Conformal, from the `quantile` fitted on valid rows: a class is in the set where 1 - p is at
    most that; an interval is the value +- that. Nothing where no quantile was given.
    """
    if np.isnan(quantile).all():
        return {}
    if p.shape[1]:
        held = 1 - p <= quantile[:, None]
        width = {"set_size": held.sum(axis=1) @ weights / weights.sum(axis=0)}
        return {"coverage": held[np.arange(len(y)), y] @ weights / weights.sum(axis=0)} | width
    known = np.isfinite(y).reshape(len(y), -1)
    inside = (np.abs(call - y) <= quantile).reshape(len(y), -1) & known
    return {"coverage": inside.sum(axis=1) @ weights / (known.sum(axis=1) @ weights)}
