"""What a column of the samples table holds: the one place where types are told apart.

A number may be missing (NaN). A category is a text of few values; as features it is one column of
0 and 1 a value, named `<column>=<value>`, with 0 in all of them where it is missing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def is_number(column: pd.Series) -> bool:
    """Whether the column holds numbers, not text."""
    return pd.api.types.is_numeric_dtype(column)


def is_flag(column: pd.Series) -> bool:
    """Whether the column holds true and false, perhaps with gaps."""
    return pd.api.types.is_bool_dtype(column)


def has_classes(samples: pd.DataFrame) -> bool:
    """Whether samples have a class each, rather than values or several labels."""
    return "label" in samples and not is_number(samples["label"])


def categories(column: pd.Series) -> list[str]:
    """The values of a category, in order."""
    return sorted(column.dropna().astype(str).unique())


def as_features(column: pd.Series) -> dict[str, np.ndarray]:
    """Feature name -> values (N,) float32 of a column: a number as it is, a category as flags."""
    if is_number(column):
        return {str(column.name): column.to_numpy(dtype=np.float32, na_value=np.nan)}
    return {
        f"{column.name}={value}": (column == value).to_numpy(np.float32)
        for value in categories(column)
    }


def column_of(feature: str) -> str:
    """The column that a feature was made of."""
    return feature.split("=", 1)[0]
