"""Columns of samples that got one of several arms (treatments); none of them is a feature.

`label.arm` is what a patient got. The outcome is a number, `label.outcome` (1 the good class, 0 the
other), or `label.time` with `label.event`: whether the event happened then or the patient was last
seen without it; what counts is whether it had happened at `label.horizon`, in the unit of the
times. `label.sign` is 1 where a large outcome is good, else -1. `label.propensity` is the
probability with which a trial gave the arm; it is missing where nobody drew lots. New data have
none of these. `option.<arm>` says by which rules an arm is not for a patient: missing where it may
be. `words.<arm>` says, line by line, which words but its own a rule of the arm met, as
`rule 1: stage = iv`: one that training did not have may be the rule's own, written otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import pandas as pd

from bioloom.privacy.small_cells import FEW
from bioloom.samples import OPTION, WORDS, persons

ARM = "label.arm"
OUTCOME = "label.outcome"
HORIZON = "label.horizon"
SIGN = "label.sign"
PROPENSITY = "label.propensity"
UNKNOWN = "not known"
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


def word_columns(samples: pd.DataFrame) -> list[str]:
    """The columns that say which words rules met."""
    return [name for name in map(str, samples) if name.startswith(WORDS)]


def known_words(samples: pd.DataFrame) -> list[str]:
    """Words that rules met, as `stage = iv`; a model tells none that few persons have."""
    met = {
        (person, line.partition(": ")[2])
        for name in word_columns(samples)
        for person, lines in zip(persons(samples), _texts(samples, name), strict=True)
        for line in filter(None, lines.split("\n"))
    }
    counts = Counter(word for _, word in met)
    return sorted(word for word, count in counts.items() if count >= FEW)


def excluded(samples: pd.DataFrame, arm: str, known: Collection[str] | None = None) -> pd.Series:
    """The rules that exclude an arm, a text a patient: empty where none does.

    Of new data a rule excludes, too, where it met a word that is none of the `known`.
    """
    reasons = _texts(samples, f"{OPTION}{arm}")
    if known is None:
        return reasons
    strange = _texts(samples, f"{WORDS}{arm}").map(lambda lines: _strange(lines, known))
    return (reasons + "; " + strange).str.strip("; ")


def _strange(lines: str, known: Collection[str]) -> str:
    """Which rules met a word that nobody of training had, as rules say what is not known."""
    met = (line.partition(": ") for line in filter(None, lines.split("\n")))
    return "; ".join(
        f"{rule} ({word.partition(' = ')[0]} {UNKNOWN})"
        for rule, _, word in met
        if word not in known
    )


def _texts(samples: pd.DataFrame, column: str) -> pd.Series:
    if column not in samples:
        return pd.Series("", index=samples.index, dtype=object)
    return samples[column].astype("object").where(samples[column].notna(), "")
