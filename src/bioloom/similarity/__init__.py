"""How alike two samples are, 0 to 1: one module a measure, found by its name.

A measure answers for itself, as a kind does: which samples it fits, what is compared of them, and
which trivial features of theirs should not tell the classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.registry import find

BLOCK = 2_000_000  # pairs held in memory at a time

Nearest = tuple[np.ndarray, np.ndarray]
"""Similarity to the nearest of some rows, (Q,), and its place among them, (Q,); -1 if none."""
Compare = Callable[[np.ndarray, np.ndarray], Nearest]
"""Row numbers of queries (Q,) and targets (T,) to the nearest target of each query."""


@dataclass(frozen=True)
class Measure:
    """How alike samples are.

    `compare(samples, nodes, directed)` prepares what is compared once, and gives a function of row
    numbers. `shortcuts(samples, positive)` are AUROCs of trivial features, of which one from
    `alarm` on is worth a warning. `distance` is what a similarity says in the measure's own unit,
    where it has one. `beyond_chance(samples, rows, others, compared)` are those of very similar
    pairs that are no chance among so many; without it none is taken for one.
    """

    name: str
    description: str
    fits: Callable[[pd.DataFrame], bool]
    compare: Callable[[pd.DataFrame, pd.DataFrame | None, bool], Compare]
    shortcuts: Callable[[pd.DataFrame, np.ndarray], dict[str, float]]
    alarm: float
    distance: Callable[[pd.Series], pd.Series] | None = None
    beyond_chance: Callable[[pd.DataFrame, np.ndarray, np.ndarray, int], np.ndarray] | None = None


def get_measure(name: str) -> Measure:
    """The measure of that name."""
    return find(__name__, name, "measure").measure


def measure_of(names: Sequence[str], samples: pd.DataFrame) -> str:
    """The first of these measures that fits the samples."""
    for name in names:
        if get_measure(name).fits(samples):
            return name
    raise DataError(f"None of the measures {', '.join(names)} fits the samples")


def connected(i: np.ndarray, j: np.ndarray, size: int) -> np.ndarray:
    """Connected component, (size,) int, of each node of the graph with the edges (i, j).

    >>> connected(np.array([0, 2]), np.array([1, 3]), size=5)
    array([0, 0, 1, 1, 2], dtype=int32)
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(i), dtype=bool), (i, j)), shape=(size, size))
    return connected_components(edges, directed=False)[1]


def auroc(values: pd.Series, positive: np.ndarray) -> float:
    """Area under the ROC curve of one column, turned to be 0.5 or more; missing rows left out."""
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    known = ~np.isnan(numbers)
    numbers, positive = numbers[known], positive[known]
    n_positive, n_negative = positive.sum(), (~positive).sum()
    if not n_positive or not n_negative:
        return 0.5
    above = pd.Series(numbers).rank()[positive].sum() - n_positive * (n_positive + 1) / 2
    area = above / (n_positive * n_negative)
    return float(max(area, 1 - area))


def sequences(samples: pd.DataFrame) -> np.ndarray:
    """The sequences of the samples, (N,)."""
    if "sequence" not in samples:
        raise DataError("the leakage audit of sequences needs them", column="sequence")
    return samples["sequence"].to_numpy(dtype=object)
