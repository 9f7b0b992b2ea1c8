"""Similarity of profiles whose strongest directions are damped: cosines of tempered rows."""

from __future__ import annotations

import numpy as np


def tempering(features: np.ndarray) -> np.ndarray:
    """The turn (D, R) after which each singular value of `features (N, D)` is its own root.

    A few directions, such as growth and batch in expression, no longer drown the others.
    """
    _, values, turned = np.linalg.svd(features.astype(np.float64), full_matrices=False)
    kept = values > 1e-6 * values.max(initial=0)
    return turned[kept].T / np.sqrt(values[kept])


def directions(features: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Tempered features as rows of length 1, (N, R): products of two are cosines."""
    turned = features @ turn
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    return turned / np.where(length > 0, length, 1)
