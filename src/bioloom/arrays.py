"""The shapes that features have beside (N, D): tables, per-token arrays, and links of a network.

`Table` has categories and gaps; a model that knows neither takes `dense()`. `Ragged` lays per-token
arrays of N items end to end, with offsets instead of padding. `Links` are
samples that are edges of a network, with the features of its nodes and of the links: a model for
tables takes `dense()`, a graph network nodes, edges and context. Nodes carry ids, so that a model
can remember training edges and find their ends again in other data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Per-token vectors of N items: `values (T, D)`; `offsets (N + 1,)` say where each begins.

    Where a token has one number only (its class), `values` is `(T,)`.
    """

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: np.ndarray) -> Ragged:
        """The items at `index` (integers or a boolean mask), in that order."""
        offsets = np.concatenate([[0], np.cumsum(self.lengths[index])])
        return Ragged(self.values[self.tokens(index)], offsets)

    def tokens(self, index: np.ndarray) -> np.ndarray:
        """The rows of `values` that belong to the items at `index`, item after item."""
        index = np.arange(len(self))[index]
        lengths = self.lengths[index]
        ends = np.cumsum(lengths)
        return np.repeat(self.offsets[index] - ends + lengths, lengths) + np.arange(lengths.sum())

    @property
    def lengths(self) -> np.ndarray:
        """Tokens in each item, (N,)."""
        return np.diff(self.offsets)

    def item(self, i: int) -> np.ndarray:
        """Item i, (L, D)."""
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    def mean(self) -> np.ndarray:
        """The mean vector of each item, (N, D) float32; an item without tokens gives zeros."""
        means = np.zeros((len(self), self.values.shape[1]), dtype=np.float32)
        for i in np.flatnonzero(self.lengths).tolist():
            means[i] = self.item(i).mean(axis=0, dtype=np.float32)
        return means


def residues_of(sample_ids: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """`sample_id` and `position` (from 1) of each token, (T,), where each sample has `lengths`."""
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    position = np.arange(lengths.sum()) - starts + 1
    return {"sample_id": np.repeat(sample_ids, lengths), "position": position}


@dataclass(frozen=True)
class Table:
    """N samples of D `columns`: `values (N, D)` float32 are numbers, or codes of categories.

    Both are NaN where missing. `categories` has for each column what its codes stand for, and
    nothing for a number. `weight (D,)` float32 is by how much a column counts in `dense()`.
    `prepared (N, F)` is what stands for a table of which preprocessing has made vectors.
    """

    values: np.ndarray
    columns: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    weight: np.ndarray
    prepared: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: np.ndarray) -> Table:
        """The samples at `index` (integers or a boolean mask), in that order."""
        prepared = None if self.prepared is None else self.prepared[index]
        return replace(self, values=self.values[index], prepared=prepared)

    @property
    def is_category(self) -> np.ndarray:
        """Which columns are categories, (D,) bool."""
        return np.array([bool(names) for names in self.categories], dtype=bool)

    @property
    def names(self) -> list[str]:
        """The F names of the dissolved columns: `age`, `sex=f`, `sex=m`."""
        pairs = zip(self.columns, self.categories, strict=True)
        return [
            f"{column}={value}" if names else column
            for column, names in pairs
            for value in names or [""]
        ]

    @property
    def owner(self) -> np.ndarray:
        """The column that each dissolved one is of, (F,)."""
        sizes = np.array([len(names) or 1 for names in self.categories], dtype=np.int64)
        return np.repeat(np.arange(len(sizes)), sizes)

    def dense(self) -> np.ndarray:
        """Numbers as they are and a column of 0 and 1 a category, times weight: (N, F) float32.

        A missing number stays NaN, a missing category has 0 in all its columns.
        """
        owner, is_category = self.owner, self.is_category
        if not is_category.any() and (self.weight == 1).all():
            return self.values.copy()
        flags = np.zeros((len(self), len(owner)), dtype=np.float32)
        flags[:, ~is_category[owner]] = self.values[:, ~is_category]
        for column in np.flatnonzero(is_category):
            codes = np.arange(len(self.categories[column]), dtype=np.float32)
            flags[:, owner == column] = self.values[:, [column]] == codes
        return flags * self.weight[owner]

    def aligned(self, names: Sequence[str]) -> Table:
        """The table of which the dissolved columns are `names`; what it lacks is missing."""
        wanted: dict[str, list[str]] = {}
        for name in names:
            column, *value = name.split("=", 1)
            wanted.setdefault(column, []).extend(value)
        values = np.full((len(self), len(wanted)), np.nan, dtype=np.float32)
        weight = np.ones(len(wanted), dtype=np.float32)
        position = {column: i for i, column in enumerate(self.columns)}
        for place, (column, categories) in enumerate(wanted.items()):
            if column in position:
                values[:, place] = self._recoded(position[column], categories)
                weight[place] = self.weight[position[column]]
        return Table(values, tuple(wanted), tuple(map(tuple, wanted.values())), weight)

    def _recoded(self, column: int, categories: list[str]) -> np.ndarray:
        """A column (N,) in codes of other categories; a number is no category, nor the reverse."""
        known = self.categories[column]
        if bool(known) != bool(categories):
            return np.full(len(self), np.nan, dtype=np.float32)
        if not known:
            return self.values[:, column]
        code = {value: float(i) for i, value in enumerate(categories)}
        codes = np.array([*(code.get(value, np.nan) for value in known), np.nan], dtype=np.float32)
        return codes[np.nan_to_num(self.values[:, column], nan=len(known)).astype(np.int64)]

    def beside(self, other: Table) -> Table:
        """The columns of both."""
        values = np.hstack([self.values, other.values])
        weight = np.concatenate([self.weight, other.weight])
        columns, categories = self.columns + other.columns, self.categories + other.categories
        return Table(values, columns, categories, weight)

    def with_prepared(self, prepared: np.ndarray, support: np.ndarray) -> Table:
        """The columns of which `prepared (N, S)` has some: it holds the dissolved ones `support`.

        Numbers are those in `prepared`; their gaps, and categories, stay as they are.
        """
        owner = self.owner[support]
        kept = np.unique(owner)
        values = self.values[:, kept]
        numbers = np.flatnonzero(~self.is_category[owner])
        place = np.searchsorted(kept, owner[numbers])
        values[:, place] = np.where(np.isnan(values[:, place]), np.nan, prepared[:, numbers])
        columns = tuple(self.columns[i] for i in kept)
        categories = tuple(self.categories[i] for i in kept)
        return Table(values, columns, categories, self.weight[kept], prepared)


EXPRESSION = "expression."
"""What the names of a node's expression columns begin with."""


@dataclass(frozen=True)
class Network:
    """M nodes: `node_id (M,)`, `X (M, D)`; and label-free `context (2, E)` with `weight (E,)`.

    A context edge says that two nodes resemble each other (co-expression), not that they interact.
    It is there in both directions.
    """

    node_id: np.ndarray
    X: np.ndarray
    context: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Links:
    """N pairs: `edges (N, 2)` are rows of `network`, `X (N, F)` features of the pairs themselves.

    `directed`: whether (a, b) and (b, a) are different pairs (regulator and target).
    """

    network: Network
    edges: np.ndarray
    X: np.ndarray
    directed: bool = False

    def __len__(self) -> int:
        return len(self.edges)

    def __getitem__(self, index: np.ndarray) -> Links:
        """The pairs at `index` (integers or a boolean mask); the network stays whole."""
        return replace(self, edges=self.edges[index], X=self.X[index])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of pairs, and of features of a node."""
        return len(self.edges), self.network.X.shape[1]

    @property
    def node_ids(self) -> np.ndarray:
        """The ids of both ends, (N, 2)."""
        return self.network.node_id[self.edges]

    def used_nodes(self) -> np.ndarray:
        """Rows of the nodes that are an end of some pair."""
        return np.unique(self.edges)

    def dense(self) -> np.ndarray:
        """One row a pair, float32: (N, 2 D + F), or (N, 3 D + F) where directed.

        Undirected: product and absolute difference of the ends, which know no order. Directed:
        source, target and their product.
        """
        source, target = (self.network.X[self.edges[:, end]] for end in (0, 1))
        if self.directed:
            columns = [source, target, source * target, self.X]
        else:
            columns = [source * target, np.abs(source - target), self.X]
        return np.hstack(columns).astype(np.float32)


Shaped = np.ndarray | Table | Ragged | Links
"""Features, or labels, of N samples: (N, D) or (N,), a table, a row a token, links of a network."""

# What each shape answers for itself. Nothing else in the library asks which shape it has.


@singledispatch
def shape_of(X: Any) -> str:
    """What a model says that it takes: "vectors", "table", "tokens" or "links"."""
    return "vectors"


@singledispatch
def vectors(X: Any) -> np.ndarray:
    """One vector a sample, (N, D): the mean of its tokens, or what its `dense` gives."""
    return X


@singledispatch
def as_table(X: Any, names: Sequence[str]) -> Table:
    """X as a table whose dissolved columns are called `names`; vectors (N, D) are numbers."""
    values = X.astype(np.float32)
    size = values.shape[1]
    return Table(values, tuple(names), ((),) * size, np.ones(size, dtype=np.float32))


@singledispatch
def cells(X: Any) -> np.ndarray:
    """What a model for tables reads, (N, D): of a `Table` with codes and gaps, else the vectors."""
    return vectors(X)


@singledispatch
def aligned(X: Any, given: Sequence[str], names: Sequence[str]) -> Shaped:
    """X, of columns `given`, with the columns `names`; what it lacks is missing.

    A name `column=value` is one of the columns of a category, which are 0 where it is missing.
    """
    position = {name: i for i, name in enumerate(given)}
    columns = np.zeros((len(X), len(names)), dtype=np.float32)
    for i, name in enumerate(names):
        if name in position:
            columns[:, i] = X[:, position[name]]
        elif "=" not in name:
            columns[:, i] = np.nan
    return columns


@singledispatch
def end_to_end(X: Any) -> np.ndarray:
    """One row a token where X is per token, else X as it is."""
    return X


@singledispatch
def token_lengths(X: Any) -> np.ndarray | None:
    """Tokens of each sample, (N,); None where samples have none."""
    return None


@singledispatch
def tables(X: Any) -> list[np.ndarray]:
    """The tables whose columns are prepared together, each of rows of one sort.

    Of a `Table` it is the dissolved one. Of links these are the nodes that end one of them, and the
    links' own features.
    """
    return [X]


@singledispatch
def with_tables(X: Any, prepare: list[Callable[[np.ndarray], np.ndarray]]) -> Shaped:
    """The same with each of its tables, all rows, put through its function; a `Table` dissolved."""
    return prepare[0](X)


@singledispatch
def to_arrays(X: Any) -> dict[str, np.ndarray]:
    """X as plain arrays for a file; `from_arrays` gives it back."""
    return {"X": X.astype(np.float32)}


def from_arrays(arrays: Mapping[str, Any]) -> Shaped:
    """What `to_arrays` took apart."""
    if "edge_index" in arrays:
        context = arrays["context_index"], arrays["context_weight"]
        network = Network(arrays["node_id"], arrays["X"], *context)
        return Links(network, arrays["edge_index"].T, arrays["pair_X"], bool(arrays["directed"]))
    if "columns" in arrays:
        ends = np.cumsum(arrays["category_counts"])[:-1]
        categories = tuple(tuple(part.tolist()) for part in np.split(arrays["categories"], ends))
        columns = tuple(arrays["columns"].tolist())
        return Table(arrays["X"], columns, categories[: len(columns)], arrays["weight"])
    return Ragged(arrays["X"], arrays["offsets"]) if "offsets" in arrays else arrays["X"]


shape_of.register(Table, lambda X: "table")
cells.register(Table, lambda X: X.values)
aligned.register(Table, lambda X, given, names: X.aligned(names))
tables.register(Table, lambda X: [X.dense()])
with_tables.register(Table, lambda X, prepare: prepare[0](X.dense()))


@as_table.register
def _(X: Table, names: Sequence[str]) -> Table:
    first = np.unique(X.owner, return_index=True)[1]
    pairs = zip(first, X.categories, strict=True)
    # of a category without the value
    columns = [names[i][: -len(f"={found[0]}")] if found else names[i] for i, found in pairs]
    return replace(X, columns=tuple(columns))


@vectors.register
def _(X: Table) -> np.ndarray:
    return X.dense() if X.prepared is None else X.prepared


@to_arrays.register
def _(X: Table) -> dict[str, np.ndarray]:
    return {
        "X": X.values.astype(np.float32),
        "columns": np.array(X.columns, dtype=str),
        "categories": np.array([value for names in X.categories for value in names], dtype=str),
        "category_counts": np.array([len(names) for names in X.categories], dtype=np.int64),
        "weight": X.weight,
    }


shape_of.register(Ragged, lambda X: "tokens")
vectors.register(Ragged, Ragged.mean)
end_to_end.register(Ragged, lambda X: X.values)
token_lengths.register(Ragged, lambda X: X.lengths)
tables.register(Ragged, lambda X: [X.values.astype(np.float32)])


@with_tables.register
def _(X: Ragged, prepare: list[Callable[[np.ndarray], np.ndarray]]) -> Ragged:
    return Ragged(prepare[0](X.values), X.offsets)


@to_arrays.register
def _(X: Ragged) -> dict[str, np.ndarray]:
    return {"X": X.values.astype(np.float16), "offsets": X.offsets}


shape_of.register(Links, lambda X: "links")
vectors.register(Links, Links.dense)
tables.register(Links, lambda X: [X.network.X[X.used_nodes()], X.X])


@with_tables.register
def _(X: Links, prepare: list[Callable[[np.ndarray], np.ndarray]]) -> Links:
    nodes, links = prepare
    return replace(X, network=replace(X.network, X=nodes(X.network.X)), X=links(X.X))


@to_arrays.register
def _(X: Links) -> dict[str, np.ndarray]:
    return {
        "X": X.network.X.astype(np.float32),
        "node_id": X.network.node_id.astype(str),
        "edge_index": X.edges.T,
        "pair_X": X.X.astype(np.float32),
        "context_index": X.network.context,
        "context_weight": X.network.weight.astype(np.float32),
        "directed": np.array(X.directed),
    }
