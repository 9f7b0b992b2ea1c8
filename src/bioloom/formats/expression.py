"""Expression matrices: genes x samples, or samples x genes, as CSV, TSV, Parquet or AnnData."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.columns import check_ids
from bioloom.formats.h5ad import is_h5ad, read_h5ad
from bioloom.formats.table import READ_OPTIONS, read_matrix
from bioloom.options import Option, complete_options

OPTIONS = READ_OPTIONS | {
    "samples": Option("columns", about="whether columns or rows of the matrix are the samples")
}


def read_expression(
    path: Path,
    samples: Literal["columns", "rows"] = "columns",
    *,
    private: bool = False,
    **read: Any,
) -> pd.DataFrame:
    """Samples x genes, float32, NaN where not measured, whichever way round the file is.

    The file's first column holds the ids of its rows; AnnData (.h5ad) says itself which way round
    it is. The unit is the file's own; `read` as for any table. Raises DataError for
    an id that is missing or there twice, and for text where a number is due; it shows no name of a
    column where samples are persons (`private`).
    """
    if samples not in ("columns", "rows"):
        raise DataError(f"`samples` is columns or rows, got {samples!r}", file=path)
    if is_h5ad(path):
        return read_h5ad(path)[0]
    ids, values = read_matrix(path, private=private, **read)
    if values.empty:
        raise DataError("Expected a column of ids and columns of values, got one column", file=path)
    check_ids(ids, path)
    matrix = values.astype("float32").set_axis(pd.Index(ids.to_numpy()), axis=0)
    return matrix.T if samples == "columns" else matrix


def read_expression_source(
    files: Mapping[str, Path], source: str, options: Mapping[str, Any], *, private: bool = False
) -> pd.DataFrame:
    """The matrix of a data set's source, read as its option `read: {<source>: ...}` says."""
    given = complete_options(options["read"].get(source, {}), OPTIONS, f"read: {source}")
    return read_expression(files[source], private=private, **given)
