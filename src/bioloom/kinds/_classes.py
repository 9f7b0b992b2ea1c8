"""What all kinds share whose answers are class probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.kinds import Calibration, Labels, Learnt, TestSet
from bioloom.kinds._calibration import fit_temperature, quantile_of_part, soften
from bioloom.kinds._rows import Truth, check_complete, join

MOST_CALIBRATED = 50_000
"""Rows for the temperature, one number: pairs of residues are many more."""
OR = " | "
"""Between the classes of a prediction set."""
PLOTS = ("roc", "pr", "calibration", "confusion")


def outputs(samples: pd.DataFrame, positive: str | None) -> list[str]:
    """The classes in order, the positive one last."""
    classes = sorted(samples["label"].unique())
    if len(classes) < 2:
        raise DataError(
            f"All labels are one class: {classes[0]!r}", column="label", hint="two are needed"
        )
    if wrong := sum(OR in name for name in classes):
        raise DataError(
            f"{wrong} classes have {OR!r} in their name, which separates those of a set",
            column="label",
            hint="write them without",
        )
    if positive is not None:
        if positive not in classes:
            raise DataError(f"`positive: {positive}` is no class", hint=f"classes are {classes}")
        classes = [name for name in classes if name != positive] + [positive]
    return classes


def codes(labels: pd.Series, classes: list[str]) -> np.ndarray:
    """The place of each label among the classes, (N,) int64."""
    found = pd.Index(classes).get_indexer(pd.Index(labels.astype(str)))
    if (found < 0).any():
        unknown = ", ".join(sorted(set(labels.astype(str)[found < 0])))
        raise DataError(
            f"a test row has a class that the model was not trained on: {unknown}",
            column=str(labels.name),
            hint="drop or merge rare classes, or split so that each class is in training",
        )
    return found.astype(np.int64)


def encode(samples: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Class codes of `label`, (N,)."""
    return codes(samples["label"], classes)


def rows(samples: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """An answer a sample."""
    return pd.DataFrame({"sample_id": samples["sample_id"].to_numpy()})


def unanswered(ids: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """A row a sample."""
    return pd.DataFrame({"sample_id": ids})


def calibrate(raw: np.ndarray, y: np.ndarray, labels: Labels, learnt: Learnt) -> Calibration:
    """Temperature, and the quantile of 1 - p of the true class, for each class by itself.

    That of balanced class weights is fitted to classes that weigh the same: those of valid rows are
    as rare as they are, and would be taken for doubt.
    """
    few = np.unique(np.linspace(0, len(y) - 1, min(len(y), MOST_CALIBRATED)).astype(int))
    weight = labels.weight
    if learnt.balanced:
        counts = np.bincount(y, weights=weight, minlength=raw.shape[1])
        weight = (1.0 if weight is None else weight) / np.maximum(counts, 1e-12)[y]
    temperature = fit_temperature(
        soften(raw, 1.0)[few], y[few], None if weight is None else weight[few]
    )
    wrong = 1 - soften(raw, temperature)[np.arange(len(y)), y]
    quantile = [quantile_of_part(wrong, y == code) for code in range(raw.shape[1])]
    return Calibration(temperature, quantile=[quantile])


def scores(raw: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Calibrated class probabilities, (A, C)."""
    return soften(raw, calibration.temperature)


def decide(scores: np.ndarray, calibration: Calibration) -> np.ndarray:
    """The most probable class, (A,)."""
    return scores.argmax(axis=1)


def answer(
    scores: np.ndarray, classes: list[str], chosen: np.ndarray, quantile: np.ndarray | list[float]
) -> pd.DataFrame:
    """`prediction, probability, p.<class> ..., prediction_set` of the chosen classes.

    A class is in the set where 1 - p is at most its `quantile`, (C,) or (A, C); the likeliest one
    always is.
    """
    inside = 1 - scores <= np.asarray(quantile)
    inside[np.arange(len(scores)), scores.argmax(axis=1)] = True
    table = pd.DataFrame({"prediction": np.array(classes)[chosen]})
    table["probability"] = scores[np.arange(len(chosen)), chosen]
    for code, name in enumerate(classes):
        table[f"p.{name}"] = scores[:, code]
    table["prediction_set"] = [
        OR.join(name for name, held in zip(classes, row, strict=True) if held) for row in inside
    ]
    return table


def answer_by(
    decide: Callable[[np.ndarray, Calibration], np.ndarray],
    scores: np.ndarray,
    classes: list[str],
    calibration: Calibration,
) -> pd.DataFrame:
    """The `answer` of the classes that `decide` chooses by a `threshold`, with that."""
    table = answer(scores, classes, decide(scores, calibration), calibration.quantile[0])
    return table.assign(threshold=calibration.threshold)


def loss(scores: np.ndarray, y: np.ndarray) -> float:
    """Log loss, no row counting for more than 13.8."""
    return float(-np.log(np.clip(scores[np.arange(len(y)), y], 1e-6, 1)).mean())


def classes_of(held_out: pd.DataFrame) -> list[str]:
    """The classes that held-out rows have probabilities of."""
    return [name[2:] for name in map(str, held_out) if name.startswith("p.")]


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """Test rows of samples with a class each."""
    classes = classes_of(held_out)
    return join(Truth(test, encode(test, classes), classes), held_out, said)


def said(table: pd.DataFrame, truth: Truth, model: str) -> dict[str, Any]:
    """`call, p` and what sets hold, of one model in the order of the truth."""
    at = truth.places(table, model)
    n = len(truth.rows)
    call = np.zeros(n, dtype=int)
    p = np.full((n, len(truth.outputs)), np.nan)
    call[at] = codes(table["prediction"], truth.outputs)
    p[at] = table[[f"p.{name}" for name in truth.outputs]].to_numpy(float)
    check_complete(~np.isfinite(p), model)
    answered = {"call": call, "p": truth.level(p)}
    if "prediction_set" not in table:
        return answered
    held = np.zeros(p.shape, dtype=bool)
    held[at] = classes_held(table["prediction_set"], truth.outputs)
    inside = held[np.arange(n), truth.y].astype(float)
    return answered | {"inside": inside, "own": {"set_size": held.sum(axis=1).astype(float)}}


def classes_held(sets: pd.Series, classes: list[str]) -> np.ndarray:
    """Which classes each prediction set holds, (N, C) bool."""
    place, different = pd.factorize(sets)
    named = [set(text.split(OR)) for text in different]
    return np.array([[name in names for name in classes] for names in named], dtype=bool)[place]
