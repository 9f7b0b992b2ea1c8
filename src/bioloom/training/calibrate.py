"""Calibration on rows that the models which answer them have not learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bioloom.arrays import end_to_end
from bioloom.fitted import Fitted
from bioloom.kinds import Calibration, Labels, Learnt, is_balanced


@dataclass(frozen=True)
class Answered:
    """What a model said of N rows that it has not learnt: `raw (A, outputs)`, not calibrated.

    `y` are their labels, (A,) or (A, outputs), `weight (N,)` how much each counts.
    """

    raw: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None

    @classmethod
    def of(cls, raw: np.ndarray, labels: Labels, rows: np.ndarray) -> Answered:
        """The answers to these rows (numbers) beside their labels."""
        weight = None if labels.weight is None else labels.weight[rows]
        return cls(raw, end_to_end(labels.y[rows]), weight)


def calibrate(
    fitted: Fitted, labels: Labels, unseen: Sequence[Answered], learnt: np.ndarray
) -> Calibration:
    """What the kind fits to the answers of one model, or of those of several folds together.

    `learnt` are the numbers of the rows that `fitted` has learnt from.
    """
    raw, y = (np.concatenate([getattr(part, name) for part in unseen]) for name in ("raw", "y"))
    weights = [part.weight for part in unseen if part.weight is not None]
    own = replace(labels, weight=np.concatenate(weights) if weights else None)
    weight = None if labels.weight is None else labels.weight[learnt]
    if weight is not None and not weight.any():
        weight = None
    known = Learnt(end_to_end(labels.y[learnt]), weight, is_balanced(fitted.parameters))
    return labels.kind.calibrate(raw, y, own, known)
