"""What training rows tell of who got which arm, and of outcomes that are not known.

Nothing here looks at a model. A trial says with which probability it gave each arm; elsewhere that
is estimated from what was known of the patients, and only where each arm was given at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bioloom.arrays import Table
from bioloom.errors import DataError
from bioloom.metrics.survival import uncensored
from bioloom.samples import EVENT, TIME, feature_columns
from bioloom.samples.arms import ARM, HORIZON, OUTCOME, PROPENSITY, SIGN, option_columns
from bioloom.samples.columns import coded, is_number

FEW_VALUES = 10
"""Different values of a column up to which each value is looked at by itself."""
LEAST_PROPENSITY = 0.05
"""Where an arm has a smaller estimate there is no value: one patient would stand for more than
twenty (Crump et al. 2009 leave such patients out, too)."""
RARE = f"some arm had an estimated probability below {LEAST_PROPENSITY}"


def outcomes(samples: pd.DataFrame) -> np.ndarray:
    """The outcome of each patient, (N,): NaN where it is not known, as of the censored.

    Of times it is 1 where the event had not happened at the horizon, else 0.
    """
    if OUTCOME in samples:
        return samples[OUTCOME].to_numpy(float)
    time, horizon = (samples[name].to_numpy(float) for name in (TIME, HORIZON))
    happened = (samples[EVENT].to_numpy(float) == 1) & (time <= horizon)
    return np.where(happened, 0.0, np.where(time >= horizon, 1.0, np.nan))


def arm_codes(samples: pd.DataFrame, arms: list[str]) -> np.ndarray:
    """The place of each patient's arm among the arms, (N,)."""
    codes = pd.Index(arms).get_indexer(pd.Index(samples[ARM]))
    if (codes < 0).any():
        raise DataError(
            f"{(codes < 0).sum()} patients got an arm that training did not have", column=ARM
        )
    return codes


def is_observed(samples: pd.DataFrame) -> bool:
    """Whether nobody drew lots: what is said of such arms is an association."""
    return bool(samples[PROPENSITY].isna().any())


def known_weights(samples: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    """For how many patients each stands whose outcome is known, (N,); 0 where it is not.

    A known outcome stands for those of its arm that were lost before: 1 / G, of the training rows
    `train (N,) bool` of that arm (Robins and Rotnitzky 1992).
    """
    known = np.isfinite(outcomes(samples))
    if TIME not in samples:
        return known.astype(float)
    weights = np.zeros(len(samples))
    time, event = (samples[name].to_numpy(float) for name in (TIME, EVENT))
    until = np.minimum(time, samples[HORIZON].to_numpy(float))
    for name in samples[ARM].unique():
        rows = (samples[ARM] == name).to_numpy()
        fitted = rows & train
        y = np.column_stack([np.full(fitted.sum(), -np.inf), time[fitted], event[fitted]])
        still = uncensored(y, until[rows], before=True)
        if (known[rows] & (still <= 0)).any():
            raise DataError(
                f"No training patient with {name} is followed as long as one that is tested",
                hint="take a nearer `horizon`",
            )
        weights[rows] = known[rows] / np.where(still > 0, still, 1.0)
    return weights


@dataclass(frozen=True)
class Gap:
    """No training row with this value of a column got the arm."""

    column: str
    value: str
    arm: str

    def rows(self, samples: pd.DataFrame) -> np.ndarray:
        """Which samples have the value, (N,) bool."""
        return (_as_text(samples[self.column]) == self.value).to_numpy()

    @property
    def words(self) -> str:
        """What was never done, as a sentence has it."""
        return f"never given where {self.column} is {self.value or 'missing'}"


def gaps_of(samples: pd.DataFrame) -> list[Gap]:
    """Where an arm was never given, of training rows that were not randomised.

    Each value of a column with few of them is looked at by itself, a missing one, too.
    """
    if not is_observed(samples):
        return []
    arms = sorted(samples[ARM].unique())
    gaps = []
    for name in feature_columns(samples):
        values = _as_text(samples[name])
        if values.nunique() > FEW_VALUES:
            continue
        counts = pd.crosstab(values, samples[ARM]).reindex(columns=arms, fill_value=0)
        given = counts.to_numpy()
        for row, arm in np.argwhere(given == 0):
            gaps.append(Gap(name, str(counts.index[row]), arms[arm]))
    return gaps


def _as_text(column: pd.Series) -> pd.Series:
    """Values as text, a missing one as an empty one; a number by its shortest form."""
    if is_number(column):
        return column.map(lambda value: "" if pd.isna(value) else f"{value:g}")
    return column.astype("object").where(column.notna(), "").astype(str)


def gap_words(samples: pd.DataFrame, gaps: list[Gap]) -> np.ndarray:
    """Of each patient, in words, an arm that nobody like it got; empty where each arm was given."""
    words = np.full(len(samples), "", dtype=object)
    for gap in reversed(gaps):
        words[gap.rows(samples)] = f"{gap.arm} was {gap.words}"
    return words


def propensities(samples: pd.DataFrame, train: np.ndarray, arms: list[str]) -> np.ndarray:
    """The probability of each arm for each patient, (N, K), where arms were not randomised.

    A logistic regression of the rows `train (N,) bool` on all columns, with an L2 penalty on
    standardised ones; above 0, so that it can be divided by.
    """
    from sklearn.linear_model import LogisticRegression

    # The column of zeros is there for patients of whom nothing is known that varies.
    X = np.column_stack([np.zeros(len(samples)), _standardised(samples, train)])
    model = LogisticRegression(max_iter=5000, tol=1e-8)
    model.fit(X[train], arm_codes(samples[train], arms))
    found = np.zeros((len(samples), len(arms)))
    found[:, model.classes_] = model.predict_proba(X)
    return np.maximum(found, 1e-9)


def _standardised(samples: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    """All columns as numbers of mean 0 and deviation 1 in the training rows; gaps are columns."""
    names = feature_columns(samples)
    parts = [coded(samples[name]) for name in names]
    values = np.column_stack([np.zeros((len(samples), 0)), *(part for part, _ in parts)])
    categories = tuple(found for _, found in parts)
    table = Table(values.astype(np.float32), tuple(names), categories, np.ones(len(names)))
    X = table.dense().astype(float)
    X = np.hstack([X, np.isnan(values)])
    fitted = np.where(np.isnan(X[train]), -np.inf, X[train])
    X = X[:, fitted.max(axis=0, initial=-np.inf) > -np.inf]
    mean, deviation = np.nanmean(X[train], axis=0), np.nanstd(X[train], axis=0)
    standard = (X - mean) / np.where(deviation > 0, deviation, 1.0)
    return np.nan_to_num(standard[:, deviation > 0])


def partition_facts(samples: pd.DataFrame, train: np.ndarray) -> pd.DataFrame:
    """What the training rows (N,) bool of a partition tell of all rows, a row a sample.

    `known`, how much the outcome counts; `gap`, an arm that nobody, or hardly anybody, like this
    patient got, in words, and `supported`, whether there is none;
    `propensity` of the arm received; `typical.<arm>`, the mean outcome of training rows with it,
    each counting by `known / propensity`; `propensity.<arm>` where arms were not randomised; and
    the rules, `option.<arm>`, as they are.
    """
    arms = sorted(samples[ARM].unique())
    code, y = arm_codes(samples, arms), np.nan_to_num(outcomes(samples))
    facts: dict[str, Any] = {"known": known_weights(samples, train)}
    facts["gap"] = gap_words(samples, gaps_of(samples[train]))
    facts["propensity"] = samples[PROPENSITY].to_numpy(float)
    if is_observed(samples):
        fitted = train & (facts["gap"] == "")
        lacking = set(arms) - set(samples.loc[fitted, ARM])
        if lacking:
            raise DataError(
                f"No training patients are left of whom some got {' and '.join(sorted(lacking))} "
                "and like whom some got each other arm",
                hint="leave out columns whose values tell the arm (`clean: drop`), or arms",
            )
        estimated = propensities(samples, fitted, arms)
        facts["propensity"] = estimated[np.arange(len(code)), code]
        rare = (facts["gap"] == "") & (estimated.min(axis=1) < LEAST_PROPENSITY)
        facts["gap"] = np.where(rare, RARE, facts["gap"])
        facts |= {f"propensity.{arm}": p for arm, p in zip(arms, estimated.T, strict=True)}
    facts["supported"] = facts["gap"] == ""
    counted = facts["known"] / facts["propensity"] * (train & facts["supported"])
    for place, arm in enumerate(arms):
        weight = counted * (code == place)
        facts[f"typical.{arm}"] = float((weight * y).sum() / max(weight.sum(), 1e-300))
    rules = samples[option_columns(samples)]
    return pd.concat([pd.DataFrame(facts, index=samples.index), rules], axis=1)


def sign_of(samples: pd.DataFrame) -> float:
    """1 where a large outcome is good, else -1; DataError where both are said."""
    signs = samples[SIGN].unique()
    if len(signs) != 1:
        raise DataError("One data set says that a large outcome is good, another that it is bad")
    return float(signs[0])
