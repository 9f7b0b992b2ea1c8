"""AnnData files (.h5ad): the matrix, and the numbers and categories that describe its rows.

Read with h5py alone, in a process of its own with limits (`_h5ad_process`); nothing in the file is
unpickled. Only `X`, the columns of `obs` and the names of both sides are read.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa

from bioloom.errors import DataError
from bioloom.formats import _h5ad_process
from bioloom.formats.columns import check_ids
from bioloom.formats.table import typed_table
from bioloom.limits import H5AD_MEMORY, H5AD_SECONDS, MOST_VALUES, raised_by

# Of an honest file a second reads 50 MB and more, and writes 500 MB of the matrix.
BYTES_A_SECOND = 2**20
MEMORY_TIMES = 50  # the file's size


def is_h5ad(path: Path) -> bool:
    """Whether the file's ending is that of AnnData."""
    return path.suffix.lower() == ".h5ad"


def read_h5ad(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(`X` as observations x genes, float32; `obs` with its columns), both by observation id.

    Raises DataError for a file that is no AnnData or is damaged, for one that takes more time or
    memory than its size allows, for a column of an unknown encoding, and an id that is there twice.
    """
    arrays = _read(path)
    ids, genes = (
        check_ids(pd.Series(arrays[name], name=what, dtype="str", index=_rows(arrays[name])), path)
        for name, what in (("ids", "obs"), ("genes", "var"))
    )
    columns = {
        str(name): pa.array(arrays[f"value_{i}"], mask=arrays.get(f"gap_{i}"))
        for i, name in enumerate(arrays["columns"])
    }
    obs = typed_table(columns, path).set_axis(pd.Index(ids.to_numpy()), axis=0)
    return pd.DataFrame(arrays["X"], index=obs.index, columns=genes.to_numpy()), obs


def _rows(names: np.ndarray) -> pd.RangeIndex:
    return pd.RangeIndex(1, len(names) + 1)


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise DataError("There is no such file", file=path)
    size = path.stat().st_size
    seconds = H5AD_SECONDS + size // BYTES_A_SECOND
    with TemporaryDirectory() as folder:
        output = Path(folder) / "arrays.npz"
        # A sparse matrix of few values is a small file, and still all of its zeros here.
        matrix = MOST_VALUES * np.dtype(np.float32).itemsize
        limits = [MOST_VALUES, seconds, H5AD_MEMORY + MEMORY_TIMES * size + matrix]
        command = [sys.executable, "-P", _h5ad_process.__file__, path, output, *limits]
        done = subprocess.run(
            list(map(str, command)),
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            with np.load(output, allow_pickle=False) as arrays:
                return dict(arrays)
    hint = "is it whole? AnnData can write it anew"
    if done.returncode == 2:
        message = f"The AnnData file cannot be read: {done.stdout.strip()}"
        raise DataError(message, file=path, hint=hint)
    if done.returncode == -signal.SIGXCPU:
        problem = f"It could not be read in {seconds} s of CPU time"
        raise DataError(problem, file=path, hint=f"{hint}; {raised_by('H5AD_SECONDS')}")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise DataError(f"Reading it ended with {name}", file=path, hint=hint)
    raise RuntimeError(done.stderr)
