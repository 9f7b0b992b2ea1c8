"""Guilt by association: a pair is linked as those of the nodes that resemble its ends are.

A floor for networks that looks at labels of others: the mean over the training nodes most like one
end of whether they are linked to the other. A graph network that is no better has learnt no more
than who resembles whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from bioloom.arrays import Links, Shaped
from bioloom.models._estimator import links_of_two_classes
from bioloom.models._nodes import OfNodes

BLOCK = 2_000  # pairs that are looked at at once
POWER = 4  # of the correlation, by which a neighbour counts


@dataclass(kw_only=True)
class Model(OfNodes):
    """The weighted mean of the labels of the `k` most similar training nodes, as a probability.

    Similarity is the product of the nodes' features, which for expression profiles of mean 0 and
    length 1 is Pearson's correlation. A pair that is in no training row counts as not linked; in
    training a node is no neighbour of itself.
    """

    takes = ("links",)
    scaled = False  # profiles have the length 1

    k: int = 20
    """Training nodes, the most similar ones."""

    def fit(self, X: Shaped, y: Shaped, X_valid: Shaped, y_valid: Shaped) -> Self:
        """Keep features and links of the training nodes; valid rows are not used."""
        from sklearn.linear_model import LogisticRegression

        links, own = links_of_two_classes(self, X), np.asarray(y)
        used = links.used_nodes()
        order = np.argsort(links.network.node_id[used].astype(str))
        self.nodes = links.network.node_id[used][order].astype(str)
        self.features = links.network.X[used][order].astype(np.float32)
        ends = self._places(links)
        # A regulator is known by its targets; the ends of an undirected pair by each other.
        self.known = np.unique(ends[:, 1] if links.directed else ends)
        linked = ends[own == 1] if links.directed else np.vstack([e := ends[own == 1], e[:, ::-1]])
        self.linked = np.unique(linked @ [len(self.nodes), 1])
        means = self._means(links)
        regression = LogisticRegression().fit(means[:, None], own)
        self.weights = np.append(regression.coef_[0], regression.intercept_)
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities of no link and of a link, (N, 2)."""
        from scipy.special import expit

        decision = self._means(links_of_two_classes(self, X)) * self.weights[0] + self.weights[1]
        return np.column_stack([expit(-decision), expit(decision)])

    def _means(self, links: Links) -> np.ndarray:
        """How many of the nodes like the one end are linked to the other, (N,) from 0 to 1."""
        places = self._places(links)
        found = self._side(places[:, 0], links.edges[:, 1], links)
        if links.directed:
            return found
        return (found + self._side(places[:, 1], links.edges[:, 0], links)) / 2

    def _side(self, partner: np.ndarray, rows: np.ndarray, links: Links) -> np.ndarray:
        """The weighted mean over nodes like `rows` of being linked to the `partner` (N,)."""
        asked, place = np.unique(rows, return_inverse=True)
        near, weight = self._neighbours(asked, links)
        pairs = partner[:, None] * len(self.nodes) + near[place]
        linked = np.isin(pairs, self.linked) & (partner >= 0)[:, None]
        return (weight[place] * linked).sum(axis=1) / weight[place].sum(axis=1)

    def _neighbours(self, rows: np.ndarray, links: Links) -> tuple[np.ndarray, np.ndarray]:
        """The most similar known nodes of each row of the network, and their weights, (R, k)."""
        own = self._place_of(links.network.node_id[rows])
        size = min(self.k, len(self.known))
        near = np.zeros((len(rows), size), dtype=np.int64)
        weight = np.zeros((len(rows), size))
        for start in range(0, len(rows), BLOCK):
            block = slice(start, start + BLOCK)
            alike = links.network.X[rows[block]] @ self.features[self.known].T
            alike[own[block, None] == self.known] = -np.inf
            best = np.argpartition(-alike, size - 1, axis=1)[:, :size]
            near[block] = self.known[best]
            weight[block] = np.clip(np.take_along_axis(alike, best, axis=1), 1e-3, None) ** POWER
        return near, weight

    def _places(self, links: Links) -> np.ndarray:
        """Both ends as places among the training nodes, (N, 2); -1 of one that is none."""
        return np.column_stack([self._place_of(ids) for ids in links.node_ids.T])

    def _place_of(self, ids: np.ndarray) -> np.ndarray:
        ids = ids.astype(str)
        place = np.searchsorted(self.nodes, ids).clip(max=len(self.nodes) - 1)
        return np.where(self.nodes[place] == ids, place, -1)

    def state(self) -> dict[str, np.ndarray]:
        """Features of nodes, which of them are known, the linked pairs, and the regression."""
        names = ("features", "known", "linked", "weights")
        return {name: getattr(self, name) for name in names}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state."""
        vars(self).update(arrays)
