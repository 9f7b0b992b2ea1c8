"""What a corrector may know of each letter of a read, from the k-mers of all reads."""

from __future__ import annotations

import numba
import numpy as np

from bioloom.embedders.read_evidence import PLACES, WIDTH, text_of
from bioloom.reads.kmers import count_kmers, count_of
from bioloom.reads.sequences import LETTERS, Reads

u = np.uint64


def describe(reads: Reads, proposal: Reads, chosen: np.ndarray) -> list[str]:
    """The evidence (`embedders.read_evidence`) of the reads at places `chosen`.

    `proposal` are all reads, corrected as far as they are: their k-mers are counted.
    """
    raw, proposed = reads.take(chosen), proposal.take(chosen)
    tables = {k: count_kmers(proposal, k) for k in sorted({k for k, _ in PLACES})}
    counts = np.stack(
        [
            _counts(*proposed[::2], k, place, tables[k].keys, tables[k].counts)
            for k, place in PLACES
        ],
        axis=1,
    )
    text = text_of(LETTERS[raw.codes], LETTERS[proposed.codes], raw.qualities, counts)
    bounds = (WIDTH * raw.offsets).tolist()
    return [text[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]


@numba.njit(cache=True)
def _counts(codes, offsets, k, place, keys, counts):
    """Of each letter and base (letters, 4): the count of the k-mer with this base at its place."""
    found = np.zeros((len(codes), 4))
    for read in range(len(offsets) - 1):
        for i in range(offsets[read], offsets[read + 1]):
            first = i - place
            if first < offsets[read] or first + k > offsets[read + 1]:
                continue
            forward, backward, known = u(0), u(0), True
            for j in range(k):
                code = u(codes[first + j]) if j != place else u(0)
                known = known and code < u(4)
                forward = (forward << u(2)) | code
                backward |= (u(3) - code if j != place else u(0)) << u(2 * j)
            if not known:
                continue
            for base in range(4):
                f = forward | (u(base) << u(2 * (k - 1 - place)))
                b = backward | (u(3 - base) << u(2 * place))
                found[i, base] = count_of(keys, counts, f, b)
    return found
