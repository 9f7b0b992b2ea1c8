"""A Bayesian network of discrete fields, and what it says under any partial evidence: exactly.

Evidence are codes (N, V): the state of each field, -1 where it is not observed. Fields that are
neither observed nor asked for are summed out one by one (variable elimination, Zhang and Poole
1996), for all rows at once that have the same fields observed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bioloom.errors import DataError

ROWS = 4096  # that are answered at once
MOST_CELLS = 2**24  # of a table that elimination makes, for all of these rows: 128 MB
DAMAGED = "The network is damaged"

Factor = tuple[tuple[int, ...], np.ndarray]
"""The fields that a table is about, and its values: (rows or 1, a state axis for each field)."""


class _TooLarge(Exception):
    """A table would have more than `MOST_CELLS`."""


@dataclass(frozen=True)
class Node:
    """A field: its states, its parents by place, and P(state | parents).

    `table` has an axis for each parent in their order and its own last, which sums to 1.
    """

    name: str
    states: tuple[str, ...]
    parents: tuple[int, ...]
    table: np.ndarray


@dataclass(frozen=True)
class Belief:
    """`p (N, states of each field asked for)` given the evidence, and the log of its probability.

    Where the evidence has probability 0, `log_evidence (N,)` is -inf and `p` is 0.
    """

    p: np.ndarray
    log_evidence: np.ndarray

    @property
    def possible(self) -> np.ndarray:
        """Whether the evidence of each row can be at all, (N,) bool."""
        return np.isfinite(self.log_evidence)


@dataclass(frozen=True)
class Network:
    """The fields of a network; DataError where tables do not fit together or parents go round."""

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        for node in self.nodes:
            if not all(0 <= parent < len(self.nodes) for parent in node.parents):
                raise DataError(DAMAGED, column=node.name)
            shape = (*(len(self.nodes[parent].states) for parent in node.parents), len(node.states))
            sound = node.table.shape == shape and (node.table >= 0).all()
            if not sound or not np.allclose(node.table.sum(axis=-1), 1, atol=1e-6):
                raise DataError(DAMAGED, column=node.name)
        if len(self.order()) < len(self.nodes):
            raise DataError(f"{DAMAGED}: its edges go round in a circle")

    @property
    def names(self) -> list[str]:
        """The names of the fields."""
        return [node.name for node in self.nodes]

    @property
    def edges(self) -> list[tuple[str, str]]:
        """(parent, child) by name."""
        return [(self.nodes[p].name, node.name) for node in self.nodes for p in node.parents]

    def order(self) -> list[int]:
        """The fields, each after its parents; without those that are on a circle or below one."""
        done: list[int] = []
        while new := [
            i
            for i, node in enumerate(self.nodes)
            if i not in done and set(node.parents) <= set(done)
        ]:
            done += new
        return done

    def ask(self, codes: np.ndarray, fields: Sequence[int]) -> Belief:
        """P(fields | evidence) of each row.

        A field that is asked for may be observed: then its state has probability 1.
        """
        sizes = tuple(len(self.nodes[field].states) for field in fields)
        unique, place = np.unique(codes, axis=0, return_inverse=True)
        p, log_evidence = np.zeros((len(unique), *sizes)), np.zeros(len(unique))
        for observed, rows in _patterns(unique >= 0):
            for some in np.split(rows, range(ROWS, len(rows), ROWS)):
                p[some], log_evidence[some] = self._answer(unique[some], observed, fields)
        place = place.reshape(-1)
        return Belief(p[place], log_evidence[place])

    def conflict(self, codes: np.ndarray) -> list[int]:
        """Fields (V,) of evidence of probability 0 that rule each other out; none to spare.

        Fields are left out one by one where what remains is still impossible.
        """
        codes = codes.copy()
        for field in np.flatnonzero(codes >= 0):
            without = codes.copy()
            without[field] = -1
            if not self.ask(without[None], ()).possible[0]:
                codes = without
        return [int(field) for field in np.flatnonzero(codes >= 0)]

    def _answer(
        self, codes: np.ndarray, observed: np.ndarray, asked: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `_eliminate`, half of the rows at a time where tables of all would be too large."""
        try:
            return self._eliminate(codes, observed, asked)
        except _TooLarge:
            if len(codes) == 1:
                raise DataError(
                    "The network is too dense for exact inference",
                    hint="lower `max_parents` or `bins`, or forbid some edges",
                ) from None
        halves = np.array_split(codes, 2)
        answers = [self._answer(half, observed, asked) for half in halves]
        p, log_evidence = (np.concatenate(parts) for parts in zip(*answers, strict=True))
        return p, log_evidence

    def _eliminate(
        self, codes: np.ndarray, observed: np.ndarray, asked: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """P(asked | evidence) (N, ...) and log P(evidence) (N,), rows that observe the same."""
        # What is neither observed nor asked for, nor above such a field, sums to 1.
        kept = self._with_ancestors({*np.flatnonzero(observed), *asked})
        factors = [self._factor(field, codes, observed, asked) for field in sorted(kept)]
        factors += [self._indicator(field, codes) for field in asked if observed[field]]
        log_scale = np.zeros(len(codes))
        hidden = {field for field in kept if not observed[field]} - {*asked}
        while hidden:
            field = min(sorted(hidden), key=lambda field: self._cells(_about(factors, field)))
            about = _about(factors, field)
            factors = [factor for factor in factors if field not in factor[0]]
            axes, values = self._product(about)
            values = values.sum(axis=1 + axes.index(field))
            values, log_scale = _scaled(values, log_scale)
            factors.append((tuple(axis for axis in axes if axis != field), values))
            hidden.remove(field)
        # A factor at a time: the product of many small numbers would become 0.
        joint: Factor = ((), np.ones((1,)))
        for factor in [(tuple(asked), np.ones((1, *self._sizes(asked)))), *factors]:
            axes, values = self._product([joint, factor])
            values, log_scale = _scaled(values, log_scale)
            joint = axes, values
        axes, values = joint
        values = values.transpose(0, *(1 + axes.index(field) for field in asked))
        values = np.broadcast_to(values, (len(codes), *values.shape[1:]))
        total = values.sum(axis=tuple(range(1, values.ndim)), keepdims=True)
        with np.errstate(divide="ignore"):
            log_evidence = log_scale + np.log(total.reshape(-1))
        return values / np.where(total > 0, total, 1), log_evidence

    def _with_ancestors(self, fields: set[int]) -> set[int]:
        kept, queue = set[int](), [*fields]
        while queue:
            field = int(queue.pop())
            if field not in kept:
                kept.add(field)
                queue += self.nodes[field].parents
        return kept

    def _factor(
        self, field: int, codes: np.ndarray, observed: np.ndarray, asked: Sequence[int]
    ) -> Factor:
        """The table of a field where what is observed is as in the rows."""
        node = self.nodes[field]
        axes = (*node.parents, field)
        fixed = [i for i, axis in enumerate(axes) if observed[axis] and axis not in asked]
        free = [i for i in range(len(axes)) if i not in fixed]
        values = node.table.transpose(*fixed, *free)
        rows = values[tuple(codes[:, axes[i]] for i in fixed)] if fixed else values[None]
        return tuple(axes[i] for i in free), rows

    def _indicator(self, field: int, codes: np.ndarray) -> Factor:
        return (field,), np.eye(len(self.nodes[field].states))[codes[:, field]]

    def _sizes(self, fields: Sequence[int]) -> list[int]:
        return [len(self.nodes[field].states) for field in fields]

    def _cells(self, factors: list[Factor]) -> float:
        axes = sorted({axis for factor in factors for axis in factor[0]})
        return float(np.prod(self._sizes(axes), dtype=float))

    def _product(self, factors: list[Factor]) -> Factor:
        """The product of tables over the fields of all of them."""
        axes = tuple(sorted({axis for factor in factors for axis in factor[0]}))
        if self._cells(factors) * max(len(values) for _, values in factors) > MOST_CELLS:
            raise _TooLarge
        product = np.ones((1,) * (1 + len(axes)))
        for own, values in factors:
            ordered = values.transpose(0, *(1 + own.index(axis) for axis in axes if axis in own))
            missing = tuple(1 + i for i, axis in enumerate(axes) if axis not in own)
            product = product * np.expand_dims(ordered, missing)
        return axes, product


def _about(factors: list[Factor], field: int) -> list[Factor]:
    return [factor for factor in factors if field in factor[0]]


def _scaled(values: np.ndarray, log_scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values (rows or 1, ...) whose largest of a row is 1, and the log of what was taken out."""
    top = values.max(axis=tuple(range(1, values.ndim)), keepdims=True)
    with np.errstate(divide="ignore"):
        log_scale = log_scale + np.log(top.reshape(-1))
    return values / np.where(top > 0, top, 1), log_scale


def _patterns(observed: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each pattern of observed fields (V,) bool, and the rows that have it."""
    patterns, place = np.unique(observed, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        yield pattern, np.flatnonzero(place.reshape(-1) == number)
