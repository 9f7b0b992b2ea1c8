"""What a change of one letter does: a Gaussian process within each element, and trees on the rest.

Two variants of an element are alike where they are near, at one site the more so with the same new
letter, and where they make and break the same words. How far near reaches and how much is noise is
chosen by answers to variants whose group was left out. Trees learn what these answers miss, from
them, from means of the variants around, and from the letters; they sleep where they do not help.

Nothing is known of an element without a training variant: it is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from bioloom.arrays import Shaped, Table
from bioloom.errors import DataError
from bioloom.models import gradient_boosting
from bioloom.models._estimator import Estimator
from bioloom.models._folds import held_out_together
from bioloom.models._kernels import (
    effective_rows,
    landmarks,
    ridges,
    roots,
    variance_weights,
)
from bioloom.models._variants import DELETED, Variants

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NEAR, FAR = (0.15, 1.2), (0.32, 7.0)
"""How much two places in reach count, and how many bases apart they still count by 1 / e."""
SAME_LETTER, SAME_CLASS = 0.13, 0.07
"""At one site: the same new letter; another one of its class (transition, transversion, none)."""
WORDS = 0.29
"""The same words made or broken, wherever in the element."""
DELETIONS = 0.02
"""The level of the element's deletions."""
LEVELS = (0.02, 0.3, 1.0)
"""How far the levels of elements are apart: little, and all have one mean; much, and each its own.
A level taken from the rows themselves would tell a left-out row what the others lack."""
REACHES = (0.5, 1.0, 2.0)
"""By which the bases of near and far are multiplied."""
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Of the noise, in units of the kernel's diagonal."""
SMOOTHED = (1.5, 5.0, 20.0)
"""Bases apart of means of the variants around, which trees see."""
FEWEST, FOLDS = 200, 5
"""Rows from which on trees are tried, and folds of groups in which they have to help."""
TREES: dict[str, Any] = {
    "max_iter": 150,
    "learning_rate": 0.05,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 30,
    "l2_regularization": 10.0,
}
FARTHEST = 20
"""Bases from the next training variant beyond which an answer is doubted."""
NEW = "no variant of this element was in training"
LONELY = f"no variant within {FARTHEST} bases was in training"


@dataclass(kw_only=True)
class Model(Estimator):
    """One value a variant."""

    takes = ("table",)
    gives = ("values",)
    scaled = False  # positions are bases
    constants = True  # of which element all are

    trees: bool = True
    """Let trees learn what the process misses, where they help."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> Self:
        """Learn from the training rows; valid rows are not used.

        `groups (N,)` are left out together where settings are chosen: sites, or blocks of them.
        Without what is around nothing is known of an element: of one that is a group sites are.
        """
        if self.n_outputs != 1:
            raise DataError("Model variant_kernel predicts one value", hint="name one label")
        self.known = Variants.read(cast(Table, self.taken(X)), self.name)
        names, codes = np.unique(self.known.element, return_inverse=True)
        self.names = names.tolist()
        self.members = np.split(np.argsort(codes, kind="stable"), np.bincount(codes).cumsum()[:-1])
        groups = self._groups(groups)
        own = np.asarray(y, dtype=np.float64).ravel()
        self.mean, self.spread = np.array(own.mean()), np.array(own.std() or 1.0)
        self.z = (own - self.mean) / self.spread
        self.words = self.known.changes()
        self.words_scale = float(self.words.multiply(self.words).sum() / len(own)) or 1.0
        left_out = self._chosen(groups, None)
        self.facts |= {"rows": len(own), "elements": len(self.names)}
        weight = None
        if sample_weight is not None:
            weight = variance_weights((left_out - self.z)[:, None], sample_weight)
            self.facts["effective_rows"] = effective_rows(weight)
            left_out = self._chosen(groups, weight)
        self.correction: gradient_boosting.Model | None = None
        if self.trees and len(own) >= FEWEST:
            self._correct(left_out, groups, weight)
        return self

    def _groups(self, groups: np.ndarray | None) -> np.ndarray:
        """What is left out together, (N,): groups; in an element of one alone sites, or rows."""
        names = np.zeros(len(self.known)) if groups is None else groups
        _, codes = np.unique(names, return_inverse=True)
        first = codes.max() + 1
        for rows in self.members:
            if len(np.unique(codes[rows])) < 2:
                sites = held_out_together(len(rows), self.known.position[rows])
                _, places = np.unique(sites, return_inverse=True)
                codes[rows] = first + places
                first += len(rows)
        return codes

    def _chosen(self, groups: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """Keep what has the least error, whose left-out answers are given (N,)."""
        least = np.inf
        for reach, between in product(REACHES, LEVELS):
            answers, coefficients = self._answered(reach, between, groups, weight)
            errors = np.average((answers - self.z) ** 2, axis=1, weights=weight)
            number = int(errors.argmin())
            if errors[number] < least:
                least, left_out = float(errors[number]), answers[number]
                chosen = {"reach": reach, "between": between, "strength": STRENGTHS[number]}
                self.coefficients = coefficients[number]
        self.facts: dict[str, Any] = getattr(self, "facts", {})
        self.facts |= chosen | {"left_out_r2": self._r2(least, weight)}
        return left_out

    def _r2(self, error: float, weight: np.ndarray | None) -> float:
        centred = self.z - np.average(self.z, weights=weight)
        return 1 - error / (float(np.average(centred**2, weights=weight)) or 1.0)

    def _answered(
        self, reach: float, between: float, groups: np.ndarray, weight: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Left-out answers and coefficients of all rows for each strength, (S, N) both.

        Rows that are no landmarks have coefficients of 0.
        """
        answers, coefficients = np.zeros((2, len(STRENGTHS), len(self.z)))
        root = np.ones(len(self.z)) if weight is None else roots(weight)
        for rows in self.members:
            marks = landmarks(len(rows), self.seed)
            marked = rows[marks]
            kernel = self._kernel(self.known[rows], self.words[rows], marked, reach, between)
            kernel *= root[rows, None] * root[marked]
            target = (root[rows] * self.z[rows])[:, None]
            for number, ridge in enumerate(ridges(kernel, marks, target, STRENGTHS)):
                answers[number, rows] = ridge.left_out(groups[rows])[:, 0] / root[rows]
                coefficients[number, marked] = ridge.coefficients[:, 0] * root[marked]
        return answers, coefficients

    def _kernel(
        self, new: Variants, words: csr_array, marked: np.ndarray, reach: float, between: float
    ) -> np.ndarray:
        """New variants of one element against known ones of it, (N, L)."""
        known = self.known[marked]
        apart = np.abs(new.position[:, None] - known.position)
        kernel = between + WORDS / self.words_scale * (words @ self.words[marked].T).toarray()
        for share, bases in (NEAR, FAR):
            kernel += share * np.exp(-apart / (bases * reach))
        here = apart == 0
        kernel += SAME_LETTER * (here & (new.alt[:, None] == known.alt))
        kernel += SAME_CLASS * (here & (_class(new)[:, None] == _class(known)))
        kernel += DELETIONS * ((new.alt == DELETED)[:, None] & (known.alt == DELETED))
        return kernel

    def _correct(self, left_out: np.ndarray, groups: np.ndarray, weight: np.ndarray | None) -> None:
        """Fit trees to what left-out answers miss, if they help in folds of groups."""
        from sklearn.model_selection import GroupKFold

        columns = self._columns(self.known, left_out, groups)
        rest, corrected = self.z - left_out, left_out.copy()
        folds = min(FOLDS, len(np.unique(groups)))
        for a, b in GroupKFold(folds).split(columns, groups=groups):
            trees = self._trees(columns[a], rest[a], None if weight is None else weight[a])
            corrected[b] += trees.predict(columns[b])
        before, after = (
            float(np.average((answer - self.z) ** 2, weights=weight))
            for answer in (left_out, corrected)
        )
        self.facts["trees"] = after < before
        if after < before:
            self.facts["left_out_r2"] = self._r2(after, weight)
            self.correction = self._trees(columns, rest, weight)

    def _trees(
        self, columns: np.ndarray, rest: np.ndarray, weight: np.ndarray | None
    ) -> gradient_boosting.Model:
        model = gradient_boosting.Model(output="values", n_outputs=1, seed=self.seed, **TREES)
        none = np.arange(0)
        return model.fit(columns, rest, columns[none], rest[none], sample_weight=weight)

    def _columns(self, new: Variants, answer: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
        """What trees see, (N, F): the process's answer, means of variants around, place, letters.

        Elements may lie alike, as sites of splicing do: then a place says the same in all.

        With `groups` the rows are the known ones, and none is seen by its own group.
        """
        smooth = np.zeros((len(new), 2 * len(SMOOTHED) + 1))
        for name in self.names:
            rows, own = (np.flatnonzero(v.element == name) for v in (new, self.known))
            if not len(rows):
                continue
            apart = np.abs(new.position[rows, None] - self.known.position[own])
            away = 1.0 if groups is None else groups[rows, None] != groups[own]
            kernels = [np.exp(-apart / bases) * away for bases in SMOOTHED]
            same = new.alt[rows, None] == self.known.alt[own]
            values = np.column_stack([self.z[own], np.abs(self.z[own])])
            means = [_means(kernel, values) for kernel in kernels]
            means.append(_means(np.exp(-apart / 3) * away * same, values[:, :1]))
            smooth[rows] = np.hstack(means)
        letters = np.eye(6)[np.column_stack([new.around, new.alt])].reshape(len(new), -1)
        return np.column_stack([answer, smooth, new.position, letters]).astype(np.float32)

    def outputs(self, X: Shaped) -> np.ndarray:
        """Values, (N, 1); of a new element the mean of those known."""
        new = Variants.read(cast(Table, self.taken(X)), self.name)
        words, z = new.changes(), np.zeros(len(new))
        for name in self.names:
            rows = np.flatnonzero(new.element == name)
            marked = np.flatnonzero((self.known.element == name) & (self.coefficients != 0))
            kernel = self._kernel(new[rows], words[rows], marked, *self.lengths)
            z[rows] = kernel @ self.coefficients[marked]
        if self.correction is not None:
            z += self.correction.predict(self._columns(new, z, None))
        return (self.mean + self.spread * z)[:, None]

    @property
    def lengths(self) -> tuple[float, float]:
        """The reach and the level between elements that were chosen."""
        return self.facts["reach"], self.facts["between"]

    def refusals(self, X: Shaped) -> np.ndarray:
        """New elements have no answer."""
        new = Variants.read(cast(Table, self.taken(X)), self.name)
        return np.where(np.isin(new.element, self.names), "", NEW).astype(object)

    def doubts(self, X: Shaped) -> np.ndarray:
        """Variants far from all of training."""
        new = Variants.read(cast(Table, self.taken(X)), self.name)
        found = np.full(len(new), "", dtype=object)
        for name in self.names:
            rows = np.flatnonzero(new.element == name)
            places = self.known.position[self.known.element == name]
            apart = np.abs(new.position[rows, None] - places).min(axis=1)
            found[rows[apart > FARTHEST]] = LONELY
        return found

    def state(self) -> dict[str, np.ndarray]:
        """The training variants, their standardised values and coefficients."""
        return {
            "element": np.searchsorted(self.names, self.known.element),
            "position": self.known.position,
            "alt": self.known.alt,
            "around": self.known.around,
            "z": self.z,
            "coefficients": self.coefficients,
            "mean": self.mean,
            "spread": self.spread,
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state."""
        element = np.array(self.names, dtype=object)[arrays.pop("element")]
        self.known = Variants(
            element, *(arrays.pop(name) for name in ("position", "alt", "around"))
        )
        vars(self).update(arrays)
        self.words = self.known.changes()
        self.words_scale = float(self.words.multiply(self.words).sum() / len(self.z)) or 1.0

    def write_state(self, folder: Path) -> None:
        """Write model.safetensors, variants.json (what was chosen) and the trees, if they help."""
        super().write_state(folder)
        described = self.facts | {"names": self.names}
        (folder / "variants.json").write_text(json.dumps(described, indent=1) + "\n")
        if self.correction is not None:
            self.correction.save(folder / "trees")

    def read_state(self, folder: Path) -> None:
        """Read them."""
        self.facts = json.loads((folder / "variants.json").read_text())
        self.names = self.facts.pop("names")
        super().read_state(folder)
        trees = folder / "trees"
        self.correction = gradient_boosting.Model.load(trees) if trees.is_dir() else None


def _class(variants: Variants) -> np.ndarray:
    """0 a transition, 1 a transversion, 2 a deletion, (N,)."""
    # A and G, C and T are two places apart.
    transition = np.abs(variants.ref - variants.alt) == 2
    return np.where(variants.alt == DELETED, 2, np.where(transition, 0, 1))


def _means(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weighted means of values (L, V), (N, V); 0 where none is in reach, as the mean is."""
    total = weights.sum(axis=1, keepdims=True)
    return np.where(total > 0, weights @ values / np.where(total > 0, total, 1), 0)
