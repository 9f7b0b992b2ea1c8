"""A number a sample."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.kinds import (
    Calibration,
    HeldOut,
    Kind,
    Labels,
    Learnt,
    TestSet,
    _classes,
    from_scale,
    to_scale,
)
from bioloom.kinds._calibration import parts_by_size, quantile_of_part
from bioloom.kinds._rows import Truth, check_complete, join
from bioloom.metrics import Scores, classification, coverage, regression
from bioloom.samples.columns import is_number


def fits(samples: pd.DataFrame) -> bool:
    """Whether `label` is a number."""
    return "label" in samples and is_number(samples["label"])


def outputs(samples: pd.DataFrame, positive: str | None) -> list[str]:
    """The one value."""
    return ["label"]


def encode(samples: pd.DataFrame, names: list[str]) -> np.ndarray:
    """The values, (N,)."""
    values = samples["label"].to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise DataError("a sample has no label", column="label", hint="clean drops these")
    return values


def intervals(values: np.ndarray, y: np.ndarray, cuts: list[list[float]]) -> list[list[float]]:
    """The conformal quantile of the errors of each output, between each two of its cuts.

    Large values are often less exact than small ones (Boström & Johansson 2020, PMLR 128, 24).
    """
    errors = np.abs(values - y.reshape(len(y), -1))
    return [
        [quantile_of_part(wrong, _part(column, own) == part) for part in range(len(own) + 1)]
        for column, wrong, own in zip(values.T, errors.T, cuts, strict=True)
    ]


def _part(values: np.ndarray, cuts: list[float]) -> np.ndarray:
    """Between which cuts each value is, (N,)."""
    return np.searchsorted(cuts, values, side="right")


def calibrate(raw: np.ndarray, y: np.ndarray, labels: Labels, learnt: Learnt) -> Calibration:
    """How far intervals reach, by how large the prediction is; above which value one is high.

    Where no training label is below 0, such as of a dose, no answer is.
    """
    lowest = np.nanmin(learnt.y.reshape(len(learnt.y), -1), axis=0, initial=np.inf)
    least = np.where(lowest >= 0, 0.0, -np.inf).tolist()
    fitted = Calibration(threshold=labels.high_above, least=least, power=labels.power)
    values = to_scale(scores(raw, fitted), labels.power)
    cuts = [parts_by_size(column) for column in values.T]
    return replace(fitted, quantile=intervals(values, to_scale(y, labels.power), cuts), cuts=cuts)


def scores(raw: np.ndarray, calibration: Calibration) -> np.ndarray:
    """The values on the scale of the labels, and none below the least."""
    values = from_scale(raw, calibration.power)
    return np.maximum(values, calibration.least) if calibration.least else values


def answer(values: np.ndarray, names: list[str], calibration: Calibration) -> pd.DataFrame:
    """`prediction, low, high`, and `call, threshold` where values are called high."""
    learnt, reach = to_scale(values, calibration.power), np.empty(values.shape)
    for i, (quantile, cuts) in enumerate(zip(calibration.quantile, calibration.cuts, strict=True)):
        reach[:, i] = np.array(quantile)[_part(learnt[:, i], cuts)]
    table = pd.DataFrame({"prediction": values.ravel()})
    table["low"] = scores(learnt - reach, calibration).ravel()
    table["high"] = scores(learnt + reach, calibration).ravel()
    if calibration.threshold is not None:
        table["call"] = np.where(table["prediction"] > calibration.threshold, "high", "low")
        table["threshold"] = calibration.threshold
    return table


def held(table: pd.DataFrame, y: np.ndarray) -> np.ndarray:
    """Whether the interval of each answer holds the truth y (A,), 1 or 0; NaN where not known."""
    if "low" not in table:
        return np.full(len(table), np.nan)
    low, high = (table[end].to_numpy(float) for end in ("low", "high"))
    return np.where(np.isfinite(y), (low <= y) & (y <= high), np.nan)


def loss(values: np.ndarray, y: np.ndarray) -> float:
    """Mean squared error over what was measured."""
    return float(np.nanmean((values.reshape(y.shape) - y) ** 2))


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """Test rows of samples with a number each."""
    return join(Truth(test, encode(test, ["label"]), ["label"]), held_out, said)


def said(table: pd.DataFrame, truth: Truth, model: str) -> dict[str, Any]:
    """`call, inside` and the threshold of one model in the order of the truth."""
    at = truth.places(table, model)
    call, inside = np.full(len(truth.y), np.nan), np.full(len(truth.y), np.nan)
    call[at], inside[at] = table["prediction"].to_numpy(float), held(table, truth.y[at])
    check_complete(~np.isfinite(call), model)
    threshold = None
    if "threshold" in table and table["threshold"].notna().any():
        threshold = np.full(len(truth.y), np.nan)
        threshold[at] = table["threshold"].to_numpy(float)
    return {"call": truth.level(call), "inside": inside, "threshold": threshold}


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """The metrics of a number, how often intervals hold it, and those of the high call."""
    found = regression.regression_scores(rows.y, rows.call, weights)
    found |= coverage.coverage(rows.inside, weights)
    if rows.threshold is not None:
        found |= classification.high_call_scores(rows.y, rows.call, rows.threshold, weights)
    return found


kind = Kind(
    name="value",
    output="values",
    unit="sample",
    keys=("sample_id",),
    fits=fits,
    outputs=outputs,
    encode=encode,
    rows=_classes.rows,
    unanswered=_classes.unanswered,
    calibrate=calibrate,
    scores=scores,
    decide=_classes.decide,
    answer=answer,
    loss=loss,
    test_set=test_set,
    score=score,
    metrics=(*regression.METRICS, *classification.HIGH_CALL_METRICS, *coverage.METRICS),
    primary="spearman",
    plots=("predicted_observed",),
    high_call=True,
    transforms=True,
)
