"""Two classes a sample; the last one is positive."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.kinds import Calibration, HeldOut, Kind, Labels, Learnt, TestSet, _classes
from bioloom.kinds._threshold import HALF, choose_threshold
from bioloom.metrics import Scores, classification, coverage, links
from bioloom.samples.columns import has_classes


def fits(samples: pd.DataFrame) -> bool:
    """Whether `label` has two different texts."""
    return has_classes(samples) and samples["label"].nunique() == 2


def outputs(samples: pd.DataFrame, positive: str | None) -> list[str]:
    """Both classes, the positive one last."""
    return _two(_classes.outputs(samples, positive))


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """Test rows of samples with one of two classes each."""
    _two(_classes.classes_of(held_out))
    return _classes.test_set(test, held_out, options)


def _two(classes: list[str]) -> list[str]:
    if len(classes) != 2:
        raise DataError(f"a binary task has 2 classes, not {len(classes)}: {', '.join(classes)}")
    return classes


def calibrate(raw: np.ndarray, y: np.ndarray, labels: Labels, learnt: Learnt) -> Calibration:
    """As of all classes, and the threshold from which the positive one is called."""
    fitted = _classes.calibrate(raw, y, labels, learnt)
    positive = _classes.scores(raw, fitted)[:, 1]
    share = 0.5 if learnt.balanced else float(np.average(learnt.y, weights=learnt.weight))
    return replace(fitted, threshold=choose_threshold(labels.rule, positive, y, share), share=share)


def scores(raw: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Calibrated probabilities of both classes, at the share of the positive one that is told."""
    positive = _at_odds(_classes.scores(raw, calibration)[:, 1], calibration.odds)
    return np.column_stack([1 - positive, positive])


def at_prior(calibration: Calibration, prior: float, rule: float | str) -> Calibration:
    """The calibration where the share `prior` of new samples is positive.

    p' / (1 - p') = p / (1 - p) * odds of the prior / odds of training (Saerens et al. 2002, Neural
    Computation 14, 21, equation 2.4). A threshold that is a number stays one, of p'; one that was
    fitted moves along, so that the same samples are called. So do the ends of prediction sets,
    which hold as much of each class as before. DataError where the share of training is not known.
    """
    if calibration.share is None:
        raise DataError(
            "The model does not say which share of its training rows was positive",
            hint="`prior` needs a model that was trained since it knows that: train it again",
        )
    odds = prior / (1 - prior) / (calibration.share / (1 - calibration.share))
    [(no, yes)] = calibration.quantile
    ends = (1 - _at_odds(1 - no, 1 / odds), 1 - _at_odds(1 - yes, odds))
    threshold = calibration.threshold
    if isinstance(rule, str):
        threshold = float(_at_odds(np.asarray(threshold, float), odds))
    return replace(
        calibration,
        odds=calibration.odds * odds,
        share=prior,
        threshold=threshold,
        quantile=[list(ends)],
    )


def _at_odds(p: Any, odds: float) -> Any:
    """Probabilities whose odds are so many times as large."""
    if odds == 1:
        return p
    known = np.isfinite(p)  # an end of a set may be infinite
    finite = np.where(known, p, 0.0)
    return np.where(known, finite * odds / (finite * odds + 1 - finite), p)


def decide(scores: np.ndarray, calibration: Calibration) -> np.ndarray:
    """The positive class from the threshold on, (A,)."""
    return (scores[:, 1] >= calibration.threshold).astype(int)


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """The metrics of two classes, and how often sets hold the truth."""
    found = classification.binary_scores(rows.y, rows.call, rows.p, weights)
    return found | coverage.coverage(rows.inside, weights)


kind = Kind(
    name="binary",
    output="classes",
    unit="sample",
    keys=("sample_id",),
    fits=fits,
    outputs=outputs,
    encode=_classes.encode,
    rows=_classes.rows,
    unanswered=_classes.unanswered,
    calibrate=calibrate,
    scores=scores,
    decide=decide,
    answer=partial(_classes.answer_by, decide),
    loss=_classes.loss,
    test_set=test_set,
    score=score,
    metrics=(*classification.METRICS, *coverage.METRICS, *links.MACRO_METRICS),
    primary="auroc",
    plots=_classes.PLOTS,
    all_classes=True,
    threshold=HALF,
    at_prior=at_prior,
)
