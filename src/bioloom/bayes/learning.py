"""Networks learnt from rows: which field depends on which, and how.

Rows with gaps count wherever they can: a table is counted over the rows that have its field and
all of that field's parents (available cases). Counts have a weight a row.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bioloom.bayes.network import Network, Node
from bioloom.errors import DataError

STEPS = 2**20  # of a unit of the score
NEVER = -1e9  # the score of parents that no row has

Parents = tuple[tuple[int, ...], ...]
"""The parents of each field, by place."""


@dataclass(frozen=True)
class Rows:
    """What is learnt from: `codes (N, V)`, negative where missing; `weight (N,)`."""

    codes: np.ndarray
    sizes: tuple[int, ...]
    weight: np.ndarray

    @cached_property
    def total(self) -> float:
        """The weight of all rows."""
        return float(self.weight.sum())

    def counts(self, fields: Sequence[int]) -> np.ndarray:
        """The weight of the rows with each combination of states, an axis a field."""
        shape = [self.sizes[field] for field in fields]
        columns = self.codes[:, [*fields]]
        rows = (columns >= 0).all(axis=1)
        flat = np.ravel_multi_index(tuple(columns[rows].T), shape)
        found = np.bincount(flat, self.weight[rows], minlength=int(np.prod(shape)))
        return found.reshape(shape)

    def score(self, field: int, parents: Sequence[int]) -> float:
        """BIC of a field with these parents; of rows with gaps by what each row that has all tells.

        What parents gain is measured over the rows that have field and parents, on both sides, and
        so is its price; the mean a row then counts for all rows (after the node-average likelihood
        of Bodewes and Scutari 2021). Sums would favour the field that is seldom missing, and means
        of the likelihood alone would compare different rows. Without gaps it is BIC.
        """
        counts = self.counts([*parents, field])
        known = counts.sum()
        if not known:
            return NEVER if parents else 0.0
        alone = self.sizes[field] - 1
        found = _mean_log_likelihood(self.counts([field])) * self.total
        found -= np.log(self.total) / 2 * alone
        if parents:
            ours = counts.sum(axis=tuple(range(len(parents))))
            gain = _mean_log_likelihood(counts) - _mean_log_likelihood(ours)
            more = alone * (np.prod([self.sizes[parent] for parent in parents]) - 1)
            found += self.total * (gain - np.log(known) / known / 2 * more)
        return float(found)

    def table(self, field: int, parents: Sequence[int], pseudo_count: float) -> np.ndarray:
        """P(field | parents): frequencies, with `pseudo_count` added to the count of each state.

        That is the mean under a symmetric Dirichlet prior: parents that no row has together give
        each state the same probability. Where nothing is added they give the field as it is among
        all rows; a field that no row has is uniform.
        """
        alone = self.counts([field]) + pseudo_count
        if not alone.sum():
            alone = np.ones(self.sizes[field])
        counts = self.counts([*parents, field]) + pseudo_count
        total = counts.sum(axis=-1, keepdims=True)
        return np.where(total > 0, counts / np.where(total > 0, total, 1), alone / alone.sum())


def _mean_log_likelihood(counts: np.ndarray) -> float:
    """Of the last axis given the others, a row."""
    given = np.broadcast_to(counts.sum(axis=-1, keepdims=True), counts.shape)
    seen = counts > 0
    return float((counts[seen] * np.log(counts[seen] / given[seen])).sum() / counts.sum())


def naive(size: int, target: int) -> Parents:
    """Every field depends on the target alone."""
    return tuple(() if field == target else (target,) for field in range(size))


def tree(rows: Rows, target: int) -> Parents:
    """Every field depends on the target and, but for one, on another field (TAN, Friedman 1997).

    These form the tree with the largest mutual information between fields given the target.
    """
    from networkx import Graph, bfs_predecessors, maximum_spanning_tree

    graph = Graph()
    fields = [field for field in range(len(rows.sizes)) if field != target]
    graph.add_nodes_from(fields)
    for i in fields:
        for j in fields[: fields.index(i)]:
            graph.add_edge(j, i, weight=_information(rows.counts([target, j, i])))
    grown = maximum_spanning_tree(graph)
    above = dict(bfs_predecessors(grown, fields[0])) if fields else {}
    star = naive(len(rows.sizes), target)
    return tuple((*star[f], above[f]) if f in above else star[f] for f in range(len(star)))


def _information(counts: np.ndarray) -> float:
    """Mutual information of the last two axes given the first, in nats."""
    if not counts.sum():
        return 0.0
    p = counts / counts.sum()
    given = p.sum(axis=(1, 2), keepdims=True)
    apart = p.sum(axis=2, keepdims=True) * p.sum(axis=1, keepdims=True)
    seen = p > 0
    return float((p[seen] * np.log((p * given)[seen] / apart[seen])).sum())


def hill_climb(
    rows: Rows,
    names: Sequence[str],
    required: Sequence[tuple[int, int]],
    forbidden: Sequence[tuple[int, int]],
    max_parents: int,
) -> Parents:
    """The best network found by adding, removing and turning edges, by `Rows.score`.

    The search is pgmpy's, with a list of moves not to be undone soon (tabu). Required edges stay,
    and forbidden ones never come.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():  # of names that pgmpy will move
            warnings.simplefilter("ignore")
            from pgmpy.causal_discovery import ExpertKnowledge, HillClimbSearch
            from pgmpy.structure_score import BaseStructureScore
    except ImportError:
        raise DataError(
            "`structure: augmented` and `hill_climb` need the package pgmpy",
            hint="pip install 'bioloom[clinical]', or take `structure: tree` or `naive`",
        ) from None

    class Score(BaseStructureScore):
        """pgmpy's interface to `Rows.score`."""

        def _local_score(self, variable: int, parents: tuple[int, ...]) -> float:
            # In steps that differences keep: edges that say the same tie on every processor.
            return round(rows.score(variable, parents) * STEPS) / STEPS

    check_edges(names, required, forbidden, max_parents)
    # pgmpy looks at the names of the columns alone: the score counts.
    columns = pd.DataFrame(np.zeros((2, len(names)), dtype=int))
    known = ExpertKnowledge(required_edges=[*required], forbidden_edges=[*forbidden])
    search = HillClimbSearch(
        scoring_method=Score(columns),
        max_indegree=max_parents,
        expert_knowledge=known,
        return_type="dag",
        show_progress=False,
    )
    found = search.fit(columns).causal_graph_
    return tuple(tuple(sorted(found.predecessors(field))) for field in range(len(names)))


def check_edges(
    names: Sequence[str],
    required: Sequence[tuple[int, int]],
    forbidden: Sequence[tuple[int, int]],
    max_parents: int,
) -> None:
    """DataError where required edges go round, are forbidden too, or are too many of a field."""
    from networkx import DiGraph, find_cycle, is_directed_acyclic_graph

    if both := {*required} & {*forbidden}:
        raise DataError(f"Edge {_shown(names, *min(both))} is required and forbidden")
    graph = DiGraph(required)
    if not is_directed_acyclic_graph(graph):
        circle = ", ".join(_shown(names, *edge) for edge in find_cycle(graph))
        raise DataError(f"Required edges go round in a circle: {circle}")
    for field, count in graph.in_degree():
        if count > max_parents:
            raise DataError(
                f"{count} required edges lead to {names[field]}, `max_parents` is {max_parents}"
            )


def _shown(names: Sequence[str], parent: int, child: int) -> str:
    return f"{names[parent]} -> {names[child]}"


def network(
    rows: Rows,
    names: Sequence[str],
    states: Sequence[tuple[str, ...]],
    parents: Parents,
    pseudo_count: float,
) -> Network:
    """The network of this structure with the tables that the rows have."""
    nodes = zip(names, states, parents, strict=True)
    return Network(
        tuple(
            Node(name, own, above, rows.table(field, above, pseudo_count))
            for field, (name, own, above) in enumerate(nodes)
        )
    )
