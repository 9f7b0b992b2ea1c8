"""Reads an AnnData file in a process of its own: HDF5 may crash, or never end, on a damaged one.

Called as `python _h5ad_process.py <file.h5ad> <new.npz> <most values> <seconds of CPU> <bytes>`.
The npz has `ids (N,)`, `genes (G,)`, `X (N, G) float32`, and of each column of `obs` its name in
`columns`, its values in `value_<i>` and, where there are gaps, `gap_<i>`. What is wrong with the
file is said on stdout, with exit code 2. It imports nothing of bioloom, to start at once.

Known are the encodings of anndata 0.7 to 0.12.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

import numpy as np

SPARSE = ("csr", "csc")


class UnreadableError(Exception):
    """What is wrong with the file."""


def read(path: str, most: int) -> dict[str, np.ndarray]:
    """The arrays of the file; UnreadableError for what is no AnnData file of a known layout."""
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        for name in ("X", "obs", "var"):
            if name not in file:
                raise UnreadableError(f"It has no {name}")
        if not all(hasattr(file[name], "keys") for name in ("obs", "var")):
            raise UnreadableError("The layout is older than anndata 0.7: write it anew")
        (ids, _), (genes, _) = (_index(file[name]) for name in ("obs", "var"))
        arrays = {"ids": ids, "genes": genes}
        arrays["X"] = _matrix(file["X"], (len(ids), len(genes)), most)
        names = [_text(name) for name in file["obs"].attrs.get("column-order", [])]
        arrays["columns"] = np.array(names, dtype=str)
        for number, name in enumerate(names):
            values, gaps = _column(file["obs"], name)
            if values.shape != ids.shape:
                raise UnreadableError(f"The column {name} of obs has {values.shape} values")
            arrays[f"value_{number}"] = values
            if gaps is not None:
                arrays[f"gap_{number}"] = gaps
        return arrays


Column = tuple[np.ndarray, np.ndarray | None]
"""Values, and where they are missing."""


def _index(group: Any) -> Column:
    return _column(group, _text(group.attrs.get("_index", "_index")))


def _column(group: Any, name: str) -> Column:
    item = group[name]
    if not hasattr(item, "keys"):
        values = _plain(item)
        if "categories" in item.attrs:  # anndata 0.7: codes, and a reference to what they stand for
            return _decoded(values, _plain(group[item.attrs["categories"]]))
        return values, None
    if {"codes", "categories"} <= set(item):
        return _decoded(_plain(item["codes"]), _column(item, "categories")[0])
    if {"values", "mask"} <= set(item):
        return _plain(item["values"]), _plain(item["mask"]).astype(bool)
    raise UnreadableError(
        f"{item.name} has the unknown encoding {_text(item.attrs.get('encoding-type', 'none'))}"
    )


def _decoded(codes: np.ndarray, categories: np.ndarray) -> Column:
    gaps = codes < 0
    if not len(categories):
        return np.zeros(len(codes)), np.ones(len(codes), dtype=bool)
    return categories[np.where(gaps, 0, codes)], gaps


def _plain(item: Any) -> np.ndarray:
    """Numbers, true and false, or text of a data set."""
    values = item[()]
    if values.ndim != 1:
        raise UnreadableError(f"{item.name} has {values.ndim} dimensions")
    if values.dtype.kind in "biuf":
        return values
    if values.dtype.kind in "OSU":
        return np.array([_text(value) for value in values], dtype=str)
    raise UnreadableError(f"{item.name} holds {values.dtype}")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _matrix(item: Any, shape: tuple[int, int], most: int) -> np.ndarray:
    if shape[0] * shape[1] > most:
        raise UnreadableError(
            f"{shape[0]} x {shape[1]} values are more than {most:,}: keep the variable genes, sum "
            "cells to samples (pseudobulk), or raise BIOLOOM_MOST_VALUES"
        )
    if not hasattr(item, "keys"):
        if item.shape != shape:
            raise UnreadableError(f"X has {item.shape} values for {shape[0]} x {shape[1]} names")
        return item.astype(np.float32)[()]
    kind = _text(item.attrs.get("encoding-type", item.attrs.get("h5sparse_format", "none")))[:3]
    if kind not in SPARSE:
        raise UnreadableError(f"X is no matrix, but {kind}")
    compressed = shape[SPARSE.index(kind)]
    values, indices, starts = (_plain(item[part]) for part in ("data", "indices", "indptr"))
    counts, ends = np.diff(starts), (0, len(values))
    if (
        len(starts) != compressed + 1
        or (starts[0], starts[-1]) != ends
        or counts.min(initial=0) < 0
    ):
        raise UnreadableError("The parts of the sparse X do not fit together")
    if len(indices) and indices.min() < 0:
        raise UnreadableError("The sparse X has a negative place")
    matrix = np.zeros(shape, dtype=np.float32)
    along = np.repeat(np.arange(compressed), counts)
    np.add.at(matrix, (along, indices) if kind == "csr" else (indices, along), values)
    return matrix


def _limit(kind: int, most: int) -> None:
    """Lower a limit; one that is lower already stays.

    The hard one is above it: where both are one, Linux kills with no word of the reason.
    """
    known = resource.getrlimit(kind)[1]
    none = known == resource.RLIM_INFINITY
    soft, hard = (new if none else min(new, known) for new in (most, most + 1))
    resource.setrlimit(kind, (soft, hard))


def main() -> None:
    """Read within the limits, and write the npz."""
    path, output, *limits = sys.argv[1:]
    most, seconds, memory = map(int, limits)
    _limit(resource.RLIMIT_CPU, seconds)
    _limit(resource.RLIMIT_CORE, 0)
    if sys.platform != "darwin":  # where a process starts with more addresses than it uses
        _limit(resource.RLIMIT_AS, memory)
    try:
        arrays = read(path, most)
    # What h5py raises on a damaged file is not documented.
    except (UnreadableError, OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
        print(str(error).strip("'\"").splitlines()[0] if str(error) else type(error).__name__)
        sys.exit(2)
    except MemoryError:
        limit = f"{memory / 2**30:.1f} GiB of memory, which BIOLOOM_H5AD_MEMORY raises"
        print(f"It asks for more than {limit}")
        sys.exit(2)
    np.savez(output, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
