"""Where the rows of a score are: by their names, by position, and the reference's letters there."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd

from bioloom.formats.builds import plain
from bioloom.variants.alleles import LETTERS, N
from bioloom.variants.reference import CHUNK, Reference


def rows_by_name(names: pd.Series, usable: np.ndarray) -> dict[str, list[int]]:
    """Rows by rsID."""
    found: dict[str, list[int]] = defaultdict(list)
    for row, (name, is_usable) in enumerate(zip(names, usable, strict=True)):
        if name and is_usable:
            found[name].append(row)
    return found


def rows_by_place(
    chrom: np.ndarray, pos: np.ndarray, usable: np.ndarray
) -> dict[str, tuple[list[int], list[int]]]:
    """Chromosome -> positions in order, and their rows."""
    rows = np.flatnonzero(usable & (pos > 0) & (chrom != ""))
    rows = rows[np.argsort(pos[rows], kind="stable")]
    codes, names = pd.factorize(chrom[rows])
    own = [rows[codes == code] for code in range(len(names))]
    return {name: (pos[r].tolist(), r.tolist()) for name, r in zip(names, own, strict=True)}


def bases_at(
    places: dict[str, tuple[list[int], list[int]]], n: int, reference: Reference | None
) -> list[str]:
    """The reference's letter at each of n rows, "" where it is not known."""
    bases = [""] * n
    contigs = {plain(name): name for name in reference.lengths} if reference else {}
    for chrom, (positions, rows) in places.items():
        if reference is None or chrom not in contigs:
            continue
        name = contigs[chrom]
        starts = np.array(positions) - 1
        for chunk in np.unique(starts // CHUNK):
            low, high = np.searchsorted(starts, [chunk * CHUNK, (chunk + 1) * CHUNK])
            first, end = chunk * CHUNK, min((chunk + 1) * CHUNK, reference.lengths[name])
            if end <= first:
                continue
            codes = reference.codes(name, int(first), int(end))
            for start, row in zip(starts[low:high], rows[low:high], strict=True):
                if start < end and codes[start - first] != N:
                    bases[row] = LETTERS[codes[start - first]]
    return bases
