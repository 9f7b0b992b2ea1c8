"""What policies of arms are worth on tested patients: scores, tables, and what is odd with them.

A policy gives each patient one of the arms that no rule excludes. All is of patients who got some
arm with a known probability; who are like none of these count in nothing (`facts`: counted).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.kinds import HeldOut, TestSet
from bioloom.kinds._assignment import arm_codes, is_observed, outcomes, sign_of
from bioloom.kinds._rows import Truth, check_complete, join
from bioloom.metrics import Scores, policy
from bioloom.privacy.small_cells import FEW, count_shown
from bioloom.samples.arms import ARM, excluded

EQUAL = 1e-9
"""Outcomes that differ by less are equal but for rounding: the best arm for all is then taken."""
DOUBLY_ROBUST, SELF_NORMALISED, PLAIN = ESTIMATORS = ("doubly robust", "self-normalised", "plain")
LEFT = "the best arm that rules leave each patient"
ASSOCIATION = "an association, for treatment was not randomised"
MOST_TOLD = 3  # places where an arm was never given
BINS = 10


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """What all models say of patients whose arm and outcome are known, and what is odd with them.

    `test` also has the columns of `partition_facts`.
    """
    arms = [str(name) for name in held_out["option"].drop_duplicates()]
    joined = join(Truth(test, outcomes(test), arms), held_out, said)
    own = joined.models["model"]
    _check_counted(own)
    sizes = test.groupby(ARM)["sample_id"].nunique()
    best = _best_of_all(own, arms)
    against = f"{best} for all" if best else LEFT
    same = all((part.call == part.facts["best"])[part.facts["counted"]].all() for part in own)
    suffix = f": {ASSOCIATION}" if is_observed(test) else ""
    return replace(
        joined,
        tables={"policies": policy_table(own, arms, is_observed(test))}
        | ({"overlap": overlap(test, arms)} if is_observed(test) else {}),
        facts={
            "arms": {arm: count_shown(sizes.get(arm, 0)) for arm in arms},
            "best_arm": best or LEFT,
            "good": "high" if sign_of(test) > 0 else "low",
            "association": is_observed(test),
        },
        flags=_flags(test, own),
        verdicts={
            "better": f"better than {against}{suffix}",
            "equal": f"{'the same as' if same else 'no better than'} {against}{suffix}",
            "worse": f"worse than {against}{suffix}",
        },
    )


def _check_counted(parts: Sequence[HeldOut]) -> None:
    """Raise DataError where no tested patient is left of whom a policy can be valued."""
    if not any(part.facts["allowed"].any() for part in parts):
        raise DataError(
            "Rules exclude every option of every tested patient: no policy has a value",
            hint="see how many patients each rule excludes in quality.json, and mend the rules",
        )
    if not any(part.facts["counted"].any() for part in parts):
        raise DataError(
            "Each tested patient has no option left, or hardly anybody like it got some arm",
            hint="leave out columns whose values tell the arm (`clean: drop`), or arms",
        )


def said(table: pd.DataFrame, truth: Truth, model: str) -> dict[str, Any]:
    """Of one model `call (N,)`, the arm it gives (-1 where every arm is excluded), and facts.

    These are the outcomes `expected (N, K)`, those of `partition_facts` as arrays, the `arm`
    received, the one that is `best` for all (the next best where that is excluded), which are
    `allowed (N, K)`, and which rows are `counted`.
    """
    test, arms = truth.test, truth.outputs
    at = truth.places(table, model, several="option")
    expected = np.full((len(test), len(arms)), np.nan)
    place = pd.Index(arms).get_indexer(pd.Index(table["option"]))
    expected[at, place] = table["prediction"].to_numpy(float)
    check_complete(~np.isfinite(expected), model)
    sign = sign_of(test)
    allowed = np.column_stack([excluded(test, arm).eq("") for arm in arms])
    typical = test[[f"typical.{arm}" for arm in arms]].to_numpy(float)
    best = choose(sign * typical, allowed)
    facts = {
        "arm": arm_codes(test, arms),
        "best": best,
        "expected": expected,
        # Ranks pool the folds: a model that says the same of all patients of a fold must not rank.
        "levelled": truth.level(expected),
        "allowed": allowed,
        "counted": test["supported"].to_numpy(bool) & allowed.any(axis=1),
        "sign": np.full(len(test), sign),
        **{name: test[name].to_numpy(float) for name in ("binary", "known", "propensity")},
    }
    call = choose(sign * expected, allowed, best)
    return {"call": call, "facts": facts}


def choose(good: np.ndarray, allowed: np.ndarray, tied: np.ndarray | None = None) -> np.ndarray:
    """The allowed arm with the largest `good (N, K)`, (N,); -1 where none is allowed.

    Where the arm `tied (N,)` is as good but for rounding, it is that one.
    """
    masked = np.where(allowed, good, -np.inf)
    chosen = masked.argmax(axis=1)
    if tied is not None:
        row, scale = np.arange(len(good)), 1 + np.abs(good).max(axis=1, initial=0)
        near = masked[row, tied] >= masked.max(axis=1, initial=-np.inf) - EQUAL * scale
        chosen = np.where(near & (tied >= 0), tied, chosen)
    return np.where(allowed.any(axis=1), chosen, -1)


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """What the policy is worth, and how well outcomes are told; of `counted` rows alone."""
    counted = rows.facts["counted"]
    if not counted.any():
        return {m.name: np.full(weights.shape[1], np.nan) for m in policy.METRICS}
    own, weights = rows[counted], weights[counted]
    facts, y = own.facts, np.nan_to_num(own.y)
    binary = bool(facts["binary"][0])
    outcome = policy.outcome_scores(
        y, facts["levelled"], facts["arm"], facts["known"], weights, binary=binary
    )
    valued = policy.policy_scores(
        y,
        facts["expected"],
        policies(own),
        facts["arm"],
        facts["propensity"],
        facts["known"],
        float(facts["sign"][0]),
        weights,
    )
    return valued | outcome


def policies(rows: HeldOut) -> dict[str, np.ndarray]:
    """The policy of a model, the best arm for all, and arms at random, as matrices (N, K)."""
    allowed = rows.facts["allowed"].astype(float)
    one = np.eye(allowed.shape[1])
    random = allowed / allowed.sum(axis=1, keepdims=True)
    return {"value": one[rows.call], "best_arm": one[rows.facts["best"]], "random": random}


def policy_table(parts: Sequence[HeldOut], arms: list[str], association: bool) -> pd.DataFrame:
    """`policy, estimator, value, low, high, gain, gain_low, gain_high, followers, association`.

    Of the model's policy, random arms and each arm for all, where no rule excludes one; the gain is
    that over the best arm for all, above 0 where the policy is better. Intervals of 95 % are by the
    normal distribution over groups, all repeats together; `followers` are patients who got what the
    policy says, none of one to four.
    """
    own = [part[part.facts["counted"]] for part in parts]
    group = np.concatenate([part.group for part in own])
    if not len(group):
        return pd.DataFrame()
    sign = float(own[0].facts["sign"][0])
    named = {"recommended": "value", "best arm for all": "best_arm", "random arms": "random"}
    free = all(part.facts["allowed"].all() for part in own)
    rows = []
    for policy_name in [*named, *(f"{arm} for all" for arm in (arms if free else []))]:
        terms: dict[str, list[np.ndarray]] = {name: [] for name in ESTIMATORS}
        gains: dict[str, list[np.ndarray]] = {name: [] for name in ESTIMATORS}
        followers = []
        for part in own:
            known = policies(part)
            chosen = known.get(named.get(policy_name, ""), _for_all(part, policy_name, arms))
            best = _terms(part, known["best_arm"])
            for estimator, values in _terms(part, chosen).items():
                terms[estimator].append(values)
                gains[estimator].append(sign * (values - best[estimator]))
            followers.append(chosen[np.arange(len(part.y)), part.facts["arm"]].sum())
        for estimator in terms:
            value = policy.normal_interval(np.concatenate(terms[estimator]), group)
            gain = policy.normal_interval(np.concatenate(gains[estimator]), group)
            rows.append((policy_name, estimator, *value, *gain, count_shown(np.mean(followers))))
    ends = ["value", "low", "high", "gain", "gain_low", "gain_high"]
    table = pd.DataFrame(rows, columns=["policy", "estimator", *ends, "followers"])
    return table.assign(association=association)


def _terms(part: HeldOut, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """What each patient adds to a policy's value, (N,), by each estimator.

    The plain one, ratio times outcome, grows with chance many followers: it is told beside.
    """
    facts, y = part.facts, np.nan_to_num(part.y)
    ratio_of = policy.ratios(chosen, facts["arm"], facts["propensity"]) * facts["known"]
    robust = policy.doubly_robust(y, facts["expected"], chosen, facts["arm"], ratio_of)
    normalised = policy.self_normalised_terms(y, ratio_of)
    return {DOUBLY_ROBUST: robust, SELF_NORMALISED: normalised, PLAIN: ratio_of * y}


def _for_all(part: HeldOut, name: str, arms: list[str]) -> np.ndarray:
    """The policy that gives the arm of such a name to everyone."""
    return np.tile([float(name == f"{arm} for all") for arm in arms], (len(part.y), 1))


def _best_of_all(parts: Sequence[HeldOut], arms: list[str]) -> str:
    """The arm that is best for all in the training rows, in words: folds may differ.

    Empty where rules exclude some arm for each patient.
    """
    free = [part.facts["best"][part.facts["allowed"].all(axis=1)] for part in parts]
    names = [arms[code] for code in np.unique(np.concatenate(free))]
    if not names:
        return ""
    return names[0] if len(names) == 1 else f"the best arm ({' or '.join(names)}, by fold)"


def _flags(test: pd.DataFrame, parts: Sequence[HeldOut]) -> list[str]:
    """What a reader should know of outcomes and arms, in words; no count of one to four persons."""
    first = test[test["repeat"] == test["repeat"].min()]
    flags = []
    if is_observed(test):
        flags.append(
            "Treatment was not randomised: every figure here is an association, and what decided "
            "on treatment without being a column is in none of them"
        )
    lost = int(np.isnan(outcomes(first)).sum())
    if lost:
        flags.append(
            f"The outcome of {count_shown(lost)} of {len(first)} patients is not known at the "
            "horizon, for they were last seen before: others of their arm, who were followed "
            "longer, count for them"
        )
    without = int((~first["supported"].astype(bool)).sum())
    if without:
        flags.append(_bounds(first, parts[0], without))
    none = int((~parts[0].facts["allowed"].any(axis=1)).sum())
    if none:
        flags.append(
            f"Rules exclude every option of {count_shown(none)} patients: no value for them"
        )
    return flags


def _bounds(test: pd.DataFrame, part: HeldOut, without: int) -> str:
    """What is not known of patients like whom nobody got some arm, in words."""
    y, counted = part.y[np.isfinite(part.y)], part[part.facts["counted"]]
    ends = float(y.min()), float(y.max())
    # Of those counted the plain value: it is a mean over patients, of whom the others are the rest.
    terms = _terms(counted, policies(counted)["value"])[PLAIN] if len(counted.y) else np.zeros(1)
    share = part.facts["counted"].mean()
    low, high = policy.value_bounds(float(np.clip(terms.mean(), *ends)), share, *ends)
    counts = test.loc[~test["supported"].astype(bool), "gap"].value_counts()
    why = [f"{gap} ({count})" for gap, count in counts[counts >= FEW].head(MOST_TOLD).items()]
    told = f": {', '.join(why)}" if why else ""
    return (
        f"No value for {count_shown(without)} of {len(test)} patients, like whom hardly anybody "
        f"of training, or nobody, got some arm{told}; over all patients the plain estimate of the "
        f"policy's value lies between {low:.3f} and {high:.3f} ({ASSOCIATION})"
    )


def overlap(test: pd.DataFrame, arms: list[str]) -> pd.DataFrame:
    """`option, received, probability, count`: estimated probabilities of an arm by arm received.

    In bins of a tenth, given by their centres; none has fewer than five patients.
    """
    tables = []
    for arm in arms:
        bins = (test[f"propensity.{arm}"] * BINS).astype(int).clip(upper=BINS - 1)
        counts = test.groupby([test[ARM], bins])["sample_id"].nunique()
        found = counts[counts >= FEW].rename("count").reset_index()
        found = found.set_axis(["received", "probability", "count"], axis=1)
        tables.append(found.assign(option=arm, probability=(found["probability"] + 0.5) / BINS))
    return pd.concat(tables)[["option", "received", "probability", "count"]].reset_index(drop=True)
