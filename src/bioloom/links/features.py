"""What is said of a network's pairs: node features, context edges and features of each pair.

Nodes are a table with `node_id` and, where known, `sequence`, `expression.<condition>` and
`knockout.<node>` columns. Nothing here sees a label: correlation, CLR, nearest neighbours and what
a knock-out changes come from expression alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.arrays import EXPRESSION, KNOCKOUT, Links, Network
from bioloom.embedders import TABLE
from bioloom.errors import DataError
from bioloom.options import complete_options
from bioloom.similarity.tempered import directions, tempering

# `profile`: expression as node features; `context`: links of a node to its most co-expressed ones;
# `pairs`: features of a pair (LINK_FEATURES).
SETTINGS: dict[str, Any] = {"profile": False, "context": 0, "pairs": []}
CONTEXT_FLOOR = 0.5  # |r| of a context edge
FOREST_TREES = 10  # for each target


def node_inputs(
    nodes: pd.DataFrame, application: Application, options: dict[str, Any]
) -> tuple[np.ndarray, list[str] | pd.DataFrame]:
    """Rows of the nodes that have an input, and their sequences; or all, and their own columns."""
    if options["embedder"] == TABLE:
        expressed = [name for name in map(str, nodes) if name.startswith((EXPRESSION, KNOCKOUT))]
        other = nodes.drop(columns=["node_id", "name", "sequence", *expressed], errors="ignore")
        return np.arange(len(nodes)), other
    if "sequence" not in nodes:
        source = "genome" if "genome" in application.all_sources else "sequences"
        raise DataError(
            "The nodes of this network have no sequences to embed",
            hint=f"give the source `{source}`, or set `features: {{embedder: table, columns: []}}`",
        )
    known = np.flatnonzero(nodes["sequence"].notna())
    return known, application.inputs(nodes.iloc[known])


def link_features(
    samples: pd.DataFrame,
    nodes: pd.DataFrame,
    X: np.ndarray,
    names: list[str],
    settings: dict[str, Any],
    application: Application,
) -> tuple[Links, list[str]]:
    """The samples as pairs of the nodes, and the names of node features, then of pair features.

    DataError for a pair whose end is no node.
    """
    settings = complete_options(settings, SETTINGS, "features: network")
    unknown = sorted(set(settings["pairs"]) - set(LINK_FEATURES))
    if unknown:
        raise DataError(
            f"features: network: no pair feature {', '.join(unknown)}",
            hint=f"there are {', '.join(LINK_FEATURES)}",
        )
    ids = nodes["node_id"].to_numpy(dtype=str)
    ends = pd.Index(ids).get_indexer(pd.Index(samples[["source", "target"]].to_numpy().ravel()))
    edges = ends.reshape(-1, 2).astype(np.int64)
    if (edges < 0).any():
        raise DataError(f"{(edges < 0).any(axis=1).sum()} pairs have an end that is no node")
    profiles = standard_profiles(nodes)
    if settings["profile"]:
        X = np.hstack([X, profiles])
        names = names + [name for name in map(str, nodes) if name.startswith(EXPRESSION)]
    correlation = np.empty((0, 0), dtype=np.float32)
    if settings["context"] or settings["pairs"]:  # of a whole genome it takes gigabytes
        correlation = profiles @ profiles.T
        if not profiles.shape[1]:
            correlation[:] = np.nan
    context, weight = nearest_neighbours(correlation, settings["context"])
    known = Known(nodes, profiles, correlation)
    extra = [LINK_FEATURES[name](known, edges) for name in settings["pairs"]]
    values = np.column_stack(extra) if extra else np.zeros((len(edges), 0))
    network = Network(ids, X.astype(np.float32), context, weight)
    pairs = Links(network, edges, values.astype(np.float32), application.directed)
    return pairs, [*names, *(f"pair.{name}" for name in settings["pairs"])]


def standard_profiles(nodes: pd.DataFrame) -> np.ndarray:
    """Expression of each node with mean 0 and length 1, (M, conditions) float32.

    So the product of two rows is their Pearson correlation. Missing values count as the node's
    mean; a node without expression, or with the same in all conditions, has NaN.
    """
    columns = [name for name in map(str, nodes) if name.startswith(EXPRESSION)]
    values = nodes[columns].to_numpy(dtype=np.float64, na_value=np.nan)
    measured = np.isfinite(values)
    count = np.maximum(measured.sum(axis=1, keepdims=True), 1)
    filled = np.where(measured, values, 0.0)
    centred = np.where(measured, filled - filled.sum(axis=1, keepdims=True) / count, 0.0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(
        centred, length, out=np.full_like(centred, np.nan), where=length > 1e-9
    ).astype(np.float32)


def nearest_neighbours(correlation: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges (2, E) from each node to the k of highest |r| >= 0.5, both ways, and |r| (E,)."""
    k = min(k, max(len(correlation) - 1, 0))
    if not k:
        return np.zeros((2, 0), dtype=np.int64), np.zeros(0, dtype=np.float32)
    strength = np.nan_to_num(np.abs(correlation))
    np.fill_diagonal(strength, 0)
    nearest = np.argpartition(-strength, k - 1, axis=1)[:, :k]
    linked = np.zeros(strength.shape, dtype=bool)
    np.put_along_axis(linked, nearest, True, axis=1)
    linked &= strength >= CONTEXT_FLOOR
    ends = np.stack(np.nonzero(linked | linked.T))
    return ends.astype(np.int64), strength[ends[0], ends[1]].astype(np.float32)


@dataclass(frozen=True)
class Known:
    """What features of pairs are made of: M `nodes`, `profiles (M, conditions)`, their products."""

    nodes: pd.DataFrame
    profiles: np.ndarray
    correlation: np.ndarray


def _correlation(known: Known, edges: np.ndarray) -> np.ndarray:
    """Pearson correlation of the two expression profiles, NaN where one has none."""
    return known.correlation[edges[:, 0], edges[:, 1]]


def _strength(known: Known, edges: np.ndarray) -> np.ndarray:
    """How strongly the two are correlated, whatever the sign: |r|."""
    return np.abs(known.correlation[edges[:, 0], edges[:, 1]])


def _clr(known: Known, edges: np.ndarray) -> np.ndarray:
    """Context likelihood of relatedness (Faith et al. 2007), on the information of normal values.

    Each end's mutual information with the other, -ln(1 - r^2) / 2, as a z-score among all its
    own; sqrt(z_a^2 + z_b^2) of the positive ones.
    """
    square = np.clip(known.correlation.astype(np.float64) ** 2, 0, 1 - 1e-6)
    information = -np.log1p(-square) / 2
    np.fill_diagonal(information, np.nan)
    measured = np.isfinite(information)
    count = np.maximum(measured.sum(axis=1), 1)
    filled = np.where(measured, information, 0.0)
    mean = filled.sum(axis=1) / count
    spread = np.sqrt(np.where(measured, (filled - mean[:, None]) ** 2, 0.0).sum(axis=1) / count)
    spread = np.where(spread > 0, spread, 1.0)
    own = information[edges[:, 0], edges[:, 1]]
    scores = [np.maximum((own - mean[end]) / spread[end], 0) for end in edges.T]
    return np.hypot(*scores)


def _tempered_clr(known: Known, edges: np.ndarray) -> np.ndarray:
    """The same on tempered profiles, of which the cosine itself is the likeness; NaN without one.

    Two that go up when the other goes down are not alike here.
    """
    profiles = known.profiles
    rows = np.flatnonzero(np.isfinite(profiles).all(axis=1) & (profiles.shape[1] > 0))
    score = np.full((len(profiles), len(profiles)), np.nan, dtype=np.float32)
    if not len(rows):
        return score[edges[:, 0], edges[:, 1]]
    tempered = directions(profiles[rows], tempering(profiles[rows])).astype(np.float32)
    alike = tempered @ tempered.T
    np.fill_diagonal(alike, np.nan)
    mean, spread = np.nanmean(alike, axis=1), np.nanstd(alike, axis=1)
    standing = (alike - mean[:, None]) / np.where(spread > 0, spread, 1)[:, None]
    score[np.ix_(rows, rows)] = np.maximum(standing, 0)
    return np.hypot(score[edges[:, 0], edges[:, 1]], score[edges[:, 1], edges[:, 0]])


def _forest(known: Known, edges: np.ndarray) -> np.ndarray:
    """How much the source's expression helps to predict the target's, as GENIE3 does it.

    Huynh-Thu et al. (2010): for each target the importances of all regulators in randomised trees
    (here few and extremely randomised, Geurts et al. 2006); NaN where either has no expression.
    """
    from sklearn.ensemble import ExtraTreesRegressor
    from tqdm import tqdm

    profiles, regulators = known.profiles, np.unique(edges[:, 0])
    regulators = regulators[np.isfinite(profiles[regulators]).all(axis=1)]
    column = {node: i for i, node in enumerate(regulators)}
    scores = np.full(len(edges), np.nan)
    for target in tqdm(np.unique(edges[:, 1]), desc="forest", delay=3, mininterval=5):
        rows = np.flatnonzero(edges[:, 1] == target)
        if not len(regulators) or not np.isfinite(profiles[target]).all():
            continue
        others = regulators[regulators != target]
        forest = ExtraTreesRegressor(
            FOREST_TREES, max_features="sqrt", min_samples_leaf=5, random_state=0
        ).fit(profiles[others].T, profiles[target] / profiles[target].std())
        importance = np.full(len(regulators), np.nan)
        importance[np.flatnonzero(regulators != target)] = forest.feature_importances_
        places = [(row, column[edges[row, 0]]) for row in rows if edges[row, 0] in column]
        for row, place in places:
            scores[row] = importance[place]
    return scores


def _knockout(known: Known, edges: np.ndarray) -> np.ndarray:
    """How far the target is from its usual expression without the source, log(1 + |z|).

    NaN for a source that was not knocked out, and a target that was not measured.
    """
    if not any(name.startswith(KNOCKOUT) for name in map(str, known.nodes)):
        raise DataError("These data have no knock-outs", hint="give the source `knockouts`")
    ids = known.nodes["node_id"].to_numpy(dtype=str)
    scores = np.full(len(edges), np.nan)
    for source in np.unique(edges[:, 0]):
        rows = edges[:, 0] == source
        if (column := f"{KNOCKOUT}{ids[source]}") in known.nodes:
            z = known.nodes[column].to_numpy(dtype=np.float64, na_value=np.nan)
            scores[rows] = np.log1p(np.abs(z[edges[rows, 1]]))
    return scores


LINK_FEATURES: dict[str, Callable[[Known, np.ndarray], np.ndarray]] = {
    "correlation": _correlation,
    "strength": _strength,
    "clr": _clr,
    "tempered_clr": _tempered_clr,
    "forest": _forest,
    "knockout": _knockout,
}
