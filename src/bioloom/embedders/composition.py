"""Composition: the share of each letter and the log length, (N, 21) or (N, 5) float32.

Unknown letters (X, B, Z, J, U, O; N) count in the length and in no share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bioloom.embedders.kmer import ALPHABETS, letter_codes, letters_end_to_end
from bioloom.embedders.kmer import normalise as normalise  # the same rule
from bioloom.options import Option

OPTIONS = {
    "alphabet": Option("protein", choices=tuple(ALPHABETS), about="of which letters sequences are")
}


def weights_source(options: dict[str, Any]) -> None:
    """None: nothing is learnt."""
    return None


def features(sequences: Sequence[str], options: dict[str, Any]) -> tuple[np.ndarray, list[str]]:
    """Shares of the letters and ln(length) of normalised sequences."""
    letters = ALPHABETS[options["alphabet"]]
    text, offsets = letters_end_to_end(sequences)
    lengths = np.diff(offsets)
    row = np.repeat(np.arange(len(sequences)), lengths)
    width = len(letters) + 1  # the last column counts unknown letters
    counts = np.bincount(
        row * width + letter_codes(letters)[text], minlength=len(sequences) * width
    )
    shares = counts.reshape(-1, width)[:, :-1] / lengths[:, None]
    X = np.column_stack([shares, np.log(lengths)]).astype(np.float32)
    return X, [*letters, "log_length"]
