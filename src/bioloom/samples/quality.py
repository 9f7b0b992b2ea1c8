"""quality.json: what went in, what was kept, what was dropped and why, and what values are like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bioloom.privacy.small_cells import FEW, FEWEST_PERSONS, HIDDEN, count_shown
from bioloom.samples import (
    EVENT,
    TEXT,
    TIME,
    Cleaned,
    Raw,
    feature_columns,
    label_columns,
    persons,
    text_columns,
)
from bioloom.samples.arms import ARM
from bioloom.samples.columns import has_classes, is_flag, is_number

# A block wider than this is summarised as a whole in quality.json.
WIDE_BLOCK = 60


def quality(raw: Raw, cleaned: Cleaned, *, private: bool) -> dict[str, Any]:
    """What quality.json says: rows in, kept, dropped and why; labels; missing values and ranges.

    For persons (`private`) nothing is told of a few: a range is the 5th to the 95th
    percentile, of fewer than 20 persons there is neither range nor median, categories of fewer than
    5 persons are counted together without their names, and counts from 1 to 4 are not given. The
    numbers of all rows in and kept, of groups, and of rows that `keep` and `exclude` left, are.
    """
    samples = cleaned.samples.set_index(persons(cleaned.samples).to_numpy())
    report: dict[str, Any] = {
        "rows_in": len(raw.samples),
        "rows_kept": len(samples),
        "dropped": {
            reason: count_shown(count, private) for reason, count in cleaned.counts().items()
        },
        "notes": [*raw.notes, *cleaned.notes],
        "groups": int(samples["group"].nunique()),
    }
    if "label" in samples:
        describe = _counts if has_classes(samples) else _describe
        report["labels"] = describe(samples["label"], private)
    if "sample_weight" in samples:
        report["weights"] = _describe(samples["sample_weight"], private)
    several = [name for name in label_columns(samples) if name != "label"]
    if ARM in samples:
        report["labels"] = _counts(samples[ARM], private)
    elif EVENT in samples:
        events = int(samples[EVENT].fillna(False).sum())
        times = _describe(samples[TIME], private)
        report["follow_up"] = {"events": count_shown(events, private), "time": times}
    elif several:
        missing = int(samples[several].isna().to_numpy().sum())
        report["targets"] = {"count": len(several), "missing": count_shown(missing, private)}
    if several and EVENT not in samples and all(is_flag(samples[name]) for name in several):
        report["labels"] = _flag_counts(samples[several], private)
    report["columns"] = _describe_columns(samples, private)
    return report


def _describe_columns(samples: pd.DataFrame, private: bool) -> dict[str, Any]:
    blocks: dict[str, list[str]] = {}
    for column in [*feature_columns(samples), *text_columns(samples)]:
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
    """Type, missing values and what there is of one column; its index says whose a row is."""
    if is_number(column):
        return _describe_numbers(column.to_frame(), private)
    if column.nunique() > 30 or column.name == "sequence" or str(column.name).startswith(TEXT):
        lengths = _describe_numbers(column.astype("str").str.len().to_frame(), private)
        return {"type": "text", "missing": lengths["missing"], "length": lengths["range"]}
    missing = count_shown(column.isna().sum(), private)
    counts = _counts(_few_together(column) if private else column, private)
    return {"type": "category", "missing": missing, "counts": counts}


def _describe_block(samples: pd.DataFrame, columns: Sequence[str], private: bool) -> dict[str, Any]:
    block = samples[list(columns)]
    gaps = block.isna().to_numpy()
    return _describe_numbers(block.select_dtypes("number"), private) | {
        "missing": count_shown(gaps.sum(), private),
        "rows_without_block": count_shown(gaps.all(axis=1).sum(), private),
    }


def _describe_numbers(table: pd.DataFrame, private: bool) -> dict[str, Any]:
    """What all values of the table are like, taken together."""
    values = table.to_numpy(dtype=float, na_value=np.nan)
    filled = np.isfinite(values)
    persons = table.index[filled.any(axis=1)].nunique()
    finite = values[filled] if persons >= FEWEST_PERSONS or not private else values[:0]
    ends = np.percentile(finite, (5, 95) if private else (0, 100)) if finite.size else None
    return {
        "type": "number",
        "missing": count_shown(filled.size - filled.sum(), private),
        "median": float(np.median(finite)) if finite.size else None,
        "range": None if ends is None else [float(end) for end in ends],
        "percentiles": [5, 95] if private else [0, 100],
    }


def _counts(column: pd.Series, private: bool) -> dict[str, int | str]:
    """Rows of each value."""
    filled = column.dropna().astype(str)
    few = _persons(filled) < FEW
    return {
        str(name): HIDDEN if private and few[str(name)] else int(count)
        for name, count in filled.value_counts().items()
    }


def _flag_counts(flags: pd.DataFrame, private: bool) -> dict[str, int | str]:
    """Samples that have each of several labels, the most frequent first; rare ones as one."""
    having = {str(name): flags.index[flags[name].fillna(False)] for name in flags}
    rare = [name for name, rows in having.items() if private and rows.nunique() < FEW]
    counts: dict[str, int | str] = {
        name.removeprefix("label."): len(rows)
        for name, rows in sorted(having.items(), key=lambda item: -len(item[1]))
        if name not in rare
    }
    return counts | ({f"other ({len(rare)} labels)": HIDDEN} if rare else {})


def _few_together(column: pd.Series) -> pd.Series:
    """Values of fewer than 5 persons as one, for the name of a rare one can tell who it is."""
    persons = _persons(column)
    rare = persons.index[persons < FEW]
    name = f"other ({len(rare)} {'category' if len(rare) == 1 else 'categories'})"
    return column.mask(column.isin(rare), name)


def _persons(column: pd.Series) -> pd.Series:
    """How many different groups, the column's index, have each value."""
    return column.index.to_series().groupby(column.to_numpy()).nunique()
