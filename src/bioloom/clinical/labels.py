"""The label of patients: a class, a number, or several labels each (`bioloom.formats.labels`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.clinical import table as clinical
from bioloom.formats.labels import read_labels
from bioloom.options import Option, complete_options
from bioloom.samples import Raw

OPTIONS: dict[str, Any] = clinical.OPTIONS | {
    "classes": Option({}, about="label in the file to its name", of="labels"),
    "unlabelled": Option([], about="words that stand for no label", of="labels"),
    "label_separator": Option(";|", about="characters between several labels", of="labels"),
}
COLUMNS: dict[str, Any] = clinical.COLUMNS | {
    "label": Option(
        None,
        several=True,
        about="what is predicted; a list of columns are several labels",
        of="labels",
    )
}


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Patients with their label(s); `columns: label` names one column, or a list of them."""
    options = complete_options(options, OPTIONS, "datasets")
    return clinical.read_patients(files, options, COLUMNS, read)


def read(
    table: pd.DataFrame, columns: Mapping[str, Any], options: dict[str, Any], path: Path
) -> tuple[pd.DataFrame, list[str]]:
    """The labels of the rows; nothing of new data."""
    if not columns["label"]:
        return pd.DataFrame(index=table.index), []
    return read_labels(table, columns["label"], options, path)
