"""Read counts: of one column, or of the bins that cells were sorted into."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.columns import numbers


def counts(column: pd.Series, file: Path) -> pd.Series:
    """A column as numbers from 0 on, 0 where missing; DataError names the first negative one."""
    values = numbers(column, file).fillna(0.0)
    if (values < 0).any():
        row = values.index[values < 0][0]
        raise DataError("A negative count", file=file, row=row, column=str(column.name))
    return values


def mean_bin(table: pd.DataFrame, bins: Mapping[str, float], file: Path) -> dict[str, pd.Series]:
    """`label`, the mean value of the bins of a row's reads, and `sample_weight`, their number.

    `bins` maps the columns of counts to the value of their bin, its number or its fluorescence. A
    row without reads has no label.
    """
    reads = pd.DataFrame({name: counts(table[name], file) for name in bins})
    total = reads.sum(axis=1)
    weighted = reads.to_numpy() @ np.array(list(bins.values()), dtype=float)
    return {"label": weighted / total.where(total > 0), "sample_weight": total}
