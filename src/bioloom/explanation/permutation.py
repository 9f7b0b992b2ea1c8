"""Permutation importance: how much the loss rises when a feature is shuffled."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import pandas as pd

from bioloom.arrays import EXPRESSION, Links, Table, cells, end_to_end, shape_of, token_lengths
from bioloom.embedders import TABLE
from bioloom.explanation.budget import FEWEST_ROWS, affordable_shuffles
from bioloom.features import Features
from bioloom.features.parts import block_of
from bioloom.fitted import Fitted, model_rows
from bioloom.models._estimator import COPIED_CELLS
from bioloom.progress import tell
from bioloom.samples.columns import column_of


def permute(
    samples: pd.DataFrame,
    features: Features,
    fitted: Fitted,
    repeats: int,
    seed: int,
    parts: Mapping[str, Mapping[str, Any]],
    seconds: float = np.inf,
) -> pd.DataFrame:
    """Permutation importance (Breiman 2001): rise of the loss when one column is shuffled.

    The loss is log loss for classes and squared error for values; the columns of one category
    are shuffled together (a model that takes a table has but one), and so is all of a part of the
    features that is no table: single numbers of an embedding mean nothing. Columns of tokens are
    shuffled over all tokens. `low` and `high` are the extremes over the repeats, which are fewer,
    as are the rows, where all would take more than `seconds` of the budget.
    """
    rng = np.random.default_rng(seed)
    # Preparing goes row by row, so shuffling what is prepared is shuffling what is measured.
    X = fitted.preprocess.transform(features.rows(samples["sample_id"]))
    of_tokens = token_lengths(X) is not None
    names = [str(features.names[index]) for index in fitted.preprocess.support]
    if shape_of(X) == "table":
        names = list(cast(Table, X).columns)
    seen = [column_of(name) if of_tokens else block_of(name, parts) for name in names]
    columns: dict[str, list[int]] = {}
    for place, name in enumerate(seen):
        columns.setdefault(name, []).append(place)
    answered = len(end_to_end(X)) if of_tokens else len(X)
    share, repeats = affordable_shuffles(seconds, answered, len(columns), repeats)
    if share < 1:
        kept = _thinned(len(X), share, rng)
        samples, X = samples.iloc[kept], X[kept]
    values = end_to_end(X) if of_tokens else cells(X)
    y = end_to_end(fitted.kind.encode(samples, fitted.outputs))
    answers = fitted.model.altered(model_rows(fitted.kind, fitted.model, X))

    def losses(places: np.ndarray, others: np.ndarray) -> np.ndarray:
        said = answers(places, others)
        given = (fitted.kind.scores(one, fitted.calibration) for one in said)
        return np.array([fitted.kind.loss(scores, y) for scores in given])

    first = np.array([0])
    [base] = losses(first, values[:, first][None])  # by the same arithmetic as what is compared
    found = []
    for number, (name, places) in enumerate(columns.items(), 1):
        tell(f"column {number:,} of {len(columns):,}")
        own, rises = values[:, places], np.zeros(repeats)
        most = max(1, COPIED_CELLS // max(own.size, 1))
        for start in range(0, repeats, most):
            count = min(most, repeats - start)
            others = np.stack([own[rng.permutation(len(own))] for _ in range(count)])
            # not of a flag that none of these rows has
            changed = ~((others == own) | (np.isnan(others) & np.isnan(own))).all(axis=(1, 2))
            if changed.any():
                spoilt = losses(np.array(places), others[changed])
                rises[start + np.flatnonzero(changed)] = spoilt - base
        found.append((name, float(rises.mean()), float(rises.min()), float(rises.max())))
    table = pd.DataFrame(found, columns=["feature", "importance", "low", "high"])
    table = table.sort_values("importance", ascending=False, ignore_index=True)
    return table.assign(item="", position=0)


def permute_links(
    samples: pd.DataFrame,
    features: Features,
    fitted: Fitted,
    repeats: int,
    seed: int,
    embedder: dict[str, Any],
    seconds: float = np.inf,
) -> pd.DataFrame:
    """Rise of the loss when one source of knowledge about pairs is spoilt.

    Features of pairs are shuffled one by one; features of nodes block by block (all that an
    embedder says of sequences, all of expression), as if nodes were others; the context edges are
    given to other nodes.
    """
    rng = np.random.default_rng(seed)
    X = cast(Links, features.rows(samples["sample_id"]))
    names = [str(name) for name in features.names]
    blocks = pd.Series([_block(name, embedder["embedder"]) for name in names[: X.shape[1]]])
    sources = blocks.nunique() + len(names[X.shape[1] :]) + bool(X.network.context.shape[1])
    share, repeats = affordable_shuffles(seconds, len(X), sources, repeats)
    if share < 1:
        kept = _thinned(len(X), share, rng)
        samples, X = samples.iloc[kept], X[kept]
    y, size = end_to_end(fitted.kind.encode(samples, fitted.outputs)), len(X.network.node_id)
    base = fitted.kind.loss(fitted.scores(X), y)
    spoilt: dict[str, Callable[[], Links]] = {}
    for block, columns in blocks.groupby(blocks).groups.items():
        spoilt[f"nodes: {block}"] = partial(_other_nodes, X, np.array(columns), rng)
    for column, name in enumerate(names[X.shape[1] :]):
        spoilt[name.replace("pair.", "pairs: ")] = partial(_other_links, X, column, rng)
    if X.network.context.shape[1]:
        spoilt["context edges"] = partial(_other_context, X, rng, size)
    found = []
    for name, spoil in spoilt.items():
        tell(f"{name}, one of {len(spoilt)} sources")
        rises = [fitted.kind.loss(fitted.scores(spoil()), y) - base for _ in range(repeats)]
        found.append((name, float(np.mean(rises)), float(np.min(rises)), float(np.max(rises))))
    table = pd.DataFrame(found, columns=["feature", "importance", "low", "high"])
    table = table.sort_values("importance", ascending=False, ignore_index=True)
    return table.assign(item="", position=0)


def _thinned(size: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the rows, in order, but `FEWEST_ROWS` at least."""
    count = max(math.ceil(share * size), min(FEWEST_ROWS, size))
    return np.sort(rng.permutation(size)[:count])


def _block(name: str, embedder: str) -> str:
    """What a feature of nodes is shuffled with: a table's columns are shuffled one by one."""
    if name.startswith(EXPRESSION):
        return EXPRESSION.rstrip(".")
    return column_of(name) if embedder == TABLE else embedder


def _other_nodes(X: Links, columns: np.ndarray, rng: np.random.Generator) -> Links:
    """Some features of the nodes that the pairs are made of, shuffled among these nodes."""
    values, used = X.network.X.copy(), X.used_nodes()
    values[np.ix_(used, columns)] = X.network.X[np.ix_(rng.permutation(used), columns)]
    return replace(X, network=replace(X.network, X=values))


def _other_links(X: Links, column: int, rng: np.random.Generator) -> Links:
    values = X.X.copy()
    values[:, column] = rng.permutation(values[:, column])
    return replace(X, X=values)


def _other_context(X: Links, rng: np.random.Generator, size: int) -> Links:
    return replace(X, network=replace(X.network, context=rng.permutation(size)[X.network.context]))
