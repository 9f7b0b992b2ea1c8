"""k-mer frequencies: (N, letters ** k) float32, each row sums to 1 (0 where no k-mer is known).

A k-mer with an unknown letter (X, B, Z, J, U, O of proteins, N of DNA) is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from bioloom.embedders import AMINO_ACIDS, BASES, Option, normalise_dna, normalise_protein
from bioloom.errors import DataError

ALPHABETS = {"protein": AMINO_ACIDS, "dna": BASES}
MAX_COLUMNS = 200_000
OPTIONS = {
    "k": Option(2, minimum=1),
    "alphabet": Option("protein", choices=tuple(ALPHABETS)),
}


def weights_source(options: dict[str, Any]) -> None:
    """None: nothing is learnt."""
    return None


def normalise(sequence: str, options: dict[str, Any]) -> str:
    """Upper-case letters of the alphabet; see `normalise_protein` and `normalise_dna`."""
    return (normalise_dna if options["alphabet"] == "dna" else normalise_protein)(sequence)


def features(sequences: Sequence[str], options: dict[str, Any]) -> tuple[np.ndarray, list[str]]:
    """Overlapping k-mers of normalised sequences as frequencies, columns in alphabetic order."""
    letters, k = ALPHABETS[options["alphabet"]], options["k"]
    if len(letters) ** k > MAX_COLUMNS:
        raise DataError(f"features: k = {k} gives {len(letters) ** k} columns; choose a smaller k")
    codes, offsets = letter_codes(sequences, letters)
    counts = _counter()(codes, offsets, len(letters), k)
    total = counts.sum(axis=1, dtype=np.float32, keepdims=True)
    np.divide(counts, total, out=counts, where=total > 0)
    return counts, ["".join(kmer) for kmer in product(letters, repeat=k)]


def letter_codes(sequences: Sequence[str], letters: str) -> tuple[np.ndarray, np.ndarray]:
    """Letters as numbers (T,) uint8, unknown ones as len(letters), and offsets (N + 1,)."""
    table = np.full(256, len(letters), dtype=np.uint8)
    table[np.frombuffer(letters.encode(), dtype=np.uint8)] = np.arange(len(letters))
    text = np.frombuffer("".join(sequences).encode(), dtype=np.uint8)
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    return table[text], np.concatenate([[0], np.cumsum(lengths)])


@cache
def _counter():
    """The compiled counting loop: one pass with a rolling code, no k-mer is ever a string."""
    import numba

    @numba.njit(nogil=True, cache=True)
    def count(codes, offsets, n_letters, k):
        n_columns = n_letters**k
        counts = np.zeros((len(offsets) - 1, n_columns), dtype=np.float32)
        for i in range(len(offsets) - 1):
            code = np.int64(0)
            known = 0  # letters since the last unknown one
            for position in range(offsets[i], offsets[i + 1]):
                letter = codes[position]
                if letter == n_letters:
                    known = 0
                    continue
                code = (code * n_letters + letter) % n_columns
                known += 1
                if known >= k:
                    counts[i, code] += 1
        return counts

    return count
