"""Any of several labels a sample, each yes or no; some may not be known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.kinds import Calibration, HeldOut, Labels, Learnt, TestSet, _classes, targets
from bioloom.kinds._calibration import quantile_of_part
from bioloom.kinds._rows import Truth, check_complete, join
from bioloom.kinds._threshold import HALF, choose_threshold
from bioloom.metrics import Scores, multilabel
from bioloom.samples import label_columns
from bioloom.samples.columns import is_flag

NO_YES = ["no", "yes"]


def fits(samples: pd.DataFrame) -> bool:
    """Whether there are columns `label.<name>` of true and false."""
    columns = label_columns(samples)
    return bool(columns) and "label" not in columns and all(is_flag(samples[c]) for c in columns)


def calibrate(raw: np.ndarray, y: np.ndarray, labels: Labels, learnt: Learnt) -> Calibration:
    """One temperature for all labels; a threshold, and quantiles of no and yes, for each."""
    known = np.isfinite(y)
    weight = None if labels.weight is None else np.broadcast_to(labels.weight[:, None], y.shape)
    own = replace(labels, weight=None if weight is None else weight[known])
    rest = learnt._replace(balanced=False)  # one temperature, and each label has its own share
    fitted = _classes.calibrate(_two(raw[known]), y[known].astype(int), own, rest)
    p = scores(raw, fitted)
    columns = [(p[rows, label], y[rows, label]) for label, rows in enumerate(known.T)]
    counted = np.isfinite(learnt.y) * (1.0 if learnt.weight is None else learnt.weight[:, None])
    with np.errstate(invalid="ignore"):  # a label that no row has known
        shares = (np.nan_to_num(learnt.y) * counted).sum(axis=0) / counted.sum(axis=0)
    if learnt.balanced:
        shares = np.full(len(shares), 0.5)
    thresholds = [
        choose_threshold(labels.rule, said, true, share)
        for (said, true), share in zip(columns, shares, strict=True)
    ]
    quantile = [
        [quantile_of_part(np.abs(true - said), true == code) for code in range(len(NO_YES))]
        for said, true in columns
    ]
    return replace(fitted, threshold=thresholds, quantile=quantile)


def scores(raw: np.ndarray, calibration: Calibration) -> np.ndarray:
    """The calibrated probability of each label, (N, T)."""
    return _classes.scores(_two(raw), calibration)[:, 1].reshape(raw.shape)


def answer(scores: np.ndarray, labels: list[str], calibration: Calibration) -> pd.DataFrame:
    """As of the two classes no and yes, a row a sample and label."""
    threshold = np.tile(np.array(calibration.threshold, dtype=float), len(scores))
    quantile = np.tile(np.array(calibration.quantile, dtype=float), (len(scores), 1))
    called = (scores.ravel() >= threshold).astype(int)
    return _classes.answer(_two(scores), NO_YES, called, quantile).assign(threshold=threshold)


def loss(scores: np.ndarray, y: np.ndarray) -> float:
    """Log loss over what is known, no label counting for more than 13.8."""
    known = np.isfinite(y)
    return _classes.loss(_two(scores[known]), y[known].astype(int)) if known.any() else 0.0


def _two(p: np.ndarray) -> np.ndarray:
    """Probabilities of no and yes, a row a sample and label."""
    return np.column_stack([1 - p.ravel(), p.ravel()])


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """Test rows with all labels of which enough is known in every repeat (`min_test`)."""
    chosen, skipped = targets.scored(test, options["min_test"])
    return join(Truth(test, targets.encode(test, chosen), chosen, skipped), held_out, said)


def said(table: pd.DataFrame, truth: Truth, model: str) -> dict[str, np.ndarray]:
    """`call, p, inside` (N, T) of one model in the order of the truth."""
    table = table[table["target"].isin(truth.outputs)]
    place = targets.places(table, truth, model)
    call, p, inside = (np.full(truth.y.shape, np.nan) for _ in range(3))
    call[place] = table["prediction"] == "yes"
    p[place] = table["p.yes"].to_numpy(float)
    if "prediction_set" in table:
        held, known = _classes.classes_held(table["prediction_set"], NO_YES), truth.y[place]
        inside[place] = np.where(np.isfinite(known), np.where(known == 1, *held.T[::-1]), np.nan)
    check_complete(~np.isfinite(p) & np.isfinite(truth.y), model)
    return {"call": call, "p": truth.level(p), "inside": inside}


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """Means over the labels of the metrics of each, and metrics of all together."""
    return multilabel.multilabel_scores(rows.y, rows.call, rows.p, rows.inside, weights)


kind = replace(
    targets.kind,
    name="multilabel",
    output="labels",
    fits=fits,
    calibrate=calibrate,
    scores=scores,
    answer=answer,
    loss=loss,
    test_set=test_set,
    score=score,
    metrics=multilabel.METRICS,
    primary="auroc",
    plots=("per_label",),
    threshold=HALF,
)
