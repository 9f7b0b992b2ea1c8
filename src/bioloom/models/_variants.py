"""Variants of elements as models read them: a place, two letters, and those around.

Samples of this form are a table with the columns `element, position, ref, alt`, and where the
sequence is known `base-5` to `base+5` (`formats.element_variants`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bioloom.arrays import Ragged, Table
from bioloom.embedders import BASES
from bioloom.errors import DataError
from bioloom.models._words import counted

if TYPE_CHECKING:
    from scipy.sparse import csr_array

REACH = 5
"""Letters on either side that a change is seen among."""
DELETED, UNKNOWN = 4, 5
"""After the four bases."""
LONGEST = 6
"""Letters of a word that a change makes or breaks: all that hold it are among those around."""


@dataclass(frozen=True)
class Variants:
    """N variants: names of `element (N,)`, `position (N,)` from 1, `around (N, 11)` letters.

    `ref (N,)` and `alt (N,)` are places among the bases, DELETED or UNKNOWN; the middle of `around`
    is that of `ref`.
    """

    element: np.ndarray
    position: np.ndarray
    alt: np.ndarray
    around: np.ndarray

    def __len__(self) -> int:
        return len(self.position)

    def __getitem__(self, rows: np.ndarray) -> Variants:
        """Those at `rows`."""
        return Variants(*(values[rows] for values in vars(self).values()))

    @property
    def ref(self) -> np.ndarray:
        """The letter that is changed, (N,)."""
        return self.around[:, REACH]

    @classmethod
    def read(cls, X: Table, model: str) -> Variants:
        """From the columns of a table; DataError where they are not those of variants."""
        if missing := {"element", "position", "ref", "alt"} - set(X.columns):
            raise DataError(
                f"Model {model} reads variants: there is no column {sorted(missing)[0]}",
                hint="it is for `gene_expression` with the source `variants`",
            )
        place = {name: i for i, name in enumerate(X.columns)}
        position = X.values[:, place["position"]]
        if not np.array_equal(position, np.round(position)):
            raise DataError(
                f"Model {model} needs positions as they are", hint="leave out `preprocess: scale`"
            )
        around = np.full((len(X), 2 * REACH + 1), UNKNOWN)
        for offset in range(-REACH, REACH + 1):
            name = f"base{offset:+d}" if offset else "ref"
            if name in place:
                around[:, REACH + offset] = _letters(_texts(X, place[name]))
        alt = _letters(_texts(X, place["alt"]))
        return cls(_texts(X, place["element"]), position.astype(np.float64), alt, around)

    def changes(self) -> csr_array:
        """Words of 1 to 6 letters that each change makes less those it breaks, of both strands.

        (N, words): counts by the root of the length.
        """
        from scipy.sparse import hstack

        changed = self.around.copy()
        changed[:, REACH] = self.alt
        after, before = _texts_of(changed), _texts_of(self.around)
        parts = []
        for k in range(1, LONGEST + 1):
            made, broken = (counted(texts, k, 4, strands=True) for texts in (after, before))
            parts.append((made - broken) / np.sqrt(k))
        return hstack(parts, format="csr")


def _texts(X: Table, column: int) -> np.ndarray:
    """The categories of a column as text, "" where there is none."""
    names = np.array([*X.categories[column], ""], dtype=object)
    return names[np.nan_to_num(X.values[:, column], nan=len(names) - 1).astype(int)]


def _letters(texts: np.ndarray) -> np.ndarray:
    place = {letter: i for i, letter in enumerate([*BASES, "-"])}
    return np.array([place.get(text, UNKNOWN) for text in texts], dtype=np.int64)


def _texts_of(letters: np.ndarray) -> Ragged:
    """Letters end to end; what is deleted is left out, and what is not known is of no word."""
    kept = letters != DELETED
    offsets = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return Ragged(np.minimum(letters, 4)[kept], offsets)
