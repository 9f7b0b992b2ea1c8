"""AnnData files (.h5ad): the matrix, and the numbers and categories that describe its rows.

Read with h5py alone, by the layout of anndata's on-disk format from 0.7 on; nothing in the file is
unpickled. Only rows of `obs` and columns of `var` that the matrix names are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError

MOST_VALUES = 500_000_000  # 2 GB as float32


def is_h5ad(path: Path) -> bool:
    """Whether the file's ending is that of AnnData."""
    return path.suffix.lower() == ".h5ad"


def read_h5ad(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(`X` as observations x genes, float32; `obs` with numbers and text), both by observation id.

    Raises DataError for a file that is no AnnData, or repeats an id.
    """
    try:
        import h5py
    except ImportError:
        raise DataError(
            "Reading .h5ad needs the package h5py", file=path, hint="pip install h5py"
        ) from None
    try:
        with h5py.File(path) as file:
            ids, genes = _index(file["obs"]), _index(file["var"])
            matrix = _matrix(file["X"], (len(ids), len(genes)), path)
            obs = pd.DataFrame(_columns(file["obs"]), index=pd.Index(ids))
    except (OSError, KeyError) as error:
        raise DataError(f"This is no AnnData file: {error}", file=path) from None
    for what, names in {"observation": ids, "gene": genes}.items():
        repeated = pd.Index(names)[pd.Index(names).duplicated()]
        if len(repeated):
            raise DataError(f"The {what} {repeated[0]!r} is there more than once", file=path)
    return pd.DataFrame(matrix, index=pd.Index(ids), columns=genes), obs


def _index(group: Any) -> list[str]:
    return _text(group[group.attrs.get("_index", "_index")][()])


def _columns(group: Any) -> dict[str, np.ndarray]:
    """Numbers as floats, text and categories as objects with None for missing; others left out."""
    columns: dict[str, np.ndarray] = {}
    for name in map(str, group.attrs.get("column-order", [])):
        item = group[name]
        if hasattr(item, "keys"):
            if {"codes", "categories"} <= set(item):
                known = np.array([*_values(item["categories"][()]), None], dtype=object)
                columns[name] = known[item["codes"][()]]  # code -1: missing, the last one
        elif item.ndim == 1:
            columns[name] = _values(item[()])
    return columns


def _values(array: np.ndarray) -> np.ndarray:
    numeric = np.issubdtype(array.dtype, np.number)
    return array.astype(float) if numeric else np.array(_text(array), dtype=object)


def _matrix(item: Any, shape: tuple[int, int], path: Path) -> np.ndarray:
    if shape[0] * shape[1] > MOST_VALUES:
        raise DataError(
            f"{shape[0]} x {shape[1]} values are too many for a table of features",
            file=path,
            hint="keep the variable genes, or sum cells to samples (pseudobulk)",
        )
    if not hasattr(item, "keys"):
        return item[()].astype(np.float32)
    from scipy.sparse import csc_array, csr_array

    kind = csc_array if "csc" in str(item.attrs["encoding-type"]) else csr_array
    parts = (item["data"][()], item["indices"][()], item["indptr"][()])
    return kind(parts, shape=shape).toarray().astype(np.float32)


def _text(array: np.ndarray) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in array]
