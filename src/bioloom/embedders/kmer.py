"""k-mer frequencies: (N, letters ** k) float32, each row sums to 1 (0 where no k-mer is known).

A k-mer with an unknown letter (X, B, Z, J, U, O of proteins, N of DNA) is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from bioloom.embedders import AMINO_ACIDS, BASES, normalise_dna, normalise_protein
from bioloom.errors import DataError
from bioloom.options import Option

ALPHABETS = {"protein": AMINO_ACIDS, "dna": BASES}
MAX_COLUMNS = 200_000
OPTIONS = {
    "k": Option(2, minimum=1, about="letters of a word"),
    "alphabet": Option("protein", choices=tuple(ALPHABETS), about="of which letters sequences are"),
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
    names = ["".join(kmer) for kmer in product(letters, repeat=k)]
    if not sequences:
        return np.zeros((0, len(names)), dtype=np.float32), names
    text, offsets = letters_end_to_end(sequences)
    return _counter()(text, offsets, letter_codes(letters), len(letters), k), names


def letters_end_to_end(sequences: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The letters of all sequences (T,) uint8 and offsets (N + 1,)."""
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    text = np.frombuffer("".join(sequences).encode(), dtype=np.uint8)
    return text, np.concatenate([[0], np.cumsum(lengths)])


def letter_codes(letters: str) -> np.ndarray:
    """The number of each byte (256,) uint8: its place in `letters`, len(letters) if unknown."""
    table = np.full(256, len(letters), dtype=np.uint8)
    table[np.frombuffer(letters.encode(), dtype=np.uint8)] = np.arange(len(letters))
    return table


@cache
def _counter() -> Callable[..., np.ndarray]:
    """The compiled counting loop: all k-mer numbers of a sequence at once, then their counts."""
    import numba

    @numba.njit(nogil=True, cache=True)
    def frequencies(text, offsets, codes, n_letters, k):
        n, size = np.uint32(n_letters), np.uint32(n_letters**k)
        # an unknown letter lifts every k-mer it is part of beyond the last known one; the sum
        # stays below size ** 2 / (n - 1), which 32 bits hold for every size of MAX_COLUMNS
        codes = np.where(codes == n_letters, size, codes).astype(np.uint32)
        rows = np.zeros((len(offsets) - 1, size), dtype=np.float32)
        counts = np.empty(size + 1, dtype=np.uint32)
        letters = np.empty(np.diff(offsets).max(), dtype=np.uint32)
        kmers = np.empty_like(letters)
        for i in range(len(rows)):
            length = offsets[i + 1] - offsets[i]
            for position in range(length):
                letters[position] = codes[text[offsets[i] + position]]
            windows = max(length - k + 1, 0)
            kmers[:windows] = 0
            for j in range(k):
                for position in range(windows):
                    kmers[position] = kmers[position] * n + letters[position + j]
            counts[:] = 0
            for position in range(windows):
                counts[min(kmers[position], size)] += np.uint32(1)
            known = np.float32(windows - counts[size])
            if known:
                for kmer in range(size):
                    rows[i, kmer] = np.float32(counts[kmer]) / known
        return rows

    return frequencies
