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

from bioloom.application import Application
from bioloom.arrays import Ragged
from bioloom.errors import DataError, unknown_name
from bioloom.files import replacing
from bioloom.pairs import Network, Pairs
from bioloom.samples import feature_columns

TABLE_OPTIONS = {"columns": list, "blocks": list, "weights": dict}


@dataclass(frozen=True)
class Features:
    """The features of N samples; `embedder` says what made them."""

    sample_id: np.ndarray
    X: np.ndarray | Ragged | Pairs
    names: np.ndarray
    embedder: str

    def rows(self, sample_ids: pd.Series) -> np.ndarray | Ragged | Pairs:
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
    if isinstance(features.X, Pairs):
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


def _pair_arrays(pairs: Pairs) -> dict[str, np.ndarray]:
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


def _pairs_of(arrays: Any) -> Pairs:
    context = arrays["context_index"], arrays["context_weight"]
    network = Network(arrays["node_id"], arrays["X"], *context)
    return Pairs(network, arrays["edge_index"].T, arrays["pair_X"], bool(arrays["directed"]))


def extract_features(
    samples: pd.DataFrame,
    application: Application,
    options: dict[str, Any],
    *,
    weights: Path | None = None,
    store: Path | None = None,
    nodes: pd.DataFrame | None = None,
) -> tuple[Features, dict[str, Any]]:
    """Features of the samples, and a record of how they were made (features.json).

    `options` is the task's `features` section; its `embedder` is the file name in
    `bioloom.embedders`, or `table` for the samples' own columns. Where samples are pairs, `nodes`
    is the table of their ends, whose sequences or columns are taken instead.
    """
    ids = samples["sample_id"].to_numpy(dtype=str)
    if nodes is not None:
        return _network(samples, nodes, application, options, weights, store)
    inputs = application.inputs(samples)
    X: np.ndarray | Ragged
    if isinstance(inputs, pd.DataFrame):
        X, names, info = _table(inputs, options)
    else:
        from bioloom.engine import embed

        embedding = embed(inputs, options, weights=weights, store=store)
        X, names, info = embedding.X, embedding.names, embedding.info
    features = Features(ids, X, np.array(names, dtype=str), _identity(options, info))
    return features, info | {"identity": features.embedder, "features": len(names)}


def _network(
    samples: pd.DataFrame,
    nodes: pd.DataFrame,
    application: Application,
    options: dict[str, Any],
    weights: Path | None,
    store: Path | None,
) -> tuple[Features, dict[str, Any]]:
    """Features of the nodes as of any samples, and what `network:` asks of their expression."""
    from bioloom.networks import node_inputs, pair_features

    section = dict(options)
    settings = section.pop("network", {})
    known, inputs = node_inputs(nodes, application, section)
    if isinstance(inputs, pd.DataFrame):
        X, names, info = _table(inputs, section)
    else:
        from bioloom.engine import embed

        embedding = embed(inputs, section, weights=weights, store=store)
        if isinstance(embedding.X, Ragged):
            raise DataError("A node of a network has one vector", hint="set `pooling: mean`")
        X, names, info = embedding.X, embedding.names, embedding.info
    # What has no sequence keeps its place; its values are filled with those of training nodes.
    values = np.full((len(nodes), X.shape[1]), np.nan, dtype=np.float32)
    values[known] = X
    pairs, names = pair_features(samples, nodes, values, list(names), settings, application)
    ids = samples["sample_id"].to_numpy(dtype=str)
    features = Features(ids, pairs, np.array(names, dtype=str), _identity(options, info))
    sizes = {"nodes": len(nodes), "context_edges": pairs.network.context.shape[1] // 2}
    return features, info | sizes | {"identity": features.embedder, "features": len(names)}


def _identity(options: dict[str, Any], info: dict[str, Any]) -> str:
    settings = " ".join(f"{key}={options[key]}" for key in sorted(options) if key != "embedder")
    weights = str(info.get("weights_sha256") or "")[:12]
    return " ".join(part for part in (options["embedder"], settings, weights) if part)


def check_table_options(options: dict[str, Any]) -> None:
    """Raise DataError unless a `features` section is one for the samples' own columns."""
    if options["embedder"] != "table":
        raise DataError(f"A table takes `embedder: table`, got {options['embedder']!r}")
    for name, value in options.items():
        if name not in ("embedder", *TABLE_OPTIONS):
            raise unknown_name("option", name, TABLE_OPTIONS, " of a table's features")
        if name != "embedder" and not isinstance(value, kind := TABLE_OPTIONS[name]):
            raise DataError(f"`features: {name}` takes a {kind.__name__}, got {value!r}")


def _table(
    table: pd.DataFrame, options: dict[str, Any]
) -> tuple[np.ndarray, list[str], dict[str, Any]]:
    """Numbers as they are (NaN where missing), categories as one 0/1 column a value.

    Nothing is fitted here: a model aligns the columns of new data by name, and fills missing
    values with what it learnt from its training rows. `weights` (column -> factor) make a column
    count for more in a kernel's distances, where one category stands against hundreds of flags.
    """
    chosen = _chosen_columns(table, options)
    columns: dict[str, np.ndarray] = {}
    for name in chosen:
        column, weight = table[name], options.get("weights", {}).get(name, 1)
        if pd.api.types.is_numeric_dtype(column):
            columns[name] = weight * column.to_numpy(dtype=np.float32, na_value=np.nan)
        else:
            for value in sorted(column.dropna().astype(str).unique()):
                columns[f"{name}={value}"] = weight * (column == value).to_numpy(np.float32)
    X = np.column_stack(list(columns.values())) if columns else np.zeros((len(table), 0))
    info = {"embedder": "table", "sequences": len(table), "columns": len(chosen)}
    return X.astype(np.float32), list(columns), info


def _chosen_columns(table: pd.DataFrame, options: dict[str, Any]) -> list[str]:
    check_table_options(options)
    columns = feature_columns(table)
    for key in ("columns", "weights"):
        if missing := sorted(set(options.get(key, ())) - set(columns)):
            raise DataError(f"`features: {key}` names columns that are not there: {missing}")
    if "columns" in options:
        return list(options["columns"])
    if "blocks" in options:
        blocks = set(options["blocks"])
        chosen = [c for c in columns if (c.split(".", 1)[0] if "." in c else "table") in blocks]
        if not chosen:
            raise DataError(f"`features: blocks` leaves no column: {options['blocks']}")
        return chosen
    return columns
