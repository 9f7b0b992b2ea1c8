"""Folds of training rows, by which a model answers to rows whose group it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

FOLDS = 5


def held_out_together(rows: int, groups: np.ndarray | None) -> np.ndarray:
    """Groups (N,) of these rows; where there are none, or but one, each row is one."""
    if groups is None or len(np.unique(groups)) < 2:
        return np.arange(rows)
    return groups


def folds_of(y: np.ndarray, groups: np.ndarray | None, seed: int, count: int = FOLDS) -> np.ndarray:
    """The fold of each row, (N,): whole groups, and classes (N,) of whole numbers dealt evenly."""
    names, place = np.unique(held_out_together(len(y), groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    if np.issubdtype(np.asarray(y).dtype, np.integer):
        classes = np.zeros(len(names), dtype=np.int64)
        classes[place] = y
        order = order[np.argsort(classes[order], kind="stable")]
    fold = np.zeros(len(names), dtype=np.int64)
    fold[order] = np.arange(len(names)) % count
    return fold[place]


def learning_parts(folds: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(Rows to learn from, rows to answer) of each fold; where nothing is left to learn from, all.

    >>> learning_parts(np.array([0, 1, 0]))[0]
    (array([1]), array([0, 2]))
    """
    sides = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in np.unique(folds)]
    return [(a if len(a) else b, b) for a, b in sides]


def part_of(given: Mapping[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """What a `fit` is given beside X and y, of these rows alone."""
    of_rows = ("sample_weight", "groups")
    return {
        name: value[rows] if name in of_rows and value is not None else value
        for name, value in given.items()
    }
