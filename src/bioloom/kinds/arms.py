"""The outcome that a patient would have with each of several arms, and what to give by that.

A model answers with the expected outcome of each arm, learnt from the patients who got it. The
policy gives each patient the arm with the best one among those that no rule excludes. What it is
worth is measured on patients who happened to get what it says, against the one arm for all that was
best in the training rows: a recommendation that is no better than that is none.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.kinds import Calibration, Given, Labels, Learnt, targets, value
from bioloom.kinds._assignment import (
    Support,
    arm_codes,
    is_observed,
    outcomes,
    partition_facts,
    sign_of,
)
from bioloom.kinds._calibration import COVERAGE
from bioloom.kinds._policies import ASSOCIATION, EQUAL, score, test_set
from bioloom.metrics import policy
from bioloom.samples import TIME
from bioloom.samples.arms import ARM, HORIZON, MOST_NAMED, excluded, known_words, named

KEYS = ["sample_id", "option"]
FEWEST_OF_LINE = 8
"""Validation rows of an arm below which they do not tell how far its predictions may be off."""
NONE_LEFT = "every option is excluded"


def fits(samples: pd.DataFrame) -> bool:
    """Whether samples say which arm a patient got."""
    return ARM in samples


def outputs(samples: pd.DataFrame, positive: str | None) -> list[str]:
    """The arms; DataError where there is but one, or as many as of another column."""
    sizes = samples[ARM].value_counts()
    if len(sizes) < 2:
        raise DataError(f"All patients got {named(sizes)}", column=ARM, hint="two arms are needed")
    if len(sizes) > MOST_NAMED:
        raise DataError(
            f"{len(sizes)} different values are no arms, of which there are at most {MOST_NAMED}",
            column=ARM,
            hint="name the column of the treatment as `columns: {arm: ...}`",
        )
    return sorted(map(str, sizes.index))


def encode(samples: pd.DataFrame, arms: list[str]) -> np.ndarray:
    """The outcome in the column of the arm that was given, (N, K); NaN elsewhere."""
    y = np.full((len(samples), len(arms)), np.nan)
    y[np.arange(len(samples)), arm_codes(samples, arms)] = outcomes(samples)
    return y


def weighted(labels: Labels, samples: pd.DataFrame, train: np.ndarray) -> Labels:
    """The labels, each row weighted by how much its outcome counts.

    Those that are not known count nothing, others stand for them. Where arms were not randomised a
    row also counts by one over the estimated probability of its arm.
    """
    facts = partition_facts(samples, train)
    weight = facts["known"].to_numpy()
    if is_observed(samples):
        weight = weight * (facts["supported"] / facts["propensity"]).to_numpy()
    return replace(labels, weight=weight)


def rows(samples: pd.DataFrame, arms: list[str]) -> pd.DataFrame:
    """`sample_id, option`, all options of a patient together."""
    return unanswered(samples["sample_id"].to_numpy(), arms)


def unanswered(ids: np.ndarray, arms: list[str]) -> pd.DataFrame:
    """A row a patient and option."""
    return targets.unanswered(ids, arms).rename(columns={"target": "option"})


def calibrate(raw: np.ndarray, y: np.ndarray, labels: Labels, learnt: Learnt) -> Calibration:
    """For each arm the ends of outcomes, and a line through the errors of its valid rows.

    `lines` has for each arm `low, high` (0 and 1 of yes and no, else without end), the `middle` of
    its predictions, and what `_line` gives.
    """
    seen = learnt.y[np.isfinite(learnt.y)]
    ends = (0.0, 1.0) if np.isin(seen, (0, 1)).all() else (-np.inf, np.inf)
    weight = np.ones(len(y)) if labels.weight is None else labels.weight
    lines = []
    for said, true in zip(np.clip(raw, *ends).T, y.T, strict=True):
        known = np.isfinite(true) & (weight > 0)
        lines.append([*ends, *_line(said[known], (true - said)[known], weight[known])])
    return Calibration(lines=lines)


def _line(x: np.ndarray, error: np.ndarray, weight: np.ndarray) -> list[float]:
    """Weighted least squares of the errors on x: `middle` of x, offset, slope, factor, covariance.

    The covariance (three numbers) is that of offset and slope where errors differ in spread (White
    1980); `factor` is the t quantile of the intervals. All but the middle are infinite where rows
    are too few.
    """
    from scipy.stats import t

    if len(x) < FEWEST_OF_LINE:
        return [0.0, 0.0, 0.0, float("inf"), 1.0, 0.0, 0.0]
    middle = float(np.average(x, weights=weight))
    design = np.column_stack([np.ones(len(x)), x - middle])
    inverse = np.linalg.pinv(design.T @ (design * weight[:, None]))
    offset, slope = inverse @ (design.T @ (weight * error))
    left = error - design @ (offset, slope)
    scores = design * (weight * left)[:, None]
    covariance = inverse @ (scores.T @ scores) @ inverse * len(x) / (len(x) - 2)
    factor = float(t.ppf((1 + COVERAGE) / 2, len(x) - 2))
    spread = [covariance[0, 0], covariance[0, 1], covariance[1, 1]]
    return [middle, float(offset), float(slope), factor, *map(float, spread)]


def scores(raw: np.ndarray, calibration: Calibration) -> np.ndarray:
    """The expected outcomes, within the ends that outcomes have, (N, K)."""
    if not calibration.lines:
        return raw
    low, high = np.array(calibration.lines)[:, :2].T
    return np.clip(raw, low, high)


def answer(expected: np.ndarray, arms: list[str], calibration: Calibration) -> pd.DataFrame:
    """`prediction, low, high` of each option of each patient.

    The interval is to hold, for 90 % of validation sets, the mean outcome of patients with such a
    prediction who got the arm; it is no interval for the outcome of one of them.
    """
    low, high, middle, offset, slope, factor, first, both, second = np.array(calibration.lines).T
    x = expected - middle
    variance = np.maximum(first + 2 * x * both + x**2 * second, 0.0)
    reach = np.where(variance > 0, factor * np.sqrt(variance), 0.0)
    centre = expected + offset + slope * x
    table = pd.DataFrame({"prediction": expected.ravel()})
    table["low"] = np.clip(np.minimum(expected, centre - reach), low, high).ravel()
    table["high"] = np.clip(np.maximum(expected, centre + reach), low, high).ravel()
    return table


def remember(samples: pd.DataFrame) -> dict[str, Any]:
    """What new patients are told of the training rows: what is good, and like whom arms lack.

    And which words rules met there: another one may be a rule's own, written otherwise.
    """
    observed, arms = is_observed(samples), sorted(samples[ARM].unique())
    facts = partition_facts(samples, np.ones(len(samples), dtype=bool))
    return {
        "good": "high" if sign_of(samples) > 0 else "low",
        "association": observed,
        "horizon": float(samples[HORIZON].iloc[0]) if TIME in samples else None,
        "support": asdict(Support.fit(samples, arms)) if observed else None,
        "typical": {arm: float(facts[f"typical.{arm}"].iloc[0]) for arm in arms},
        "words": known_words(samples),
    }


def finish(
    predictions: pd.DataFrame, samples: pd.DataFrame, remembered: dict[str, Any]
) -> pd.DataFrame:
    """Options ranked: `rank, recommended, excluded` beside the outcomes expected.

    A rule excludes an option whatever is expected of it: it has no rank. Nor has any option of a
    patient like whom hardly anybody, or nobody, got some arm: of such the evaluation says nothing.
    Where nothing is left, that is the reason to abstain. Of options that are as good for a patient
    but for rounding the one comes first that was best for the training rows, as in the evaluation.
    """
    if not {"typical", "words"} <= {*remembered}:
        hint = "train it again"
        raise DataError("A model of an older version does not say all of training", hint=hint)
    reasons = _by_rules(predictions, samples, {*remembered["words"]})
    lacks = pd.Series("", index=predictions.index)
    if remembered["support"] is not None and len(samples):
        why = pd.Series(Support(**remembered["support"]).lacks(samples), samples["sample_id"])
        lacks = predictions["sample_id"].map(why)
    each = predictions["sample_id"]
    free = (reasons == "") & (lacks == "")
    sign = 1.0 if remembered["good"] == "high" else -1.0
    good, usual = predictions["prediction"] * sign, pd.Series(remembered["typical"]) * sign
    steps = good / (EQUAL * (1 + good.abs().groupby(each).transform("max")))
    # Between two steps there is room for the order of all arms.
    place = (-usual).rank(method="first") / (1 + len(usual))
    order = steps.round() - predictions["option"].map(place).astype(float)
    ranks = order.where(free).groupby(each).rank(ascending=False, method="first")
    left = reasons.eq("").groupby(each).transform("any")
    doubts = [predictions["abstain"], lacks, pd.Series(NONE_LEFT, each.index).mask(left, "")]
    table = predictions.assign(
        excluded=reasons,
        rank=ranks,
        recommended=ranks == 1,
        abstain=["; ".join(filter(None, row)) for row in zip(*doubts, strict=True)],
    )
    if remembered["association"]:
        table = table.assign(meaning=ASSOCIATION)
    first = [*KEYS, "rank", "recommended", "excluded", "prediction", "low", "high"]
    return table[[*first, *(name for name in table if name not in first)]]


def _by_rules(
    predictions: pd.DataFrame, samples: pd.DataFrame, known: Collection[str]
) -> pd.Series:
    """Which rules exclude each option for its patient, in words; empty where none does."""
    arms = predictions["option"].unique()
    if not len(arms):
        return pd.Series(dtype=object, index=predictions.index)
    rules = {arm: excluded(samples, arm, known).to_numpy() for arm in arms}
    why = pd.DataFrame(rules, index=samples["sample_id"]).stack()
    found = why.reindex(pd.MultiIndex.from_frame(predictions[KEYS])).to_numpy()
    return pd.Series([rule and f"excluded by {rule}" for rule in found], predictions.index)


kind = replace(
    value.kind,
    name="arms",
    keys=("sample_id", "option"),
    fits=fits,
    outputs=outputs,
    encode=encode,
    rows=rows,
    unanswered=unanswered,
    calibrate=calibrate,
    scores=scores,
    answer=answer,
    test_set=test_set,
    score=score,
    given=Given(weighted, partition_facts, remember, finish),
    metrics=policy.METRICS,
    primary="gain",
    decisive="naive",
    plots=(),
    high_call=False,
)
