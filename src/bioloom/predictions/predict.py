"""Predict new data: value, calibrated probability, set or interval, novelty, reason to abstain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.features import Features, align
from bioloom.fitted import Fitted
from bioloom.fitted.signature import check_signature, reasons_to_abstain

FAR = "unlike the training data"
SCALE = "values lower or higher throughout than in training, as on another scale"
LACKING = "far more values missing than in training"
SEVERAL = "the prediction set holds several classes"
OTHER = "the prediction set holds another class"
BLOCK = 20_000
"""Samples that are predicted at a time: all pairs of a genome do not fit in memory as vectors."""
FITTED = ["threshold"]
"""Columns of an answer that only say how it was calibrated, as model.yaml does."""


def predict(
    samples: pd.DataFrame, features: Features, fitted: Fitted, file: str | Path
) -> pd.DataFrame:
    """One row an answer, in the order of the samples: of a sample, of each target, residue or pair.

    The keys and columns are those of the kind (`Kind.rows`, `Kind.answer`): classes have
    `prediction, probability, p.<class>, prediction_set`, values `prediction, low, high` and the
    `call` high or low where the task has `high_above`. Then `out_of_distribution, abstain,
    model_id`. The set or interval holds the truth for 90 % of samples like the validation rows.
    What was measured not to tell wrong answers from right ones is no reason to abstain. A row that
    the model can give no answer has nothing but the reason, in `abstain`. Errors name `file`, from
    which the samples came.
    """
    if samples.empty:
        return _finished(_of_nothing(fitted), samples, fitted)
    settings = fitted.settings
    check_signature(samples, settings["signature"], file)
    features = align(features, settings["feature_names"], settings["features"])
    blocks = (samples.iloc[first : first + BLOCK] for first in range(0, len(samples), BLOCK))
    tables = [_predict(block.reset_index(drop=True), features, fitted) for block in blocks]
    return _finished(pd.concat(tables, ignore_index=True), samples, fitted)


def _predict(samples: pd.DataFrame, features: Features, fitted: Fitted) -> pd.DataFrame:
    """The same of a block of the samples, whose features are in the model's order."""
    settings, kind = fitted.settings, fitted.kind
    X = features.rows(samples["sample_id"])
    prepared = fitted.preprocess.transform(X)
    keys = kind.rows(samples, fitted.outputs)
    scores = fitted.scores_of_prepared(prepared)
    answers = fitted.answer(scores).drop(columns=FITTED, errors="ignore")
    at = pd.Index(samples["sample_id"]).get_indexer(pd.Index(keys["sample_id"]))
    strange = {FAR: fitted.outside(prepared)}
    if fitted.marginals is not None:
        strange[SCALE] = fitted.marginals.another_scale(prepared)
        strange[LACKING] = fitted.marginals.lacking(X)
    doubts = reasons_to_abstain(samples, settings["signature"]).to_numpy(dtype=object)[at]
    refused = fitted.model.refusals(prepared)[at]
    reasons = [refused, doubts, fitted.model.doubts(prepared)[at]]
    reasons += [
        np.where(rows[at], reason, "")
        for reason, rows in strange.items()
        if reason != FAR or fitted.distance_tells
    ]
    if "prediction_set" in answers:
        unsure = _unsure(answers["prediction_set"], answers["prediction"])
        tells = np.resize(fitted.sets_tell, len(answers))  # of several labels all of a sample
        reasons.append(np.where(tells & (refused == ""), unsure, ""))
    if (refused != "").any():
        answers = answers[refused == ""].reindex(answers.index)
    table = pd.concat([keys, answers], axis=1)
    if len(table) == len(samples) and (why := fitted.model.why(prepared)) is not None:
        table["why"] = why
    table["out_of_distribution"] = np.any(list(strange.values()), axis=0)[at]
    table["abstain"] = np.array([_join(*row) for row in zip(*reasons, strict=True)], dtype=object)
    return table.assign(model_id=settings["id"])


def _finished(table: pd.DataFrame, samples: pd.DataFrame, fitted: Fitted) -> pd.DataFrame:
    """What the kind makes of predictions by all that is known of the samples."""
    given = fitted.kind.given
    return table if given is None else given.finish(table, samples, fitted.settings["remembered"])


def _of_nothing(fitted: Fitted) -> pd.DataFrame:
    """The columns of predictions, without a row."""
    keys = fitted.kind.unanswered(np.array([], dtype=str), fitted.outputs)
    scores = np.empty((0, len(fitted.outputs)))
    answers = fitted.answer(scores).drop(columns=FITTED, errors="ignore")
    known = {"out_of_distribution": False, "abstain": "", "model_id": fitted.settings["id"]}
    return pd.concat([keys, answers], axis=1).assign(**known)


def _unsure(sets: pd.Series, called: pd.Series) -> np.ndarray:
    """Why a prediction set, its classes joined by " | ", does not hold the called class alone."""
    others = np.where(sets.str.contains(" | ", regex=False), SEVERAL, OTHER)
    return np.where(sets == called, "", others)


def with_dropped(predictions: pd.DataFrame, dropped: pd.DataFrame, fitted: Fitted) -> pd.DataFrame:
    """The predictions and, after them, the rows that cleaning dropped: no value, but the reason."""
    if dropped.empty:
        return predictions
    rows = fitted.kind.unanswered(dropped["sample_id"].unique(), fitted.outputs)
    reasons = dropped.rename(columns={"reason": "abstain"})
    rows = rows.merge(reasons, on="sample_id", how="left")
    rows = rows.assign(model_id=fitted.settings["id"], out_of_distribution=False)  # not looked at
    return pd.concat([predictions, rows.reindex(columns=predictions.columns)], ignore_index=True)


def summary(predictions: pd.DataFrame) -> str:
    """One line on what was predicted: rows, and how many of them abstain for which reason."""
    reasons = predictions.loc[predictions["abstain"] != "", "abstain"].str.split("; ").explode()
    counts = [f"{n} {reason}" for reason, n in reasons.value_counts().items()]
    return f"{len(predictions)} predictions; to doubt: {', '.join(counts) or 'none'}"


def _join(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)
