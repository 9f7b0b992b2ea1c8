"""One-hot letters: per token (T, 20) or (T, 4) float16, or pooled; unknown letters are zeros.

With `window` w a token also has the letters around it, (T, 20 w): what a model that takes one
vector a token needs to know of its neighbours. Zeros behind the ends.

`pooling: positions` gives one column a position and letter, (N, longest * letters), for sequences
in one register (variants of a promoter, a peptide library); a shorter one ends in zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from bioloom.arrays import Ragged
from bioloom.embedders.kmer import ALPHABETS, letter_codes, letters_end_to_end
from bioloom.embedders.kmer import normalise as normalise  # the same rule
from bioloom.errors import DataError
from bioloom.options import Option

OPTIONS = {
    "alphabet": Option("protein", choices=tuple(ALPHABETS), about="of which letters sequences are"),
    "pooling": Option(
        "tokens",
        choices=("tokens", "segments", "mean", "positions"),
        about="a row a token or segment, their mean, or a column a position and letter",
    ),
    "segments": Option(16, minimum=1, about="rows a sequence"),
    "window": Option(1, minimum=1, about="letters around a token that it also has"),
}


def weights_source(options: dict[str, Any]) -> None:
    """None: nothing is learnt."""
    return None


def features(
    sequences: Sequence[str], options: dict[str, Any]
) -> tuple[np.ndarray | Ragged, list[str]]:
    """One row a letter (tokens), the composition of `segments` equal parts, or of the whole."""
    if options["window"] > 1 and options["pooling"] != "tokens":
        raise DataError("features: `window` above 1 goes with `pooling: tokens`")
    letters = ALPHABETS[options["alphabet"]]
    text, offsets = letters_end_to_end(sequences)
    bits = np.zeros((len(text), len(letters)), dtype=np.uint16)
    _scatter()(text, letter_codes(letters), bits)
    X = Ragged(bits.view(np.float16), offsets)
    if options["window"] > 1:
        return _windows(X, options["window"], letters)
    if options["pooling"] == "mean":
        return X.mean(), list(letters)
    if options["pooling"] == "positions":
        return _positions(X, letters)
    if options["pooling"] == "segments":
        X = _segments(X, options["segments"])
    return X, list(letters)


def _windows(X: Ragged, window: int, letters: str) -> tuple[Ragged, list[str]]:
    """Each token with its neighbours' letters, from the farthest before to the farthest after."""
    reach = np.arange(window) - window // 2
    item = np.repeat(np.arange(len(X)), X.lengths)
    around = np.arange(len(item))[:, None] + reach
    inside = (around >= X.offsets[item, None]) & (around < X.offsets[item + 1, None])
    values = np.where(inside[..., None], X.values[np.where(inside, around, 0)], np.float16(0))
    names = [f"{letter}{shift:+d}" for shift in reach for letter in letters]
    return Ragged(values.reshape(len(item), -1), X.offsets), names


def _positions(X: Ragged, letters: str) -> tuple[np.ndarray, list[str]]:
    longest = int(X.lengths.max(initial=0))
    rows = np.zeros((len(X), longest, len(letters)), dtype=np.float32)
    rows[np.arange(longest) < X.lengths[:, None]] = X.values
    # With "=" a column is a category: one that new data lack is zero, as for a table.
    names = [f"{i}={letter}" for i in range(1, longest + 1) for letter in letters]
    return rows.reshape(len(X), -1), names


def _segments(X: Ragged, segments: int) -> Ragged:
    import torch

    from bioloom.embedders._pooling import segment_means

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
