"""Columns of samples that got one of several arms (treatments); none of them is a feature.

`label.arm` is what a patient got. The outcome is a number, `label.outcome` (1 the good class, 0 the
other), or `label.time` with `label.event`: whether the event happened then or the patient was last
seen without it; what counts is whether it had happened at `label.horizon`, in the unit of the
times. `label.sign` is 1 where a large outcome is good, else -1. `label.propensity` is the
probability with which a trial gave the arm; it is missing where nobody drew lots. New data have
none of these. `option.<arm>` says by which rules an arm is not for a patient: missing where it may
be.
"""

from __future__ import annotations

import pandas as pd

from bioloom.privacy.small_cells import FEW
from bioloom.samples import OPTION

ARM = "label.arm"
OUTCOME = "label.outcome"
HORIZON = "label.horizon"
SIGN = "label.sign"
PROPENSITY = "label.propensity"
MOST_NAMED = 20
"""Arms that a message names: so many values are those of another column."""


def named(sizes: pd.Series) -> str:
    """Arms, of the patients of each, as a message may tell them: few patients have no name."""
    if len(sizes) > MOST_NAMED:
        return f"{len(sizes)} different values"
    names = sorted(map(str, sizes.index[sizes >= FEW]))
    few = len(sizes) - len(names)
    return ", ".join([*names, *[f"{few} of fewer than {FEW} patients"] * bool(few)])


def option_columns(samples: pd.DataFrame) -> list[str]:
    """The columns that say why an arm is not for a patient."""
    return [name for name in map(str, samples) if name.startswith(OPTION)]


def excluded(samples: pd.DataFrame, arm: str) -> pd.Series:
    """The rules that exclude an arm, a text a patient: empty where none does."""
    column = f"{OPTION}{arm}"
    if column not in samples:
        return pd.Series("", index=samples.index)
    return samples[column].astype("object").where(samples[column].notna(), "")
