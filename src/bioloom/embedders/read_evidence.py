"""What the k-mers of all reads say of each letter of one, (T, 30) float16. Nothing is learnt.

An application gives it as text, `WIDTH` characters a letter: the letter read, the letter that the
spectrum proposes, the quality, and for each of `PLACES` and each base the count of the k-mer that
has this base here, as a logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bioloom.arrays import Ragged
from bioloom.errors import DataError

OPTIONS: dict[str, Any] = {}
BASES = "ACGT"
# k, and where in the k-mer the letter stands: short ones bear errors nearby, long ones repeats.
PLACES = ((17, 0), (17, 8), (17, 16), (25, 0), (25, 24))
WIDTH = 3 + len(PLACES) * len(BASES)
ZERO = 48  # the character of 0
STEPS = 4  # of a logarithm to the base of 2
HIGHEST = 126 - ZERO
PROPOSED, READ = slice(0, 4), slice(4, 8)
"""Columns of `columns_of`."""
NAMES = (
    [f"proposed={base}" for base in BASES]
    + [f"read={base}" for base in BASES]
    + ["quality", "cycle"]
    + [f"count_{k}_{place}={base}" for k, place in PLACES for base in BASES]
)


def weights_source(options: dict[str, Any]) -> None:
    """None: nothing is learnt."""
    return None


def normalise(sequence: str, options: dict[str, Any]) -> str:
    """The text as it is; DataError for what is no evidence."""
    if not sequence or len(sequence) % WIDTH or not sequence.isascii():
        raise DataError(
            "`embedder: read_evidence` takes the evidence of reads",
            hint="the application genome_assembly makes it",
        )
    return sequence


def features(sequences: Sequence[str], options: dict[str, Any]) -> tuple[Ragged, list[str]]:
    """A row a letter."""
    return Ragged(*columns_of(sequences)), list(NAMES)


def text_of(
    read: np.ndarray, proposed: np.ndarray, qualities: np.ndarray, counts: np.ndarray
) -> str:
    """The text of T letters: characters (T,), Phred (T,), counts (T, places, bases)."""
    text = np.empty((len(read), WIDTH), np.uint8)
    text[:, 0], text[:, 1] = read, proposed
    text[:, 2] = ZERO + np.minimum(qualities, HIGHEST)
    steps = np.round(STEPS * np.log2(1 + counts)).astype(np.int64)
    text[:, 3:] = ZERO + np.minimum(steps, HIGHEST).reshape(len(read), WIDTH - 3)
    return text.tobytes().decode()


def columns_of(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The features (T, D) float16 of texts, named `NAMES`, and where each begins (N + 1,)."""
    text = np.frombuffer("".join(texts).encode(), np.uint8).reshape(-1, WIDTH)
    lengths = np.array([len(one) // WIDTH for one in texts], np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    bases = np.frombuffer(BASES.encode(), np.uint8)
    place = np.arange(len(text)) - np.repeat(offsets[:-1], lengths)
    values = np.empty((len(text), len(NAMES)), np.float16)
    values[:, PROPOSED] = text[:, 1, None] == bases
    values[:, READ] = text[:, 0, None] == bases
    values[:, 8] = (text[:, 2] - ZERO) / 40
    values[:, 9] = place / np.repeat(np.maximum(lengths, 1), lengths)
    values[:, 10:] = (text[:, 3:].astype(np.float32) - ZERO) / (8 * STEPS)
    return values, offsets
