"""Where reads lie on unitigs: by k-mers that stand at one place of them all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bioloom.reads.assembly.graph import Graph
from bioloom.reads.sequences import UNKNOWN, Reads

K = 31
NOWHERE = -1


class Places(NamedTuple):
    """n k-mers in order, each at one place of the unitigs as they are written."""

    kmers: np.ndarray  # (n,) uint64, canonical
    forward: np.ndarray  # (n,) bool, whether the k-mer is canonical as it is written
    unitig: np.ndarray  # (n,) int64
    place: np.ndarray  # (n,) int64, its first letter, from 0


def places_of(graph: Graph) -> Places:
    """The k-mers of all unitigs, but those that stand at several places."""
    kmers, known, forward = canonical_kmers(np.append(graph.codes, np.uint8(UNKNOWN)), K)
    unitig = np.repeat(np.arange(len(graph.lengths)), graph.lengths)[: len(kmers)]
    inside = np.flatnonzero(known & (np.arange(len(kmers)) + K <= graph.offsets[unitig + 1]))
    at = inside[np.argsort(kmers[inside], kind="stable")]
    new = np.diff(kmers[at], prepend=~kmers[at[:1]]) != 0
    at = at[new & np.append(new[1:], True)[: len(at)]]
    return Places(kmers[at], forward[at], unitig[at], at - graph.offsets[unitig[at]])


def found_at(reads: Reads, at: np.ndarray, places: Places) -> tuple[np.ndarray, np.ndarray]:
    """Which of the places the k-mer at each letter has, and whether on the strand as written.

    NOWHERE for one that has no place, or none of its own, and where `at` is negative.
    """
    if not len(places.kmers) or not len(reads.codes):
        return np.full(len(at), NOWHERE), np.zeros(len(at), np.bool_)
    letters = reads.codes[
        np.minimum(np.maximum(at, 0)[:, None] + np.arange(K), len(reads.codes) - 1)
    ]
    windows = np.column_stack([letters, np.full(len(at), UNKNOWN)]).ravel()
    kmers, known, forward = (part[:: K + 1] for part in canonical_kmers(windows, K))
    slot = np.minimum(np.searchsorted(places.kmers, kmers), len(places.kmers) - 1)
    found = known & (at >= 0) & (places.kmers[slot] == kmers)
    return np.where(found, slot, NOWHERE), forward == places.forward[slot]


def canonical_kmers(codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The canonical k-mer (n - k + 1,) uint64 at each letter, whether it is known, and as written.

    A k-mer that is its own reverse complement counts as written.
    """
    n = max(len(codes) - k + 1, 0)
    forward, backward = np.zeros(n, np.uint64), np.zeros(n, np.uint64)
    known = np.ones(n, np.bool_)
    for i in range(k):
        letter = codes[i : i + n].astype(np.uint64)
        known &= letter < 4
        forward = (forward << np.uint64(2)) | (letter & np.uint64(3))
        backward |= (np.uint64(3) - (letter & np.uint64(3))) << np.uint64(2 * i)
    return np.minimum(forward, backward), known, forward <= backward
