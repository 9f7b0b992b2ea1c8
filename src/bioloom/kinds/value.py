"""A number a sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.kinds import Calibration, HeldOut, Kind, Labels, TestSet, _classes
from bioloom.kinds._calibration import COVERAGE, conformal_quantile
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


def intervals(raw: np.ndarray, y: np.ndarray) -> list[float]:
    """The conformal quantile of the errors of each output."""
    errors = np.abs(raw - y.reshape(len(y), -1))
    return [conformal_quantile(column, COVERAGE) for column in errors.T]


def calibrate(raw: np.ndarray, y: np.ndarray, labels: Labels, y_train: np.ndarray) -> Calibration:
    """How far intervals reach, and above which value one is high."""
    high = labels.high_above
    if high is not None:
        high = float(np.median(y_train) if high == "median" else high)
    return Calibration(threshold=high, quantile=intervals(raw, y))


def scores(raw: np.ndarray, calibration: Calibration) -> np.ndarray:
    """The values as they are."""
    return raw


def answer(values: np.ndarray, names: list[str], calibration: Calibration) -> pd.DataFrame:
    """`prediction, low, high, quantile`, and `call, threshold` where values are called high."""
    quantile = np.array(calibration.quantile)
    table = pd.DataFrame({"prediction": values.ravel()})
    table["low"], table["high"] = (values - quantile).ravel(), (values + quantile).ravel()
    if calibration.threshold is not None:
        table["call"] = np.where(table["prediction"] > calibration.threshold, "high", "low")
        table["threshold"] = calibration.threshold
    return table.assign(quantile=np.tile(quantile, len(values)))


def loss(values: np.ndarray, y: np.ndarray) -> float:
    """Mean squared error over what was measured."""
    return float(np.nanmean((values.reshape(y.shape) - y) ** 2))


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """Test rows of samples with a number each."""
    return join(Truth(test, encode(test, ["label"]), ["label"]), held_out, said)


def said(table: pd.DataFrame, truth: Truth, model: str) -> dict[str, Any]:
    """`call, quantile` and the threshold of one model in the order of the truth."""
    at = truth.places(table, model)
    call, quantile = np.full(len(truth.y), np.nan), np.full(len(truth.y), np.nan)
    call[at], quantile[at] = table["prediction"].to_numpy(float), truth.quantiles(table)
    check_complete(~np.isfinite(call), model)
    threshold = None
    if "threshold" in table and table["threshold"].notna().any():
        threshold = np.full(len(truth.y), np.nan)
        threshold[at] = table["threshold"].to_numpy(float)
    return {"call": truth.level(call), "quantile": quantile, "threshold": threshold}


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """The metrics of a number, how often intervals hold it, and those of the high call."""
    found = regression.regression_scores(rows.y, rows.call, weights)
    found |= coverage.coverage(rows.y, rows.call, rows.p, rows.quantile, weights)
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
)
