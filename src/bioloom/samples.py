"""The samples table: `sample_id` (unique), `label` or `label.<target>`, `group`, typed columns.

A column `<block>.<name>` belongs to a block (`expression.FLT3`). New data have no label. Where each
residue has a class, `label.residues` is a text as long as `sequence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Cleaned
from bioloom.errors import DataError
from bioloom.files import replacing

# A block wider than this is summarised as a whole in quality.json.
WIDE_BLOCK = 60

RESIDUE_LABELS = "label.residues"


def label_columns(samples: pd.DataFrame) -> list[str]:
    """`["label"]`, or the `label.<target>` columns, or nothing for new data."""
    return [name for name in map(str, samples) if name == "label" or name.startswith("label.")]


def feature_columns(samples: pd.DataFrame) -> list[str]:
    """All columns that are neither identifier, group nor label."""
    labels = label_columns(samples)
    return [name for name in map(str, samples) if name not in ("sample_id", "group", *labels)]


def check_samples(samples: pd.DataFrame, file: str | Path) -> pd.DataFrame:
    """Raise DataError unless the table keeps the contract; give it back otherwise."""
    for column in ("sample_id", "group"):
        if column not in samples:
            raise DataError(f"Expected a column {column!r}", file=file)
    if samples.empty:
        raise DataError(
            "No samples are left after cleaning",
            file=file,
            hint="quality.json and the `clean` options say what was dropped",
        )
    duplicated = samples["sample_id"].duplicated()
    if duplicated.any():
        raise DataError(f"{duplicated.sum()} sample ids occur more than once", file=file)
    return samples


def read_samples(path: str | Path) -> pd.DataFrame:
    """Read and check a samples table."""
    return check_samples(pd.read_parquet(path), path)


def write_samples(samples: pd.DataFrame, path: str | Path) -> None:
    """Check and write a samples table."""
    write_table(check_samples(samples, path), path)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write any table as Parquet, or as CSV where the name says so."""
    with replacing(path) as temporary:
        if temporary.suffix == ".csv":
            table.to_csv(temporary, index=False, float_format="%.6g")
        else:
            table.to_parquet(temporary, index=False)


def quality(raw: pd.DataFrame, cleaned: Cleaned, *, private: bool) -> dict[str, Any]:
    """What quality.json says: rows in, kept, dropped and why; labels; missing values and ranges.

    For persons (`private`) a range is the 5th to the 95th percentile, and counts below 5 are
    not given, so that no single person's value shows.
    """
    samples = cleaned.samples
    report: dict[str, Any] = {
        "rows_in": len(raw),
        "rows_kept": len(samples),
        "dropped": cleaned.counts(),
        "notes": cleaned.notes,
        "groups": int(samples["group"].nunique()),
    }
    if "label" in samples and not pd.api.types.is_numeric_dtype(samples["label"]):
        report["labels"] = _counts(samples["label"], private)
    targets = [name for name in label_columns(samples) if name != "label"]
    if targets:
        measured = samples[targets].notna()
        report["targets"] = {"count": len(targets), "measured": int(measured.to_numpy().sum())}
    report["columns"] = _describe_columns(samples, private)
    return report


def _describe_columns(samples: pd.DataFrame, private: bool) -> dict[str, Any]:
    blocks: dict[str, list[str]] = {}
    for column in feature_columns(samples):
        block = column.split(".", 1)[0] if "." in column else ""
        blocks.setdefault(block, []).append(column)
    described: dict[str, Any] = {}
    for block, columns in blocks.items():
        if len(columns) > WIDE_BLOCK:
            described[f"{block or 'table'} ({len(columns)} columns)"] = _describe_block(
                samples, columns, private
            )
        else:
            described |= {column: _describe(samples[column], private) for column in columns}
    return described


def _describe(column: pd.Series, private: bool) -> dict[str, Any]:
    if pd.api.types.is_numeric_dtype(column):
        return _describe_numbers(column.to_numpy(dtype=float, na_value=np.nan), private)
    missing = int(column.isna().sum())
    if column.nunique() > 30 or column.name == "sequence":
        lengths = column.dropna().astype(str).str.len()
        return {"type": "text", "missing": missing, "length": _range(lengths.to_numpy(), private)}
    return {"type": "category", "missing": missing, "counts": _counts(column, private)}


def _describe_block(samples: pd.DataFrame, columns: Sequence[str], private: bool) -> dict[str, Any]:
    numbers = samples[list(columns)].select_dtypes("number")
    described = _describe_numbers(numbers.to_numpy(dtype=float).ravel(), private)
    described["rows_without_block"] = int(numbers.isna().all(axis=1).sum())
    return described


def _describe_numbers(values: np.ndarray, private: bool) -> dict[str, Any]:
    finite = values[np.isfinite(values)]
    return {
        "type": "number",
        "missing": int(len(values) - len(finite)),
        "median": float(np.median(finite)) if len(finite) else None,
        "range": _range(finite, private),
    }


def _range(values: np.ndarray, private: bool) -> list[float] | None:
    if not len(values):
        return None
    ends = (5, 95) if private else (0, 100)
    return [float(value) for value in np.percentile(values, ends)]


def _counts(column: pd.Series, private: bool) -> dict[str, int | str]:
    counts = column.dropna().astype(str).value_counts()
    return {
        str(name): "fewer than 5" if private and count < 5 else int(count)
        for name, count in counts.items()
    }
