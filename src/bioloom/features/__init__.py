"""Features: what a model takes of each sample, in the order of the samples table.

`sample_id (N,)`, `X (N, D) float32`, per-token `Ragged` or the `Pairs` of a network, `names (D,)`,
and the identity of the embedder that made them: a model refuses features of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.arrays import Links, Network, Ragged
from bioloom.errors import DataError
from bioloom.files import replacing


@dataclass(frozen=True)
class Features:
    """The features of N samples; `embedder` says what made them."""

    sample_id: np.ndarray
    X: np.ndarray | Ragged | Links
    names: np.ndarray
    embedder: str

    def rows(self, sample_ids: pd.Series) -> np.ndarray | Ragged | Links:
        """The features of these samples, in this order."""
        index = pd.Index(self.sample_id).get_indexer(pd.Index(sample_ids))
        if (index < 0).any():
            raise DataError(
                f"{(index < 0).sum()} samples have no features",
                hint="samples and features come from different runs; remove the features file",
            )
        return self.X[index]


def write_features(features: Features, path: str | Path) -> None:
    """Write features.npz: plain arrays, per-token ones end to end with `offsets`."""
    arrays = {
        "sample_id": features.sample_id.astype(str),
        "feature_names": features.names.astype(str),
        "embedder": np.array(features.embedder),
    }
    if isinstance(features.X, Links):
        arrays |= _pair_arrays(features.X)
    elif isinstance(features.X, Ragged):
        arrays |= {"X": features.X.values.astype(np.float16), "offsets": features.X.offsets}
    else:
        arrays["X"] = features.X.astype(np.float32)
    with replacing(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


def read_features(path: str | Path) -> Features:
    """Read features.npz."""
    with np.load(path, allow_pickle=False) as arrays:
        X = arrays["X"]
        if "offsets" in arrays:
            X = Ragged(X, arrays["offsets"])
        if "edge_index" in arrays:
            X = _pairs_of(arrays)
        return Features(arrays["sample_id"], X, arrays["feature_names"], str(arrays["embedder"]))


def _pair_arrays(pairs: Links) -> dict[str, np.ndarray]:
    """Node features `X (M, D)` with `node_id`, `edge_index (2, N)`, context, pair features."""
    network = pairs.network
    return {
        "X": network.X.astype(np.float32),
        "node_id": network.node_id.astype(str),
        "edge_index": pairs.edges.T,
        "pair_X": pairs.X.astype(np.float32),
        "context_index": network.context,
        "context_weight": network.weight.astype(np.float32),
        "directed": np.array(pairs.directed),
    }


def _pairs_of(arrays: Any) -> Links:
    context = arrays["context_index"], arrays["context_weight"]
    network = Network(arrays["node_id"], arrays["X"], *context)
    return Links(network, arrays["edge_index"].T, arrays["pair_X"], bool(arrays["directed"]))


def align(features: Features, names: list[str], identity: str) -> Features:
    """The features in the model's column order; a category that new data lack is a column of 0.

    Features of another embedder are refused.
    """
    if features.embedder != identity:
        raise DataError(
            f"The model was trained on features {identity!r}, got {features.embedder!r}",
            hint="extract the features with the task's own `features` section",
        )
    if list(features.names) == names:
        return features
    given = features.X
    if isinstance(given, Links):
        raise DataError(
            "The nodes have other features than those of the training data",
            hint="expression profiles need the same conditions, in the same order",
        )
    if isinstance(given, Ragged):
        raise DataError("Per-token features have other columns than those of the training data")
    position = {name: i for i, name in enumerate(features.names)}
    X = np.zeros((len(features.sample_id), len(names)), dtype=np.float32)
    for i, name in enumerate(names):
        if name in position:
            X[:, i] = given[:, position[name]]
        elif "=" not in name:
            X[:, i] = np.nan
    return Features(features.sample_id, X, np.array(names), identity)
