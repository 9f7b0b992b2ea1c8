"""Distances between the C-betas of two residues, in bins: labels of pairs, and what a chain's say.

Pairs i < j stand row after row of the upper triangle, chain after chain. A contact is a pair
nearer than 8 A, as in CASP.
"""

from __future__ import annotations

import numpy as np

from bioloom.arrays import Shaped, token_lengths

EDGES = np.array([4.0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20])
CONTACT = 8.0
# What a pair of a bin is taken to be apart; the last bin has no end.
CENTRES = np.concatenate([[3.8], (EDGES[:-1] + EDGES[1:]) / 2, [23.0]])
BINS = [f"to {end:g}" for end in EDGES] + [f"from {EDGES[-1]:g}"]
FARTHEST = float(EDGES[-1])


def pairwise(points: np.ndarray) -> np.ndarray:
    """Distances between points (L, 3), (L, L)."""
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def upper(matrix: np.ndarray) -> np.ndarray:
    """The pairs i < j of a matrix (L, L), (L (L - 1) / 2,)."""
    return matrix[np.triu_indices(len(matrix), 1)]


def square(pairs: np.ndarray, length: int) -> np.ndarray:
    """The symmetric matrix (L, L) of the pairs i < j, zero on the diagonal.

    >>> square(np.array([1.0, 2.0, 3.0]), length=3)
    array([[0., 1., 2.],
           [1., 0., 3.],
           [2., 3., 0.]])
    """
    matrix = np.zeros((length, length), dtype=pairs.dtype)
    matrix[np.triu_indices(length, 1)] = pairs
    return matrix + matrix.T


def pair_counts(lengths: np.ndarray) -> np.ndarray:
    """How many pairs each chain has.

    >>> pair_counts(np.array([2, 3, 4]))
    array([1, 3, 6])
    """
    return lengths * (lengths - 1) // 2


def pair_offsets(lengths: np.ndarray) -> np.ndarray:
    """Where the pairs of each chain begin, (N + 1,)."""
    return np.concatenate([[0], np.cumsum(pair_counts(lengths))])


def answer_offsets(unit: str, X: Shaped) -> np.ndarray:
    """Where the answers of each sample begin, (N + 1,): one a sample, a residue or a pair of them.

    What has no tokens counts as one residue.
    """
    lengths = token_lengths(X)
    if unit == "sample" or lengths is None:
        lengths = np.ones(len(X), dtype=int)
    return pair_offsets(lengths) if unit == "residue_pair" else np.append(0, np.cumsum(lengths))


def pairs_of(sample_ids: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """`sample_id`, `i` and `j` (from 1) of each pair of each chain, (P,)."""
    rows = [np.triu_indices(length, 1) for length in lengths]
    i = np.concatenate([first for first, _ in rows] or [np.zeros(0, int)]) + 1
    j = np.concatenate([second for _, second in rows] or [np.zeros(0, int)]) + 1
    repeated = np.repeat(sample_ids, pair_counts(lengths))
    return {"sample_id": repeated, "i": i.astype(np.int32), "j": j.astype(np.int32)}


def distance_bins(beta: np.ndarray) -> np.ndarray:
    """The bin of each pair of a chain with C-betas (L, 3), (P,) int8."""
    return np.searchsorted(EDGES, upper(pairwise(beta)), side="right").astype(np.int8)


def summarise(p: np.ndarray) -> dict[str, np.ndarray]:
    """Probability of a `contact`, expected `distance` and its standard deviation `spread`, (P,).

    `p (P, bins)`. Pairs beyond 20 A are counted as 23 A apart.
    """
    contact = p[:, : np.searchsorted(EDGES, CONTACT) + 1].sum(axis=1)
    distance = p @ CENTRES
    spread = np.sqrt(np.maximum(p @ CENTRES**2 - distance**2, 0))
    values = {"contact": contact, "distance": distance, "spread": spread}
    return {name: value.astype(np.float32) for name, value in values.items()}
