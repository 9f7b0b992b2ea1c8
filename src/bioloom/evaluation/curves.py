"""The tables behind the plots, small and aggregated: no row of theirs is a sample.

Each is written as CSV and drawn by the report and by `dvc plots`. `model` names the model where
several are drawn; repeats are averaged in curves and added up in counts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from bioloom.evaluation.intervals import drawn_scores, groups_of, interval
from bioloom.evaluation.net_benefit import decision_curve
from bioloom.evaluation.survival import risk_calibration, survival_groups
from bioloom.kinds import HeldOut, Kind, Strata, TestSet
from bioloom.metrics import Metric
from bioloom.metrics.multilabel import label_scores
from bioloom.metrics.regression import target_scores
from bioloom.privacy.small_cells import FEW

GRID = np.linspace(0, 1, 199)
ROC_GRID = np.append(0.0, GRID)  # the curve starts at the origin, whatever its first step
CALIBRATION_BINS = 10
DENSITY_BINS = 30
DISTANCE_BINS = 5
SMALL_BIN = 20  # samples
DISTANCE_RESAMPLES = 200  # enough for a plot


def plot_tables(
    test: TestSet,
    kind: Kind,
    primary: str,
    draws: np.ndarray,
    nearest: pd.DataFrame | None,
    *,
    private: bool,
) -> dict[str, pd.DataFrame]:
    """The plot tables of a kind, by name; of persons `predicted_observed` has no cell of a few."""
    drawn = test.drawn or test
    tables = {name: PLOTS[name](drawn, draws) for name in kind.plots if name in PLOTS}
    if private and "predicted_observed" in tables:
        cells = tables["predicted_observed"]
        tables["predicted_observed"] = cells[cells["count"] >= FEW].reset_index(drop=True)
    if private and kind.output == "classes" and len(test.outputs) == 2:
        tables["decision_curve"] = decision_curve(drawn)
    if kind.strata is not None:
        tables["strata"] = strata(test, kind.strata, kind, draws)
    if nearest is not None:
        tables["metric_by_distance"] = metric_by_distance(test, kind, primary, draws, nearest)
    return tables | test.tables


def roc(test: TestSet, draws: np.ndarray) -> pd.DataFrame:
    """ROC curves `model, false_positive_rate, true_positive_rate`; classes, repeats averaged."""
    return _curves(test, _roc_of, ROC_GRID, "false_positive_rate", "true_positive_rate")


def precision_recall(test: TestSet, draws: np.ndarray) -> pd.DataFrame:
    """Precision-recall curves `model, recall, precision`; classes and repeats averaged."""
    return _curves(test, _precision_recall_of, GRID, "recall", "precision")


def calibration(test: TestSet, draws: np.ndarray) -> pd.DataFrame:
    """Reliability `model, predicted, observed, count` in ten bins of equal width.

    Of the positive class in a binary task, else of the most probable class.
    """
    tables = []
    for model, repeats in test.models.items():
        rows = pd.concat(pd.DataFrame(_certainty(part)) for part in repeats)
        place = (rows["predicted"] * CALIBRATION_BINS).astype(int).clip(upper=CALIBRATION_BINS - 1)
        weighted = rows[["predicted", "observed"]].mul(rows["weight"], axis=0)
        bins = weighted.assign(weight=rows["weight"], count=1).groupby(place.to_numpy()).sum()
        bins = bins[bins["weight"] > 0]
        means = bins[["predicted", "observed"]].div(bins["weight"], axis=0)
        tables.append(means.assign(count=bins["count"], model=model))
    return pd.concat(tables)[["model", "predicted", "observed", "count"]].reset_index(drop=True)


def confusion(test: TestSet, draws: np.ndarray) -> pd.DataFrame:
    """Counts `observed, predicted, count` of the task's model for each pair of classes."""
    size = len(test.outputs)
    counts = np.zeros((size, size), dtype=int)
    for part in test.models["model"]:
        np.add.at(counts, (part.y, part.call), 1)
    table = pd.DataFrame(counts, pd.Index(test.outputs, name="observed"), test.outputs)
    return table.melt(ignore_index=False, var_name="predicted", value_name="count").reset_index()


def per_class(test: TestSet, draws: np.ndarray) -> pd.DataFrame:
    """`model, class, n, metric, value, low, high`: recall, precision, F1 of each class."""
    few = draws[:, : 1 + DISTANCE_RESAMPLES].astype(float)
    tables = []
    for model, repeats in test.models.items():
        for k, name in enumerate(test.outputs):
            true, called, hit = np.mean([_counts(part, k, few) for part in repeats], axis=0)
            with np.errstate(divide="ignore", invalid="ignore"):
                values = {"recall": hit / true, "precision": hit / called}
                values["f1"] = 2 * hit / (true + called)
            place = {"model": model, "class": name, "n": int(true[0])}
            rows = [(part, part.y == k, part.call == k) for part in repeats]
            groups = {  # of the rows that decide each
                "recall": groups_of([part[true] for part, true, _ in rows]),
                "precision": groups_of([part[called] for part, _, called in rows]),
                "f1": groups_of([part[true | called] for part, true, called in rows]),
            }
            tables += [
                {**place, "metric": m, **interval(v, groups[m], Metric(m, m))}
                for m, v in values.items()
            ]
    return pd.DataFrame(tables)


def _counts(part: HeldOut, k: int, draws: np.ndarray) -> np.ndarray:
    """Rows drawn that are of class k, called so, and both, (3, B)."""
    is_class, called = part.y == k, part.call == k
    groups = len(draws)
    kinds = (is_class, called, is_class & called)
    return np.stack([np.bincount(part.group[rows], minlength=groups) @ draws for rows in kinds])


def strata(
    test: TestSet,
    parts: Callable[[HeldOut], Strata],
    kind: Kind,
    draws: np.ndarray,
) -> pd.DataFrame:
    """`model, class, n, metric, value, low, high` of the parts that a kind knows of its rows."""
    few = draws[:, : 1 + DISTANCE_RESAMPLES]
    tables = []
    for model, repeats in test.models.items():
        parted = [parts(rows) for rows in repeats]
        for name, (_, metrics) in parted[0].items():
            inside = [rows[part[name][0]] for rows, part in zip(repeats, parted, strict=True)]
            inside = [rows for rows in inside if len(rows.y)]
            scores = drawn_scores(inside, kind, few) if inside else {}
            place = {
                "model": model,
                "class": name,
                "n": sum(len(rows.y) for rows in inside) // len(repeats),
            }
            for metric in metrics if scores else ():
                found = interval(scores[metric], groups_of(inside), kind.metric(metric))
                tables.append({**place, "metric": metric, **found})
    return pd.DataFrame(tables)


def predicted_observed(test: TestSet, draws: np.ndarray) -> pd.DataFrame:
    """Counts `predicted, observed, count` on a grid of cells, given by their centres."""
    parts = test.models["model"]
    predicted = np.concatenate([part.call for part in parts])
    observed = np.concatenate([part.y for part in parts])
    counts, x, y = np.histogram2d(predicted, observed, bins=DENSITY_BINS)
    i, j = np.nonzero(counts)
    centres = {"predicted": (x[:-1] + x[1:])[i] / 2, "observed": (y[:-1] + y[1:])[j] / 2}
    return pd.DataFrame(centres).assign(count=counts[i, j].astype(int))


def per_target(test: TestSet, draws: np.ndarray) -> pd.DataFrame:
    """`model, target, n, spearman, pearson, r2, rmse, mae` of each target, repeats averaged."""
    tables = []
    for model, repeats in test.models.items():
        scores = [target_scores(p.y, p.call, np.ones((len(p.y), 1))) for p in repeats]
        means = {name: np.mean([s[name][:, 0] for s in scores], axis=0) for name in scores[0]}
        n = np.isfinite(repeats[0].y).sum(axis=0)
        tables.append(pd.DataFrame({"model": model, "target": test.outputs, "n": n, **means}))
    return pd.concat(tables, ignore_index=True)


def per_label(test: TestSet, draws: np.ndarray) -> pd.DataFrame:
    """`model, target, n` and the scores of two classes of each label, repeats averaged."""
    tables = []
    for model, repeats in test.models.items():
        scores = [label_scores(p.y, p.call, p.p, np.ones((len(p.y), 1))) for p in repeats]
        means = {name: np.mean([s[name][:, 0] for s in scores], axis=0) for name in scores[0]}
        n = np.isfinite(repeats[0].y).sum(axis=0)
        tables.append(pd.DataFrame({"model": model, "target": test.outputs, "n": n, **means}))
    return pd.concat(tables, ignore_index=True)


PLOTS: dict[str, Callable[[TestSet, np.ndarray], pd.DataFrame]] = {
    "roc": roc,
    "pr": precision_recall,
    "calibration": calibration,
    "confusion": confusion,
    "per_class": per_class,
    "predicted_observed": predicted_observed,
    "per_target": per_target,
    "per_label": per_label,
    "survival_groups": survival_groups,
    "risk_calibration": risk_calibration,
}
"""Plot tables of test rows and draws of their groups, by the names that kinds list."""


def metric_by_distance(
    test: TestSet, kind: Kind, primary: str, draws: np.ndarray, nearest: pd.DataFrame
) -> pd.DataFrame:
    """The primary metric in bins of similarity to the nearest training row.

    Columns `model, similarity (mean), from, to, n, metric, value, low, high`. Bins hold equal
    numbers of test rows; one where the metric is not defined has no value.
    """
    key = ["repeat", "fold", "sample_id"]
    similarity = nearest.set_index(key)["similarity"]
    edges = np.unique(np.quantile(similarity, np.linspace(0, 1, _bins(len(similarity)) + 1)))
    few = draws[:, : 1 + DISTANCE_RESAMPLES]
    tables = []
    for model, repeats in test.models.items():
        values = [similarity.reindex(part.keys()).to_numpy() for part in repeats]
        bins = [np.searchsorted(edges[1:-1], v, side="right") for v in values]
        for b in range(max(len(edges) - 1, 1)):
            inside = [part[i == b] for part, i in zip(repeats, bins, strict=True)]
            near = np.concatenate([v[i == b] for v, i in zip(values, bins, strict=True)])
            inside = [part for part in inside if len(part.y)]
            if not inside:  # of many rows that are equally similar
                continue
            drawn = drawn_scores(inside, kind, few)[primary]
            score = interval(drawn, groups_of(inside), kind.metric(primary))
            place = {"similarity": near.mean(), "from": near.min(), "to": near.max()}
            n = len(near) // len(repeats)
            tables.append({"model": model, **place, "n": n, "metric": primary, **score})
    return pd.DataFrame(tables)


def _bins(rows: int) -> int:
    return max(1, min(DISTANCE_BINS, rows // SMALL_BIN))


def _certainty(part: HeldOut) -> dict[str, np.ndarray]:
    weight = np.ones(len(part.y)) if part.weight is None else part.weight
    if part.p.shape[1] == 2:
        return {"predicted": part.p[:, 1], "observed": part.y, "weight": weight}
    right = part.p.argmax(axis=1) == part.y
    return {"predicted": part.p.max(axis=1), "observed": right, "weight": weight}


def _curves(
    test: TestSet,
    curve: Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray],
    grid: np.ndarray,
    x: str,
    y: str,
) -> pd.DataFrame:
    """One curve a model on a common grid, averaged at equal x over repeats and classes."""
    classes = [1] if len(test.outputs) == 2 else range(len(test.outputs))
    tables = []
    for model, repeats in test.models.items():
        heights = [
            curve(part.y == k, part.p[:, k], part.weight)
            for part in repeats
            for k in classes
            if 0 < (part.y == k).sum() < len(part.y)
        ]
        if heights:
            height = np.mean(heights, axis=0)
            tables.append(pd.DataFrame({"model": model, x: grid, y: height}))
    return pd.concat(tables) if tables else pd.DataFrame(columns=["model", x, y])


def _roc_of(y: np.ndarray, score: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(y, score, sample_weight=weight, drop_intermediate=False)
    end_of_step = np.append(np.diff(false) > 0, True)
    return np.append(0.0, np.interp(GRID, false[end_of_step], true[end_of_step]))


def _precision_recall_of(y: np.ndarray, score: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Precision at the first threshold that reaches a recall (the steps of average precision)."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(y, score, sample_weight=weight)
    precision, recall = precision[::-1][1:], recall[::-1][1:]
    return precision[np.searchsorted(recall, GRID)]
