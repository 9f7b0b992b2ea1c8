"""Support vector regression of all drugs on one kernel against a loop over scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import Goal, Size, Suite
from bioloom.models.svm import Model

C = 1.0
# Cell lines, flags, drugs. The loop of the peer takes a minute for all drugs.
SHAPES = {"tiny": (500, 400, 40), "usual": (800, 678, 100), "full": (800, 678, 265)}


def suite(size: Size, folder: Path) -> Suite:
    """Cell lines x flags of the shape of GDSC v17, simulated; a tenth of the drugs not measured."""
    n, columns, drugs = SHAPES[size]
    rng = np.random.default_rng(0)
    X = (rng.random((n, columns)) < 0.1).astype(np.float32)
    y = X @ rng.normal(size=(columns, drugs)) + rng.normal(size=(n, drugs))
    y[rng.random((n, drugs)) < 0.1] = np.nan
    train, test = X[: n * 4 // 5], X[n * 4 // 5 :]
    cases: dict[str, Callable[[], Any]] = {
        "svm, ours": partial(ours, train, y[: len(train)], test),
        "svm, scikit-learn loop": partial(scikit_learn, train, y[: len(train)], test),
    }
    goals = [Goal("SVR over all drugs", "svm, ours", "svm, scikit-learn loop", 8.0)]
    return Suite("support vector regression", cases, agree, goals, rounds=3)


def ours(X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """Predictions (N, drugs) of the package's model."""
    model = Model(output="values", n_outputs=y.shape[1], seed=1, C=C)
    return model.fit(X, y, X[:0], y[:0]).predict(X_test)


def scikit_learn(X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """One SVR a drug on its measured rows, in deviations of the drug, with a kernel of its own."""
    from sklearn.svm import SVR

    X, X_test = X.astype(np.float64), X_test.astype(np.float64)
    gamma = 1 / (X.shape[1] * X.var())
    columns = []
    for target in y.T:
        rows = np.isfinite(target)
        spread = target[rows].std()
        machine = SVR(C=C, gamma=gamma).fit(X[rows], target[rows] / spread)
        columns.append(machine.predict(X_test) * spread)
    return np.column_stack(columns)


def agree(outputs: dict[str, Any]) -> dict[str, float]:
    """The predictions are equal to 1e-9."""
    ours, loop = outputs.values()
    largest = float(np.abs(ours - loop).max())
    if not largest <= 1e-9:  # also where one is no number
        raise SystemExit(f"the predictions differ by {largest:.1e}")
    return {"largest difference": largest}
