"""Chains of known structure in one npz file, as data/protein_structure/ ships them.

Arrays: `chain (N,)` names, `offsets (N + 1,)`, `sequence` and `states (T,)` letters as bytes,
`ca_step (T, 3)` from one C-alpha to the next, `cb_from_ca (T, 3)`, both int8 in `unit` Angstrom.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from bioloom.errors import DataError
from bioloom.formats.npz import read_npz

# Each array, and the kinds of numpy types that it may have.
KINDS = {
    "chain": "U",
    "offsets": "iu",
    "sequence": "u",
    "states": "u",
    "ca_step": "iu",
    "cb_from_ca": "iu",
    "unit": "f",
}
LETTERS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ-", dtype=np.uint8)


class Chain(NamedTuple):
    """One chain: sequence and secondary structure as letters, C-alpha and C-beta (L, 3) in A."""

    name: str
    sequence: str
    states: str
    ca: np.ndarray
    cb: np.ndarray


def read_chains(path: Path) -> list[Chain]:
    """All chains of the file; DataError where it is not such a file."""
    arrays = read_npz(path, KINDS)
    if wrong := [name for name, kinds in KINDS.items() if arrays[name].dtype.kind not in kinds]:
        kind = arrays[wrong[0]].dtype
        raise DataError(f"The array {wrong[0]} is of another type, {kind}", file=path)
    offsets, total = arrays["offsets"].ravel(), arrays["sequence"].size
    shapes = {"chain": (len(offsets) - 1,), "sequence": (total,), "states": (total,), "unit": ()}
    shapes |= dict.fromkeys(("ca_step", "cb_from_ca"), (total, 3))
    if any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise DataError("The arrays differ in length", file=path)
    if offsets[0] != 0 or offsets[-1] != total or (np.diff(offsets) < 1).any():
        raise DataError("The chains do not follow one another", file=path)
    for name in ("sequence", "states"):
        if not np.isin(arrays[name], LETTERS).all():
            raise DataError(f"The array {name} has what is no letter", file=path)
    unit = float(arrays["unit"])
    chains = []
    for name, start, end in zip(arrays["chain"], offsets[:-1], offsets[1:], strict=True):
        rows = slice(start, end)
        ca = np.cumsum(arrays["ca_step"][rows], axis=0, dtype=np.int64) * unit
        sequence = arrays["sequence"][rows].tobytes().decode("ascii")
        states = arrays["states"][rows].tobytes().decode("ascii")
        cb = ca + arrays["cb_from_ca"][rows] * unit
        chains.append(Chain(str(name), sequence, states, ca, cb))
    return chains
