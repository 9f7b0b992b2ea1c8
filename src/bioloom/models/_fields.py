"""A table as fields of few states, learnt from training rows (`bioloom.bayes.coding`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from bioloom.arrays import Shaped, Table, as_table, cells, shape_of
from bioloom.bayes.coding import UNSEEN, Categories, Column, Numbers

Fields = dict[str, Column]
"""The columns of a table by name, in order."""


def learn(X: Shaped, bins: int) -> Fields:
    """The columns of these training rows: numbers in at most `bins` bins, and categories."""
    if shape_of(X) == "table":
        table = cast(Table, X)
    else:
        table = as_table(X, [f"x{number}" for number in range(cells(X).shape[1])])
    fields: Fields = {}
    columns = zip(table.columns, table.categories, table.values.T, strict=True)
    for name, categories, column in columns:
        known = column[~np.isnan(column)]
        fitted = Categories.fit(known, categories) if categories else Numbers.fit(known, bins)
        fields[name] = fitted
    return fields


def code(X: Shaped, fields: Fields) -> np.ndarray:
    """The states of rows, (N, columns) int64; negative where missing or unlike training."""
    columns = zip(cells(X).T, fields.values(), strict=True)
    coded = [field.codes(values) for values, field in columns]
    return np.column_stack(coded) if coded else np.zeros((len(X), 0), dtype=np.int64)


def outside(X: Shaped, fields: Fields) -> np.ndarray:
    """Of each row which numbers lie outside the range of training, (N,) texts by field name."""
    found = [""] * len(X)
    for (name, field), values in zip(fields.items(), cells(X).T, strict=True):
        if isinstance(field, Numbers):
            below = field.below(values)
            for row in np.flatnonzero(field.codes(values) == UNSEEN):
                side = "below" if below[row] else "above"
                found[row] += f"; {name}: {side} the range of training"
    return np.array([text.removeprefix("; ") for text in found], dtype=object)


def as_arrays(fields: Fields) -> dict[str, np.ndarray]:
    """The columns as named arrays."""
    arrays: dict[str, np.ndarray] = {}
    for place, field in enumerate(fields.values()):
        if isinstance(field, Numbers):
            arrays[f"edges.{place}"] = field.edges
        else:
            arrays |= {f"seen.{place}": field.seen, f"states.{place}": field.states}
    described = {name: list(field.names) for name, field in fields.items()}
    return arrays | {"fields": as_bytes(described)}


def from_arrays(arrays: dict[str, np.ndarray]) -> Fields:
    """The columns of such arrays."""
    fields: Fields = {}
    for place, (name, names) in enumerate(from_bytes(arrays["fields"]).items()):
        if (seen := arrays.get(f"seen.{place}")) is not None:
            fields[name] = Categories(seen, arrays[f"states.{place}"], tuple(names))
        else:
            fields[name] = Numbers(arrays[f"edges.{place}"], tuple(names))
    return fields


def as_bytes(described: Any) -> np.ndarray:
    """What JSON can say, as an array: a file of arrays holds no text."""
    return np.frombuffer(json.dumps(described).encode(), dtype=np.uint8)


def from_bytes(array: np.ndarray) -> Any:
    """What `as_bytes` was given."""
    return json.loads(array.tobytes())


def state_names(fields: Fields) -> Sequence[tuple[str, ...]]:
    """The states of each column."""
    return [field.names for field in fields.values()]
