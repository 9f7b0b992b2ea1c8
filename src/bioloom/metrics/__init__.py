"""The metrics, each computed for many weightings of the test rows at once.

A bootstrap resample is a column of row weights, `weights (N, B)`: how often each row was drawn,
times how much it counts. So 500 resamples are a few matrix products and cumulative sums; a column
of ones is the plain score. Every function returns `{metric: (B,)}` and equals scikit-learn or SciPy
on the rows repeated as the weights say; NaN where the drawn rows do not define the metric.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bioloom.metrics._weighted import Scores
from bioloom.metrics.classification import (
    CLASSIFICATION,
    HIGH_CALL,
    binary_scores,
    multiclass_scores,
    per_residue_scores,
)
from bioloom.metrics.regression import (
    MULTIREGRESSION,
    REGRESSION,
    multiregression_scores,
    regression_scores,
)
from bioloom.metrics.structures import PAIR_SCORES, per_pair_scores

# Means over the values of a column, such as regulators (`bioloom.evaluation.links`).
MACRO_METRICS = (
    "auroc_macro",
    "auprc_macro",
    "auprc_ratio_macro",
    "early_precision_macro",
    "early_precision_ratio_macro",
)
METRICS = {
    "classification": CLASSIFICATION,
    "per_residue": ("sov", *(name for name in CLASSIFICATION if name not in ("auroc", "auprc"))),
    "per_pair": PAIR_SCORES,
    "regression": (*REGRESSION, *HIGH_CALL),
    "multiregression": MULTIREGRESSION,
}
"""The names of the scores, by the `task` of an application; of pairs by their kind."""
LOWER_IS_BETTER = {
    "brier", "ece", "log_loss", "rmse", "mae", "rmse_median", "set_size", "distance_mae",
}  # fmt: skip


SCORES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Scores]] = {
    "binary": binary_scores,
    "multiclass": multiclass_scores,
    "regression": regression_scores,
    "multiregression": multiregression_scores,
    "per_residue": per_residue_scores,
    "per_pair": per_pair_scores,
}
