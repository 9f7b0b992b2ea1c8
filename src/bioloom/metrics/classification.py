"""Scores of classes; see `bioloom.metrics`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioloom.metrics import Metric, Scores
from bioloom.metrics._weighted import macro_mean, ranking, ratio

METRICS = (
    Metric("accuracy", "Accuracy"),
    Metric("recall", "Recall"),
    Metric("precision", "Precision"),
    Metric("f1", "F1"),
    Metric("auroc", "AUROC"),
    Metric("auprc", "AUPRC"),
    Metric("mcc", "MCC", least=-1),
    Metric("brier", "Brier score", lower_is_better=True),
    # Repeated rows look like miscalibration: an interval from resamples can miss the score.
    Metric("ece", "Calibration error (ECE)", lower_is_better=True, interval=False, short="ECE"),
    Metric("log_loss", "Log loss", lower_is_better=True, bounded=False),
)
MACRO = ("recall", "precision", "f1", "auroc", "auprc")
"""Means over the classes, where there are more than two."""
HIGH_CALL_METRICS = tuple(
    Metric(f"call_{name}", f"{label} of the high call")
    for name, label in (
        ("accuracy", "Accuracy"),
        ("recall", "Recall"),
        ("precision", "Precision"),
        ("f1", "F1"),
        ("auroc", "AUROC"),
    )
)
ECE_BINS = 10


def macro_metrics(*without: str) -> tuple[Metric, ...]:
    """The metrics of more than two classes, labelled as the means that some of them are.

    Their Brier score is a sum over classes, 2 at the most.
    """
    return tuple(
        replace(metric, label=f"{metric.label} (macro)")
        if metric.name in MACRO
        else replace(metric, most=2.0)
        if metric.name == "brier"
        else metric
        for metric in METRICS
        if metric.name not in without
    )


def binary_scores(y: np.ndarray, call: np.ndarray, p: np.ndarray, weights: np.ndarray) -> Scores:
    """Scores of two classes, 1 the positive one: `y`, `call (N,)` in {0, 1}, `p (N, 2)`."""
    n = weights.sum(axis=0)
    positive, called, hit = y @ weights, call @ weights, (y * call) @ weights
    negative, missed, false = n - positive, positive - hit, called - hit
    root = np.sqrt(positive * negative * called * (n - called))
    mcc = np.where(root > 0, ratio(hit * (negative - false) - false * missed, root), 0.0)
    auroc, auprc = ranking(y, p[:, 1], weights)
    return {
        **_call_scores(n, positive, called, hit),
        "auroc": auroc,
        "auprc": auprc,
        "mcc": np.where((positive > 0) & (negative > 0), mcc, np.nan),
        "brier": (p[:, 1] - y) ** 2 @ weights / n,
        "ece": _calibration_error(y, p[:, 1], weights),
        "log_loss": _surprise(y, p) @ weights / n,
    }


def _call_scores(
    n: np.ndarray, positive: np.ndarray, called: np.ndarray, hit: np.ndarray
) -> Scores:
    """What follows from the counts of rows, positive ones, called ones, and both at once."""
    precision = np.where(called > 0, ratio(hit, called), np.where(positive > 0, 0.0, np.nan))
    return {
        "accuracy": (n - positive - called + 2 * hit) / n,
        "recall": ratio(hit, positive),
        "precision": precision,
        "f1": np.where(positive > 0, ratio(2 * hit, positive + called), np.nan),
    }


def high_call_scores(
    y: np.ndarray, prediction: np.ndarray, threshold: np.ndarray, weights: np.ndarray
) -> Scores:
    """Scores of calling a value high: `y`, `prediction`, `threshold (N,)`; names as `call_f1`."""
    high, call = (y > threshold).astype(float), (prediction > threshold).astype(float)
    counts = (weights.sum(axis=0), high @ weights, call @ weights, (high * call) @ weights)
    auroc, _ = ranking(high, prediction - threshold, weights)
    scores = _call_scores(*counts) | {"auroc": auroc}
    return {m.name: scores[m.name.removeprefix("call_")] for m in HIGH_CALL_METRICS}


def multiclass_scores(
    y: np.ndarray, call: np.ndarray, p: np.ndarray, weights: np.ndarray
) -> Scores:
    """Scores of K classes: `y`, `call (N,)` class indices, `p (N, K)`.

    Recall, precision, F1, AUROC and AUPRC are plain (macro) means over the classes that occur
    among the drawn rows, AUROC and AUPRC one against the rest; Brier is the sum over classes;
    ECE is of the highest probability. MCC after Gorodkin (2004).
    """
    present = np.eye(p.shape[1])[y].T @ weights > 0
    several = present.sum(axis=0) > 1
    areas = [ranking((y == k).astype(float), p[:, k], weights) for k in range(p.shape[1])]
    auroc, auprc = (macro_mean(np.array(values), present) for values in zip(*areas, strict=True))
    scores = call_scores_of_classes(y, call, p, weights)
    scores["auroc"] = np.where(several, auroc, np.nan)
    scores["auprc"] = np.where(several, auprc, np.nan)
    return scores


def call_scores_of_classes(
    y: np.ndarray, call: np.ndarray, p: np.ndarray, weights: np.ndarray
) -> Scores:
    """Scores of K classes as in `multiclass_scores`, without those of the ranking.

    Accuracy over three states is Q3, over eight Q8.
    """
    n = weights.sum(axis=0)
    truth = np.eye(p.shape[1])[y]
    calls = np.eye(p.shape[1])[call]
    true, called, hit = (m.T @ weights for m in (truth, calls, truth * calls))
    present = true > 0
    several = present.sum(axis=0) > 1
    root = np.sqrt((n**2 - (called**2).sum(axis=0)) * (n**2 - (true**2).sum(axis=0)))
    mcc = ratio(hit.sum(axis=0) * n - (true * called).sum(axis=0), root)
    return {
        "accuracy": hit.sum(axis=0) / n,
        "recall": macro_mean(ratio(hit, true), present),
        "precision": macro_mean(np.where(called > 0, ratio(hit, called), 0.0), present),
        "f1": macro_mean(ratio(2 * hit, true + called), present),
        "mcc": np.where(several, np.where(root > 0, mcc, 0.0), np.nan),
        "brier": ((p - truth) ** 2).sum(axis=1) @ weights / n,
        "ece": _calibration_error(y == p.argmax(axis=1), p.max(axis=1), weights),
        "log_loss": _surprise(y, p) @ weights / n,
    }


def _calibration_error(outcome: np.ndarray, p: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Expected calibration error (Guo et al. 2017) over equal-width bins of p."""
    gap = (outcome - p)[:, None] * weights
    bins = np.minimum((p * ECE_BINS).astype(int), ECE_BINS - 1)
    total = sum(np.abs(gap[bins == b].sum(axis=0)) for b in range(ECE_BINS))
    return total / weights.sum(axis=0)


def _surprise(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Minus log probability of the true class of each row, clipped as scikit-learn does."""
    tiny = np.finfo(p.dtype).eps
    return -np.log(np.clip(p[np.arange(len(y)), y], tiny, 1 - tiny))
