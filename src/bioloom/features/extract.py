"""Samples to features, through a foundation model, cheap ones, or the samples' own columns.

The engine and networks are imported by name: a task that needs neither is not made anew when they
change (see `pipeline.code`).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.arrays import Ragged, Table, shape_of
from bioloom.arrays import vectors as dissolved
from bioloom.embedders import TABLE
from bioloom.errors import DataError
from bioloom.features import Features
from bioloom.options import Option, complete_options
from bioloom.samples import feature_columns
from bioloom.samples.columns import coded, is_number

Section = dict[str, Any]
Vectors = tuple[np.ndarray | Ragged | Table, list[str], dict[str, Any], dict[str, Any]]
"""Features of sequences or of a table, their names, and both records."""

TABLE_OPTIONS = {
    "columns": Option(None, type=list),
    "blocks": Option(None, type=list),
    "weights": Option({}),
}


def extract_features(
    samples: pd.DataFrame,
    application: Application,
    options: dict[str, Any],
    *,
    weights: Path | None = None,
    store: Path | None = None,
    nodes: pd.DataFrame | None = None,
    device: str | None = None,
) -> tuple[Features, dict[str, Any], dict[str, Any]]:
    """Features of the samples, the record of what they are (features.json), and of the run.

    The run's record differs from run to run, as where the store knew some sequences already.
    `options` is the task's `features` section; its `embedder` is the file name in
    `bioloom.embedders`, or `table` for the samples' own columns. Where samples are pairs, `nodes`
    is the table of their ends, whose sequences or columns are taken instead. `weights`, `store` and
    `device` are those of `engine.embed`.
    """
    ids = samples["sample_id"].to_numpy(dtype=str)

    def vectors(inputs: list[str] | pd.DataFrame, ids: np.ndarray, section: Section) -> Vectors:
        if isinstance(inputs, pd.DataFrame):
            return *_table(inputs, section), {}
        embed = import_module("bioloom.features.engine").embed
        made = embed(inputs, section, weights=weights, store=store, device=device, ids=ids)
        return made.X, made.names, made.info, made.run

    if nodes is not None:
        return _network(samples, nodes, application, options, vectors)
    X, names, info, run = vectors(application.inputs(samples), ids, options)
    features = Features(ids, X, np.array(names, dtype=str), _identity(options, info))
    return features, info | {"identity": features.embedder, "features": len(names)}, run


def _network(
    samples: pd.DataFrame,
    nodes: pd.DataFrame,
    application: Application,
    options: Section,
    vectors: Callable[[list[str] | pd.DataFrame, np.ndarray, Section], Vectors],
) -> tuple[Features, dict[str, Any], dict[str, Any]]:
    """Features of the nodes as of any samples, and what `network:` asks of their expression."""
    networks = import_module("bioloom.links.features")
    section = dict(options)
    settings = section.pop("network", {})
    known, inputs = networks.node_inputs(nodes, application, section)
    node_ids = nodes["node_id"].to_numpy(dtype=str)[known]
    X, names, info, run = vectors(inputs, node_ids, section)
    if shape_of(X) == "tokens":
        raise DataError("A node of a network has one vector", hint="set `pooling: mean`")
    # What has no sequence keeps its place; its values are filled with those of training nodes.
    own = dissolved(X)
    values = np.full((len(nodes), own.shape[1]), np.nan, dtype=np.float32)
    values[known] = own
    pairs, names = networks.link_features(
        samples, nodes, values, list(names), settings, application
    )
    ids = samples["sample_id"].to_numpy(dtype=str)
    features = Features(ids, pairs, np.array(names, dtype=str), _identity(options, info))
    sizes = {"nodes": len(nodes), "context_edges": pairs.network.context.shape[1] // 2}
    return features, info | sizes | {"identity": features.embedder, "features": len(names)}, run


def _identity(options: dict[str, Any], info: dict[str, Any]) -> str:
    settings = " ".join(f"{key}={options[key]}" for key in sorted(options) if key != "embedder")
    weights = str(info.get("weights_sha256") or "")[:12]
    tuned = "fine-tuned" if info.get("finetuned") else ""
    return " ".join(part for part in (options["embedder"], settings, tuned, weights) if part)


def table_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a `features` section for the samples' own columns, all of them."""
    if options["embedder"] != TABLE:
        raise DataError(f"A table takes `embedder: table`, got {options['embedder']!r}")
    given = {name: value for name, value in options.items() if name != "embedder"}
    return complete_options(given, TABLE_OPTIONS, "features of table")


def _table(table: pd.DataFrame, options: dict[str, Any]) -> tuple[Table, list[str], dict[str, Any]]:
    """Numbers as they are, categories as codes, NaN where missing.

    Nothing is fitted here: a model aligns the columns of new data by name, and fills missing
    values with what it learnt from its training rows. `weights` (column -> factor) make a column
    count for more in a kernel's distances, where one category stands against hundreds of flags.
    """
    options = table_options(options)
    chosen = _chosen_columns(table, options)
    columns = {name: coded(table[name]) for name in chosen}
    # a category of which all values are missing has no column when dissolved, and none here
    columns = {name: found for name, found in columns.items() if found[1] or is_number(table[name])}
    values = [column for column, _ in columns.values()]
    X = Table(
        np.column_stack(values) if values else np.zeros((len(table), 0), dtype=np.float32),
        tuple(columns),
        tuple(categories for _, categories in columns.values()),
        np.array([options["weights"].get(name, 1) for name in columns], dtype=np.float32),
    )
    return X, X.names, {"embedder": TABLE, "sequences": len(table), "columns": len(chosen)}


def _chosen_columns(table: pd.DataFrame, options: dict[str, Any]) -> list[str]:
    columns = feature_columns(table)
    for key in ("columns", "weights"):
        if missing := sorted(set(options[key] or ()) - set(columns)):
            raise DataError(f"`features: {key}` names columns that are not there: {missing}")
    if options["columns"] is not None:
        return list(options["columns"])
    if options["blocks"] is not None:
        blocks = set(options["blocks"])
        chosen = [c for c in columns if (c.split(".", 1)[0] if "." in c else "table") in blocks]
        if not chosen:
            raise DataError(f"`features: blocks` leaves no column: {options['blocks']}")
        return chosen
    return columns
