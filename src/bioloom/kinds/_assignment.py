"""What training rows tell of who got which arm, and of outcomes that are not known.

Nothing here looks at a model. A trial says with which probability it gave each arm; elsewhere that
is estimated from what was known of the patients, and only where each arm was given at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.metrics.survival import uncensored
from bioloom.privacy.small_cells import FEW
from bioloom.samples import EVENT, TIME, feature_columns
from bioloom.samples.arms import ARM, HORIZON, OUTCOME, PROPENSITY, SIGN, option_columns
from bioloom.samples.columns import is_number

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
class Support:
    """Like which patients each arm was given in training, where nobody drew lots.

    `common` has, of each column with few values, those that enough training patients have, a
    missing one as an empty text; `never` what no patient got: `column, value, arm`, of such values.
    `terms` (`column, value, mean, deviation`) are the columns of a logistic regression of the arm:
    whether a value is there, or, where that is None, the number itself. `coefficients` has a row an
    arm, its intercept first. All of it is plain, and no value of fewer than five patients is in it.
    """

    common: dict[str, list[str]]
    never: list[list[str]]
    terms: list[list[Any]]
    coefficients: list[list[float]]

    @classmethod
    def fit(cls, samples: pd.DataFrame, arms: list[str]) -> Support:
        """What these training rows tell; DataError where some arm is left without a patient."""
        from sklearn.linear_model import LogisticRegression

        common: dict[str, list[str]] = {}
        never = []
        for name in feature_columns(samples):
            values = _as_text(samples[name])
            if values.nunique() > FEW_VALUES:
                continue
            counts = pd.crosstab(values, samples[ARM]).reindex(columns=arms, fill_value=0)
            counts = counts[counts.sum(axis=1) >= FEW]
            common[name] = [str(value) for value in counts.index]
            lacking = np.argwhere(counts.to_numpy() == 0)
            never += [[name, common[name][row], arms[arm]] for row, arm in lacking]
        found = cls(common, never, [], [])
        samples = samples[found.gaps(samples) == ""]
        _refuse_absent(samples, arms)
        found = replace(found, terms=_terms(samples))
        model = LogisticRegression(max_iter=5000, tol=1e-8)
        model.fit(found.design(samples), arm_codes(samples, arms))
        weights = np.column_stack([model.intercept_, model.coef_[:, 1:]])
        if len(arms) == 2:  # one row, of the second arm against the first
            weights = np.vstack([np.zeros_like(weights), weights])
        found = replace(found, coefficients=weights.tolist())
        _refuse_absent(samples[found.lacks(samples) == ""], arms)
        return found

    def design(self, samples: pd.DataFrame) -> np.ndarray:
        """A column of zeros, then the terms as the regression takes them, (N, 1 + terms)."""
        columns = [np.zeros(len(samples))]
        for name, value, mean, deviation in self.terms:
            columns.append(np.nan_to_num((_term(samples[name], value) - mean) / deviation))
        return np.column_stack(columns)

    def propensities(self, samples: pd.DataFrame) -> np.ndarray:
        """The probability of each arm for each patient, (N, K): above 0, to be divided by."""
        from scipy.special import softmax

        intercept, *weights = np.array(self.coefficients).T
        known = self.design(samples)[:, 1:] @ np.reshape(weights, (-1, len(intercept)))
        return np.maximum(softmax(intercept + known, axis=1), 1e-9)

    def gaps(self, samples: pd.DataFrame) -> np.ndarray:
        """Of each patient, in words, what was never given to one like it, or hardly ever seen."""
        words = np.full(len(samples), "", dtype=object)
        for name in reversed([*self.common]):
            values = _as_text(samples[name])
            words[~values.isin(self.common[name])] = f"a rare value of {name}"
            for column, value, arm in reversed(self.never):
                if column == name:
                    told = f"{arm} was never given where {name} is {value or 'missing'}"
                    words[values == value] = told
        return words

    def lacks(self, samples: pd.DataFrame) -> np.ndarray:
        """Why nothing is said of each patient, in words; empty where each arm was given."""
        rare = self.propensities(samples).min(axis=1) < LEAST_PROPENSITY
        gaps = self.gaps(samples)
        return np.where((gaps == "") & rare, RARE, gaps)


def _terms(samples: pd.DataFrame) -> list[list[Any]]:
    """The columns of the regression that vary in these rows, with their means and deviations."""
    terms: list[list[Any]] = []
    for name in feature_columns(samples):
        counts = _as_text(samples[name]).value_counts().sort_index()
        own: list[str | None] = [str(value) for value in counts.index[counts >= FEW]]
        if is_number(samples[name]):
            known = samples[name].notna().sum() >= FEW
            own = [None] * bool(known) + [""] * bool(counts.get("", 0))
        for value in own:
            column = _term(samples[name], value)
            mean, deviation = float(np.nanmean(column)), float(np.nanstd(column))
            if deviation > 0:
                terms.append([name, value, mean, deviation])
    return terms


def _term(column: pd.Series, value: str | None) -> np.ndarray:
    """Whether a value is there, an empty text where none is; the number itself if it is None."""
    if value is None:
        return pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)
    return (_as_text(column) == value).to_numpy(float)


def _as_text(column: pd.Series) -> pd.Series:
    """Values as text, a missing one as an empty one; a number by its shortest form."""
    if is_number(column):
        return column.map(_number_as_text)
    return column.astype("object").where(column.notna(), "").astype(str)


def _number_as_text(value: float) -> str:
    """All digits of a whole number, such as a code; of others six, for 0.1 has more in float32."""
    if pd.isna(value):
        return ""
    return f"{value:.15g}" if value == round(value) else f"{value:g}"


def _refuse_absent(samples: pd.DataFrame, arms: list[str]) -> None:
    """DataError where none of these patients got one of the arms."""
    if absent := sorted(set(arms) - set(samples[ARM])):
        observed = is_observed(samples) if len(samples) else True
        like = " and like whom some got each other arm" if observed else " with a known outcome"
        hint = "leave out columns whose values tell the arm (`clean: drop`), or arms"
        raise DataError(
            f"No training patients are left of whom some got {' and '.join(absent)}{like}",
            hint=hint if observed else "leave out arms that few patients got",
        )


def partition_facts(samples: pd.DataFrame, train: np.ndarray) -> pd.DataFrame:
    """What the training rows (N,) bool of a partition tell of all rows, a row a sample.

    `binary`, whether all outcomes, of any row, are 0 or 1;
    `known`, how much the outcome counts; `gap`, an arm that nobody, or hardly anybody, like this
    patient got, in words, and `supported`, whether there is none;
    `propensity` of the arm received; `typical.<arm>`, the mean outcome of training rows with it,
    each counting by `known / propensity`; `propensity.<arm>` where arms were not randomised; and
    the rules, `option.<arm>`, as they are.
    """
    arms = sorted(samples[ARM].unique())
    code, own = arm_codes(samples, arms), outcomes(samples)
    y = np.nan_to_num(own)
    facts: dict[str, Any] = {"known": known_weights(samples, train)}
    facts["binary"] = bool(np.isin(own[np.isfinite(own)], (0, 1)).all())
    facts["gap"] = np.full(len(samples), "", dtype=object)
    facts["propensity"] = samples[PROPENSITY].to_numpy(float)
    if is_observed(samples):
        support = Support.fit(samples[train], arms)
        facts["gap"] = support.lacks(samples)
        estimated = support.propensities(samples)
        facts["propensity"] = estimated[np.arange(len(code)), code]
        facts |= {f"propensity.{arm}": p for arm, p in zip(arms, estimated.T, strict=True)}
    facts["supported"] = facts["gap"] == ""
    counted = facts["known"] / facts["propensity"] * (train & facts["supported"])
    _refuse_absent(samples[counted > 0], arms)
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
