"""Segment overlap (SOV) of secondary structure: helices and strands found as wholes.

The definition of 1999 (Zemla, Venclovas, Fidelis & Rost, Proteins 34, 220), from 0 to 1.
"""

from __future__ import annotations

import numpy as np

from bioloom.metrics import Metric

METRICS = (Metric("sov", "Segment overlap (SOV)"),)


def segment_overlap(observed: np.ndarray, predicted: np.ndarray) -> float:
    """SOV over all states of one chain: `observed`, `predicted (L,)` class codes.

    A pair of overlapping segments of one state counts by its overlap over its extent, with a
    tolerance at the ends; an observed segment without a partner counts as a miss.

    >>> segment_overlap(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1]))
    1.0
    """
    ours, theirs = _segments(observed), _segments(predicted)
    overlap = _extent(np.minimum, np.maximum, ours, theirs)
    extent = _extent(np.maximum, np.minimum, ours, theirs)
    length, other = ours[1] - ours[0], theirs[1] - theirs[0]
    paired = (overlap > 0) & (ours[2][:, None] == theirs[2])
    halves = np.minimum(length[:, None] // 2, other // 2)
    tolerance = np.minimum(np.minimum(extent - overlap, overlap), halves)
    shares = np.where(paired, (overlap + tolerance) / extent, 0.0).sum(axis=1)
    counted = np.maximum(paired.sum(axis=1), 1)
    return float((shares * length).sum() / (counted * length).sum())


def _segments(states: np.ndarray) -> np.ndarray:
    """First and behind-last position and state of each run of equal states, (3, segments)."""
    starts = np.flatnonzero(np.diff(states, prepend=-1))
    return np.stack([starts, np.append(starts[1:], len(states)), states[starts]])


def _extent(end, start, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Length from the `start` to the `end` of each pair of segments, (ours, theirs)."""
    return end.outer(ours[1], theirs[1]) - start.outer(ours[0], theirs[0])
