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
ZERO, SMALL = 1e-9, 0.01


@dataclass(frozen=True)
class Metric:
    """A metric as metrics.json names it, and as the field writes it.

    `bounded`: whether it lies between -1 and 1, or 0 and 2, so that differences of it can share an
    axis. `least` and `most` are its ends then; of R² what it is where nothing is known.
    `interval`: whether resampling gives an honest interval for it. `ordered`: whether more of it,
    or less, is better, so that of several models one is the best. `short`: what a narrow column
    calls it, where its label is long.
    """

    name: str
    label: str
    lower_is_better: bool = False
    bounded: bool = True
    least: float = 0.0
    most: float = 1.0
    interval: bool = True
    ordered: bool = True
    short: str = ""

    @property
    def ends(self) -> tuple[float, float] | None:
        """The lowest and the highest value that a group can bring it to; None without such."""
        return (self.least, self.most) if self.bounded else None

    def told(self, scores: Mapping[str, float]) -> str:
        """Label, value and interval in words, of scores as metrics.json has them."""
        low, high = (scores.get(f"{self.name}_{end}") for end in ("low", "high"))
        span = "" if low is None or high is None else f" ({digits(low)} to {digits(high)})"
        return f"{self.label} {digits(scores[self.name])}{span}"


def told_difference(difference: Mapping[str, Any]) -> str:
    """A difference in words: `value` and, where there are any, its ends `low, high`."""
    low, high = difference.get("low"), difference.get("high")
    span = "" if low is None or high is None else f" ({digits(low, '+')} to {digits(high, '+')})"
    return f"{digits(difference['value'], '+')}{span}"


def digits(value: float, sign: str = "") -> str:
    """Three decimals, or three digits of a large number, or of a small one that they would hide.

    >>> digits(0.98765), digits(0.00042), digits(-0.0003, "+"), digits(12345.6), digits(-0.0)
    ('0.988', '0.00042', '-0.0003', '12,346', '0.000')
    """
    if ZERO < abs(value) < SMALL:
        return f"{value:{sign}.3g}"
    return f"{value:{sign}z.3f}" if abs(value) < 100 else f"{value:{sign},.0f}"
