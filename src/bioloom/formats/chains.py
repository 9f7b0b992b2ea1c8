"""Chains of known structure in one npz file, as data/protein_structure/ ships them.

Arrays: `chain (N,)` names, `offsets (N + 1,)`, `sequence` and `states (T,)` letters as bytes,
`ca_step (T, 3)` from one C-alpha to the next, `cb_from_ca (T, 3)`, both int8 in `unit` Angstrom.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bioloom.errors import DataError

ARRAYS = ("chain", "offsets", "sequence", "states", "ca_step", "cb_from_ca", "unit")


class Chain(NamedTuple):
    """One chain: sequence and secondary structure as letters, C-alpha and C-beta (L, 3) in A."""

    name: str
    sequence: str
    states: str
    ca: np.ndarray
    cb: np.ndarray


def read_chains(path: Path) -> list[Chain]:
    """All chains of the file; DataError where it is not such a file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ARRAYS}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"Expected an npz file with the arrays {', '.join(ARRAYS)}, got: {error}", file=path
        ) from None
    offsets = arrays["offsets"]
    sizes = {len(arrays[name]) for name in ("sequence", "states", "ca_step", "cb_from_ca")}
    if sizes != {int(offsets[-1])} or len(offsets) != len(arrays["chain"]) + 1:
        raise DataError("The arrays differ in length", file=path)
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
