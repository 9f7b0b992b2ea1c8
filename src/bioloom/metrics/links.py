"""How well links are ranked, such as the targets of one regulator; see `bioloom.metrics`."""

from __future__ import annotations

import numpy as np

from bioloom.metrics import Metric, Scores
from bioloom.metrics._weighted import ranking

MACRO_METRICS = (
    Metric("auroc_macro", "AUROC (macro)"),
    Metric("auprc_macro", "AUPRC (macro)"),
    Metric("auprc_ratio_macro", "AUPRC over chance (macro)", bounded=False),
    Metric("early_precision_macro", "Early precision (macro)"),
    Metric("early_precision_ratio_macro", "Early precision over chance (macro)", bounded=False),
)
"""Means over the values of a column, such as regulators (`bioloom.evaluation.links`)."""


def ranking_scores(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> Scores:
    """AUROC, AUPRC and early precision, also over chance: `y (N,)` in {0, 1}, `score (N,)`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        auroc, auprc = ranking(y, score, weights)
        chance = (y @ weights) / weights.sum(axis=0)
        early = early_precision(y, score, weights)
        return {
            "auroc": auroc,
            "auprc": auprc,
            "auprc_ratio": auprc / chance,
            "early_precision": early,
            "early_precision_ratio": early / chance,
        }


def early_precision(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of positives among the K highest, K the number of positives; ties share their part."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
    drawn = np.add.reduceat(weights[order], starts, axis=0)
    hits = np.add.reduceat(weights[order] * y[order][:, None], starts, axis=0)
    wanted = y @ weights
    room = np.clip(wanted - (np.cumsum(drawn, axis=0) - drawn), 0, drawn)
    found = np.divide(hits * room, drawn, out=np.zeros_like(hits), where=drawn > 0).sum(axis=0)
    return np.divide(found, wanted, out=np.full_like(wanted, np.nan), where=wanted > 0)
