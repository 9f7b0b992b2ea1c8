"""Which two nodes go together: an exact kernel model of pairs, then one small regression.

Two pairs are alike where their ends are, in one order or the other (Ben-Hur and Noble 2005), or
where the ends differ in the same way (Vert et al. 2007). What the kernel says of pairs of which it
knows neither end is a column of a logistic regression, beside how alike the two ends are
themselves and the features of the pair, such as co-expression.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from bioloom.arrays import Links, Shaped
from bioloom.errors import DataError
from bioloom.models._estimator import Estimator, links_of_two_classes
from bioloom.models._kernels import (
    Ridge,
    chances,
    drawn_rows,
    landmarks,
    logistic_weights,
    ridges,
)
from bioloom.similarity import connected
from bioloom.similarity.tempered import directions, tempering

WIDTH = 0.5
"""Of the kernel of nodes, exp(-(1 - cosine) / WIDTH)."""
LARGEST = 5.0
"""Standard deviations from the mean beyond which a feature says no more."""
SINGLES = (0.0, 0.3, 1.0)
"""How much what one node does in any pair counts against the pairing of two."""
STRENGTHS = (0.1, 0.3, 1.0)
MOST_PARTS, LARGEST_ISLAND = 10, 0.6
"""Into how many parts islands of pairs are put; what share of all pairs may be on one island."""
PARTS, DEALS = 4, 2
"""Where there are no islands, nodes are dealt into so many parts, so many times."""
BLOCK = 2_000  # new pairs that are compared at once


@dataclass(kw_only=True)
class Model(Estimator):
    """Whether two nodes go together; pairs know no order."""

    takes = ("links",)

    pairing: bool = True
    """Without, a pair is the sum of two single scores: a floor, for who goes with anybody."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        groups: np.ndarray | None = None,
    ) -> Self:
        """Learn from the training pairs; valid rows are not used.

        `groups (N,)` are held out together, in finding out what is known of unseen nodes.
        """
        drawn = drawn_rows(len(X), self.seed)
        links, own = self._links(X)[drawn], np.asarray(y)[drawn]
        features, ends = _ends(links)
        self.turn = tempering(np.clip(features, -LARGEST, LARGEST))
        held = list(_held_out(ends, None if groups is None else groups[drawn], own, self.seed))
        marks = landmarks(len(links), self.seed)
        marked, self.ends = np.unique(ends[marks], return_inverse=True)
        self.ends = self.ends.reshape(-1, 2)
        nodes = self._tempered(features)
        self.nodes = nodes[marked]
        alike, target = _alike(nodes, self.nodes), own[:, None] - 0.5
        least = np.inf
        for single in SINGLES if self.pairing else (1.0,):
            kernel = np.vstack(list(self._kernels(alike, ends, single)))
            for ridge in ridges(kernel, marks, target, STRENGTHS):
                kept, answer = _left_out(ridge, held)
                columns = self._columns(links[kept], answer)
                weights = logistic_weights(columns, own[kept])
                loss = _log_loss(chances(columns, weights), own[kept])
                if loss < least:
                    least, self.single, self.weights = loss, single, weights
                    self.coefficients = ridge.coefficients
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities of no link and of a link, (N, 2)."""
        links = self._links(X)
        features, ends = _ends(links)
        alike = _alike(self._tempered(features), self.nodes)
        answers = [block @ self.coefficients for block in self._kernels(alike, ends, self.single)]
        answer = np.vstack([np.zeros((0, 1)), *answers])[:, 0]
        return chances(self._columns(links, answer), self.weights)

    def _links(self, X: Shaped) -> Links:
        links = links_of_two_classes(self, X)
        if links.directed:
            raise DataError(
                f"Model {self.name} is for pairs without order, and these have a source",
                hint="`target_kernel` asks which targets a source has",
            )
        return links

    def _tempered(self, features: np.ndarray) -> np.ndarray:
        return directions(np.clip(features, -LARGEST, LARGEST), self.turn)

    def _kernels(self, alike: np.ndarray, ends: np.ndarray, single: float) -> Iterator[np.ndarray]:
        """Pairs `ends (N, 2)` of the rows of `alike` against the landmarks, block by block."""
        for start in range(0, len(ends), BLOCK):
            a, b = alike[ends[start : start + BLOCK].T]
            (ac, ad), (bc, bd) = ([side[:, end] for end in self.ends.T] for side in (a, b))
            kernel = 1 + single * (ac + ad + bc + bd)
            if self.pairing:
                kernel += (ac * bd + ad * bc) / 2 + ((ac + bd - ad - bc) / 2) ** 2
            yield kernel

    def _columns(self, links: Links, answer: np.ndarray) -> np.ndarray:
        """What is known of each pair, (N, 2 + F): the kernel's answer, the cosine, its features."""
        if not self.pairing:
            return answer[:, None]
        features, ends = _ends(links)
        nodes = self._tempered(features)
        cosine = (nodes[ends[:, 0]] * nodes[ends[:, 1]]).sum(axis=1)
        return np.column_stack([answer, cosine, links.X.astype(np.float64)])

    def state(self) -> dict[str, np.ndarray]:
        """The landmarks' nodes and ends, their coefficients, and the regression."""
        names = ("turn", "nodes", "ends", "coefficients", "weights")
        return {name: getattr(self, name) for name in names} | {"single": np.array([self.single])}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state."""
        vars(self).update(arrays | {"single": float(arrays["single"][0])})


def _ends(links: Links) -> tuple[np.ndarray, np.ndarray]:
    """Features of the nodes of all pairs, (M, D), and the pairs as rows of them, (N, 2)."""
    rows, ends = np.unique(links.edges, return_inverse=True)
    return links.network.X[rows], ends.reshape(-1, 2)


def _alike(nodes: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The kernel of nodes, (M, K)."""
    return np.exp((nodes @ known.T - 1) / WIDTH)


def _held_out(
    ends: np.ndarray, groups: np.ndarray | None, own: np.ndarray, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Which pairs are removed together, and which of those know neither end then.

    Islands are sets of pairs that share no node and no group with others. Where there are none,
    or nearly all pairs are on one, nodes are dealt into parts; where that leaves one class, each
    pair is removed by itself.
    """
    rng = np.random.default_rng(seed)
    island = _islands(ends, groups)
    if np.bincount(island).max() <= LARGEST_ISLAND * len(ends):
        part = rng.permutation(np.arange(island.max() + 1) % MOST_PARTS)[island]
        yield from ((rows, rows) for n in np.unique(part) for rows in [np.flatnonzero(part == n)])
        return
    deals = [rng.permutation(np.arange(ends.max() + 1) % PARTS)[ends] for _ in range(DEALS)]
    dealt = [
        (np.flatnonzero((part == n).any(axis=1)), both)
        for part in deals
        for n in range(PARTS)
        if len(both := np.flatnonzero((part == n).all(axis=1)))
    ]
    kept = np.concatenate([np.arange(0), *(both for _, both in dealt)])
    if len(np.unique(own[kept])) < 2:
        dealt = [(row, row) for row in np.arange(len(ends))[:, None]]
    yield from dealt


def _islands(ends: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """The island of each pair, (N,): connected by its ends and by the group."""
    nodes = ends.max() + 1
    group = np.arange(len(ends)) if groups is None else np.unique(groups, return_inverse=True)[1]
    links = np.repeat(nodes + group, 2), ends.ravel()
    return np.unique(connected(*links, nodes + group.max() + 1)[ends[:, 0]], return_inverse=True)[1]


def _left_out(
    ridge: Ridge, held: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (A,) with an answer that knows neither end, and the answers (A,)."""
    answers = [ridge.without(removed)[np.isin(removed, kept), 0] for removed, kept in held]
    return np.concatenate([kept for _, kept in held]), np.concatenate(answers)


def _log_loss(chance: np.ndarray, own: np.ndarray) -> float:
    return float(-np.mean(np.log(chance[np.arange(len(own)), own].clip(1e-12))))
