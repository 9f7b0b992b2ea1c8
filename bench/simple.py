"""Whether the default of a table is ever beaten by a line of scikit-learn, table by table.

`python -m bench.simple` prints a line a table. Of each table of a package, and of two
simulated ones with far more columns than rows, three folds are outside in turn. The product's
models are trained as by a task, calibrated on a part of the rows inside and refitted on all of
them; the lines of scikit-learn are fitted on all of them. Nothing is chosen on rows outside, but
for which line is the best one, which no user knows: it is the one of the best mean score outside.
`--table NAME` is one of them.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bench.outside import more_tables
from bioloom.applications.disease_diagnosis import MODEL
from bioloom.features import Features
from bioloom.kinds import encode_labels, get_kind
from bioloom.models import without_name
from bioloom.training.recipe import Recipe
from bioloom.training.train import Partition, fit, refit

MOST, FOLDS, VALID, RESAMPLES, SEED = 300, 3, 0.15, 300, 1
WIDE = {"name": "residual_dnn"}


def sets() -> Iterator[tuple[str, np.ndarray, np.ndarray, dict[str, Any]]]:
    """Name, X, classes and the default's model of each table."""
    from sklearn.datasets import make_classification

    for name, _, X, y in more_tables():
        if name != "breast_cancer" and len(y) >= 100:  # the default task's own
            yield name, X, y, MODEL
    for telling in (5, 50):
        options = {"n_informative": telling, "n_redundant": 0, "class_sep": 1.5}
        X, y = make_classification(90, 3_000, n_clusters_per_class=1, random_state=2, **options)
        yield f"simulated, {telling} of 3,000", X, np.where(y, "yes", "no"), WIDE


def lines() -> dict[str, Any]:
    """What a user would try first."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
        "linear SVM": make_pipeline(StandardScaler(), SVC(kernel="linear", random_state=SEED)),
        "RBF SVM": make_pipeline(StandardScaler(), SVC(random_state=SEED)),
        "forest": RandomForestClassifier(300, random_state=SEED),
        "boosting": HistGradientBoostingClassifier(random_state=SEED),
    }


def product(
    X: np.ndarray, y: np.ndarray, model: dict[str, Any], inside: np.ndarray, outside: np.ndarray
) -> np.ndarray:
    """Probabilities of rows outside by the model for new data, (N, classes)."""
    ids = np.array([f"s{i}" for i in range(len(y))])
    samples = pd.DataFrame({"sample_id": ids, "label": y, "group": ids})
    names = np.array([f"x{i}" for i in range(X.shape[1])])
    features = Features(ids, X.astype(np.float32), names, "table")
    select = {"select": 200} if model["name"] == "dnn" and X.shape[1] > 1_000 else {}
    recipe = Recipe(features, model["name"], without_name(model), {"scale": True, **select}, {})
    labels = encode_labels(samples, get_kind("binary" if len(np.unique(y)) == 2 else "multiclass"))
    inside = np.random.default_rng(SEED).permutation(inside)
    valid, train = np.split(inside, [int(VALID * len(inside))])
    place = Partition(0, 0, {"train": np.sort(train), "valid": np.sort(valid)}, np.arange(len(y)))
    fitted = refit(
        fit(recipe, labels, place, samples, SEED, keep=True), recipe, labels, place, samples
    )
    return fitted.scores(recipe.features.X[outside])


def auroc(scores: np.ndarray, codes: np.ndarray) -> float:
    """Of two classes, or the mean of each one against the rest."""
    from sklearn.metrics import roc_auc_score

    if scores.shape[1] == 2:
        return float(roc_auc_score(codes, scores[:, 1] - scores[:, 0]))
    found = [c for c in range(scores.shape[1]) if 0 < (codes == c).sum() < len(codes)]
    return float(np.mean([roc_auc_score(codes == c, scores[:, c]) for c in found]))


def scored(model: Any, X: np.ndarray) -> np.ndarray:
    """What a scikit-learn model says of each class, (N, classes)."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    decision = model.decision_function(X)
    return decision if decision.ndim == 2 else np.column_stack([-decision, decision])


def compared(X: np.ndarray, y: np.ndarray, model: dict[str, Any]) -> dict[str, list[Any]]:
    """Of each way the scores of the rows outside, a fold each; and the `codes` of these."""
    from sklearn.model_selection import StratifiedKFold

    codes = np.unique(y, return_inverse=True)[1]
    found: dict[str, list[Any]] = {"codes": []}
    for inside, outside in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(X, codes):
        found["codes"].append(codes[outside])
        for name, own in {"dnn": {"name": "dnn"}, "default": model}.items():
            found.setdefault(name, []).append(product(X, y, own, inside, outside))
        for name, line in lines().items():
            found.setdefault(name, []).append(
                scored(line.fit(X[inside], codes[inside]), X[outside])
            )
    return found


def difference(a: list[Any], b: list[Any], codes: list[np.ndarray]) -> str:
    """The mean over folds of what a's AUROC is above b's, with an interval of resampled rows."""
    rng, drawn = np.random.default_rng(SEED), []
    for _ in range(RESAMPLES):
        rows = [rng.integers(0, len(own), len(own)) for own in codes]
        if all(
            len(np.unique(own[r])) == len(np.unique(own))
            for own, r in zip(codes, rows, strict=True)
        ):
            each = zip(a, b, codes, rows, strict=True)
            drawn.append(np.mean([auroc(p[r], c[r]) - auroc(q[r], c[r]) for p, q, c, r in each]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    plain = np.mean([auroc(p, c) - auroc(q, c) for p, q, c in zip(a, b, codes, strict=True)])
    return f"{plain:+.3f} ({low:+.3f} to {high:+.3f})"


def main() -> None:
    """Print a line a table: AUROC and accuracy before, of the default, and of the best line."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table")
    wanted = parser.parse_args().table
    for name, X, y, model in sets():
        if wanted not in (None, name):
            continue
        rows = np.random.default_rng(SEED).permutation(len(y))
        kept = rows[np.isin(y[rows], [c for c in np.unique(y) if (y == c).sum() >= 15])][:MOST]
        found = compared(X[kept], y[kept], model)
        codes = found.pop("codes")
        areas = {
            way: float(np.mean([auroc(p, c) for p, c in zip(said, codes, strict=True)]))
            for way, said in found.items()
        }
        right = {
            way: float(
                np.concatenate([p.argmax(1) == c for p, c in zip(said, codes, strict=True)]).mean()
            )
            for way, said in found.items()
        }
        best = max(lines(), key=areas.__getitem__)
        each = [
            f"{areas[way]:.3f}, {right[way]:.3f}" for way in ("dnn", "default", "logistic", best)
        ]
        each[-1] = f"{best} {each[-1]}"
        ends = [
            difference(found["default"], found[way], codes) for way in ("dnn", "logistic", best)
        ]
        print(
            "| " + " | ".join([name, f"{len(kept)} x {X.shape[1]}", *each, *ends]) + " |",
            flush=True,
        )


if __name__ == "__main__":
    main()
