"""The metrics, each computed for many weightings of the test rows at once.

A bootstrap resample is a column of row weights, `weights (N, B)`: how often each row was drawn,
times how much it counts. So 500 resamples are a few matrix products and cumulative sums; a column
of ones is the plain score. Every function returns `{metric: (B,)}` and equals scikit-learn or SciPy
on the rows repeated as the weights say; NaN where the drawn rows do not define the metric.
Each module says beside its formulas what its metrics are called; a kind lists those that it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Scores = dict[str, np.ndarray]


@dataclass(frozen=True)
class Metric:
    """A metric as metrics.json names it, and as the field writes it.

    `bounded`: whether it lies between -1 and 1, so that differences of it can share an axis.
    `least`: what it is, if it is bounded, where nothing is right (for R², where nothing is known).
    `interval`: whether resampling gives an honest interval for it. `ordered`: whether more of it,
    or less, is better, so that of several models one is the best. `short`: what a narrow column
    calls it, where its label is long.
    """

    name: str
    label: str
    lower_is_better: bool = False
    bounded: bool = True
    least: float = 0.0
    interval: bool = True
    ordered: bool = True
    short: str = ""

    @property
    def ends(self) -> tuple[float, float] | None:
        """The lowest and the highest value that a group can bring it to; None without such."""
        return (self.least, 1.0) if self.bounded else None

    def told(self, scores: Mapping[str, float]) -> str:
        """Label, value and interval in words, of scores as metrics.json has them."""
        low, high = (scores.get(f"{self.name}_{end}") for end in ("low", "high"))
        span = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
        return f"{self.label} {scores[self.name]:.3f}{span}"


def told_difference(difference: Mapping[str, Any]) -> str:
    """A difference in words: `value` and, where there are any, its ends `low, high`."""
    low, high = difference.get("low"), difference.get("high")
    span = "" if low is None or high is None else f" ({low:+.3f} to {high:+.3f})"
    return f"{difference['value']:+.3f}{span}"
