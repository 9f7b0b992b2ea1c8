"""Features that give the label away, or that name a row: told, for a reader to judge.

A result of the label among the features (another response, a score made of it) makes any model look
good, and a name or a number of a row teaches nothing that holds for new ones.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioloom.privacy.names import certain_kind
from bioloom.samples import feature_columns, label_columns
from bioloom.samples.columns import has_classes, is_flag, is_number

CORRELATED = 0.95
PURE = 0.98
"""Share of rows that have the most frequent class of their category."""
FEWEST = 10
"""Rows without which nothing is told."""
DIFFERENT = 0.5
"""Values of a category per row, from which it names the rows."""
SHOWN = 5
CELLS = 2_000_000
"""Of so many columns at a time, 16 MB: a wide table is not copied whole."""


def suspects(samples: pd.DataFrame) -> list[str]:
    """What is odd with the feature columns, in words: a line for each sort of suspicion."""
    features = [name for name in feature_columns(samples) if name != "sequence"]
    if len(samples) < FEWEST or not features:
        return []
    numbers = [name for name in features if is_number(samples[name])]
    texts = [name for name in features if not is_number(samples[name])]
    found = {
        "correlate above .95 with what is predicted": _correlated(samples, numbers),
        "have the name of what is predicted": _same_name(samples, features),
        "tell the class in nearly all rows": _pure(samples, texts),
        "have a value of their own in half of the rows, as names or ids have": [
            name for name in texts if _names_rows(samples[name])
        ],
        "are called like what identifies a person": [
            name for name in texts if certain_kind(name.rpartition(".")[2])
        ],
        "number the rows": [name for name in numbers if _numbers_rows(samples[name])],
    }
    return [f"{_shown(names)}: features that {what}" for what, names in found.items() if names]


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _correlated(samples: pd.DataFrame, names: list[str]) -> list[str]:
    """Numbers with |Pearson's r| above the limit to a label that is a number, or yes and no."""
    labels = [samples[name] for name in label_columns(samples) if is_number(samples[name])]
    targets = [label.to_numpy(dtype=float, na_value=np.nan) for label in labels]
    targets = [y for y in targets if np.isfinite(y).sum() >= FEWEST]
    found: list[str] = []
    size = max(1, CELLS // len(samples))
    for start in range(0, len(names) if targets else 0, size):
        block = names[start : start + size]
        X = samples[block].to_numpy(dtype=float, na_value=np.nan)
        highest = np.zeros(len(block))
        for y in targets:
            known = np.isfinite(y)
            highest = np.maximum(highest, np.abs(_pearson(X[known], y[known])))
        found += [block[i] for i in np.flatnonzero(highest > CORRELATED)]
    return found


def _pearson(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """R of each column (N, D) with y (N,) over the rows that have both; 0 where that is few."""
    has, y = np.isfinite(X), (y - y.mean()) / (y.std() or 1.0)  # a large mean takes all digits
    count = np.maximum(has.sum(axis=0), 1)
    X = np.where(has, X - np.where(has, X, 0).sum(axis=0) / count, 0)
    mean = has.T @ y / count
    above = X.T @ y
    spread = (X**2).sum(axis=0) * (has.T @ y**2 - count * mean**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = above / np.sqrt(spread)
    return np.where(np.isfinite(r) & (count >= FEWEST), r, 0.0)


def _same_name(samples: pd.DataFrame, names: list[str]) -> list[str]:
    """Features called as one of several labels is, whatever the case of letters."""
    labels = {name.partition(".")[2].casefold() for name in label_columns(samples)} - {""}
    return [name for name in names if name.rpartition(".")[2].casefold() in labels]


def _pure(samples: pd.DataFrame, names: list[str]) -> list[str]:
    """Categories, of some rows each, whose rows are nearly all of one class."""
    if not has_classes(samples):
        return []
    label, usual = samples["label"], samples["label"].value_counts(normalize=True).iloc[0]
    pure = []
    for name in names:
        column = samples[name]
        if not 1 < column.nunique() <= column.count() / FEWEST or usual >= PURE:
            continue
        counts = pd.crosstab(column, label)
        if counts.max(axis=1).sum() >= PURE * counts.to_numpy().sum():
            pure.append(name)
    return pure


def _names_rows(column: pd.Series) -> bool:
    return column.nunique() > max(2 * FEWEST, DIFFERENT * column.count())


def _numbers_rows(column: pd.Series) -> bool:
    """Whether the numbers count by one, in this order or another."""
    if is_flag(column):
        return False
    values = np.sort(column.to_numpy(dtype=float, na_value=np.nan))
    return len(values) > 1 and bool((np.diff(values) == 1).all())
