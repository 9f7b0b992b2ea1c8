"""What the report says of predictions of new data: how many abstain and why, and the first ones.

Of persons no row is shown, and no count of a few.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from bioloom.files import read_json
from bioloom.privacy.small_cells import FEW, count_shown
from bioloom.samples import read_table

FIRST = 5
MOST_CLASSES = 12
OTHERS = "others"
MOST_NAMED = 3
"""Of a prediction set; a larger one is told by its size."""
NOT_SHOWN = ("out_of_distribution", "model_id", "why", "rank")
"""Columns that are for programs, beside the probabilities and survival curves of each row."""
PER_CLASS = ("p.", "free.")


def new_data(files: dict[str, Path], folder: Path, private: bool) -> list[dict[str, Any]]:
    """Of each data set that was predicted: counts, first rows and links from the page's `folder`.

    `files` are those of the task; its predictions are `predictions.<data set>` (Parquet, a CSV of
    the same name beside it), and `drift.<data set>` says how far its rows are from training's.
    """
    parts = [(*name.partition(".")[::2], file) for name, file in files.items()]
    return [
        _one(dataset, file, files.get(f"drift.{dataset}"), folder, private)
        for what, dataset, file in parts
        if what == "predictions"
    ]


def _one(
    dataset: str, file: Path, drift: Path | None, folder: Path, private: bool
) -> dict[str, Any]:
    table = read_table(file)
    reasons = table.loc[table["abstain"] != "", "abstain"].str.split("; ")
    links = [os.path.relpath(path, folder) for path in (file.with_suffix(".csv"), file)]
    return {
        "dataset": dataset,
        "drift": read_json(drift)["told"] if drift else "",
        "samples": count_shown(table["sample_id"].nunique(), private),
        "rows": count_shown(len(table), private),
        "abstain": count_shown(len(reasons), private),
        "reasons": _counts(reasons.explode(), private),
        "classes": _classes(table, private),
        "first": {} if private else _first(table),
        "links": [*links, f"{os.path.relpath(file.parent, folder)}/"],
    }


def _classes(table: pd.DataFrame, private: bool) -> dict[str, int | str]:
    """How often each class is called or option recommended, where there are such, and not many."""
    if "recommended" in table:
        called = table.loc[table["recommended"].eq(True), "option"]
    elif "prediction" in table:
        called = table["prediction"].dropna()
    else:
        return {}
    if is_numeric_dtype(called) or called.nunique() > MOST_CLASSES:
        return {}
    return _counts(called, private)


def _counts(values: pd.Series, private: bool) -> dict[str, int | str]:
    """How often each value is there; of persons what is rare together, so that no rest tells it."""
    counts = values.value_counts()
    rare = 0
    if private:
        # Beside a known total one hidden count is no secret: the next rarest joins it.
        hidden = (counts < FEW).sum()
        hidden += 0 < counts.iloc[len(counts) - hidden :].sum() < FEW
        rare = min(hidden, len(counts))
    kept, others = counts.iloc[: len(counts) - rare], counts.iloc[len(counts) - rare :]
    told: dict[str, int | str] = {str(name): int(count) for name, count in kept.items()}
    return told | ({OTHERS: count_shown(int(others.sum()), private)} if len(others) else {})


def _first(table: pd.DataFrame) -> dict[str, Any]:
    """The first rows: the names of the columns that a reader wants, and their cells."""
    head = table.head(FIRST).astype(object).replace("", None)
    wanted = [
        name
        for name in map(str, head)
        if name not in NOT_SHOWN and not name.startswith(PER_CLASS) and head[name].notna().any()
    ]
    columns = [[_cell(name, value) for value in head[name]] for name in wanted]
    return {"columns": wanted, "rows": list(zip(*columns, strict=True))}


def _cell(column: str, value: Any) -> Any:
    if pd.isna(value):
        return ""
    if column == "prediction_set" and (count := value.count(" | ") + 1) > MOST_NAMED:
        return f"{count} classes"
    return value
