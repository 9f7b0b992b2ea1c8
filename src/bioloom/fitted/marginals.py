"""How each feature of the training rows is distributed: what tells another scale, and drift.

Quantiles of each column are kept, and no row. A row whose values lie low, or high, in nearly all
columns is on another scale, as log2 values are for a model of raw ones: its distance from the
middle of the training data is small. Of a whole data set each column is compared by the
Kolmogorov-Smirnov distance at the quantiles, with the p of two samples of so many groups; the
smallest p after Benjamini and Hochberg (1995) decides.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from bioloom.arrays import Shaped, cells, shape_of, vectors

QUANTILES = 32
USUAL = (0.005, 0.995)
"""Of training rows so many lie between the ends of what is usual for one."""
BEYOND = 0.1
"""Share of all values that a row may lack beyond the training row that lacks most."""
MOST_ROWS = 5000
"""Of a data set that are looked at: enough for a shift of a twentieth of a deviation."""
MOST_COLUMNS = 2000
"""By which the place of a row is told."""
BLOCK = 1000  # columns
LEVEL = 0.05


@dataclass
class Marginals:
    """Of D columns: `quantiles (Q, D)`, and `reached (Q, D)`, the share of groups up to each.

    `groups (1,)` are those of the training rows looked at, `ranks (2,)` the ends of what is usual
    for the mean place of a row, `missing (1,)` the largest share of values that a row lacked.
    """

    quantiles: np.ndarray
    reached: np.ndarray
    groups: np.ndarray
    ranks: np.ndarray
    missing: np.ndarray

    @classmethod
    def fit(cls, X: Shaped, prepared: Shaped, groups: np.ndarray) -> Marginals:
        """Fit on training rows before and after they were prepared, each of a group."""
        rows = some_rows(len(prepared))
        values, groups = vectors(prepared[rows]), groups[rows]
        at = (np.arange(QUANTILES) + 0.5) / QUANTILES
        quantiles = np.empty((QUANTILES, values.shape[1]), dtype=np.float32)
        for part in _parts(values.shape[1]):
            ordered = np.sort(values[:, part].T, axis=1)
            quantiles[:, part] = ordered[:, np.ceil(at * len(rows)).astype(int) - 1].T
        fitted = cls(
            quantiles,
            np.empty(0, dtype=np.float32),
            np.array([len(np.unique(groups))]),
            np.empty(0, dtype=np.float32),
            np.array([missing_share(X).max()], dtype=np.float32),
        )
        fitted.reached = fitted.shares(values, groups)
        fitted.ranks = np.quantile(fitted.places(values), USUAL).astype(np.float32)
        return fitted

    def shares(self, values: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """The share of groups up to each quantile, (Q, D) float32: rows of one share its weight."""
        _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        weight, size = 1 / sizes[group], QUANTILES + 1
        reached = np.empty(self.quantiles.shape, dtype=np.float32)
        for part in _parts(values.shape[1]):
            # How many quantiles a value does not exceed, and the weight of the rows of each count.
            block = values[:, part]
            count = np.zeros(block.shape, dtype=np.uint8)
            for ends in self.quantiles[:, part]:
                count += block <= ends
            cell = (count + size * np.arange(block.shape[1])).ravel()
            total = np.bincount(cell, np.repeat(weight, block.shape[1]), size * block.shape[1])
            reached[:, part] = total.reshape(-1, size)[:, :0:-1].cumsum(axis=1).T / len(sizes)
        return reached

    def places(self, values: np.ndarray) -> np.ndarray:
        """The mean over columns of where a row lies among the training rows, 0 to 1, (N,).

        Of many columns some are looked at, evenly spaced.
        """
        columns = _spaced(values.shape[1], MOST_COLUMNS)
        values, passed = values[:, columns], np.zeros((len(values), len(columns)), dtype=np.uint8)
        for ends in self.quantiles[:, columns]:
            passed += ends < values
            passed += ends <= values
        return passed.sum(axis=1) / (2 * QUANTILES * max(len(columns), 1))

    def another_scale(self, prepared: Shaped) -> np.ndarray:
        """Whether the values of a row lie lower, or higher, than is usual, (N,) bool."""
        places, (low, high) = self.places(vectors(prepared)), self.ranks
        return (places < low) | (places > high)

    def lacking(self, X: Shaped) -> np.ndarray:
        """Whether a row lacks far more values than any training row did, (N,) bool."""
        return missing_share(X) > self.missing + BEYOND

    def drift(self, prepared: Shaped, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Kolmogorov-Smirnov distance of each column to training, and its adjusted p, (D,) each.

        Rows of one group count together as one. At the quantiles alone the distance is, if
        anything, too small, so that p is no smaller than it should be.
        """
        from scipy.stats import false_discovery_control, kstwo

        distance = np.abs(self.shares(vectors(prepared), groups) - self.reached).max(axis=0)
        new, known = len(np.unique(groups)), int(self.groups[0])
        values, at = np.unique(distance, return_inverse=True)  # p is slow, many are equal
        p = kstwo.sf(values, max(1, round(new * known / (new + known))))[at]
        return distance, false_discovery_control(p)

    def save(self, folder: Path) -> None:
        """Write marginals.safetensors."""
        from safetensors.numpy import save_file

        arrays = {f.name: np.ascontiguousarray(getattr(self, f.name)) for f in fields(self)}
        save_file(arrays, folder / "marginals.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Marginals | None:
        """Read marginals.safetensors; None of a model that was trained before there were any."""
        from safetensors.numpy import load_file

        file = folder / "marginals.safetensors"
        return cls(**load_file(file)) if file.exists() else None


def some_rows(rows: int) -> np.ndarray:
    """The numbers of at most so many rows, evenly spaced."""
    return _spaced(rows, MOST_ROWS)


def _spaced(count: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).astype(int))


def _parts(columns: int) -> list[slice]:
    """Blocks of columns: all at once would take several times the memory of the table."""
    return [slice(first, first + BLOCK) for first in range(0, columns, BLOCK)]


def missing_share(X: Shaped) -> np.ndarray:
    """The share of its values that each row of a table lacks, (N,); of other shapes none."""
    if shape_of(X) not in ("vectors", "table"):
        return np.zeros(len(X))
    return np.isnan(cells(X)).mean(axis=1)
