"""A Bayesian network of the columns and the label, each as a field of few states.

The structure is learnt from training rows or fixed, tables are counts with a declared prior, and
what is missing in a row is summed out: inference is exact under any partial evidence. Of several
labels or outcomes each has a network of its own. Rows with gaps: see `bioloom.bayes.learning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import numpy as np

from bioloom.arrays import Shaped, end_to_end
from bioloom.bayes import learning
from bioloom.bayes.coding import MISSING, Numbers
from bioloom.bayes.network import Network, Node
from bioloom.errors import DataError, unknown_name
from bioloom.formats.bif import words, write_bif
from bioloom.models import _fields
from bioloom.models._estimator import Edges, Estimator
from bioloom.models._outcome import Outcome
from bioloom.models._telling import tell

LABEL = "label"
"""The name of the field that is predicted, in edges and in BIF."""
UNSEEN_TOGETHER = "not seen together in training"


@dataclass(kw_only=True)
class Model(Estimator):
    """P(label | what is known of a row), with columns that are missing left out.

    A number has at most `bins` bins of equally many training rows, a number as label `label_bins`;
    categories of fewer than five rows are one, "other". A value outside the range of training, or a
    category that training had not, is not used.
    `structure`: "augmented", every column depends on the label, and on other columns as a search
    by BIC finds, at most `max_parents` a field; "hill_climb", that search alone, which may leave
    columns apart; "tree", on the label and one other column; "naive", on the label alone. Edges of
    columns or `label`: `required` ones stay and `forbidden` ones never come in the search, and a
    column that any of them joins with `label` is left to them; fixed structures take none.
    """

    takes = ("table", "vectors")
    scaled = False  # bins are in the unit of the column
    tells = True

    structure: Literal["augmented", "hill_climb", "tree", "naive"] = "augmented"
    """Which edges there may be (above)."""
    bins: int = 4
    """Of a number as feature, at most."""
    label_bins: int = 6
    """Of a number as label, at most."""
    required: Edges = field(default_factory=list)
    """Edges [from, to] that stay."""
    forbidden: Edges = field(default_factory=list)
    """Edges [from, to] that never come."""
    max_parents: int = 3
    """Of a field, in a search."""
    pseudo_count: float = 1.0
    """Added to the count of each state, whatever its parents'; with 0 what was not seen has
    probability 0."""
    class_weight: Literal["balanced"] | None = None
    """`balanced`: a rare class counts as much as a frequent one."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Learn bins, structure and tables from the training rows; valid rows are not used."""
        X, y = self.taken(X), end_to_end(y)
        weight = np.ones(len(X)) if sample_weight is None else sample_weight.astype(np.float64)
        counted = weight > 0
        X, y, weight = X[counted], y[counted], weight[counted]
        self.fields = _fields.learn(X, self.bins)
        if LABEL in self.fields:
            raise DataError(f"A column is called {LABEL}, as the field that is predicted")
        evidence = _fields.code(X, self.fields)
        columns = y.reshape(len(y), -1).T
        self.outcomes = [self._outcome(evidence, column, weight) for column in columns]
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """Posterior of the classes, of each label, or posterior means: (N, n_outputs)."""
        evidence = _fields.code(self.taken(X), self.fields)
        if self.classes:
            return self.outcomes[0].posterior(evidence)
        weights = [np.array([0, 1]) if o.means is None else o.means for o in self.outcomes]
        pairs = zip(self.outcomes, weights, strict=True)
        return np.column_stack([outcome.posterior(evidence) @ w for outcome, w in pairs])

    def doubts(self, X: Shaped) -> np.ndarray:
        """Which numbers lie outside the range of training, and so were not used: (N,) texts."""
        return _fields.outside(self.taken(X), self.fields)

    def refusals(self, X: Shaped) -> np.ndarray:
        """The columns whose states together have probability 0, (N,) texts."""
        evidence = _fields.code(self.taken(X), self.fields)
        found = np.full(len(X), "", dtype=object)
        for outcome in self.outcomes:
            together = outcome.impossible(evidence)
            found = np.where(found == "", together, found)
        return np.where(found == "", "", f"{UNSEEN_TOGETHER}: " + found)

    def tell(self, X: Shaped, outputs: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
        """The tables of `_telling`."""
        X = self.taken(X)
        return tell(self.fields, self._named(outputs), _fields.code(X, self.fields), self.doubts(X))

    def export(self, folder: Path, outputs: Sequence[str]) -> None:
        """Write network.bif, or one a label, with its classes by their names."""
        named = self._named(outputs)
        for name, outcome in zip(words(named), named.values(), strict=True):
            own = "" if len(named) == 1 else f".{name}"
            write_bif(outcome.network, folder / f"network{own}.bif")

    def state(self) -> dict[str, np.ndarray]:
        """Bins, categories, structure and tables."""
        arrays, described = _fields.as_arrays(self.fields), []
        for number, outcome in enumerate(self.outcomes):
            nodes = outcome.network.nodes
            described.append([[node.name, node.states, node.parents] for node in nodes])
            arrays |= {f"table.{number}.{place}": node.table for place, node in enumerate(nodes)}
            if outcome.bins is not None and outcome.means is not None:
                arrays[f"label.edges.{number}"] = outcome.bins.edges
                arrays[f"label.means.{number}"] = outcome.means
        return arrays | {"networks": _fields.as_bytes(described)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state; DataError where its tables do not fit together."""
        self.fields, self.outcomes = _fields.from_arrays(arrays), []
        for number, described in enumerate(_fields.from_bytes(arrays["networks"])):
            nodes = tuple(
                Node(name, tuple(states), tuple(parents), arrays[f"table.{number}.{place}"])
                for place, (name, states, parents) in enumerate(described)
            )
            edges, means = (arrays.get(f"label.{what}.{number}") for what in ("edges", "means"))
            bins = None if edges is None else Numbers(edges, nodes[-1].states)
            self.outcomes.append(Outcome(Network(nodes), bins, means))

    def _outcome(self, evidence: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Outcome:
        """The network of one label (N,), NaN where it is not known."""
        known, bins, means = ~np.isnan(y), None, None
        if self.output == "values":
            bins = Numbers.fit(y[known], self.label_bins)
            states, label = bins.names, bins.codes(y)
            means = _means(y, label, weight, len(states))
        else:
            states = tuple(map(str, range(self.n_outputs if self.classes else 2)))
            label = np.where(known, y, MISSING).astype(np.int64)
            weight = weight * self._class_weights(label, weight, len(states))
        all_states = [*_fields.state_names(self.fields), states]
        names = [*self.fields, LABEL]
        sizes = tuple(map(len, all_states))
        rows = learning.Rows(np.column_stack([evidence, label]), sizes, weight)
        parents = self._structure(rows, names)
        network = learning.network(rows, names, all_states, parents, self.pseudo_count)
        return Outcome(network, bins, means)

    def _structure(self, rows: learning.Rows, names: list[str]) -> learning.Parents:
        target = len(names) - 1
        required, forbidden = (
            [_edge(edge, names, what) for edge in edges]
            for what, edges in (("required", self.required), ("forbidden", self.forbidden))
        )
        if self.structure == "augmented":
            told = {field for edge in (*required, *forbidden) for field in edge if target in edge}
            required += [(target, field) for field in range(target) if field not in told]
        if self.structure in ("augmented", "hill_climb"):
            return learning.hill_climb(rows, names, required, forbidden, self.max_parents)
        if required or forbidden:
            raise DataError(
                f"`structure: {self.structure}` is fixed and takes no edges",
                hint="`augmented` and `hill_climb` take `required` and `forbidden`",
            )
        if self.structure == "tree":
            return learning.tree(rows, target)
        return learning.naive(len(names), target)

    def _class_weights(self, label: np.ndarray, weight: np.ndarray, size: int) -> np.ndarray:
        """How much more a row counts for its class, (N,); 1 where no class is to be raised."""
        known = label >= 0
        if self.class_weight is None or not known.any():
            return np.ones(len(label))
        counts = np.bincount(label[known], weight[known], minlength=size)
        raised = counts.sum() / (np.count_nonzero(counts) * np.where(counts > 0, counts, 1))
        return np.where(known, raised[label], 1.0)

    def _named(self, outputs: Sequence[str]) -> dict[str, Outcome]:
        """The outcomes by the names of labels or targets; classes by their names, as `label`."""
        if not self.classes:
            return dict(zip(outputs, self.outcomes, strict=True))
        return {LABEL: self.outcomes[0].named(outputs)}


def _means(y: np.ndarray, label: np.ndarray, weight: np.ndarray, size: int) -> np.ndarray:
    """The mean of the label in each of its bins, (bins,); 0 where no label is known."""
    known = label >= 0
    total = np.bincount(label[known], weight[known], minlength=size)
    summed = np.bincount(label[known], weight[known] * y[known], minlength=size)
    return summed / np.where(total > 0, total, 1)


def _edge(edge: list[str], names: list[str], what: str) -> tuple[int, int]:
    """The places of the ends of an edge."""
    for end in edge:
        if end not in names:
            raise unknown_name("column", end, names, f" in `{what}`: it is not there, or constant")
    parent, child = map(names.index, edge)
    return parent, child
