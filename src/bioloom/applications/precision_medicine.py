"""An outcome of patients from whatever is known of them: a Bayesian network of a clinical table.

Clinical and gene columns of `clinical`, or genes in `expression`, are fields of few states; what is
missing is summed out. The outcome is a class, a number, or several labels a patient. Read as
`bioloom.clinical` does; what an answer rests on is in `explanation/` beside the predictions.
"""

from __future__ import annotations

from typing import Any

from bioloom.application import Application
from bioloom.clinical import labels
from bioloom.clinical import table as clinical


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """A network with a learnt structure, beside a naive one and regression on the same bins.

    Of expression the genes are taken that tell most.
    """
    of_genes = {"preprocess": {"select": 20}}
    return {
        "features": {"embedder": "table"},
        **(of_genes if "expression" in task["datasets"]["training"] else {}),
        "model": {"name": "bayesian_network"},
        "baselines": {
            "naive_bayes": {"model": {"name": "bayesian_network", "structure": "naive"}},
            "binned_regression": {"model": {"name": "binned_regression"}},
            "logistic_regression": {"model": {"name": "logistic_regression"}},
        },
    }


application = Application(
    kinds=("binary", "multiclass", "value", "multilabel"),
    ingest=labels.ingest,
    clean=clinical.clean_patients,
    inputs=clinical.patient_columns,
    sources=("clinical",),
    optional_sources=("expression",),
    private=True,
    tables=clinical.TABLES,
    options=labels.OPTIONS,
    columns=labels.COLUMNS,
    clean_options=clinical.CLEAN,
    defaults=defaults,
)
