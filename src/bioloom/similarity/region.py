"""How near two variants lie in a genome."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioloom.samples import VARIANT
from bioloom.similarity import Compare, Measure, Nearest

SCALE = 1000.0  # bases at which likeness is a half


def compare(samples: pd.DataFrame, nodes: pd.DataFrame | None, directed: bool) -> Compare:
    """1 / (1 + distance in kilobases) on one contig, 0 on two; reads of one fragment reach far."""
    contig = pd.factorize(samples[f"{VARIANT}chrom"])[0]
    position = samples[f"{VARIANT}pos"].to_numpy(float)
    # Contigs one behind the other, too far apart to be near.
    apart = 2 * (position.max(initial=0.0) + 1)
    place = contig * apart + position

    def nearest(queries: np.ndarray, targets: np.ndarray) -> Nearest:
        if not len(targets):
            return np.zeros(len(queries)), np.full(len(queries), -1)
        order = np.argsort(place[targets], kind="stable")
        known = place[targets][order]
        after = np.searchsorted(known, place[queries])
        sides = np.stack([np.maximum(after - 1, 0), np.minimum(after, len(known) - 1)])
        distance = np.abs(known[sides] - place[queries])
        best = distance.argmin(axis=0)
        at = order[sides[best, np.arange(len(queries))]]
        same = contig[targets][at] == contig[queries]
        likeness = 1 / (1 + distance.min(axis=0) / SCALE)
        return np.where(same, likeness, 0.0), np.where(same, at, -1)

    return nearest


def shortcuts(samples: pd.DataFrame, positive: np.ndarray) -> dict[str, float]:
    """None: where a variant lies is not among the features."""
    return {}


measure = Measure(
    name="region",
    description="nearness in the genome, 1 / (1 + distance in kb)",
    fits=lambda samples: f"{VARIANT}pos" in samples,
    compare=compare,
    shortcuts=shortcuts,
    alarm=1.0,
    distance=lambda similarity: SCALE * (1 / similarity.clip(lower=1e-9) - 1),
)
