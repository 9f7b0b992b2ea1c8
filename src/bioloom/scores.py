"""The metrics, each computed for many weightings of the test rows at once.

A bootstrap resample is a column of row weights, `weights (N, B)`: how often each row was drawn,
times how much it counts. So 500 resamples are a few matrix products and cumulative sums; a column
of ones is the plain score. Every function returns `{metric: (B,)}` and equals scikit-learn or SciPy
on the rows repeated as the weights say; NaN where the drawn rows do not define the metric.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Scores = dict[str, np.ndarray]

ECE_BINS = 10
CLASSIFICATION = (
    "accuracy", "recall", "precision", "f1", "auroc", "auprc", "mcc", "brier", "ece", "log_loss",
)  # fmt: skip
REGRESSION = ("spearman", "pearson", "r2", "rmse", "mae")
HIGH_CALL = ("call_accuracy", "call_recall", "call_precision", "call_f1", "call_auroc")
PAIR_SCORES = (
    "contacts_long_l5",
    "contacts_long_l2",
    "contacts_long_l",
    "contacts_medium_l5",
    "contacts_medium_l2",
    "contacts_medium_l",
    "contacts_short_l5",
    "contacts_short_l2",
    "contacts_short_l",
    "distance_mae",
    "lddt",
    "tm_score",
)
MULTIREGRESSION = ("spearman_median", "pearson_median", "r2_median", "rmse_median", "r2_pooled")
# Means over the values of a column, such as regulators (`bioloom.link_scores`).
MACRO_METRICS = (
    "auroc_macro",
    "auprc_macro",
    "auprc_ratio_macro",
    "early_precision_macro",
    "early_precision_ratio_macro",
)
METRICS = {
    "classification": CLASSIFICATION,
    "per_residue": ("sov", *(name for name in CLASSIFICATION if name not in ("auroc", "auprc"))),
    "per_pair": PAIR_SCORES,
    "regression": (*REGRESSION, *HIGH_CALL),
    "multiregression": MULTIREGRESSION,
}
"""The names of the scores, by the `task` of an application; of pairs by their kind."""
LOWER_IS_BETTER = {
    "brier", "ece", "log_loss", "rmse", "mae", "rmse_median", "set_size", "distance_mae",
}  # fmt: skip


def binary_scores(y: np.ndarray, call: np.ndarray, p: np.ndarray, weights: np.ndarray) -> Scores:
    """Scores of two classes, 1 the positive one: `y`, `call (N,)` in {0, 1}, `p (N, 2)`."""
    n = weights.sum(axis=0)
    positive, called, hit = y @ weights, call @ weights, (y * call) @ weights
    negative, missed, false = n - positive, positive - hit, called - hit
    root = np.sqrt(positive * negative * called * (n - called))
    mcc = np.where(root > 0, _ratio(hit * (negative - false) - false * missed, root), 0.0)
    auroc, auprc = _ranking(y, p[:, 1], weights)
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
    precision = np.where(called > 0, _ratio(hit, called), np.where(positive > 0, 0.0, np.nan))
    return {
        "accuracy": (n - positive - called + 2 * hit) / n,
        "recall": _ratio(hit, positive),
        "precision": precision,
        "f1": np.where(positive > 0, _ratio(2 * hit, positive + called), np.nan),
    }


def high_call_scores(
    y: np.ndarray, prediction: np.ndarray, threshold: np.ndarray, weights: np.ndarray
) -> Scores:
    """Scores of calling a value high: `y`, `prediction`, `threshold (N,)`; names as `call_f1`."""
    high, call = (y > threshold).astype(float), (prediction > threshold).astype(float)
    counts = (weights.sum(axis=0), high @ weights, call @ weights, (high * call) @ weights)
    auroc, _ = _ranking(high, prediction - threshold, weights)
    scores = _call_scores(*counts) | {"auroc": auroc}
    return {name: scores[name.removeprefix("call_")] for name in HIGH_CALL}


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
    ranking = [_ranking((y == k).astype(float), p[:, k], weights) for k in range(p.shape[1])]
    areas, averages = (_macro(np.array(values), present) for values in zip(*ranking, strict=True))
    scores = per_residue_scores(y, call, p, weights)
    scores["auroc"] = np.where(several, areas, np.nan)
    scores["auprc"] = np.where(several, averages, np.nan)
    return scores


def per_residue_scores(
    y: np.ndarray, call: np.ndarray, p: np.ndarray, weights: np.ndarray
) -> Scores:
    """Scores of K classes as in `multiclass_scores`, but for those of the ranking.

    Accuracy over three states is Q3, over eight Q8.
    """
    n = weights.sum(axis=0)
    truth = np.eye(p.shape[1])[y]
    calls = np.eye(p.shape[1])[call]
    true, called, hit = (m.T @ weights for m in (truth, calls, truth * calls))
    present = true > 0
    several = present.sum(axis=0) > 1
    root = np.sqrt((n**2 - (called**2).sum(axis=0)) * (n**2 - (true**2).sum(axis=0)))
    mcc = _ratio(hit.sum(axis=0) * n - (true * called).sum(axis=0), root)
    return {
        "accuracy": hit.sum(axis=0) / n,
        "recall": _macro(_ratio(hit, true), present),
        "precision": _macro(np.where(called > 0, _ratio(hit, called), 0.0), present),
        "f1": _macro(_ratio(2 * hit, true + called), present),
        "mcc": np.where(several, np.where(root > 0, mcc, 0.0), np.nan),
        "brier": ((p - truth) ** 2).sum(axis=1) @ weights / n,
        "ece": _calibration_error(y == p.argmax(axis=1), p.max(axis=1), weights),
        "log_loss": _surprise(y, p) @ weights / n,
    }


def regression_scores(
    y: np.ndarray, prediction: np.ndarray, p: np.ndarray, weights: np.ndarray
) -> Scores:
    """Scores of one number a row: `y`, `prediction (N,)`; `p` is not used.

    A constant prediction correlates 0 with anything; a constant truth leaves NaN.
    """
    if not len(y):
        return dict.fromkeys(REGRESSION, np.full(weights.shape[1], np.nan))
    n = weights.sum(axis=0)
    error = prediction - y
    squared = error**2 @ weights
    spread = (y - y.mean()) ** 2 @ weights - ((y - y.mean()) @ weights) ** 2 / n
    return {
        "spearman": _spearman(y, prediction, weights),
        "pearson": _pearson(y, prediction, weights),
        "r2": 1 - _ratio(squared, np.where(spread > 1e-12 * n * y.var(), spread, 0.0)),
        "rmse": np.sqrt(squared / n),
        "mae": np.abs(error) @ weights / n,
    }


def multiregression_scores(
    y: np.ndarray, prediction: np.ndarray, p: np.ndarray, weights: np.ndarray
) -> Scores:
    """Scores of T targets: `y`, `prediction (N, T)`, NaN in `y` where not measured.

    Each target is scored alone, which takes its mean out, and the median over targets is
    reported. `r2_pooled` puts all targets in one sum, where the targets' means count as
    explained: it is mostly the difference between targets and no measure of the model.
    """
    per_target = target_scores(y, prediction, weights)
    names = ("spearman", "pearson", "r2", "rmse")
    medians = {f"{name}_median": _nanmedian(per_target[name]) for name in names}
    measured = np.isfinite(y)
    centred = np.where(measured, y - y[measured].mean(), 0.0)
    n = measured.sum(axis=1) @ weights
    spread = (centred**2).sum(axis=1) @ weights - (centred.sum(axis=1) @ weights) ** 2 / n
    squared = np.where(measured, (prediction - y) ** 2, 0.0).sum(axis=1) @ weights
    return medians | {"r2_pooled": 1 - _ratio(squared, spread)}


def target_scores(y: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> Scores:
    """The regression scores of each target by itself, `{metric: (T, B)}`."""
    columns = []
    for truth, said in zip(y.T, prediction.T, strict=True):
        rows = np.isfinite(truth)
        columns.append(regression_scores(truth[rows], said[rows], said[:0], weights[rows]))
    return {name: np.array([column[name] for column in columns]) for name in columns[0]}


def reach(
    y: np.ndarray, call: np.ndarray, p: np.ndarray, quantile: np.ndarray, weights: np.ndarray
) -> Scores:
    """How often the prediction set or interval holds the truth, and how wide it is.

    Conformal, from the `quantile` fitted on valid rows: a class is in the set where 1 - p is at
    most that; an interval is the value +- that. Nothing where no quantile was given.
    """
    if np.isnan(quantile).all():
        return {}
    if p.shape[1]:
        held = 1 - p <= quantile[:, None]
        width = {"set_size": held.sum(axis=1) @ weights / weights.sum(axis=0)}
        return {"coverage": held[np.arange(len(y)), y] @ weights / weights.sum(axis=0)} | width
    known = np.isfinite(y).reshape(len(y), -1)
    inside = (np.abs(call - y) <= quantile).reshape(len(y), -1) & known
    return {"coverage": inside.sum(axis=1) @ weights / (known.sum(axis=1) @ weights)}


def per_pair_scores(y: np.ndarray, call: np.ndarray, p: np.ndarray, weights: np.ndarray) -> Scores:
    """Means over chains of the scores that each has by itself, `call (N, scores)`.

    In the order of PAIR_SCORES; a chain that does not define one is left out of its mean.
    """
    means = {}
    for name, column in zip(PAIR_SCORES, call.T, strict=True):
        known = np.isfinite(column)
        means[name] = _ratio(column[known] @ weights[known], weights[known].sum(axis=0))
    return means


SCORES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Scores]] = {
    "binary": binary_scores,
    "multiclass": multiclass_scores,
    "regression": regression_scores,
    "multiregression": multiregression_scores,
    "per_residue": per_residue_scores,
    "per_pair": per_pair_scores,
}


def _ranking(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """(AUROC, average precision) of a score, equal scores taken as one step of the curve."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
    drawn, truth = weights[order], y[order].astype(bool)
    gained = np.add.reduceat(drawn * truth[:, None], starts, axis=0)
    false = np.add.reduceat(drawn, starts, axis=0) - gained
    hits, alarms = np.cumsum(gained, axis=0), np.cumsum(false, axis=0)
    area = (false * (hits - gained / 2)).sum(axis=0)
    precision = np.divide(hits, hits + alarms, out=np.zeros_like(hits), where=hits > 0)
    positive, negative = hits[-1], alarms[-1]
    average = _ratio((gained * precision).sum(axis=0), positive)
    return _ratio(area, positive * negative), average


def _spearman(y: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    (x, xx), (z, zz) = _centred_ranks(y, weights), _centred_ranks(prediction, weights)
    return _correlation(xx, zz, np.einsum("nb,nb,nb->b", weights, x, z))


def _centred_ranks(x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mid-ranks of x among the drawn rows minus their mean, (N, B), and their sum of squares."""
    order = np.argsort(x, kind="stable")
    first = np.diff(x[order], prepend=-np.inf) > 0
    drawn = weights[order]
    if not first.all():
        drawn = np.add.reduceat(drawn, np.flatnonzero(first), axis=0)
    ranks = np.cumsum(drawn, axis=0) - drawn / 2 - drawn.sum(axis=0) / 2
    group = np.empty(len(x), dtype=np.int64)
    group[order] = np.cumsum(first) - 1
    return ranks[group], np.einsum("nb,nb,nb->b", drawn, ranks, ranks)


def _pearson(y: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    x, z, n = _standard(y), _standard(prediction), weights.sum(axis=0)
    mean_x, mean_z, xx, zz, xz = np.stack([x, z, x * x, z * z, x * z]) @ weights / n
    # What is left of a constant after subtracting its mean is rounding, not variation.
    spread_x, spread_z = (np.where(v > 1e-12, v, 0.0) for v in (xx - mean_x**2, zz - mean_z**2))
    return _correlation(spread_x, spread_z, xz - mean_x * mean_z)


def _correlation(xx: np.ndarray, zz: np.ndarray, xz: np.ndarray) -> np.ndarray:
    """Give xz / sqrt(xx zz): 0 for a constant prediction z, NaN for a constant truth x."""
    return np.where(xx > 0, np.where(zz > 0, _ratio(xz, np.sqrt(xx * zz)), 0.0), np.nan)


def _standard(x: np.ndarray) -> np.ndarray:
    """Centre x and give it deviation 1; a constant becomes zeros."""
    centred = x - x.mean()
    deviation = centred.std()
    return centred / deviation if deviation > 1e-12 * np.abs(x).max() else np.zeros_like(x)


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


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.full(np.shape(b), np.nan), where=b > 0)


def _macro(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Mean over the classes present, (K, B) -> (B,)."""
    return np.where(present, values, 0.0).sum(axis=0) / present.sum(axis=0)


def _nanmedian(values: np.ndarray) -> np.ndarray:
    """Median over rows without NaN; a column of NaN alone stays NaN, without a warning."""
    rows = np.isfinite(values)
    filled = np.where(rows.any(axis=0), values, 0.0)
    return np.where(rows.any(axis=0), np.nanmedian(filled, axis=0), np.nan)
