"""Words (k-mers) of sequences as sparse counts: what kernels of sequences are products of.

A kernel of words is the product of two rows of counts (Leslie et al. 2002); where words are told
apart by their place it is that of weighted degrees (Rätsch and Sonnenburg 2004). A word with an
unknown letter is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bioloom.arrays import Ragged
from bioloom.embedders import AMINO_ACIDS, BASES
from bioloom.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


Counts = Callable[[Ragged], "csr_array"]
"""Letters of sequences to counts of words, (N, words)."""


@dataclass(frozen=True)
class View:
    """The products of centred counts with those of known sequences, whose mean square is 1.

    `turned (words, L)` are the counts of the known sequences, `mean (words,)` their mean, and
    `scale` the mean square of what is left.
    """

    counts: Counts
    turned: csr_array
    mean: np.ndarray
    scale: float

    @classmethod
    def of(cls, counts: Counts, known: Ragged) -> View:
        """Of what is counted, and the sequences that others are compared with."""
        found = counts(known)
        mean = np.asarray(found.mean(axis=0)).ravel()
        view = cls(counts, found.T.tocsr(), mean, 1.0)
        scale = float(view.squares(found).mean())
        return cls(counts, view.turned, mean, scale if scale > 0 else 1.0)

    def against(self, others: Ragged) -> View:
        """The same with others in place of the known sequences."""
        return replace(self, turned=self.counts(others).T.tocsr())

    def distances(self, found: csr_array) -> np.ndarray:
        """Squared distances of rows of counts from the known sequences, (N, L)."""
        own, known = self.squares(found), self.squares(self.turned.T.tocsr())
        return np.maximum(own[:, None] + known - 2 * self.products(found), 0)

    def squares(self, found: csr_array) -> np.ndarray:
        """The product of each row of counts with itself, (N,)."""
        own = np.asarray(found.multiply(found).sum(axis=1)).ravel()
        return (own - 2 * (found @ self.mean) + self.mean @ self.mean) / self.scale

    def products(self, found: csr_array) -> np.ndarray:
        """Of rows of counts with the known sequences, (N, L)."""
        raw = (found @ self.turned).toarray()
        raw -= (found @ self.mean)[:, None]
        raw -= (self.turned.T @ self.mean) - self.mean @ self.mean
        return raw / self.scale


@dataclass(frozen=True)
class Letters:
    """Which columns of one-hot tokens stand for which letters of an alphabet.

    `place (D,)` is the number of the letter that each column stands for; a token has a letter where
    the column is above `cut (D,)`, so that standardised columns are read, too.
    """

    alphabet: str
    place: np.ndarray
    cut: np.ndarray

    @classmethod
    def learn(cls, X: Ragged, columns: np.ndarray | None) -> Letters:
        """From training tokens and the names of their columns; DataError where they are no letters.

        A letter that no training sequence has may have no column.
        """
        names = [] if columns is None else [str(name) for name in columns]
        alphabet = BASES if set(names) <= set(BASES) else AMINO_ACIDS
        values = np.asarray(X.values, dtype=np.float32)
        low, high = values.min(axis=0, initial=np.inf), values.max(axis=0, initial=-np.inf)
        cut = (low + high) / 2
        above = values > cut
        two = np.where(above, high, low)
        if not names or not set(names) <= set(alphabet) or not np.allclose(values, two, atol=1e-3):
            raise DataError(
                "Model sequence_kernel reads letters",
                hint="set `features: {embedder: one_hot, pooling: tokens}`",
            )
        return cls(alphabet, np.array([alphabet.index(name) for name in names]), cut)

    def read(self, X: Ragged) -> Ragged:
        """The number of each letter, (T,) int64, as many as there are letters where not known."""
        values = np.asarray(X.values, dtype=np.float32)
        known = (values > self.cut).any(axis=1)
        found = self.place[(values - self.cut).argmax(axis=1)]
        return Ragged(np.where(known, found, len(self.alphabet)), X.offsets)


def words(texts: Ragged, k: int, size: int, *, strands: bool = False) -> tuple[np.ndarray, ...]:
    """Number, sequence and position of all words of `k` known letters of `size`, (W,) each.

    With `strands` a word and its reverse complement have one number: of `ACGT`, whose order is
    turned by complements.
    """
    letters, lengths = texts.values, texts.lengths
    sequence = np.repeat(np.arange(len(texts)), lengths)
    position = np.arange(len(letters)) - texts.offsets[sequence]
    ends = max(len(letters) - k + 1, 0)
    number, turned = np.zeros((2, ends), dtype=np.int64)
    whole = position[:ends] + k <= lengths[sequence[:ends]]
    for j in range(k):
        letter = letters[j : ends + j]
        number = number * size + letter
        turned += (size - 1 - letter) * size**j
        whole &= letter < size
    if strands:
        number = np.minimum(number, turned)
    return number[whole], sequence[:ends][whole], position[:ends][whole]


def counted(texts: Ragged, k: int, size: int, *, strands: bool) -> csr_array:
    """How often each word is there, (N, size ** k)."""
    number, sequence, _ = words(texts, k, size, strands=strands)
    return _counts(number, sequence, np.ones(len(number)), (len(texts), size**k))


def spectrum(texts: Ragged, k: int, size: int, *, strands: bool) -> csr_array:
    """The root of how often each word is there, (N, size ** k)."""
    counts = counted(texts, k, size, strands=strands)
    counts.data = np.sqrt(counts.data)
    return counts


def placed(texts: Ragged, k: int, size: int, apart: int, places: int) -> csr_array:
    """Words by their place, (N, places * size ** k).

    Knots are `apart` letters apart, and a word between two of them is shared by both as it is near:
    with 1 each position is by itself. What is beyond the last of `places` knots is not counted.
    """
    number, sequence, position = words(texts, k, size)
    knot, beyond = np.divmod(position, apart)
    knots = np.concatenate([knot, knot + 1])
    share = np.concatenate([1 - beyond / apart, beyond / apart])
    kept = (knots < places) & (share > 0)
    columns = knots * size**k + np.tile(number, 2)
    shape = len(texts), places * size**k
    return _counts(columns[kept], np.tile(sequence, 2)[kept], share[kept], shape)


def _counts(
    columns: np.ndarray, rows: np.ndarray, values: np.ndarray, shape: tuple[int, int]
) -> csr_array:
    from scipy.sparse import coo_array

    # int64: columns of long words by place are more than 32 bits hold. float64: products of long
    # sequences that differ in few letters are as large as they are long, and what is left of them
    # when they are centred is small.
    return coo_array((values.astype(np.float64), (rows, columns)), shape=shape).tocsr()
