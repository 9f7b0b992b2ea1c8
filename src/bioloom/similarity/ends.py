"""How alike two links are by the nodes that they share, whatever these are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.similarity import Compare, links


def compare(samples: pd.DataFrame, nodes: pd.DataFrame | None, directed: bool) -> Compare:
    """A node is like itself alone."""
    if nodes is None:
        raise DataError("the leakage audit of links needs their nodes")
    return links.of_ends(samples, nodes, _Same(), directed)


class _Same:
    """The identity matrix by the part that is asked for: all of it takes gigabytes of a genome."""

    def __getitem__(self, place: tuple[np.ndarray, ...]) -> np.ndarray:
        rows, columns = place
        return (rows == columns).astype(np.float32)


measure = replace(
    links.measure,
    name="ends",
    description="share of the ends that a training pair has at the same place",
    compare=compare,
)
