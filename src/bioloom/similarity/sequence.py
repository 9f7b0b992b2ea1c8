"""Nearest sequences, and sequence clusters.

Sequence similarity is identity: identical letters in the best local alignment (BLOSUM62 for
proteins, match and mismatch for DNA; affine gaps) / length of the shorter one, 0 to 1. Of DNA the
better strand counts: elements are tested in both directions. Pairs whose shorter sequence has fewer
than `SHORT` letters are all aligned; longer ones if they share a seed (`bioloom.similarity.seeds`,
which says what that misses).

Identity grows by chance as the shorter sequence shrinks: a random protein's nearest among 130,000
residues has 0.26 at 80 residues, 0.3 at 50, 0.37 at 30, 0.45 at 20 and 0.6 at 10 (measured; compare
the curve of Rost 1999). Below some length a low threshold means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from bioloom.formats.dna import is_dna, reverse_complement
from bioloom.similarity import BLOCK, Compare, Measure, Nearest, auroc, connected, sequences

SHORT = 80
MOST_SHARED = 8000
"""Sequences of which all identities are kept, 256 MB, so that split and audit align them once."""
_shared: dict[tuple[str, ...], np.ndarray] = {}
"""Those of the last sequences."""


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
    # The same text is, whatever letters of it match nothing, as X.
    first = {text: place for place, text in reversed([*enumerate(targets)])}
    same = np.array([first.get(query, -1) for query in queries])
    same[similarity == 1] = -1
    return np.where(same >= 0, 1.0, similarity), np.where(same >= 0, same, nearest)


def sequence_clusters(sequences: list[str], identity: float) -> np.ndarray:
    """Cluster of each sequence, (N,) int, numbered as they come: single linkage at `identity`.

    Sequences at `identity` or above, equal ones among them, are in one cluster, so no pair across
    clusters reaches it. The price is chaining: look at the largest cluster before use.
    """
    upper = np.array([s.upper() for s in sequences], dtype=object)
    distinct, texts = pd.factorize(upper)
    if len(texts) <= MOST_SHARED:
        i, j = np.nonzero(_all_identities(texts) >= identity)
        return pd.factorize(connected(i, j, len(texts))[distinct])[0]
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
        np.maximum.at(matrix, (i, j), identity)  # of DNA a pair is there by both strands
        matrix[j, i] = matrix[i, j]
    return matrix


def _all_identities(texts: np.ndarray) -> np.ndarray:
    """Identity of all pairs of different texts, aligned where these are not the last ones again."""
    key = tuple(texts)
    if key not in _shared:
        _shared.clear()
        _shared[key] = identities(list(texts))
    return _shared[key]


def _aligned(
    sequences: list[str],
    lowest: np.ndarray,
    skip: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of (i, j, identity) for the first `len(lowest)` sequences i against j >= lowest[i].

    Pairs worth aligning only, less those that `skip(i, j)` says need none any more. Of DNA j is
    there twice, as it is and by its other strand.
    """
    from tqdm import tqdm

    from bioloom.similarity.alignment import count_identities, scoring_for
    from bioloom.similarity.seeds import index_seeds

    scoring, count = scoring_for(sequences), len(sequences)
    if is_dna(map(str.upper, sequences)):
        sequences = [*sequences, *(reverse_complement(text.upper()) for text in sequences)]
    codes, offsets = scoring.encode(sequences)
    lengths, place = np.diff(offsets), np.arange(len(sequences)) % max(count, 1)
    seeds = index_seeds(codes, offsets, scoring)
    size = max(1, BLOCK // max(len(sequences), 1))
    for start in tqdm(range(0, len(lowest), size), desc="align", delay=3, mininterval=5):
        queries = np.arange(start, min(start + size, len(lowest)))
        allowed = place >= lowest[queries, None]
        found = allowed & (np.minimum.outer(lengths[queries], lengths) < SHORT)
        seeds.mark(queries, lowest[queries], found)
        i, j = np.nonzero(found & allowed)
        i = queries[i]
        if skip is not None:
            needed = ~skip(i, place[j])
            i, j = i[needed], j[needed]
        identities = count_identities(codes, offsets, i, j, scoring)
        yield i, place[j], identities / np.minimum(lengths[i], lengths[j])


def compare(samples: pd.DataFrame, nodes: pd.DataFrame | None, directed: bool) -> Compare:
    """Each query is aligned to the targets that may be alike; in folds all pairs, but once."""
    upper = np.array([text.upper() for text in sequences(samples)], dtype=object)
    distinct, texts = pd.factorize(upper)
    lengths = np.array([len(text) for text in texts])
    again = tuple(texts) in _shared

    def nearest(queries: np.ndarray, targets: np.ndarray) -> Nearest:
        nonlocal again
        if not again or len(texts) > MOST_SHARED:
            again = True
            return nearest_sequences(list(upper[queries]), list(upper[targets]))
        asked, place = np.unique(distinct[queries], return_inverse=True)
        known, first = np.unique(distinct[targets], return_index=True)
        order = first.argsort()  # of equally similar ones the first
        among = _all_identities(texts)[np.ix_(asked, known[order])]
        best = among.argmax(axis=1)
        similarity = among[np.arange(len(best)), best].astype(float)
        # Letters over letters, as where they are aligned: float32 is not the same number.
        shorter = np.minimum(lengths[asked], lengths[known[order][best]])
        similarity = np.round(similarity * shorter) / shorter
        return similarity[place], np.where(similarity > 0, first[order][best], -1)[place]

    return nearest


def shortcuts(samples: pd.DataFrame, positive: np.ndarray) -> dict[str, float]:
    """Length, and an initial methionine: fragments and mature peptides lack it."""
    texts = samples["sequence"].str.upper()
    starts = texts.str[0] == "M"
    return {
        "length": auroc(texts.str.len(), positive),
        "starts with M": auroc(starts, positive),
    }


measure = Measure(
    name="sequence",
    description="identity of the best local alignment / length of the shorter sequence",
    fits=lambda samples: "sequence" in samples,
    compare=compare,
    shortcuts=shortcuts,
    alarm=0.75,
)
