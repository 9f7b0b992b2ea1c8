"""An outcome of patients from whatever is known of them: a Bayesian network of a clinical table.

Clinical and gene columns of `clinical`, or genes in `expression`, are fields of few states; what is
missing is summed out. The outcome is a class, a number, or several labels a patient. Read as
`bioloom.clinical` does; what an answer rests on is in `explanation/` beside the predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.application import Application
from bioloom.clinical import cleaning, labels, outcomes
from bioloom.clinical import table as clinical
from bioloom.errors import DataError
from bioloom.options import complete_options
from bioloom.samples import Raw

TIMED = {name: outcomes.OPTIONS[name] for name in ("event", "censored", "horizon", "at_start")}
OPTIONS: dict[str, Any] = labels.OPTIONS | TIMED
COLUMNS: dict[str, Any] = labels.COLUMNS | {
    name: outcomes.COLUMNS[name] for name in ("time", "event")
}


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Patients with their label(s), of times whether the event happened by the horizon."""
    options = complete_options(options, OPTIONS, "datasets")
    return clinical.read_patients(files, options, COLUMNS, _outcome)


def _outcome(
    table: pd.DataFrame, columns: Mapping[str, Any], options: dict[str, Any], path: Path
) -> tuple[pd.DataFrame, list[str]]:
    # Late entry and competing events are none of yes and no by a horizon.
    columns, options = {**columns, "entry": None}, {**options, "competing": []}
    given = [options[key] is not None for key in ("event", "horizon")]
    if given != [outcomes.is_timed(columns)] * 2:
        raise DataError(
            "A time to an event needs `event` and `horizon`, and these a time",
            hint="`columns: {time: ..., event: ...}`, `event: 1`, and `horizon: 1826` in the unit "
            "of the times",
        )
    return outcomes.read_outcome(table, columns, options, path)


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
    noun="patients",
    ingest=ingest,
    clean=cleaning.clean_patients,
    inputs=clinical.patient_columns,
    sources=("clinical",),
    optional_sources=clinical.OPTIONAL_SOURCES,
    private=True,
    tables=clinical.TABLES,
    divided={"clinical": ()},
    options=OPTIONS,
    columns=COLUMNS,
    clean_options=cleaning.CLEAN,
    defaults=defaults,
)
