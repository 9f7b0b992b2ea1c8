"""Diagnosis of patients: a clinical table, with or without gene expression, and a label.

The label is a class, a number, or several labels a patient; read as `bioloom.clinical` does.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from bioloom.application import Application
from bioloom.clinical import cleaning, labels
from bioloom.clinical import table as clinical

MODEL: dict[str, Any] = {
    "name": "ensemble",
    "weighed_on": "left_out",
    "of": [
        {"name": "residual_dnn"},
        {"name": "gradient_boosting"},
        {"name": "random_forest", "n_estimators": 100},
    ],
}
"""Of clinical columns. Of thousands of genes trees cost much and tell little: these go without."""


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """A linear model with networks on top, and trees beside it where there is no expression.

    Baselines are the usual ones; of expression, the network on the genes that tell most, too.
    """
    expression = "expression" in task["datasets"]["training"]
    network: dict[str, Any] = {"model": {"name": "dnn"}}
    chosen: dict[str, Any] = {
        "features": {"embedder": "table"},
        "model": {"name": "residual_dnn"} if expression else deepcopy(MODEL),
        "baselines": {
            "logistic_regression": {"model": {"name": "logistic_regression"}},
            "gradient_boosting": {"model": {"name": "gradient_boosting"}},
            "dnn": network,
        },
    }
    if expression:
        network["preprocess"] = {"select": 200}
        without_genes = {"embedder": "table", "blocks": ["table"]}
        chosen["baselines"]["clinical_only"] = {"features": without_genes, "model": deepcopy(MODEL)}
    return chosen


application = Application(
    kinds=("binary", "multiclass", "value", "multilabel"),
    noun="patients",
    ingest=labels.ingest,
    clean=cleaning.clean_patients,
    inputs=clinical.patient_columns,
    sources=("clinical",),
    optional_sources=clinical.OPTIONAL_SOURCES,
    private=True,
    tables=clinical.TABLES,
    divided={"clinical": ()},
    options=labels.OPTIONS,
    columns=labels.COLUMNS,
    clean_options=cleaning.CLEAN,
    defaults=defaults,
)
