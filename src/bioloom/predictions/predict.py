"""Predict new data: value, calibrated probability, set or interval, novelty, reason to abstain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.arrays import Ragged, residues_of
from bioloom.features import Features, align
from bioloom.fitted import Fitted
from bioloom.fitted.signature import check_signature, reasons_to_abstain
from bioloom.kinds import CLASSIFICATION
from bioloom.structures.distances import pair_counts, pairs_of, summarise

FAR = "unlike the training data"
UNSURE = "the prediction set does not hold the predicted class alone"


def predict(samples: pd.DataFrame, features: Features, fitted: Fitted, file: Path) -> pd.DataFrame:
    """One row a sample (a sample and target in a multiregression), in the order of the samples.

    A row a residue, with its `position` and letter, where residues have classes; a row a pair i < j
    with `contact` (probability), `distance` and `spread` (A) where pairs have distances.

    Classification: `prediction, probability, p.<class>, prediction_set`; regression:
    `prediction, low, high`, and the `call` high or low where the task has `high_above`. Then
    `out_of_distribution, abstain, model_id`. The set or interval holds the truth for 90 % of
    samples like the validation rows.
    """
    settings = fitted.settings
    check_signature(samples, settings["signature"], file)
    features = align(features, settings["feature_names"], settings["features"])
    X = features.rows(samples["sample_id"])
    scores = fitted.scores(X)
    place = {"sample_id": samples["sample_id"].to_numpy()}
    repeats = np.full(len(samples), scores.shape[1] if fitted.kind == "multiregression" else 1)
    if isinstance(X, Ragged) and fitted.kind == "per_pair":
        repeats = pair_counts(X.lengths)
        place = pairs_of(place["sample_id"], X.lengths)
    elif isinstance(X, Ragged) and fitted.kind == "per_residue":
        repeats = X.lengths
        place = residues_of(place["sample_id"], repeats)
        place["residue"] = np.array(list("".join(samples["sequence"])))
    outside = fitted.novelty.outside(fitted.preprocess.transform(X))
    outside = np.repeat(outside, repeats)
    doubts = np.repeat(reasons_to_abstain(samples, settings["signature"]).tolist(), repeats)
    reasons = [_join(r, f) for r, f in zip(doubts, np.where(outside, FAR, ""), strict=True)]
    if fitted.kind == "per_pair":
        table = pd.DataFrame({**place, **summarise(scores)})
    elif fitted.kind in CLASSIFICATION:
        table = _classes(place, scores, fitted)
        sure = table["prediction_set"] == table["prediction"]
        reasons = [_join(r, s) for r, s in zip(reasons, np.where(sure, "", UNSURE), strict=True)]
    else:
        table = _values(place["sample_id"], scores, fitted)
    table["out_of_distribution"] = outside
    table["abstain"] = np.array(reasons, dtype=object)
    return table.assign(model_id=settings["id"])


def with_dropped(predictions: pd.DataFrame, dropped: pd.DataFrame, fitted: Fitted) -> pd.DataFrame:
    """The predictions and, after them, the rows that cleaning dropped: no value, but the reason."""
    rows = pd.DataFrame({"sample_id": dropped["sample_id"], "abstain": dropped["reason"]})
    rows = rows.assign(model_id=fitted.settings["id"])
    if fitted.kind == "multiregression":
        rows = rows.merge(pd.DataFrame({"target": fitted.outputs}), how="cross")
    rows = rows.reindex(columns=predictions.columns)
    rows["out_of_distribution"] = False  # not looked at
    for place in {"position", "i", "j"} & set(rows):
        rows[place] = 0  # of no residue
    return pd.concat([predictions, rows], ignore_index=True) if len(rows) else predictions


def summary(predictions: pd.DataFrame) -> str:
    """One line on what was predicted: rows, and how many of them abstain for which reason."""
    reasons = predictions.loc[predictions["abstain"] != "", "abstain"].str.split("; ").explode()
    counts = [f"{count} {reason}" for reason, count in reasons.value_counts().items()]
    return f"{len(predictions)} predictions; to doubt: {', '.join(counts) or 'none'}"


def _join(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)


def _classes(place: dict[str, np.ndarray], scores: np.ndarray, fitted: Fitted) -> pd.DataFrame:
    chosen = fitted.decide_codes(scores)
    inside = 1 - scores <= fitted.quantile[0]
    table = pd.DataFrame({**place, "prediction": np.array(fitted.outputs)[chosen]})
    table["probability"] = scores[np.arange(len(chosen)), chosen]
    for i, name in enumerate(fitted.outputs):
        table[f"p.{name}"] = scores[:, i]
    table["prediction_set"] = [
        " | ".join(name for name, held in zip(fitted.outputs, row, strict=True) if held)
        for row in inside
    ]
    return table


def _values(ids: np.ndarray, scores: np.ndarray, fitted: Fitted) -> pd.DataFrame:
    quantile = np.array(fitted.quantile)
    table = pd.DataFrame({"sample_id": np.repeat(ids, scores.shape[1])})
    if fitted.kind == "multiregression":
        table["target"] = np.tile(fitted.outputs, len(ids))
    table["prediction"] = scores.ravel()
    table["low"] = (scores - quantile).ravel()
    table["high"] = (scores + quantile).ravel()
    if fitted.threshold is not None:
        table["call"] = np.where(table["prediction"] > fitted.threshold, "high", "low")
    return table
