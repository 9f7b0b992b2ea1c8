"""Predictions of the parts of a data set as one table, which never has to fit in memory."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bioloom.errors import DataError
from bioloom.files import replacing


def check_ids(parts: Sequence[Path]) -> None:
    """Raise DataError where samples of two parts have one id, which each by itself did not see."""
    ids = [pc.unique(pq.read_table(part, columns=["sample_id"])["sample_id"]) for part in parts]
    ids = [part.cast(pa.large_string()) for part in ids]
    again = sum(map(len, ids)) - len(pc.unique(pa.concat_arrays(ids)))
    if again:
        one, other = next(
            (one, other)
            for one, other in combinations(range(len(parts)), 2)
            if pc.any(pc.is_in(ids[one], value_set=ids[other])).as_py()
        )
        raise DataError(
            f"{again} ids are those of rows in two parts, such as {parts[one].parent.name} and "
            f"{parts[other].parent.name}",
            file=parts[one].parent.parent,
            hint="ids must differ in the whole file",
        )


def remove_others(parts: Sequence[Path]) -> None:
    """Remove what is left of a larger number of parts, beside these."""
    folders = {part.parent for part in parts}
    for folder in parts[0].parent.parent.glob("part_*"):
        if folder not in folders:
            shutil.rmtree(folder)


def join_parquet(parts: Sequence[Path], path: Path) -> None:
    """Write the rows of the parts, in their order; a part may be without any."""
    # The columns of a part without rows have no types of their own.
    filled = [part for part in parts if pq.read_metadata(part).num_rows] or list(parts[:1])
    schemas = [pq.read_schema(part).remove_metadata() for part in filled]
    schema = pa.unify_schemas(schemas, promote_options="permissive")
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as out:
        for part in filled:
            out.write_table(pq.read_table(part).cast(schema))
