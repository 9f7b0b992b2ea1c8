"""The way between contigs where hardly any read lies: their ends, and single reads beyond them.

The graph ends where k-mers are rare. Contigs that pairs put side by side may still overlap by fewer
letters than the smallest k, or by those of a read that an error keeps out of the graph. Copies of a
repeat overlap so, too, by more letters or not in all of them, but there reads are many: such a way
counts only where one of its k-mers is rare (the local assembly of IDBA-UD, Peng et al. 2012, asks
reads by their mates instead).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bioloom.reads.assembly.graph import Counts, counts_along

LEAST = 12  # letters of an overlap: of 10^4 places one is that by chance with .0006
WRONG = 8  # letters more for each that differs
MOST = 5  # reads beyond an end, where few lie


class Bridge(NamedTuple):
    """A way between contigs, and whether all letters of the overlap are equal."""

    letters: np.ndarray
    is_exact: bool


def bridge(
    first: np.ndarray,
    last: np.ndarray,
    beyond: Sequence[np.ndarray],
    before: Sequence[np.ndarray],
    gaps: range,
) -> Bridge | None:
    """The way from the begin of one end of a contig to the end of the begin of another.

    Single reads go on by the letters `beyond` the `first`, and by those `before` the `last`. None
    where nothing overlaps with one of these `gaps`, more than one such gap is as likely, or more
    than `MOST` reads lie on one side.
    """
    if max(len(beyond), len(before)) > MOST:
        return None
    found: dict[int, tuple[int, Bridge]] = {}  # by gap: how good, and the way
    for tail in (first[:0], *beyond):
        for head in (last[:0], *before):
            one, other = np.concatenate([first, tail]), np.concatenate([head, last])
            for gap in gaps:
                overlap = len(tail) + len(head) - gap
                if not LEAST <= overlap <= min(len(one), len(other)):
                    continue
                wrong = int((one[-overlap:] != other[:overlap]).sum())
                good = overlap - WRONG * wrong
                if good >= LEAST and good > found.get(gap, (0,))[0]:
                    begin = len(one) - overlap
                    cut = max(len(first), begin)  # the contig's letters count more than a read's
                    letters = np.concatenate([one[:cut], other[cut - begin :]])
                    found[gap] = good, Bridge(letters, not wrong)
    if not found:
        return None
    best, *others = sorted(found.values(), key=lambda way: -way[0])
    return best[1] if not others or others[0][0] < best[0] - WRONG // 2 else None


def is_rare(way: np.ndarray, k: int, table: Counts, threshold: int) -> bool:
    """Whether a k-mer of these letters occurs fewer times than the threshold."""
    return bool((counts_along(way, k, table) < threshold).any())
