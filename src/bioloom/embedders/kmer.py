"""k-mer frequencies: (N, letters ** k) float32, each row sums to 1 (0 where no k-mer is known).

A k-mer with an unknown letter (X, B, Z, J, U, O of proteins, N of DNA) is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    names = ["".join(kmer) for kmer in product(letters, repeat=k)]
    return _counter()(codes, offsets, len(letters), k), names


def letter_codes(sequences: Sequence[str], letters: str) -> tuple[np.ndarray, np.ndarray]:
    """Letters as numbers (T,) uint8, unknown ones as len(letters), and offsets (N + 1,)."""
    table = bytearray([len(letters)] * 256)
    for number, letter in enumerate(letters):
        table[ord(letter)] = number
    codes = np.frombuffer("".join(sequences).encode().translate(bytes(table)), dtype=np.uint8)
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    return codes, np.concatenate([[0], np.cumsum(lengths)])


@cache
def _counter() -> Callable[..., np.ndarray]:
    """The compiled counting loop: one pass with a rolling code, no k-mer is ever a string."""
    import numba

    @numba.njit(nogil=True, cache=True)
    def frequencies(codes, offsets, n_letters, k):
        high = n_letters ** (k - 1)
        counts = np.zeros((len(offsets) - 1, high * n_letters), dtype=np.float32)
        for i in range(len(offsets) - 1):
            row = counts[i]
            code = known = total = 0  # known: letters since the last unknown one
            for position in range(offsets[i], offsets[i + 1]):
                letter = codes[position]
                if letter == n_letters:
                    code = known = 0
                    continue
                if known >= k:  # the first letter of the last k-mer leaves
                    code -= codes[position - k] * high
                code = code * n_letters + letter
                known += 1
                if known >= k:
                    row[code] += 1
                    total += 1
            if total:
                row /= np.float32(total)
        return counts

    return frequencies
