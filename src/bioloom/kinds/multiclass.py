"""One of several classes a sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from bioloom.kinds import Calibration, HeldOut, _classes, binary
from bioloom.metrics import Scores, classification, coverage
from bioloom.samples.columns import has_classes


def answer(scores: np.ndarray, classes: list[str], calibration: Calibration) -> pd.DataFrame:
    """The most probable class, all probabilities and the set."""
    chosen = _classes.decide(scores, calibration)
    return _classes.answer(scores, classes, chosen, calibration.quantile[0])


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """The metrics of several classes, and how often sets hold the truth."""
    found = classification.multiclass_scores(rows.y, rows.call, rows.p, weights)
    return found | coverage.coverage(rows.inside, weights)


kind = replace(
    binary.kind,
    name="multiclass",
    fits=has_classes,
    outputs=_classes.outputs,
    calibrate=_classes.calibrate,
    scores=_classes.scores,
    decide=_classes.decide,
    test_set=_classes.test_set,
    answer=answer,
    score=score,
    metrics=(*classification.macro_metrics(), *coverage.METRICS),
    primary="f1",  # macro, so that rare classes count as much as common ones
    threshold=None,
    at_prior=None,
)
