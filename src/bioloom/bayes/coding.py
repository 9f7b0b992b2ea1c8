"""Columns of a table as fields of few states: numbers in bins, categories as they are.

All of it is learnt from training rows. The codes of a row are the state of each column, -1 where
the value is missing, and -2 where training had none like it: a number outside the range that was
seen, or a category that no training row had.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

MISSING, UNSEEN = -1, -2


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: bins between `edges (B + 1,)`, each with its lower edge, not its upper.

    The last edge lies just above the largest value seen, so that this has a bin.
    """

    edges: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def fit(cls, values: np.ndarray, bins: int) -> Numbers:
        """At most `bins` bins that hold about equally many of these values (N,), none missing.

        Few different values have a bin each.
        """
        values = np.sort(values.astype(np.float32))
        if not len(values):
            return cls(np.array([0, 0], dtype=np.float32), ("none",))
        different = np.unique(values)
        if len(different) > bins:
            places = (np.arange(1, bins) * len(values)) // bins
            different = np.unique([values[0], *values[places]])
        top = np.nextafter(values[-1], np.float32(np.inf))
        edges = np.array([*different, top], dtype=np.float32)
        return cls(edges, _names(edges, values))

    def codes(self, values: np.ndarray) -> np.ndarray:
        """The bin of each value, (N,) int64."""
        values = values.astype(np.float32)
        found = np.searchsorted(self.edges, values, side="right") - 1
        inside = (found >= 0) & (found < len(self.names))
        return np.where(np.isnan(values), MISSING, np.where(inside, found, UNSEEN))

    def below(self, values: np.ndarray) -> np.ndarray:
        """Which values lie below all bins, (N,) bool."""
        return values.astype(np.float32) < self.edges[0]


@dataclass(frozen=True)
class Categories:
    """A column of categories: `seen (S,)` are the codes of those that training rows had."""

    seen: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def fit(cls, values: np.ndarray, names: tuple[str, ...]) -> Categories:
        """The categories among these codes (N,) of `names`, none missing."""
        seen = np.unique(values).astype(np.int64)
        return cls(seen, tuple(names[code] for code in seen) or ("none",))

    def codes(self, values: np.ndarray) -> np.ndarray:
        """The state of each code, (N,) int64."""
        given = np.where(np.isnan(values), -1, values).astype(np.int64)
        place = np.searchsorted(self.seen, given).clip(max=max(len(self.seen) - 1, 0))
        known = self.seen[place] == given if len(self.seen) else np.zeros(len(given), bool)
        return np.where(given < 0, MISSING, np.where(known, place, UNSEEN))


Column = Numbers | Categories


def _names(edges: np.ndarray, values: np.ndarray) -> tuple[str, ...]:
    """What bins are called: `0` where all training values are that, `below_1`, `1_to_4`, `from_4`.

    The outer ones do not say their ends, which are values of one row.
    """
    last = len(edges) - 2
    for digits in (6, 9):  # nine tell any two float32 apart
        text = [f"{edge:.{digits}g}" for edge in edges]
        names = []
        for place, (start, end) in enumerate(pairwise(edges)):
            inside = values[(values >= start) & (values < end)]
            if inside[0] == inside[-1]:
                name = text[place]
            elif last == 0:
                name = "any"
            elif place == 0:
                name = f"below_{text[1]}"
            else:
                name = (
                    f"from_{text[place]}"
                    if place == last
                    else f"{text[place]}_to_{text[place + 1]}"
                )
            names.append(name)
        if len({*names}) == len(names):
            break
    return tuple(names)
