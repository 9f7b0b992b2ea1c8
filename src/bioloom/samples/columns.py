"""What a column of the samples table holds: the one place where types are told apart.

A number may be missing (NaN). A category is a text of few values; dissolved (`arrays.Table`) it is
one column of 0 and 1 a value, named `<column>=<value>`, with 0 in all of them where it is missing.
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


def coded(column: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """Values (N,) float32 of a column, NaN where missing, and its categories.

    A number is as it is and has no categories; a category is its place among them.
    """
    if is_number(column):
        return column.to_numpy(dtype=np.float32, na_value=np.nan), ()
    found = categories(column)
    codes = np.full(len(column), np.nan, dtype=np.float32)
    for code, value in enumerate(found):
        codes[(column == value).to_numpy(dtype=bool, na_value=False)] = code
    return codes, tuple(found)


def column_of(feature: str) -> str:
    """The column that a feature was made of.

    >>> column_of("site=North"), column_of("age")
    ('site', 'age')
    """
    return feature.split("=", 1)[0]
