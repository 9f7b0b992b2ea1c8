"""Samples to features, through a foundation model, cheap ones, or the samples' own columns.

A `features` section is one part or a list of them, whose vectors then stand side by side. The
`input` of a part is a column of texts, such as `text.note`; a part without one takes the
application's inputs. A sample without a text has a gap there (NaN), as one without a number has: it
is filled with the median of the training rows, so that no model knows that a text was missing.

The engine and networks are imported by name: a task that needs neither is not made anew when they
change (see `pipeline.code`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.arrays import Images, Table, shape_of, token_lengths, vectors
from bioloom.arrays.images import rows_of
from bioloom.embedders import TABLE, Section, is_learnt, parts_of
from bioloom.errors import DataError, unknown_name
from bioloom.features import Features, precisions
from bioloom.features.parts import Made, in_precision, side_by_side
from bioloom.options import Option, complete_options
from bioloom.privacy.small_cells import count_shown
from bioloom.samples import TEXT, feature_columns, text_columns
from bioloom.samples.columns import coded, is_number
from bioloom.samples.variants import COPIES, IMAGE

Inputs = list[str] | pd.DataFrame

TABLE_OPTIONS = {
    "columns": Option(None, type=list, about="of the samples, all where it is not said"),
    "blocks": Option(None, type=list, about="of columns, such as expression"),
    "weights": Option({}, about="column to factor: how much it counts in distances"),
    # The block of `none`, `one` and `two`, logarithms of probabilities: with it come images.
    "prior": Option(
        None, type=str, about="block of the logarithms of probabilities, beside images"
    ),
}


def extract_features(
    samples: pd.DataFrame,
    application: Application,
    options: Section | list[Section],
    *,
    weights: Mapping[str, Path] | None = None,
    store: Path | None = None,
    nodes: pd.DataFrame | None = None,
    device: str | None = None,
    trained: str | None = None,
) -> tuple[Features, dict[str, Any], dict[str, Any]]:
    """Features of the samples, the record of what they are (features.json), and of the run.

    The run's record differs from run to run, as where the store knew some sequences already.
    `options` is the task's `features` section, one part or a list of them; the `embedder` of a part
    is the file name in `bioloom.embedders`, or `table` for the samples' own columns. Where samples
    are pairs, `nodes` is the table of their ends, whose sequences or columns are taken instead.
    `weights` are the paths of weights by the names of the parts (`parts_of`); `store` and `device`
    are those of `engine.embed`. `trained` is the identity of the features that a model was trained
    on, whose precision these get; where the device does not have it, the record has a note.
    DataError: an `input` that is no column of texts, a part that does not fit its inputs or the
    other parts, and what the engine refuses.
    """
    ids = samples["sample_id"].to_numpy(dtype=str)
    if samples.empty:
        nothing = Features(ids, np.empty((0, 0), np.float32), np.array([], str), "")
        return nothing, {"features": 0}, {}
    parts, paths = parts_of(options), weights or {}
    known = dict(zip(parts, precisions(trained or ""), strict=False))
    makers = {
        part: partial(
            _make,
            precision=known.get(part, ""),
            weights=paths.get(part),
            store=store,
            device=device,
        )
        for part in parts
    }
    if nodes is not None:
        if len(parts) > 1:
            raise DataError("features: pairs of nodes take one embedder, not a list")
        [(part, section)] = parts.items()
        return _network(samples, nodes, application, section, makers[part])
    made = {
        part: _part(samples, application, section, makers[part]) for part, section in parts.items()
    }
    X, names, info, run = side_by_side(made)
    identity = " + ".join(_identity(parts[part], made[part].info) for part in parts)
    features = Features(ids, X, np.array(names, dtype=str), identity)
    return features, info | {"identity": identity, "features": len(names)}, run


def embed_chunk(
    samples: pd.DataFrame,
    application: Application,
    options: Section | list[Section],
    chunk: tuple[int, int],
    *,
    weights: Mapping[str, Path] | None = None,
    store: Path,
    nodes: pd.DataFrame | None = None,
    device: str | None = None,
    trained: str | None = None,
) -> dict[str, Any]:
    """Have the store keep what chunk k of n (from 1) of these samples' sequences takes of networks.

    `extract_features` of all samples then finds it there. Gives the record of the run, by part.
    """
    if samples.empty:
        return {}
    parts, paths = parts_of(options), weights or {}
    known = dict(zip(parts, precisions(trained or ""), strict=False))
    embed = import_module("bioloom.features.engine").embed_chunk
    asked = {
        part: _asked(samples, application, section)
        if nodes is None
        else _asked_of_nodes(nodes, application, section)
        for part, section in parts.items()
        if is_learnt(section)
    }
    return {
        part: embed(
            inputs,
            in_precision(section, known.get(part, "")),
            chunk,
            weights=paths.get(part),
            store=store,
            device=device,
            ids=called,
        )
        for part, (section, inputs, called, _) in asked.items()
        if isinstance(inputs, list)
    }


def _make(section: Section, inputs: Inputs, ids: np.ndarray, *, precision: str, **how: Any) -> Made:
    """Features of a table, or of sequences or texts as `engine.embed` makes them."""
    if isinstance(inputs, pd.DataFrame):
        return Made(*_with_images(inputs, section), {})
    if section["embedder"] == TABLE:
        raise DataError("`embedder: table` takes a table, and these samples are sequences")
    embed = import_module("bioloom.features.engine").embed
    made = embed(inputs, in_precision(section, precision), ids=ids, **how)
    coarser = precision == "bfloat16" and made.info.get("dtype") == "float32"
    note = {"note": "in float32, while the model was trained on bfloat16"} if coarser else {}
    return Made(made.X, made.names, made.info | note, made.run)


def _part(
    samples: pd.DataFrame,
    application: Application,
    section: Section,
    make: Callable[[Section, Inputs, np.ndarray], Made],
) -> Made:
    """One part: of the application's inputs, or of the texts in the column that `input` names."""
    asked, inputs, called, known = _asked(samples, application, section)
    if "input" not in section:  # of which the identity tells all
        return make(asked, inputs, called)
    X, names, info, run = make(asked, inputs, called)
    if token_lengths(X) is not None:
        raise DataError("features: a text has one vector", hint="set `pooling: mean`")
    own = vectors(X)
    values = np.full((len(samples), own.shape[1]), np.nan, dtype=np.float32)
    values[known] = own
    # How many texts differ would tell how few have none.
    info = {key: value for key, value in info.items() if key != "unique"}
    missing = count_shown((~known).sum(), application.private)
    return Made(values, names, info | {"sequences": len(samples), "without_text": missing}, run)


class Asked(NamedTuple):
    """What an embedder is given: its section alone, the inputs, and the names that errors use.

    `known (N,)` are the samples, or nodes, that have an input.
    """

    section: Section
    inputs: Inputs
    called: np.ndarray
    known: np.ndarray


def _asked(samples: pd.DataFrame, application: Application, section: Section) -> Asked:
    """For samples: the application's inputs, or the texts in the column that `input` names."""
    ids = samples["sample_id"].to_numpy(dtype=str)
    section = dict(section)
    column = section.pop("input", None)
    if column is None:
        return Asked(section, application.inputs(samples), ids, np.ones(len(samples), dtype=bool))
    texts = _texts(samples, column)
    known = texts.notna().to_numpy()
    # No message shows the id of a person: rows are numbered.
    called = np.arange(1, len(texts) + 1) if application.private else ids
    return Asked(section, texts[known].tolist(), called[known], known)


def _asked_of_nodes(nodes: pd.DataFrame, application: Application, section: Section) -> Asked:
    """For the nodes of a network."""
    networks = import_module("bioloom.links.features")
    section = {key: value for key, value in section.items() if key != "network"}
    known, inputs = networks.node_inputs(nodes, application, section)
    return Asked(section, inputs, nodes["node_id"].to_numpy(dtype=str)[known], known)


def _texts(samples: pd.DataFrame, column: str) -> pd.Series:
    """The texts of a column, missing where there is nothing but white space."""
    columns = [*feature_columns(samples), *text_columns(samples)]
    if column not in columns or is_number(samples[column]):
        # A category of the same name is no answer to who asks for free text.
        asked = text_columns(samples) if column.startswith(TEXT) else columns
        known = [name for name in asked if not is_number(samples[name])]
        where = " under `features: input` (`types: {note: text}` of a data set makes text.note)"
        raise unknown_name("column of texts", column, known, where)
    texts = samples[column]
    return texts.mask(texts.isna() | (texts.str.strip() == ""))


def _network(
    samples: pd.DataFrame,
    nodes: pd.DataFrame,
    application: Application,
    options: Section,
    make: Callable[[Section, Inputs, np.ndarray], Made],
) -> tuple[Features, dict[str, Any], dict[str, Any]]:
    """Features of the nodes as of any samples, and what `network:` asks of their expression."""
    section, inputs, called, known = _asked_of_nodes(nodes, application, options)
    X, names, info, run = make(section, inputs, called)
    if shape_of(X) == "tokens":
        raise DataError("A node of a network has one vector", hint="set `pooling: mean`")
    # What has no sequence keeps its place; its values are filled with those of training nodes.
    own = vectors(X)
    values = np.full((len(nodes), own.shape[1]), np.nan, dtype=np.float32)
    values[known] = own
    settings = options.get("network", {})
    link_features = import_module("bioloom.links.features").link_features
    pairs, names = link_features(samples, nodes, values, list(names), settings, application)
    ids = samples["sample_id"].to_numpy(dtype=str)
    features = Features(ids, pairs, np.array(names, dtype=str), _identity(options, info))
    sizes = {"nodes": len(nodes), "context_edges": pairs.network.context.shape[1] // 2}
    return features, info | sizes | {"identity": features.embedder, "features": len(names)}, run


def _identity(options: dict[str, Any], info: dict[str, Any]) -> str:
    settings = " ".join(f"{key}={options[key]}" for key in sorted(options) if key != "embedder")
    weights = str(info.get("weights_sha256") or "")[:12]
    tuned = "fine-tuned" if info.get("finetuned") else ""
    # Of "bfloat16, float32", where a few sequences needed more, the first.
    precision = str(info.get("dtype") or "").split(",")[0]
    said = (options["embedder"], settings, tuned, weights, precision)
    return " ".join(part for part in said if part)


def table_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a `features` section for the samples' own columns, all of them."""
    if options["embedder"] != TABLE:
        raise DataError(
            f"A table takes `embedder: table`, got {options['embedder']!r}",
            hint="`input: <column>` names texts of it to embed, such as text.note",
        )
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


def _with_images(
    table: pd.DataFrame, options: dict[str, Any]
) -> tuple[Table | Images, list[str], dict[str, Any]]:
    """The table; with a `prior` also the samples' images, and the prior that models start from."""
    values, names, info = _table(table, options)
    block = options.get("prior")
    if block is None:
        return values, names, info
    columns = [f"{block}.{copies}" for copies in COPIES]
    if missing := [name for name in (*columns, IMAGE) if name not in table]:
        raise DataError(f"`features: prior: {block}` needs a column {missing[0]!r}")
    rows, offsets = rows_of(table[IMAGE].tolist())
    prior = table[columns].to_numpy(np.float32)
    return Images(values.dense(), rows, offsets, prior), names, info | {"prior": block}


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
