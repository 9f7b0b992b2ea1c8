"""Diagnosis of patients: a clinical table, with or without gene expression, and a label.

The label is a class, a number, or several labels a patient; read as `bioloom.clinical` does.
"""

from __future__ import annotations

from typing import Any

from bioloom.application import Application
from bioloom.clinical import labels
from bioloom.clinical import table as clinical


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
    noun="patients",
    ingest=labels.ingest,
    clean=clinical.clean_patients,
    inputs=clinical.patient_columns,
    sources=("clinical",),
    optional_sources=clinical.OPTIONAL_SOURCES,
    private=True,
    tables=clinical.TABLES,
    options=labels.OPTIONS,
    columns=labels.COLUMNS,
    clean_options=clinical.CLEAN,
    defaults=defaults,
)
