"""Samples with rows of bytes each: the reads of a site beside a table of its values.

Row 0 of an image is the reference, the others are fragments. A row holds codes (A, C, G, T, gap,
nothing), base qualities and inserted letters of `SPAN` positions, and then the fragment's
`SCALARS`: odds for the allele in tenths (128 is none), mapping quality, strand, whether clipped,
mismatches, distance to the end of the read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

HALF = 16  # positions to both sides of the site
SPAN = 2 * HALF + 1
SCALARS = ("odds", "mapping", "reverse", "clipped", "mismatches", "end")
WIDTH = 3 * SPAN + len(SCALARS)
DEPTH = 48  # fragments at most
NEVER = -30.0  # logarithm of a probability of nothing


@dataclass(frozen=True)
class Images:
    """N samples: `table (N, D)` float32 of values, and an image of any number of rows each.

    `rows (R, WIDTH)` uint8 are those of all images end to end, image i has
    `rows[offsets[i] : offsets[i + 1]]`. `prior (N, K)` float32 are logarithms of probabilities of
    the classes, which a model starts from; they are never prepared.
    """

    table: np.ndarray
    rows: np.ndarray
    offsets: np.ndarray
    prior: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: np.ndarray) -> Images:
        """The samples at `index` (integers or a boolean mask), in that order."""
        chosen = np.arange(len(self))[index]
        lengths = np.diff(self.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        places = np.repeat(self.offsets[chosen] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Images(self.table[chosen], self.rows[places], offsets, self.prior[chosen])

    def with_table(self, table: np.ndarray) -> Images:
        """The same with other values."""
        return replace(self, table=table)


def rows_of(pictures: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of all images end to end, (R, WIDTH) uint8, and where each image begins, (N + 1,)."""
    flat = np.frombuffer(b"".join(pictures), np.uint8).reshape(-1, WIDTH)
    lengths = np.array([len(picture) // WIDTH for picture in pictures], np.int64)
    return flat, np.concatenate([[0], np.cumsum(lengths)])
