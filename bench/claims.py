"""Whether what is claimed holds: intervals, thresholds, coverage, drift, and reasons to doubt.

`python -m bench.claims` prints the tables of `docs/scores.md`, of data in packages.
Each is split four times: 25 % of the rows are outside, of the others the usual hold-out trains,
validates and calibrates one model; nothing is chosen on rows outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.evaluation.intervals import draw_groups, interval
from bioloom.features import Features
from bioloom.fitted import Fitted
from bioloom.fitted.marginals import LEVEL, Marginals
from bioloom.fitted.novelty import Novelty
from bioloom.fitted.preprocess import Preprocess
from bioloom.kinds import Labels, encode_labels, get_kind
from bioloom.kinds._calibration import COVERAGE, conformal_quantile
from bioloom.metrics import Metric
from bioloom.training.calibrate import Answered, calibrate
from bioloom.training.recipe import Recipe
from bioloom.training.train import Partition, fit, refit

REPEATS, OUTSIDE, VALID, MOST = 4, 0.25, 0.15, 800
TRIALS, DRIFTS = 1000, 100
MODELS = ("logistic_regression", "gradient_boosting")


def tables() -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Name, kind, X and labels of each table."""
    from sklearn import datasets
    from statsmodels import datasets as more

    for name in ("breast_cancer", "wine", "iris"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        yield name, "binary" if len(np.unique(y)) == 2 else "multiclass", X, y.astype(str)
    yield "diabetes", "value", *datasets.load_diabetes(return_X_y=True)
    columns = {
        "anes96": "PID",
        "fair": "affairs",
        "randhie": "mdvis",
        "ccard": "AVGEXP",
        "cancer": "cancer",
        "engel": "foodexp",
        "statecrime": "violent",
    }
    for name, column in columns.items():
        table = getattr(more, name).load_pandas().data.select_dtypes("number").dropna()
        X, y = table.drop(columns=column).to_numpy(), table[column].to_numpy()
        if name == "anes96":
            yield name, "multiclass", X, y.astype(int).astype(str)
        else:
            yield name, "value", X, y
        if name in ("fair", "randhie"):
            yield f"{name}, any", "binary", X, np.where(y > 0, "some", "none")


def answers(
    kind_name: str, X: np.ndarray, y: np.ndarray, model: str, seed: int
) -> Iterator[tuple[str, pd.DataFrame, np.ndarray, np.ndarray]]:
    """(before or after, answers to the rows outside, their labels as codes, one-quantile holds)."""
    samples, recipe, (outside, valid, train) = _parts(X, y, model, seed)
    X = np.asarray(recipe.features.X)
    labels = encode_labels(samples, get_kind(kind_name))
    place = Partition(0, 0, {"train": train, "valid": valid}, np.arange(len(X)))
    before = fit(recipe, labels, place, samples, seed, keep=True)
    raw = before.raw(before.preprocess.transform(X[valid]))
    scores = before.kind.scores(raw, before.calibration)
    for name, fitted in (
        ("before", before),
        ("after", refit(before, recipe, labels, place, samples)),
    ):
        said = fitted.scores(X[outside])
        yield (
            name,
            fitted.answer(said),
            labels.y[outside],
            _one(kind_name, scores, labels.y[valid], said, labels.y[outside]),
        )


def _parts(
    X: np.ndarray, y: np.ndarray, model: str, seed: int
) -> tuple[pd.DataFrame, Recipe, list[np.ndarray]]:
    """Samples of a table in drawn order, a model's recipe, and rows outside, valid and train."""
    rows = np.random.default_rng(seed).permutation(len(y))[:MOST]
    X, y = X[rows].astype(np.float32), y[rows]
    ids = np.array([f"s{i}" for i in range(len(y))])
    samples = pd.DataFrame({"sample_id": ids, "label": y, "group": ids})
    names = np.array([f"x{i}" for i in range(X.shape[1])])
    recipe = Recipe(Features(ids, X, names, "table"), model, {}, {"scale": True}, {})
    cuts = np.cumsum([int(OUTSIDE * len(y)), int(VALID * len(y))])
    return samples, recipe, np.split(np.arange(len(y)), cuts)


def _one(
    kind: str, valid: np.ndarray, y_valid: np.ndarray, said: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Whether sets or intervals with one quantile for all hold the truth, (N,) bool."""
    errors = [
        np.abs(scores[:, 0] - true) if kind == "value" else 1 - scores[np.arange(len(true)), true]
        for scores, true in ((valid, y_valid), (said, y))
    ]
    return errors[1] <= conformal_quantile(errors[0], COVERAGE)


def holds(kind: Any, table: pd.DataFrame, y: np.ndarray, outputs: list[str]) -> np.ndarray:
    """Whether the sets or intervals as they are hold the truth, (N,) bool."""
    from bioloom.kinds._classes import classes_held
    from bioloom.kinds.value import held

    if kind == "value":
        return held(table, y) > 0
    return classes_held(table["prediction_set"], outputs)[np.arange(len(y)), y]


def parts(kind: str, table: pd.DataFrame, y: np.ndarray) -> np.ndarray:
    """The class of each row, or the third of its prediction, (N,) int."""
    if kind != "value":
        return y
    return (table["prediction"].rank(pct=True).to_numpy() * 2.999).astype(int)


def quality(kind: str, table: pd.DataFrame, y: np.ndarray, outputs: list[str]) -> float:
    """Accuracy, or R²."""
    if kind != "value":
        return float((table["prediction"].to_numpy() == np.array(outputs)[y]).mean())
    return float(1 - ((table["prediction"] - y) ** 2).mean() / y.var())


def intervals_hold() -> Iterator[tuple[str, str, str, str]]:
    """True accuracy, groups, how often intervals hold it: of resamples alone, and as they are."""
    rng = np.random.default_rng(0)
    for accuracy in (0.8, 0.95, 0.99):
        for groups in (6, 20, 60):
            draws, held = draw_groups(groups, 500, 1), np.zeros(2)
            for _ in range(TRIALS):
                drawn = (rng.random(groups) < accuracy) @ draws / groups
                low, high = np.quantile(drawn[1:], [0.025, 0.975])
                wide = interval(drawn, groups, Metric("accuracy", "Accuracy"))
                held += [low <= accuracy <= high, wide["low"] <= accuracy <= wide["high"]]
            yield str(accuracy), str(groups), *(f"{share:.2f}" for share in held / TRIALS)


def thresholds() -> Iterator[tuple[str, ...]]:
    """Name, rows and share of positives of each table; accuracy and MCC outside of three rules.

    A class of several is its first one against the others, a number is the highest quarter.
    """
    total = []
    for name, kind, X, y in tables():
        positive = y > np.quantile(y, 0.75) if kind == "value" else y == np.unique(y)[0]
        y = np.where(positive, "yes", "no")
        runs = [_called(X, y, "logistic_regression", seed) for seed in range(REPEATS)]
        total.append(np.mean(runs, axis=0))
        yield name, f"{min(len(y), MOST):,}", f"{positive.mean():.2f}", *_each(total[-1])
    yield "mean", "", "", *_each(np.mean(total, axis=0))


def _each(scores: np.ndarray) -> list[str]:
    return [f"{value:.3f}" for value in scores.ravel()]


def _called(X: np.ndarray, y: np.ndarray, model: str, seed: int) -> np.ndarray:
    """Accuracy and MCC outside, (2, 3): of one half, of the best F1 of valid rows, and of all rows.

    The last are answered by models of five folds. One half needs no such: the temperature leaves it
    where it is.
    """
    from sklearn.metrics import accuracy_score, matthews_corrcoef

    samples, recipe, (outside, valid, train) = _parts(X, y, model, seed)
    kind = get_kind("binary")
    half, f1 = (encode_labels(samples, kind, "yes", None, rule) for rule in (0.5, "f1"))
    units, known = np.arange(len(samples)), np.concatenate([valid, train])

    def fitted(labels: Labels, learnt: np.ndarray, others: np.ndarray) -> Fitted:
        place = Partition(0, 0, {"train": learnt, "valid": others}, units)
        return fit(recipe, labels, place, samples, seed)

    def raw(model: Fitted, rows: np.ndarray) -> np.ndarray:
        return model.raw(model.preprocess.transform(np.asarray(recipe.features.X)[rows]))

    models = [fitted(half, train, valid), fitted(f1, train, valid)]
    answered = []
    for fold in np.array_split(np.random.default_rng(seed).permutation(known), 5):
        rest = np.setdiff1d(known, fold)
        own = fitted(f1, rest[len(valid) :], rest[: len(valid)])
        answered.append(Answered.of(raw(own, fold), f1, fold))
    models.append(replace(models[1], calibration=calibrate(f1, answered, known)))
    truth = half.y[outside]
    calls = [
        kind.decide(kind.scores(raw(own, outside), own.calibration), own.calibration)
        for own in models
    ]
    measures = (accuracy_score, matthews_corrcoef)
    return np.array([[measure(truth, call) for call in calls] for measure in measures])


def unlike() -> Iterator[tuple[str, ...]]:
    """Name and columns of each table; how often data are told to be unlike those of training.

    Halves of a table, `DRIFTS` times: a data set of the same kind (alarms), one of 50 rows, and one
    in which a tenth of the columns, at least one, is shifted by a standard deviation. Then rows: of
    the same kind (by distance, by scale), with 70 % of the values missing, and in log2 (by
    distance alone, by either).
    """
    for name, _, X, _ in tables():
        if name.endswith(", any"):  # another label of the same rows
            continue
        told = np.array([_unlike(X, seed) for seed in range(DRIFTS)])
        told[:, -2:] = np.where((X >= 0).all(), told[:, -2:], np.nan)
        shares = [f"{share:.2f}" if np.isfinite(share) else "" for share in told.mean(axis=0)]
        yield name, str(X.shape[1]), *shares


def _unlike(X: np.ndarray, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(X))[:MOST]
    known, new = np.array_split(X[rows].astype(np.float32), 2)
    groups = np.arange(len(known))
    prepare = Preprocess.fit(known, groups.astype(float), {"scale": True})
    before = prepare.transform(known)
    third = 2 * len(known) // 3
    novelty = Novelty.fit(before[:third], before[third:])
    marginals = Marginals.fit(known, before, groups)
    after = prepare.transform(new)

    def drifted(prepared: np.ndarray) -> float:
        p = marginals.drift(prepared, np.arange(len(prepared)))[1]
        return float((p <= LEVEL).any())

    shifted = after.copy()
    shifted[:, : max(1, after.shape[1] // 10)] += 1
    gaps = np.where(rng.random(new.shape) < 0.7, np.nan, new)
    logarithm = prepare.transform(np.log2(1 + np.clip(new, 0, None)))
    scale = marginals.another_scale
    return [
        *(drifted(after), drifted(after[:50]), drifted(shifted)),
        *(novelty.outside(after).mean(), scale(after).mean()),
        marginals.lacking(gaps).mean(),
        novelty.outside(logarithm).mean(),
        (novelty.outside(logarithm) | scale(logarithm)).mean(),
    ]


def main() -> None:
    """Print the tables."""
    for rows in (intervals_hold(), thresholds(), unlike()):
        for line in rows:
            print("| " + " | ".join(line) + " |", flush=True)
    lines = []
    for name, kind, X, y in tables():
        found: dict[str, list[Any]] = {"one": [], "own": [], "part": [], "gain": []}
        for model in MODELS:
            for seed in range(REPEATS):
                outputs = get_kind(kind).outputs(pd.DataFrame({"label": y}), None)
                (_, first, truth, one), (_, last, *_) = answers(kind, X, y, model, seed)
                found["one"].append(one)
                found["own"].append(holds(kind, first, truth, outputs))
                found["part"].append(parts(kind, first, truth))
                found["gain"].append(
                    quality(kind, last, truth, outputs) - quality(kind, first, truth, outputs)
                )
        part = np.concatenate(found["part"])
        row = [name, f"{min(len(y), MOST):,}", kind]
        for rule in ("one", "own"):
            inside = np.concatenate(found[rule])
            lowest = min(inside[part == each].mean() for each in np.unique(part))
            row += [f"{inside.mean():.3f}", f"{lowest:.3f}"]
        gain = np.array(found["gain"])
        row.append(f"{gain.mean():+.3f} ({(gain > 0).sum()} up, {(gain < 0).sum()} down)")
        lines.append(row)
        print("| " + " | ".join(row) + " |", flush=True)
    for column, label in (
        (3, "one quantile"),
        (4, "its lowest part"),
        (5, "by part"),
        (6, "lowest"),
    ):
        values = [float(line[column]) for line in lines]
        print(f"{label}: mean {np.mean(values):.3f}, lowest {min(values):.3f}")


if __name__ == "__main__":
    main()
