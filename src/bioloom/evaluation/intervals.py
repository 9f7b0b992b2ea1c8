"""Intervals by resampling whole groups (patients, families, cell lines), never rows.

Rows of one group resemble each other; resampling them one by one would make intervals too narrow.
All models and repeats share the same draws, so that differences between models are paired.

Resamples know only what was seen: a score without an error would have an interval without width. By
the rule of three (Hanley & Lippman-Hand 1983) a kind of groups that was not met among G is, with
95 % confidence, up to 1 - 0.05^(1/G) of all groups, nearly 3/G. So where resamples reach an end of
the scale, or do not differ, the interval reaches at least as far from there as such a share of
groups could move the score if they were all wrong, or all right.
"""

from __future__ import annotations

import numpy as np

from bioloom.kinds import HeldOut, Kind
from bioloom.metrics import Metric, Scores

LEVEL = 0.95
FEWEST_GROUPS = 6
"""Below, no verdict: of five groups a sign test says nothing at 5 %, even where all agree."""
ROUNDING = 1e-9
BLOCK = 64  # resamples at a time: the working arrays stay in the processor's cache


def draw_groups(groups: int, resamples: int, seed: int) -> np.ndarray:
    """How often each group is drawn, `(groups, 1 + resamples)`; column 0 holds each group once."""
    rng = np.random.default_rng(seed)
    draws = [
        np.bincount(rng.integers(groups, size=groups), minlength=groups) for _ in range(resamples)
    ]
    return np.stack([np.ones(groups, dtype=int), *draws], axis=1).astype(np.uint16)


def drawn_scores(repeats: list[HeldOut], kind: Kind, draws: np.ndarray) -> Scores:
    """Each metric for each column of `draws`, the mean over repeats: `{metric: (B,)}`."""
    with np.errstate(divide="ignore", invalid="ignore"):  # no row drawn: NaN
        parts = [_scores_of(rows, kind, draws) for rows in repeats]
    common = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: np.mean([part[name] for part in parts], axis=0) for name in common}


def _scores_of(rows: HeldOut, kind: Kind, draws: np.ndarray) -> Scores:
    weights = (
        draws[rows.group, start : start + BLOCK].astype(float)
        for start in range(0, draws.shape[1], BLOCK)
    )
    if rows.weight is not None:
        weights = (block * rows.weight[:, None] for block in weights)
    blocks = [kind.score(rows, block) | _means(rows, block) for block in weights]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _means(rows: HeldOut, weights: np.ndarray) -> Scores:
    """Means of the scores that rows have by themselves, over the rows that have one."""
    means = {}
    for name, values in rows.own.items():
        known = np.isfinite(values)
        means[name] = values[known] @ weights[known] / weights[known].sum(axis=0)
    return means


def interval(drawn: np.ndarray, groups: int, metric: Metric) -> dict[str, float]:
    """`value` (column 0) with the percentile interval `low, high` of the resamples of G groups.

    Of a bounded metric it tells what groups that were not met may hide. Resamples
    that do not define the metric (a class was not drawn) are left out. Empty where the test rows
    themselves do not define it; without `low` and `high` where resamples of an unbounded one do not
    differ.
    """
    return _honest(_percentiles(drawn), groups, metric.ends)


def paired_interval(
    model: np.ndarray, baseline: np.ndarray, groups: int, metric: Metric
) -> dict[str, float]:
    """The same of a difference, above 0 where the model is better."""
    sign = -1 if metric.lower_is_better else 1
    return difference_interval(sign * model, sign * baseline, groups, metric)


def difference_interval(
    first: np.ndarray, second: np.ndarray, groups: int, metric: Metric
) -> dict[str, float]:
    """The same of first - second, both on the same draws."""
    span = metric.ends and metric.ends[1] - metric.ends[0]
    ends = (-span, span) if span else None
    return _honest(_percentiles(first - second), groups, ends)


def groups_of(parts: list[HeldOut]) -> int:
    """How many groups these rows, of several repeats, are of."""
    return len(np.unique(np.concatenate([part.group for part in parts])))


def _percentiles(drawn: np.ndarray) -> dict[str, float]:
    """`value`, and `low, high` of the resamples where any defines the metric."""
    value, resampled = drawn[0], drawn[1:][np.isfinite(drawn[1:])]
    if not np.isfinite(value):
        return {}
    if not len(resampled):
        return {"value": float(value)}
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return {"value": float(value), "low": float(low), "high": float(high)}


def _honest(
    found: dict[str, float], groups: int, ends: tuple[float, float] | None
) -> dict[str, float]:
    """The interval with what groups that were not met may hide; none where nothing bounds that.

    Resamples that reach an end of the scale met three groups or fewer that are not at that end.
    """
    if not found:
        return found
    value = found["value"]
    low, high = found.get("low", value), found.get("high", value)
    same = high - low <= ROUNDING * (abs(value) if ends is None else 1)
    if ends is None:
        return {"value": value} if same else found
    least, most = ends
    unmet = 1 - (1 - LEVEL) ** (1 / groups)
    # R² goes on below 0, which is no end of it.
    reaches_least, reaches_most = abs(low - least) < ROUNDING, high > most - ROUNDING
    if same or reaches_most:
        low = min(low, value - unmet * (value - least))
    if same or reaches_least:
        high = max(high, value + unmet * (most - value))
    return {"value": value, "low": low, "high": high}
