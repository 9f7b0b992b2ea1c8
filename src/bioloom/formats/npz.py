"""Arrays of an npz file: plain ones alone, and what is damaged told as DataError."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bioloom.errors import DataError
from bioloom.formats.archive import check_members

# NotImplementedError: a compression that zipfile does not know; RuntimeError: a password.
DAMAGE = (
    *(OSError, ValueError, LookupError, TypeError, EOFError, MemoryError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)


def read_npz(
    path: str | Path, names: Iterable[str] | None = None, hint: str | None = None
) -> dict[str, np.ndarray]:
    """The arrays by name, all or `names`; `hint` says what to do with a file that is damaged.

    Raises DataError for a file that is missing, damaged, packed to more than the limit, or of
    pickled objects, and for a name that it lacks.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in (file.files if names is None else names)}
    except FileNotFoundError:
        raise DataError("There is no such file", file=path, hint=hint) from None
    except DataError:
        raise
    except DAMAGE as error:
        message = str(error)
    raise DataError(f"Expected an npz file of arrays, got: {message}", file=path, hint=hint)
