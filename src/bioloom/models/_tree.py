"""A tree of rules: what a row gets by it, and how its rules are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

MOST_CONDITIONS = 8  # of a rule that is to be read


@dataclass(frozen=True)
class Tree:
    """One tree of M nodes: a row goes left where its `column` is at most `cut`; -1 ends a rule.

    `gaps_left (M,)` is whether a missing value goes left; `value (M,)` is what a row gets, and
    `share (M,)` the share of the training rows that came by.
    """

    column: np.ndarray
    cut: np.ndarray
    left: np.ndarray
    right: np.ndarray
    gaps_left: np.ndarray
    value: np.ndarray
    share: np.ndarray

    def ends(self, values: np.ndarray) -> np.ndarray:
        """The node at which each row's rule ends, (N,)."""
        rows, at = np.arange(len(values)), np.zeros(len(values), dtype=np.int64)
        for _ in range(MOST_CONDITIONS):
            column = self.column[at]
            x = values[rows, np.maximum(column, 0)]
            goes_left = np.where(np.isnan(x), self.gaps_left[at] == 1, x <= self.cut[at])
            at = np.where(column < 0, at, np.where(goes_left, self.left[at], self.right[at]))
        return at

    def answers(self, values: np.ndarray) -> np.ndarray:
        """What each row gets, (N,)."""
        return self.value[self.ends(values)]

    def paths(self) -> dict[int, list[tuple[int, float, bool]]]:
        """Of each end the conditions of its rule: column, cut, and whether it is at most that."""
        paths: dict[int, list[tuple[int, float, bool]]] = {0: []}
        for node in np.flatnonzero(self.column >= 0):  # a node comes before those below it
            path = paths.pop(int(node))
            for below, at_most in ((self.left[node], True), (self.right[node], False)):
                condition = (int(self.column[node]), float(self.cut[node]), at_most)
                paths[int(below)] = [*path, condition]
        return paths

    def is_sound(self, columns: int) -> bool:
        """Whether each split has one of so many columns, and two nodes that come after it."""
        splits = np.flatnonzero(self.column >= 0)
        children = np.stack([self.left[splits], self.right[splits]])
        inside = (children > splits) & (children < len(self.column))
        return bool(inside.all() and (self.column < columns).all())


LEAF = Tree(*(np.array([value]) for value in (-1, 0.0, -1, -1, 0, 0.0, 1.0)))
"""A tree that says nothing."""


def read_tree(grown: Any, values: np.ndarray, penalty: float, rate: float) -> Tree:
    """scikit-learn's tree, of which the mean of a node's Newton steps is drawn to 0.

    Its cuts are those that people read, so that a rule does what it says: `values (N, D)` are what
    it was grown on.
    """
    tree = cast(Any, grown).tree_
    bend = tree.weighted_n_node_samples
    cuts = tree.threshold.copy()
    for node in np.flatnonzero(tree.feature >= 0):
        cuts[node] = _rounded(cuts[node], values[:, tree.feature[node]])
    return Tree(
        column=tree.feature.astype(np.int64).clip(min=-1),
        cut=cuts,
        left=tree.children_left.astype(np.int64),
        right=tree.children_right.astype(np.int64),
        gaps_left=tree.missing_go_to_left.astype(np.int64),
        value=rate * tree.value[:, 0, 0] * bend / (bend + penalty),
        share=tree.n_node_samples / tree.n_node_samples[0],
    )


def in_words(
    path: list[tuple[int, float, bool]], names: list[str], row: np.ndarray | None = None
) -> str:
    """A rule: `if age > 71.5 and sex is male`; of conditions on one column the narrowest.

    Of a row (D,) that follows it, what is missing is said to be.
    """
    ends: dict[int, tuple[float, float]] = {}
    for column, cut, at_most in path:
        low, high = ends.get(column, (-np.inf, np.inf))
        ends[column] = (low, min(high, cut)) if at_most else (max(low, cut), high)
    told = [
        f"{names[c]} is missing" if row is not None and np.isnan(row[c]) else _between(names[c], *e)
        for c, e in ends.items()
    ]
    return f"if {' and '.join(told)}" if told else "all"


def _between(name: str, low: float, high: float) -> str:
    column, is_category, value = name.partition("=")
    if is_category:
        return f"{column} is {'' if np.isinf(high) else 'not '}{value}"
    if np.isinf(low):
        return f"{name} <= {high:.9g}"
    return f"{name} > {low:.9g}" if np.isinf(high) else f"{low:.9g} < {name} <= {high:.9g}"


def _rounded(cut: float, values: np.ndarray) -> float:
    """The cut by as few digits from three on as keep it between its neighbours of the values."""
    low, high = values[values <= cut].max(initial=-np.inf), values[values > cut].min(initial=np.inf)
    shorter = (float(f"{cut:.{digits}g}") for digits in range(3, 17))
    return next((one for one in shorter if low <= one < high), cut)
