"""Predictions of the parts of a data set as one table, which never has to fit in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bioloom.files import replacing


def join_parquet(parts: Sequence[Path], path: Path) -> None:
    """Write the rows of the parts, in their order; a part may be without any."""
    # The columns of a part without rows have no types of their own.
    filled = [part for part in parts if pq.read_metadata(part).num_rows] or list(parts[:1])
    schemas = [pq.read_schema(part).remove_metadata() for part in filled]
    schema = pa.unify_schemas(schemas, promote_options="permissive")
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as out:
        for part in filled:
            out.write_table(pq.read_table(part).cast(schema))


def join_csv(parts: Sequence[Path], path: Path) -> None:
    """The same of CSV files with one header."""
    with replacing(path) as temporary, temporary.open("wb") as out:
        for number, part in enumerate(parts):
            with part.open("rb") as lines:
                header = next(lines)
                out.writelines([header] if not number else [])
                out.writelines(lines)
