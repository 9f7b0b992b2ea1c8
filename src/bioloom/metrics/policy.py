"""Scores of a policy that says which of several arms a patient gets; see `bioloom.metrics`.

N patients, K arms. A policy is a matrix (N, K) of the probability with which it gives each arm: one
1 a row where it recommends one. `arm (N,)` is the code of the arm that a patient got, `propensity
(N,)` the probability of that arm. A patient counts by `ratio (N,)`, how much likelier the policy
gives that arm than it was given (Horvitz and Thompson 1952), times how much its outcome stands for
those that are not known (0 where it is not known itself).
"""

from __future__ import annotations

import numpy as np

from bioloom.metrics import Metric, Scores
from bioloom.metrics._weighted import beyond_rounding, macro_mean, ranking, ratio

METRICS = (
    Metric("gain", "Gain over the best arm for all (doubly robust)", bounded=False, short="Gain"),
    Metric("gain_ipw", "Gain over the best arm for all (inverse probability)", bounded=False),
    Metric("gain_random", "Gain over random arms (doubly robust)", bounded=False),
    Metric("value", "Value of the policy (doubly robust)", bounded=False, ordered=False),
    Metric("value_ipw", "Value of the policy (inverse probability)", bounded=False, ordered=False),
    Metric("best_arm", "Best arm for all (doubly robust)", bounded=False, ordered=False),
    Metric("best_arm_ipw", "Best arm for all (inverse probability)", bounded=False, ordered=False),
    Metric("random", "Random arms (doubly robust)", bounded=False, ordered=False),
    Metric("random_ipw", "Random arms (inverse probability)", bounded=False, ordered=False),
    Metric("followed", "Share of patients who got what the policy says", ordered=False),
    Metric("auroc_in_arms", "AUROC of the outcome, mean over arms"),
    Metric("brier", "Brier score", lower_is_better=True),
    Metric("r2_in_arms", "R² of the outcome, mean over arms"),
    Metric("rmse", "RMSE", lower_is_better=True, bounded=False),
)

NORMAL = 1.959964
"""The normal quantile of a 95 % interval."""


def ratios(policy: np.ndarray, arm: np.ndarray, propensity: np.ndarray) -> np.ndarray:
    """How much likelier the policy gives each patient's arm than it was given, (N,)."""
    return policy[np.arange(len(arm)), arm] / propensity


def self_normalised_value(y: np.ndarray, ratio_of: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean outcome by ratio (Hajek 1971), (B,); NaN where nobody followed.

    Over the sum of the ratios, not over N: a value would else grow with chance many followers.
    """
    return ratio((ratio_of * y) @ weights, ratio_of @ weights)


def doubly_robust(
    y: np.ndarray, q: np.ndarray, policy: np.ndarray, arm: np.ndarray, ratio_of: np.ndarray
) -> np.ndarray:
    """What each patient adds to the policy's value, (N,); their mean is the value.

    `q (N, K)` are outcomes that a model expects, which has not seen these patients. Right on
    average where q or the probabilities are (Robins, Rotnitzky and Zhao 1994; Dudik et al. 2011).
    """
    received = q[np.arange(len(arm)), arm]
    return (policy * q).sum(axis=1) + ratio_of * (y - received)


def self_normalised_terms(y: np.ndarray, ratio_of: np.ndarray) -> np.ndarray:
    """The same of the self-normalised value, (N,): its linear part (Hajek 1971)."""
    value = self_normalised_value(y, ratio_of, np.ones((len(y), 1)))[0]
    return value + ratio_of * (y - value) / ratio_of.mean()


def normal_interval(terms: np.ndarray, group: np.ndarray) -> tuple[float, float, float]:
    """The mean of terms (N,), and its 95 % interval where groups (N,), not rows, are independent.

    With a group a row it is the mean and 1.96 standard errors, by n - 1.
    """
    value, n = terms.mean(), len(np.unique(group))
    if n < 2:
        return float(value), float("nan"), float("nan")
    sums = np.bincount(np.unique(group, return_inverse=True)[1], terms - value)
    reach = NORMAL * np.sqrt((sums**2).sum() * n / (n - 1)) / len(terms)
    return float(value), float(value - reach), float(value + reach)


def value_bounds(value: float, share: float, low: float, high: float) -> tuple[float, float]:
    """Between which a policy's value over all patients lies that is known for a `share` of them.

    `low, high` are the worst and the best outcome (Manski 1990).
    """
    return share * value + (1 - share) * low, share * value + (1 - share) * high


def policy_scores(
    y: np.ndarray,
    q: np.ndarray,
    policies: dict[str, np.ndarray],
    arm: np.ndarray,
    propensity: np.ndarray,
    known: np.ndarray,
    sign: float,
    weights: np.ndarray,
) -> Scores:
    """Values of the `policies` value, best_arm and random, and what the first gains; (B,) each.

    `y (N,)` is anything where `known (N,)`, by how much an outcome counts, is 0. `sign` is 1 where
    a large outcome is good and -1 where it is bad: a gain above 0 is always good.
    """
    n = weights.sum(axis=0)
    terms, scores = {}, Scores()
    for name, policy in policies.items():
        ratio_of = ratios(policy, arm, propensity) * known
        terms[name] = doubly_robust(y, q, policy, arm, ratio_of)
        scores[name] = ratio(terms[name] @ weights, n)
        scores[f"{name}_ipw"] = self_normalised_value(y, ratio_of, weights)
    gains = {
        "gain": ratio(sign * (terms["value"] - terms["best_arm"]) @ weights, n),
        "gain_ipw": sign * (scores["value_ipw"] - scores["best_arm_ipw"]),
        "gain_random": ratio(sign * (terms["value"] - terms["random"]) @ weights, n),
    }
    followed = policies["value"][np.arange(len(arm)), arm]
    return gains | scores | {"followed": ratio(followed @ weights, n)}


def outcome_scores(
    y: np.ndarray,
    q: np.ndarray,
    arm: np.ndarray,
    known: np.ndarray,
    weights: np.ndarray,
    *,
    binary: bool,
) -> Scores:
    """How well outcomes are told within the arm that was given, whose means are no merit.

    AUROC and Brier score where outcomes are 0 and 1 (`binary`, also of rows that have but these),
    else R² and RMSE.
    """
    weights = weights * known[:, None]
    said = q[np.arange(len(arm)), arm]
    squared = (y - said) ** 2
    mean = ratio(squared @ weights, weights.sum(axis=0))
    inside = np.array(
        [
            ranking(y[rows], said[rows], weights[rows])[0]
            if binary
            else _r2(y[rows], squared[rows], weights[rows])
            for rows in (arm == code for code in np.unique(arm))
        ]
    )
    with np.errstate(invalid="ignore"):
        in_arms = macro_mean(np.nan_to_num(inside), np.isfinite(inside))
    if binary:
        return {"auroc_in_arms": in_arms, "brier": mean}
    return {"r2_in_arms": in_arms, "rmse": np.sqrt(mean)}


def _r2(y: np.ndarray, squared: np.ndarray, weights: np.ndarray) -> np.ndarray:
    centred = y - y.mean()
    n = weights.sum(axis=0)
    spread = centred**2 @ weights - ratio((centred @ weights) ** 2, n)
    return 1 - ratio(squared @ weights, beyond_rounding(spread, n, y))
