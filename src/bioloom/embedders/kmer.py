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
    """The compiled counting loop: the number of a k-mer follows from the one before it."""
    import numba

    @numba.njit(nogil=True, cache=True)
    def frequencies(text, offsets, codes, n_letters, k):
        n, first = np.uint32(n_letters), np.uint32(n_letters ** (k - 1))
        rows = np.zeros((len(offsets) - 1, n_letters**k), dtype=np.float32)
        counts = np.empty(n_letters**k, dtype=np.uint32)
        for i in range(len(rows)):
            sequence = text[offsets[i] : offsets[i + 1]]
            counts[:] = 0
            kmer, run, total = np.uint32(0), 0, 0  # run: known letters in a row
            for position in range(len(sequence)):
                code = np.uint32(codes[sequence[position]])
                if code == n:
                    kmer, run = np.uint32(0), 0
                    continue
                if run >= k:
                    kmer = np.uint32(kmer - np.uint32(codes[sequence[position - k]]) * first)
                kmer = np.uint32(kmer * n + code)
                run += 1
                if run >= k:
                    counts[kmer] += np.uint32(1)
                    total += 1
            if total:
                rows[i] = counts / np.float32(total)
        return rows

    return frequencies
