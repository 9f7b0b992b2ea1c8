"""Columns of a table as fields of few states: numbers in bins, categories by name or as "other".

All of it is learnt from training rows, and no state is a value of fewer than five of them. The
codes of a row are the state of each column, -1 where the value is missing, and -2 where training
had none like it: a number outside the range that was seen, or a category that no training row had.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, pairwise

import numpy as np

from bioloom.privacy.small_cells import FEW

MISSING, UNSEEN = -1, -2
OTHER = "other"


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: bins between `edges (B + 1,)`, each with its lower edge, not its upper.

    Inner edges lie between values seen. The last one lies just above the largest, so that this has
    a bin.
    """

    edges: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def fit(cls, values: np.ndarray, bins: int) -> Numbers:
        """At most `bins` bins that hold about equally many of these values (N,), none missing.

        Few different values have a bin each, and so has one of more rows than a bin is to hold. A
        bin of fewer than five rows is one with the next.
        """
        values = np.sort(values.astype(np.float32))
        if not len(values):
            return cls(np.array([0, 0], dtype=np.float32), ("none",))
        different = np.unique(values)
        if len(different) > bins:
            starts = _starts(values, bins)
        else:
            starts = np.searchsorted(values, different[1:])
        cuts = [_between(values[n - 1], values[n]) for n in _large(starts, len(values))]
        top = np.nextafter(values[-1], np.float32(np.inf))
        edges = np.array([values[0], *cuts, top], dtype=np.float32)
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
    """A column of categories: `seen (S,)` are the codes of those that training rows had.

    `states (S,)` are their states: those of fewer than five rows are in one together, the last.
    """

    seen: np.ndarray
    states: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def fit(cls, values: np.ndarray, names: tuple[str, ...]) -> Categories:
        """The categories among these codes (N,) of `names`, none missing."""
        seen, counts = np.unique(values, return_counts=True)
        seen, common = seen.astype(np.int64), counts >= FEW
        own = [names[code] for code in seen[common]]
        if not common.all():
            own.append(next(name for n in count() if (name := OTHER + "_" * n) not in own))
        states = np.where(common, np.cumsum(common) - 1, common.sum())
        return cls(seen, states, tuple(own) or ("none",))

    def codes(self, values: np.ndarray) -> np.ndarray:
        """The state of each code, (N,) int64."""
        given = np.where(np.isnan(values), -1, values).astype(np.int64)
        if not len(self.seen):
            return np.where(given < 0, MISSING, UNSEEN)
        place = np.searchsorted(self.seen, given).clip(max=len(self.seen) - 1)
        found = np.where(self.seen[place] == given, self.states[place], UNSEEN)
        return np.where(given < 0, MISSING, found)


Column = Numbers | Categories


def _starts(values: np.ndarray, bins: int) -> np.ndarray:
    """Where bins of about equally many sorted values (N,) begin, less the first; at most bins - 1.

    What is as frequent as a bin is large has one of its own, and the others share the rest.
    """
    different, counts = np.unique(values, return_counts=True)
    frequent = different[counts > len(values) / bins]
    rest = values[~np.isin(values, frequent)]
    shared = max(bins - len(frequent), 1)
    ends = rest[(np.arange(1, shared) * len(rest)) // shared] if len(rest) else rest
    sides = [np.searchsorted(values, frequent, side) for side in ("left", "right")]
    starts = np.unique(np.concatenate([*sides, np.searchsorted(values, np.unique(ends))]))
    starts = starts[(starts > 0) & (starts < len(values))]
    while len(starts) >= bins:  # the two bins that are smallest together are one
        size = np.diff(np.concatenate([[0], starts, [len(values)]]))
        starts = np.delete(starts, (size[:-1] + size[1:]).argmin())
    return starts


def _large(starts: np.ndarray, size: int) -> list[int]:
    """Those of the places where bins of `size` sorted values start that leave each enough rows."""
    kept = [0]
    for start in map(int, starts):
        if min(start - kept[-1], size - start) >= FEW:
            kept.append(start)
    return kept[1:]


def _between(low: np.float32, high: np.float32) -> np.float32:
    """The middle of two neighbours, with as few digits from three on as keep it between them."""
    middle = (float(low) + float(high)) / 2
    rounded = (np.float32(f"{middle:.{digits}g}") for digits in range(3, 10))
    return next((edge for edge in rounded if low < edge <= high), high)


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
            if inside[0] == inside[-1] and len(inside) >= FEW:
                name = f"{inside[0]:.{digits}g}"
            elif last == 0:
                name = "any"
            elif place == 0:
                name = f"below_{text[1]}"
            elif place == last:
                name = f"from_{text[place]}"
            else:
                name = f"{text[place]}_to_{text[place + 1]}"
            names.append(name)
        if len({*names}) == len(names):
            break
    return tuple(names)
