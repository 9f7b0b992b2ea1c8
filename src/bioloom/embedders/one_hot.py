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
    "pooling": Option("tokens", choices=("tokens", "mean")),
}


def weights_source(options: dict[str, Any]) -> None:
    """None: nothing is learnt."""
    return None


def features(
    sequences: Sequence[str], options: dict[str, Any]
) -> tuple[np.ndarray | Ragged, list[str]]:
    """One row a letter (pooling tokens) or the mean over the letters of each sequence."""
    letters = ALPHABETS[options["alphabet"]]
    codes, offsets = letter_codes(sequences, letters)
    rows = np.eye(len(letters) + 1, len(letters), dtype=np.float16)
    # no code is out of range; mode "clip" is the one that numpy does not copy to check
    X = Ragged(np.take(rows, codes, axis=0, mode="clip"), offsets)
    return (X.mean() if options["pooling"] == "mean" else X), list(letters)
