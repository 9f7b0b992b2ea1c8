"""Several embedders or inputs side by side: the parts of a `features` section, in one row a sample.

Of one part nothing is changed. Of several each feature is called `<part>.<name>`, so that names
differ and tell their part; `bioloom.embedders.parts_of` says how parts are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from bioloom.arrays import Shaped, Table, as_table, shape_of, token_lengths, vectors
from bioloom.embedders import TABLE, Section, get_embedder
from bioloom.errors import DataError
from bioloom.samples.columns import column_of


class Made(NamedTuple):
    """Features of N samples by one part: their names, and the records of what and of the run."""

    X: Shaped
    names: list[str]
    info: dict[str, Any]
    run: dict[str, Any]


def side_by_side(made: Mapping[str, Made]) -> Made:
    """The parts as one: of several their vectors, (N, D1 + D2 + ...) float32, and records by part.

    Beside a table vectors are further columns of it, so that its categories and gaps stay.
    DataError for a part with a row a token where there are several.
    """
    if len(made) == 1:
        return next(iter(made.values()))
    for name, part in made.items():
        if token_lengths(part.X) is not None:
            raise DataError(
                f"features: {name} has a row a token, which cannot stand beside another part",
                hint="`pooling: mean` gives one vector a sample",
            )
    called = {name: [f"{name}.{feature}" for feature in part.names] for name, part in made.items()}
    if any(shape_of(part.X) == "table" for part in made.values()):
        X: Shaped = reduce(Table.beside, (as_table(part.X, called[n]) for n, part in made.items()))
    else:
        X = np.hstack([vectors(part.X) for part in made.values()]).astype(np.float32)
    names = [name for part in called.values() for name in part]
    info = {name: part.info for name, part in made.items()}
    return Made(X, names, info, {name: part.run for name, part in made.items() if part.run})


def in_precision(section: Section, precision: str) -> Section:
    """A part as a model's training data were embedded: float32 is then asked for.

    bfloat16 is what a device takes by itself, if it has it. What the section says itself stays.
    """
    is_free = section["embedder"] != TABLE and "dtype" in get_embedder(section["embedder"]).OPTIONS
    return {"dtype": "float32"} | section if is_free and precision == "float32" else section


def block_of(feature: str, parts: Mapping[str, Mapping[str, Any]]) -> str:
    """What a feature is one with: a column of a table, or all that another part says."""
    part = next(iter(parts)) if len(parts) == 1 else feature.split(".", 1)[0]
    return column_of(feature) if parts[part]["embedder"] == TABLE else part
