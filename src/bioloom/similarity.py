"""How alike items are: nearest sequences or variants, sequence clusters, nearest table rows.

Sequence similarity is identity: identical letters in the best local alignment (BLOSUM62 for
proteins, match and mismatch for DNA on the given strand; affine gaps) / length of the shorter one,
0 to 1. Pairs whose shorter sequence has fewer than `SHORT` letters are all aligned; longer ones if
they share a seed (`bioloom.seeds`, which says what that misses).

Identity grows by chance as the shorter sequence shrinks: a random protein's nearest among 130,000
residues has 0.26 at 80 residues, 0.3 at 50, 0.37 at 30, 0.45 at 20 and 0.6 at 10 (measured; compare
the curve of Rost 1999). Below some length a low threshold means nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

SHORT = 80
BLOCK = 2_000_000  # pairs held in memory at a time


def nearest_sequences(queries: list[str], targets: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Identity with the nearest target of each query, (Q,), and its index, (Q,); 0 and -1 if none.

    Of equally near targets the first. Raises DataError for an empty sequence.
    """
    similarity = np.zeros(len(queries))
    nearest = np.full(len(queries), -1)
    if not queries or not targets:
        return similarity, nearest
    lowest = np.full(len(queries), len(queries))
    for query, target, identity in _aligned([*queries, *targets], lowest):
        order = np.lexsort((target, -identity, query))
        best = order[np.flatnonzero(np.diff(query[order], prepend=-1))]
        best = best[identity[best] > 0]
        similarity[query[best]] = identity[best]
        nearest[query[best]] = target[best] - len(queries)
    return similarity, nearest


def nearest_variants(queries: list[str], targets: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Like `nearest_sequences` for sequences of one length, compared letter by letter.

    The similarity is 1 - Hamming distance / length. All pairs are compared, as a product of
    one-hot matrices.
    """
    letters = sorted(set("".join([*queries, *targets]).upper()))
    query, target = (_one_hot(texts, letters) for texts in (queries, targets))
    similarity, nearest = np.zeros(len(queries)), np.full(len(queries), -1)
    if not len(queries) or not len(targets):
        return similarity, nearest
    size = max(1, BLOCK // len(targets))
    for start in range(0, len(queries), size):
        equal = query[start : start + size] @ target.T
        best = equal.argmax(axis=1)
        similarity[start : start + size] = equal[np.arange(len(best)), best]
        nearest[start : start + size] = best
    return similarity / len(queries[0]), np.where(similarity > 0, nearest, -1)


def _one_hot(texts: list[str], letters: list[str]) -> np.ndarray:
    """Letters of equally long texts as flags, (N, length * letters) float32."""
    codes = np.array([list(text.upper()) for text in texts])
    flags = codes[..., None] == np.array(letters)
    return flags.reshape(len(texts), -1).astype(np.float32)


def sequence_clusters(sequences: list[str], identity: float) -> np.ndarray:
    """Cluster of each sequence, (N,) int, numbered as they come: single linkage at `identity`.

    Sequences at `identity` or above, equal ones among them, are in one cluster, so no pair across
    clusters reaches it. The price is chaining: look at the largest cluster before use.
    """
    upper = np.array([s.upper() for s in sequences], dtype=object)
    distinct, texts = pd.factorize(upper)
    cluster = np.arange(len(texts))

    def linked(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return cluster[i] == cluster[j]

    for i, j, similarity in _aligned(list(texts), np.arange(1, len(texts) + 1), skip=linked):
        near = similarity >= identity
        cluster = connected(cluster[i[near]], cluster[j[near]], len(texts))[cluster]
    return pd.factorize(cluster[distinct])[0]


def identities(sequences: list[str]) -> np.ndarray:
    """Identity of all pairs of sequences, (N, N) float32; 1 with itself, 0 where none was seen."""
    matrix = np.eye(len(sequences), dtype=np.float32)
    for i, j, identity in _aligned(sequences, np.arange(1, len(sequences) + 1)):
        matrix[i, j] = matrix[j, i] = identity
    return matrix


def nearest_pairs(
    queries: np.ndarray, targets: np.ndarray, alike: np.ndarray, *, directed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Similarity to the nearest pair of `targets (T, 2)` of each query (Q, 2), and its index, (Q,).

    Pairs are rows of the matrix `alike (M, M)` of their nodes; the similarity of two pairs is the
    mean of that of their ends, of undirected ones in the better of both orders: 0.5 where one end
    is the same and the other unlike. The index is -1 where nothing is alike.
    """
    similarity, nearest = np.zeros(len(queries)), np.full(len(queries), -1)
    size = max(1, BLOCK // max(len(targets), 1))
    for start in range(0, len(queries) if len(targets) else 0, size):
        source, target = queries[start : start + size].T
        score = alike[source][:, targets[:, 0]] + alike[target][:, targets[:, 1]]
        if not directed:
            turned = alike[source][:, targets[:, 1]] + alike[target][:, targets[:, 0]]
            score = np.maximum(score, turned)
        best = score.argmax(axis=1)
        similarity[start : start + size] = score[np.arange(len(best)), best] / 2
        nearest[start : start + size] = best
    return similarity, np.where(similarity > 0, nearest, -1)


def connected(i: np.ndarray, j: np.ndarray, size: int) -> np.ndarray:
    """Connected component, (size,) int, of each node of the graph with the edges (i, j)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(i), dtype=bool), (i, j)), shape=(size, size))
    return connected_components(edges, directed=False)[1]


def nearest_rows(queries: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest row of `targets (T, D)` of each query (Q, D), and its index, (Q,).

    Columns are scaled by 1.4826 median absolute deviations of the targets; where that is 0 (flags,
    sparse counts) by their range, so that two flags differ by 1. The distance is the root mean
    square difference over the columns measured (finite) in either row: 0 for duplicates, about 1.4
    for unrelated normal values. A column measured in one of them alone counts as a difference of 1,
    so that rows with few values are not alike by what they lack. Without a column measured in both:
    infinity and -1.
    """
    from scipy.spatial.distance import cdist

    if queries.shape[1] != targets.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} columns, targets {targets.shape[1]}")
    distance, nearest = np.full(len(queries), np.inf), np.full(len(queries), -1)
    if not len(targets):
        return distance, nearest
    scale = _robust_scale(targets)
    target, target_has = _fill_missing(targets / scale)
    size = max(1, BLOCK // len(targets))
    for start in range(0, len(queries), size):
        query, query_has = _fill_missing(queries[start : start + size] / scale)
        # Missing values stand as 0; what they add where only one row has them is taken off.
        square = cdist(query, target, "sqeuclidean")
        square -= query**2 @ (1 - target_has).T + (1 - query_has) @ (target**2).T
        shared = query_has @ target_has.T
        alone = query_has @ (1 - target_has).T + (1 - query_has) @ target_has.T
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = (np.maximum(square, 0) + alone) / (shared + alone)
            rms = np.where(shared > 0, np.sqrt(mean), np.inf)
        best = rms.argmin(axis=1)
        distance[start : start + size] = rms[np.arange(len(best)), best]
        nearest[start : start + size] = best
    return distance, np.where(np.isfinite(distance), nearest, -1)


def _robust_scale(values: np.ndarray) -> np.ndarray:
    """Scale of each column, (D,), never 0; see `nearest_rows`."""
    values = np.where(np.isfinite(values), values, np.nan)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        spread = 1.4826 * np.nanmedian(np.abs(values - np.nanmedian(values, axis=0)), axis=0)
        reach = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    scale = np.where(spread > 0, spread, reach)
    return np.where(scale > 0, scale, 1.0)


def _fill_missing(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    has = np.isfinite(values)
    return np.where(has, values, 0.0), has.astype(float)


def _aligned(
    sequences: list[str],
    lowest: np.ndarray,
    skip: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of (i, j, identity) for the first `len(lowest)` sequences i against j >= lowest[i].

    Pairs worth aligning only, less those that `skip(i, j)` says need none any more.
    """
    from tqdm import tqdm

    from bioloom.alignment import count_identities, scoring_for
    from bioloom.seeds import index_seeds

    scoring = scoring_for(sequences)
    codes, offsets = scoring.encode(sequences)
    lengths = np.diff(offsets)
    seeds = index_seeds(codes, offsets, scoring)
    size = max(1, BLOCK // max(len(sequences), 1))
    for start in tqdm(range(0, len(lowest), size), desc="align", delay=3, mininterval=5):
        queries = np.arange(start, min(start + size, len(lowest)))
        allowed = np.arange(len(sequences)) >= lowest[queries, None]
        found = allowed & (np.minimum.outer(lengths[queries], lengths) < SHORT)
        seeds.mark(queries, lowest[queries], found)
        i, j = np.nonzero(found)
        i = queries[i]
        if skip is not None:
            needed = ~skip(i, j)
            i, j = i[needed], j[needed]
        identities = count_identities(codes, offsets, i, j, scoring)
        yield i, j, identities / np.minimum(lengths[i], lengths[j])
