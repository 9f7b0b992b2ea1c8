"""Diagnosis of patients: a clinical table, with or without gene expression, and a label.

The label is a class, a number, or several labels a patient (`bioloom.formats.labels`); all else is
as `bioloom.clinical.table` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.application import Application
from bioloom.clinical import table as clinical
from bioloom.formats.labels import read_labels
from bioloom.options import Option, complete_options
from bioloom.samples import Raw

OPTIONS: dict[str, Any] = clinical.OPTIONS | {
    "classes": {},
    "unlabelled": [],
    "label_separator": ";|",
}
COLUMNS: dict[str, Any] = clinical.COLUMNS | {"label": Option(None, several=True)}


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Patients with their label(s); `columns: label` names one column, or a list of them."""
    options = complete_options(options, OPTIONS, "datasets")
    return clinical.read_patients(files, options, COLUMNS, _labels)


def _labels(
    table: pd.DataFrame, columns: Mapping[str, Any], options: dict[str, Any], path: Path
) -> tuple[pd.DataFrame, list[str]]:
    """The labels of the rows; nothing of new data."""
    if not columns["label"]:
        return pd.DataFrame(index=table.index), []
    return read_labels(table, columns["label"], options, path)


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """A network on all columns; with expression on the genes that tell most, and without them."""
    chosen: dict[str, Any] = {
        "features": {"embedder": "table"},
        "model": {"name": "dnn"},
        "baselines": {
            "logistic_regression": {"model": {"name": "logistic_regression"}},
            "gradient_boosting": {"model": {"name": "gradient_boosting"}},
        },
    }
    if "expression" in task["datasets"]["training"]:
        without_genes = {"embedder": "table", "blocks": ["table"]}
        chosen["preprocess"] = {"select": 200}
        chosen["baselines"]["clinical_only"] = {"features": without_genes}
    return chosen


application = Application(
    kinds=("binary", "multiclass", "value", "multilabel"),
    ingest=ingest,
    clean=clinical.clean_patients,
    inputs=clinical.patient_columns,
    sources=("clinical",),
    optional_sources=("expression",),
    private=True,
    tables=clinical.TABLES,
    options=OPTIONS,
    columns=COLUMNS,
    clean_options=clinical.CLEAN,
    defaults=defaults,
)
