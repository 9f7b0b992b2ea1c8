"""One-hot letters: per token (T, 20) or (T, 4) float16, or pooled; unknown letters are zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bioloom.arrays import Ragged
from bioloom.embedders import Option
from bioloom.embedders.kmer import ALPHABETS, letter_codes
from bioloom.embedders.kmer import normalise as normalise  # the same rule

OPTIONS = {
    "alphabet": Option("protein", choices=tuple(ALPHABETS)),
    "pooling": Option("tokens", choices=("tokens", "segments", "mean")),
    "segments": Option(16, minimum=1),
}


def weights_source(options: dict[str, Any]) -> None:
    """None: nothing is learnt."""
    return None


def features(
    sequences: Sequence[str], options: dict[str, Any]
) -> tuple[np.ndarray | Ragged, list[str]]:
    """One row a letter (tokens), the composition of `segments` equal parts, or of the whole."""
    letters = ALPHABETS[options["alphabet"]]
    codes, offsets = letter_codes(sequences, letters)
    rows = np.eye(len(letters) + 1, len(letters), dtype=np.float16)
    # no code is out of range; mode "clip" is the one that numpy does not copy to check
    X = Ragged(np.take(rows, codes, axis=0, mode="clip"), offsets)
    if options["pooling"] == "mean":
        return X.mean(), list(letters)
    if options["pooling"] == "segments":
        X = _segments(X, options["segments"])
    return X, list(letters)


def _segments(X: Ragged, segments: int) -> Ragged:
    import torch

    from bioloom.pooling import segment_means

    parts = np.minimum(segments, X.lengths)
    means = segment_means(torch.from_numpy(X.values), X.offsets[:-1], X.offsets[1:], parts)
    return Ragged(means.half().numpy(), np.concatenate([[0], np.cumsum(parts)]))
