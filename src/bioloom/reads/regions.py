"""Where reads lie on their own assembly: what is near each other stays on one side of a split."""

from __future__ import annotations

import numpy as np

from bioloom.reads.assembly.assemble import assemble
from bioloom.reads.assembly.places import NOWHERE, K, found_at, places_of
from bioloom.reads.sequences import Reads

SIZE = 1000  # letters of a region


def regions(reads: Reads) -> np.ndarray:
    """The region (n,) of each read, NOWHERE for one that none holds as a whole.

    Regions are stretches of the unitigs of the reads, which should be corrected. Reads of two
    neighbouring ones, which would be alike on both sides of a split, are in none; those of two
    regions share less than a k-mer.
    """
    graph = assemble(reads, (K,), shortest=K).graph
    places = places_of(graph)
    parts = np.maximum(graph.lengths // SIZE, 1)  # the last one is the longest
    first = np.concatenate([[0], np.cumsum(parts)])
    part = np.minimum(places.place // SIZE, parts[places.unitig] - 1)
    region = np.append(first[places.unitig] + part, NOWHERE)  # of what has no place, too
    ends = [region[found_at(reads, at, places)[0]] for at in _ends(reads)]
    return np.where(ends[0] == ends[1], ends[0], NOWHERE)


def _ends(reads: Reads) -> tuple[np.ndarray, np.ndarray]:
    """Where the first and the last k-mer of each read begin; -1 for a read that is too short."""
    short = np.diff(reads.offsets) < K
    return tuple(np.where(short, -1, at) for at in (reads.offsets[:-1], reads.offsets[1:] - K))  # type: ignore[return-value]
