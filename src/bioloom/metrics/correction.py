"""How well letters of reads were corrected; see `bioloom.metrics`."""

from __future__ import annotations

import numpy as np

from bioloom.metrics import Metric, Scores
from bioloom.metrics._weighted import ratio

METRICS = (
    Metric("gain", "Gain: errors removed less errors made", bounded=False, short="Gain"),
    Metric("sensitivity", "Share of the errors that were corrected"),
    Metric("precision", "Errors made right, of these and right letters made wrong"),
    Metric("errors_left", "Wrong letters after correction", lower_is_better=True),
    Metric("errors_before", "Wrong letters before correction", lower_is_better=True),
)


def correction_scores(before: np.ndarray, after: np.ndarray, weights: np.ndarray) -> Scores:
    """Scores of letters that were wrong `before` correction and are wrong `after` it, (N,) bool.

    Gain is (TP - FP) / (TP + FN) (Yang et al. 2013, Briefings in Bioinformatics 14:56): TP are
    errors made right, FN errors that are still there, FP right letters made wrong.
    """
    errors, made_right, made_wrong = (
        flags @ weights for flags in (before, before & ~after, ~before & after)
    )
    return {
        "gain": ratio(made_right - made_wrong, errors),
        "sensitivity": ratio(made_right, errors),
        "precision": ratio(made_right, made_right + made_wrong),
        "errors_left": after @ weights / weights.sum(axis=0),
        "errors_before": errors / weights.sum(axis=0),
    }
