"""How often a prediction set or an interval holds the truth; see `bioloom.metrics`."""

from __future__ import annotations

import numpy as np

from bioloom.metrics import Metric, Scores
from bioloom.metrics._weighted import ratio

METRICS = (
    Metric("coverage", "Coverage of sets or intervals (90 % asked)", ordered=False),
    Metric("set_size", "Classes in the prediction set", lower_is_better=True, bounded=False),
)


def coverage(inside: np.ndarray | None, weights: np.ndarray) -> Scores:
    """The share of sets or intervals, `inside (N,)` or (N, T), that hold the truth.

    1 where one does, 0 where not, NaN where there is none. Nothing where there is none at all.
    """
    if inside is None or np.isnan(inside).all():
        return {}
    each = inside.reshape(len(inside), -1)
    held, known = np.nansum(each, axis=1), np.isfinite(each).sum(axis=1)
    return {"coverage": ratio(held @ weights, known @ weights)}
