"""Preferential attachment: how many known partners both ends have, and nothing about them.

A floor for networks: whoever interacts much in the training pairs is said to interact again. Where
this does as well as a model, the model has learnt who is popular, not who binds whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from bioloom.arrays import Shaped
from bioloom.models._estimator import links_of_two_classes
from bioloom.models._nodes import OfNodes


@dataclass(kw_only=True)
class Model(OfNodes):
    """Logistic regression on ln(1 + positive training pairs) of either end.

    In training a pair does not count itself. A node that is in no training pair has 0.
    """

    takes = ("links",)

    def fit(self, X: Shaped, y: Shaped, X_valid: Shaped, y_valid: Shaped) -> Self:
        """Count the partners of each node in the training rows; valid rows are not used."""
        from sklearn.linear_model import LogisticRegression

        links = links_of_two_classes(self, X)
        self.nodes, rows = np.unique(links.node_ids.astype(str), return_inverse=True)
        ends = rows.reshape(-1, 2)
        own = np.asarray(y)
        # A regulator and a target are counted apart; ends of an undirected pair together.
        sides = ([0], [1]) if links.directed else ([0, 1], [0, 1])
        self.counts = np.stack(
            [sum(np.bincount(ends[:, s], own, len(self.nodes)) for s in side) for side in sides]
        )
        without = np.stack([self.counts[end, ends[:, end]] - own for end in (0, 1)], axis=1)
        regression = LogisticRegression().fit(self._features(without, links.directed), own)
        self.weights = np.append(regression.coef_[0], regression.intercept_)
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities of no edge and of an edge, (N, 2)."""
        from scipy.special import expit

        links = links_of_two_classes(self, X)
        place = {node: i for i, node in enumerate(self.nodes)}
        counts = np.zeros((len(X), 2))
        for end in (0, 1):
            rows = np.array([place.get(node, -1) for node in links.node_ids[:, end]])
            counts[:, end] = np.append(self.counts[end], 0)[rows]
        decision = self._features(counts, links.directed) @ self.weights[:-1] + self.weights[-1]
        return np.column_stack([expit(-decision), expit(decision)])

    def _features(self, counts: np.ndarray, directed: bool) -> np.ndarray:
        if directed:
            # A target is listed for it has some source: one without any other gives that away.
            counts = counts.clip(min=[0, 1])
        logs = np.log1p(counts)
        return logs if directed else logs.sum(axis=1, keepdims=True)

    def state(self) -> dict[str, np.ndarray]:
        """Positive pairs of each node at either end, and the regression."""
        return {"counts": self.counts, "weights": self.weights}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over counts and regression."""
        self.counts, self.weights = arrays["counts"], arrays["weights"]
