"""`model: search`: parameters chosen by cross-validation inside the training rows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from bioloom.arrays import end_to_end
from bioloom.errors import DataError
from bioloom.fitted import model_rows, raw_answers
from bioloom.kinds import Kind, Labels
from bioloom.models._folds import held_out_together
from bioloom.progress import at
from bioloom.training.recipe import Recipe, beside, build_model, prepare

INNER_FOLDS = 3


def select_parameters(
    recipe: Recipe,
    labels: Labels,
    rows: np.ndarray,
    X: dict[str, Any],
    y: dict[str, Any],
    units: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """The nested part: the best of `search` by cross-validation inside the training rows."""
    candidates = [
        recipe.parameters | dict(zip(recipe.search, values, strict=True))
        for values in product(*recipe.search.values())
    ]
    if len(candidates) == 1:
        return candidates[0]
    folds = _inner_folds(labels.kind, y["train"], units, seed)
    losses = np.full((len(folds), len(candidates)), np.nan)
    for number, (inside, outside) in enumerate(folds, start=1):
        preprocess = prepare(recipe, labels.kind, X["train"][inside], y["train"][inside])
        # Fitted on `inside`, stopped on valid, judged by `outside`.
        prepared = {
            "inside": preprocess.transform(X["train"][inside]),
            "valid": preprocess.transform(X["valid"]),
            "outside": preprocess.transform(X["train"][outside]),
        }
        known = {"inside": y["train"][inside], "valid": y["valid"], "outside": y["train"][outside]}
        models = (build_model(recipe.model, labels, seed, candidate) for candidate in candidates)
        fitted_on = preprocess, labels, rows[inside], units[inside]
        for place, model in enumerate(models):
            with at(f"candidate {place + 1} of {len(candidates)}, inner fold {number}"):
                given = beside(recipe, model, *fitted_on)
                losses[number - 1, place] = _inner_loss(model, labels, given, prepared, known)
    told = np.isfinite(losses).any(axis=1)  # not by a fold without an event
    totals = losses[told].sum(axis=0)
    if not told.any() or not np.isfinite(totals).any():
        raise DataError("No candidate of `search` could be fitted: all losses are no numbers")
    return candidates[int(np.nanargmin(totals))]


def _inner_folds(
    kind: Kind, y: np.ndarray, units: np.ndarray, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    stratified = kind.output == "classes" and kind.unit == "sample"
    split: Callable[..., Any] = StratifiedGroupKFold if stratified else GroupKFold
    units = held_out_together(len(y), units)
    count = min(INNER_FOLDS, len(np.unique(units)))
    folds = split(count, shuffle=True, random_state=seed)
    return list(folds.split(np.zeros(len(y)), y if stratified else None, units))


def _inner_loss(
    model: Any, labels: Labels, given: dict[str, np.ndarray], X: dict[str, Any], y: dict[str, Any]
) -> float:
    """Loss of a candidate on an inner fold; `given` is what it is told beside X and y."""
    sides = X["inside"], y["inside"], X["valid"], y["valid"]
    model.fit(*(model_rows(labels.kind, model, side) for side in sides), **given)
    raw = raw_answers(labels.kind, model, X["outside"])
    return labels.kind.loss(raw, end_to_end(y["outside"]))
