"""Who regulates a gene: kernel ridge on expression profiles, then one regression for all.

Two genes are alike as their profiles are, tempered so that growth and batch do not drown the rest.
What a kernel model and the nearest neighbours say of a gene that they have not seen, regulator by
regulator, are columns of one logistic regression, beside how often a regulator has targets and
the features of the pair.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from bioloom.arrays import EXPRESSION, Links, Shaped
from bioloom.errors import DataError
from bioloom.models._estimator import Estimator, links_of_two_classes
from bioloom.models._kernels import (
    chances,
    landmarks,
    logistic_weights,
    ridges,
)
from bioloom.similarity.tempered import directions, tempering

WIDTHS = (0.2, 0.4, 0.8)
"""Of the kernel exp(-(1 - r) / width)."""
STRENGTHS = (0.3, 1.0, 3.0)
FREE_MEAN = 5.0
"""Added to the kernel: the mean is learnt with the rest, and hardly shrunk."""
POWER = 4
"""Of the similarity, by which a neighbour counts."""
PRIOR_NEIGHBOUR = 0.02
"""How much the mean over all genes counts among the neighbours of one."""
BLOCK = 2_000
"""Targets that are compared with all others at once."""
SMALLEST = 1e-4
"""A share nearer to 0 or 1 is taken for this one."""


@dataclass(kw_only=True)
class Model(Estimator):
    """Which targets a known source has, from the targets that resemble each other.

    Nodes have expression profiles (`network: {profile: true}`). A pair that is in no training row
    counts as not linked. A source without training rows has the targets that others have, and
    those that the pair's own features tell: a regression of its own on both.
    """

    takes = ("links",)
    scaled = False  # profiles have the length 1

    neighbours: int = 20
    """Targets, the most similar ones, whose sources count."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        groups: np.ndarray | None = None,
        columns: np.ndarray | None = None,
    ) -> Self:
        """Learn from all pairs of training sources and targets; valid rows are not used.

        Rows of one of the `groups (N,)` are held out together; where the rows of one target are
        of several, each target is held out by itself. Of a node's `columns (D,)` those of its
        expression count, where it has any.
        """
        links, own = self._links(X), np.asarray(y)
        ids = links.node_ids.astype(str)
        self.sources, source = np.unique(ids[:, 0], return_inverse=True)
        self.targets, first, target = np.unique(ids[:, 1], return_index=True, return_inverse=True)
        names = [""] * links.network.X.shape[1] if columns is None else columns
        expressed = np.array([str(name).startswith(EXPRESSION) for name in names])
        self.profile = np.flatnonzero(expressed | ~expressed.any())
        profiles = self._profiles(links.network.X[links.edges[first, 1]])
        self.turn = tempering(profiles)
        tempered = directions(profiles, self.turn)
        linked = np.zeros((len(self.targets), len(self.sources)))
        linked[target[own == 1], source[own == 1]] = 1
        self.share = linked.mean(axis=0).clip(SMALLEST, 1 - SMALLEST)
        held = _target_groups(target, groups)
        self.marks = landmarks(len(tempered), self.seed)
        self._fit_kernel(tempered, linked, held)
        self.profiles, self.linked = tempered, linked
        self.near = self._neighbours(held)
        self.weights = logistic_weights(self._columns(links), own)
        self.strange_weights = logistic_weights(self._strange_columns(links), own)
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities of no link and of a link, (N, 2)."""
        links = self._links(X)
        strange = ~np.isin(links.node_ids[:, 0].astype(str), self.sources)
        said = chances(self._columns(links), self.weights)
        said[strange] = chances(self._strange_columns(links[strange]), self.strange_weights)
        return said

    def _links(self, X: Shaped) -> Links:
        links = links_of_two_classes(self, X)
        if not links.directed:
            raise DataError(
                f"Model {self.name} asks which targets a source has, and these pairs have no order",
                hint="`pair_kernel` is for pairs without order",
            )
        return links

    def _profiles(self, features: np.ndarray) -> np.ndarray:
        """The expression among features of nodes, each row with mean 0 and length 1."""
        values = features[:, self.profile].astype(np.float64)
        values -= values.mean(axis=1, keepdims=True)
        length = np.linalg.norm(values, axis=1, keepdims=True)
        return values / np.where(length > 0, length, 1)

    def _fit_kernel(self, tempered: np.ndarray, linked: np.ndarray, held: np.ndarray) -> None:
        """Keep the width and strength with the least left-out error, each source alike."""
        alike = tempered @ tempered[self.marks].T
        variance = self.share * (1 - self.share)
        least = np.inf
        for width in WIDTHS:
            for ridge in ridges(_kernel(alike, width), self.marks, linked, STRENGTHS):
                left_out = ridge.left_out(held)
                error = np.mean((left_out - linked) ** 2 / variance)
                if error < least:
                    least, self.width = error, width
                    self.coefficients, self.left_out = ridge.coefficients, left_out

    def _columns(self, links: Links) -> np.ndarray:
        """What is known of each pair, (N, 4 + F).

        Training targets are answered as if their group had not been seen.
        """
        rows, place = np.unique(links.edges[:, 1], return_inverse=True)
        ids = links.node_ids.astype(str)
        source = pd.Index(self.sources).get_indexer(ids[:, 0])
        answers, near = self._answers(
            self._profiles(links.network.X[rows]), links.network.node_id[rows]
        )
        share = self.share[source]
        answer = np.where(source >= 0, answers[place, source], share)
        near = np.where(source >= 0, near[place, source], share)
        columns = [
            (answer - share) / np.sqrt(share * (1 - share)),
            answer - share,
            _logit(share),
            _logit(near) - _logit(share),
        ]
        return np.column_stack([*columns, links.X.astype(np.float64)])

    def _strange_columns(self, links: Links) -> np.ndarray:
        """What is known of a pair whose source was never seen, (N, 1 + F).

        How many other sources the target has, 1 where it has none: a target is listed for it has
        some source, so one without any other would be given away.
        """
        ids = links.node_ids.astype(str)
        target = pd.Index(self.targets).get_indexer(ids[:, 1])
        source = pd.Index(self.sources).get_indexer(ids[:, 0])
        own = np.where((target >= 0) & (source >= 0), self.linked[target, source], 0)
        others = np.where(target >= 0, self.linked.sum(axis=1)[target], 0) - own
        return np.column_stack([np.log(np.maximum(others, 1)), links.X.astype(np.float64)])

    def _answers(self, profiles: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the kernel and the neighbours say of targets, (M, sources) each."""
        tempered = directions(profiles, self.turn)
        alike = tempered @ self.profiles[self.marks].T
        kernel = _kernel(alike, self.width) @ self.coefficients
        known = pd.Index(self.targets).get_indexer(ids.astype(str))
        near = np.zeros_like(kernel)
        for rows in _blocks(len(tempered)):
            near[rows] = self._means(tempered[rows] @ self.profiles.T)
        kernel[known >= 0] = self.left_out[known[known >= 0]]
        near[known >= 0] = self.near[known[known >= 0]]
        return kernel, near

    def _neighbours(self, held: np.ndarray) -> np.ndarray:
        """The neighbours' means of the training targets, none of their own group among them."""
        means = []
        for rows in _blocks(len(held)):
            alike = self.profiles[rows] @ self.profiles.T
            alike[held[rows, None] == held] = 0
            means.append(self._means(alike))
        return np.vstack(means)

    def _means(self, alike: np.ndarray) -> np.ndarray:
        """Weighted mean links of the most similar training targets, (M, sources)."""
        weight = np.clip(alike, 0, None) ** POWER
        if weight.shape[1] > self.neighbours:
            least = np.partition(weight, -self.neighbours, axis=1)[:, -self.neighbours, None]
            weight = np.where(weight >= least, weight, 0)
        total = weight.sum(axis=1, keepdims=True) + PRIOR_NEIGHBOUR
        return (weight @ self.linked + PRIOR_NEIGHBOUR * self.share) / total

    def state(self) -> dict[str, np.ndarray]:
        """Profiles and links of the training targets, what they say, and the regression."""
        names = (
            "profile",
            "marks",
            "turn",
            "profiles",
            "linked",
            "share",
            "coefficients",
            "left_out",
            "near",
        )
        arrays = {name: getattr(self, name) for name in names}
        weights = {"weights": self.weights, "strange_weights": self.strange_weights}
        return arrays | weights | {"width": np.array([self.width])}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state."""
        vars(self).update(arrays | {"width": float(arrays["width"][0])})

    def write_state(self, folder: Path) -> None:
        """Write model.safetensors and the nodes by id (nodes.json)."""
        super().write_state(folder)
        nodes = {"sources": self.sources.tolist(), "targets": self.targets.tolist()}
        (folder / "nodes.json").write_text(json.dumps(nodes) + "\n")

    def read_state(self, folder: Path) -> None:
        """Read both."""
        super().read_state(folder)
        nodes = json.loads((folder / "nodes.json").read_text())
        self.sources, self.targets = (np.array(nodes[k], str) for k in ("sources", "targets"))


def _blocks(rows: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, rows, BLOCK)]


def _kernel(alike: np.ndarray, width: float) -> np.ndarray:
    return np.exp((alike - 1) / width) + FREE_MEAN


def _logit(share: np.ndarray) -> np.ndarray:
    from scipy.special import logit

    return logit(np.clip(share, SMALLEST, 1 - SMALLEST))


def _target_groups(target: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """What each target is held out with, (T,): the group of its rows, if they are of one."""
    alone = np.arange(target.max() + 1)
    if groups is None:
        return alone
    by_target = pd.Series(groups).groupby(target)
    return by_target.first().to_numpy() if by_target.nunique().eq(1).all() else alone
