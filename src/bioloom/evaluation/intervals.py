"""Intervals by resampling whole groups (patients, families, cell lines), never rows.

Rows of one group resemble each other; resampling them one by one would make intervals too narrow.
All models and repeats share the same draws, so that differences between models are paired.
"""

from __future__ import annotations

import numpy as np

from bioloom.kinds import HeldOut, Kind
from bioloom.metrics import Scores

LEVEL = 0.95
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


def interval(drawn: np.ndarray) -> dict[str, float]:
    """`value` (column 0) with the percentile interval `low, high` of the resamples.

    Resamples that do not define the metric (a class was not drawn) are left out. Empty where the
    test rows themselves do not define it.
    """
    value, resampled = drawn[0], drawn[1:][np.isfinite(drawn[1:])]
    if not np.isfinite(value):
        return {}
    if not len(resampled):
        return {"value": float(value)}
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return {"value": float(value), "low": float(low), "high": float(high)}
