"""A table with categories and gaps; a model that knows neither takes it dissolved, `dense()`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Table:
    """N samples of D `columns`: `values (N, D)` float32 are numbers, or codes of categories.

    Both are NaN where missing. `categories` has for each column what its codes stand for, and
    nothing for a number. `weight (D,)` float32 is by how much a column counts in `dense()`.
    `prepared (N, F)` is what stands for a table of which preprocessing has made vectors.
    """

    values: np.ndarray
    columns: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    weight: np.ndarray
    prepared: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: np.ndarray) -> Table:
        """The samples at `index` (integers or a boolean mask), in that order."""
        prepared = None if self.prepared is None else self.prepared[index]
        return replace(self, values=self.values[index], prepared=prepared)

    @property
    def is_category(self) -> np.ndarray:
        """Which columns are categories, (D,) bool."""
        return np.array([bool(names) for names in self.categories], dtype=bool)

    @property
    def names(self) -> list[str]:
        """The F names of the dissolved columns: `age`, `sex=f`, `sex=m`."""
        pairs = zip(self.columns, self.categories, strict=True)
        return [
            f"{column}={value}" if names else column
            for column, names in pairs
            for value in names or [""]
        ]

    @property
    def owner(self) -> np.ndarray:
        """The column that each dissolved one is of, (F,)."""
        sizes = np.array([len(names) or 1 for names in self.categories], dtype=np.int64)
        return np.repeat(np.arange(len(sizes)), sizes)

    def dense(self) -> np.ndarray:
        """Numbers as they are and a column of 0 and 1 a category, times weight: (N, F) float32.

        A missing number stays NaN, a missing category has 0 in all its columns.
        """
        owner, is_category = self.owner, self.is_category
        if not is_category.any() and (self.weight == 1).all():
            return self.values.copy()
        flags = np.zeros((len(self), len(owner)), dtype=np.float32)
        flags[:, ~is_category[owner]] = self.values[:, ~is_category]
        for column in np.flatnonzero(is_category):
            codes = np.arange(len(self.categories[column]), dtype=np.float32)
            flags[:, owner == column] = self.values[:, [column]] == codes
        return flags * self.weight[owner]

    def aligned(self, names: Sequence[str]) -> Table:
        """The table of which the dissolved columns are `names`; what it lacks is missing."""
        wanted: dict[str, list[str]] = {}
        for name in names:
            column, *value = name.split("=", 1)
            wanted.setdefault(column, []).extend(value)
        values = np.full((len(self), len(wanted)), np.nan, dtype=np.float32)
        weight = np.ones(len(wanted), dtype=np.float32)
        position = {column: i for i, column in enumerate(self.columns)}
        for place, (column, categories) in enumerate(wanted.items()):
            if column in position:
                values[:, place] = self._recoded(position[column], categories)
                weight[place] = self.weight[position[column]]
        return Table(values, tuple(wanted), tuple(map(tuple, wanted.values())), weight)

    def _recoded(self, column: int, categories: list[str]) -> np.ndarray:
        """A column (N,) in codes of other categories; a number is no category, nor the reverse."""
        known = self.categories[column]
        if bool(known) != bool(categories):
            return np.full(len(self), np.nan, dtype=np.float32)
        if not known:
            return self.values[:, column]
        code = {value: float(i) for i, value in enumerate(categories)}
        codes = np.array([*(code.get(value, np.nan) for value in known), np.nan], dtype=np.float32)
        return codes[np.nan_to_num(self.values[:, column], nan=len(known)).astype(np.int64)]

    def beside(self, other: Table) -> Table:
        """The columns of both."""
        values = np.hstack([self.values, other.values])
        weight = np.concatenate([self.weight, other.weight])
        columns, categories = self.columns + other.columns, self.categories + other.categories
        return Table(values, columns, categories, weight)

    def with_prepared(self, prepared: np.ndarray, support: np.ndarray) -> Table:
        """The columns of which `prepared (N, S)` has some: it holds the dissolved ones `support`.

        Numbers are those in `prepared`, but for their weight, which counts for vectors alone; their
        gaps, and categories, stay as they are.
        """
        owner = self.owner[support]
        kept = np.unique(owner)
        values = self.values[:, kept]
        numbers = np.flatnonzero(~self.is_category[owner])
        place = np.searchsorted(kept, owner[numbers])
        alone = prepared[:, numbers] / self.weight[owner[numbers]]
        values[:, place] = np.where(np.isnan(values[:, place]), np.nan, alone)
        columns = tuple(self.columns[i] for i in kept)
        categories = tuple(self.categories[i] for i in kept)
        return Table(values, columns, categories, np.ones(len(kept), np.float32), prepared)
