"""Where reads lie on their own assembly: what is near each other stays on one side of a split."""

from __future__ import annotations

import numpy as np

from bioloom.reads.assembly.assemble import assemble
from bioloom.reads.sequences import UNKNOWN, Reads

K = 31
SIZE = 1000  # letters of a region
NOWHERE = -1


def regions(reads: Reads) -> np.ndarray:
    """The region (n,) of each read, NOWHERE for one that none holds as a whole.

    Regions are stretches of the unitigs of the reads, which should be corrected. Reads of two
    neighbouring ones, which would be alike on both sides of a split, are in none; those of two
    regions share less than a k-mer.
    """
    graph = assemble(reads, (K,), shortest=K).graph
    bounds = np.append(graph.codes, np.uint8(UNKNOWN))
    kmers, known = canonical_kmers(bounds, K)
    unitig = np.repeat(np.arange(len(graph.lengths)), graph.lengths)[: len(kmers)]
    inside = known & (np.arange(len(kmers)) + K <= graph.offsets[unitig + 1])
    place = np.arange(len(kmers)) - graph.offsets[unitig]
    parts = np.maximum(graph.lengths // SIZE, 1)  # the last one is the longest
    first = np.concatenate([[0], np.cumsum(parts)])
    region = first[unitig] + np.minimum(place // SIZE, parts[unitig] - 1)
    order = np.argsort(kmers[inside])
    table, region = kmers[inside][order], region[inside][order]
    ends = [_found(reads, at, table, region) for at in _ends(reads)]
    return np.where(ends[0] == ends[1], ends[0], NOWHERE)


def _ends(reads: Reads) -> tuple[np.ndarray, np.ndarray]:
    """Where the first and the last k-mer of each read begin; -1 for a read that is too short."""
    short = np.diff(reads.offsets) < K
    return tuple(np.where(short, -1, at) for at in (reads.offsets[:-1], reads.offsets[1:] - K))  # type: ignore[return-value]


def _found(reads: Reads, at: np.ndarray, table: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The region of the k-mer at each place, NOWHERE where the table has none."""
    if not len(table) or not len(reads.codes):
        return np.full(len(at), NOWHERE)
    letters = reads.codes[
        np.minimum(np.maximum(at, 0)[:, None] + np.arange(K), len(reads.codes) - 1)
    ]
    kmers, known = canonical_kmers(np.column_stack([letters, np.full(len(at), UNKNOWN)]).ravel(), K)
    kmers, known = kmers[:: K + 1], known[:: K + 1] & (at >= 0)
    slot = np.minimum(np.searchsorted(table, kmers), len(table) - 1)
    return np.where(known & (table[slot] == kmers), region[slot], NOWHERE)


def canonical_kmers(codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The canonical k-mer (n - k + 1,) uint64 at each letter, and whether it is known."""
    n = max(len(codes) - k + 1, 0)
    forward, backward = np.zeros(n, np.uint64), np.zeros(n, np.uint64)
    known = np.ones(n, np.bool_)
    for i in range(k):
        letter = codes[i : i + n].astype(np.uint64)
        known &= letter < 4
        forward = (forward << np.uint64(2)) | (letter & np.uint64(3))
        backward |= (np.uint64(3) - (letter & np.uint64(3))) << np.uint64(2 * i)
    return np.minimum(forward, backward), known
