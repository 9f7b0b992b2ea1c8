"""One-hot letters: per token (T, 20) or (T, 4) float16, or pooled; unknown letters are zeros."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from bioloom.arrays import Ragged
from bioloom.embedders import Option
from bioloom.embedders.kmer import ALPHABETS, letter_codes, letters_end_to_end
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
    text, offsets = letters_end_to_end(sequences)
    bits = np.zeros((len(text), len(letters)), dtype=np.uint16)
    _scatter()(text, letter_codes(letters), bits)
    X = Ragged(bits.view(np.float16), offsets)
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


@cache
def _scatter() -> Callable[..., None]:
    """The compiled loop that sets one bit pattern a letter (numba knows no float16)."""
    import numba

    one = np.float16(1).view(np.uint16)

    @numba.njit(nogil=True, cache=True)
    def scatter(text, codes, bits):
        for position in range(len(text)):
            code = codes[text[position]]
            if code < bits.shape[1]:
                bits[position, code] = one

    return scatter
