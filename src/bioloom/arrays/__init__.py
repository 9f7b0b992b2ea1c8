"""The shapes that features have beside (N, D), and what each answers for itself.

`Table` has categories and gaps, `Ragged` a row a token, `Links` pairs of the nodes of a network,
`Images` rows of bytes beside a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np

from bioloom.arrays.images import Images
from bioloom.arrays.links import EXPRESSION, KNOCKOUT, Links, Network
from bioloom.arrays.ragged import Ragged, residues_of
from bioloom.arrays.table import Table

__all__ = [
    "EXPRESSION",
    "KNOCKOUT",
    "Images",
    "Links",
    "Network",
    "Ragged",
    "Shaped",
    "Table",
    "aligned",
    "as_table",
    "cells",
    "end_to_end",
    "from_arrays",
    "residues_of",
    "shape_of",
    "tables",
    "to_arrays",
    "token_lengths",
    "vectors",
    "with_tables",
]

Shaped = np.ndarray | Table | Ragged | Links | Images
"""Features, or labels, of N samples: (N, D) or (N,), a table, a row a token, links, images."""

# What each shape answers for itself. Nothing else in the library asks which shape it has.


@singledispatch
def shape_of(X: Any) -> str:
    """What a model says that it takes: "vectors", "table", "tokens", "links" or "images"."""
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
    if "rows" in arrays:
        return Images(arrays["X"], arrays["rows"], arrays["offsets"], arrays["prior"])
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


shape_of.register(Images, lambda X: "images")
vectors.register(Images, lambda X: X.table)
end_to_end.register(Images, lambda X: X.table)
aligned.register(Images, lambda X, given, names: X.with_table(aligned(X.table, given, names)))
tables.register(Images, lambda X: [X.table])
with_tables.register(Images, lambda X, prepare: X.with_table(prepare[0](X.table)))


@to_arrays.register
def _(X: Images) -> dict[str, np.ndarray]:
    return {"X": X.table, "rows": X.rows, "offsets": X.offsets, "prior": X.prior}
