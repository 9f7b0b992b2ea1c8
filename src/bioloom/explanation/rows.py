"""What the answers to single new rows rest on, of a model that can tell (`Estimator.tells`)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioloom.features import Features, align
from bioloom.fitted import Fitted
from bioloom.fitted.signature import check_signature


def explain_rows(
    samples: pd.DataFrame, features: Features, fitted: Fitted, file: str | Path
) -> dict[str, pd.DataFrame]:
    """The model's tables by name, each with `sample_id` first; none of no samples.

    They are of the model as it was learnt: calibration on validation rows comes after it. `file`
    is where the samples came from.
    """
    if samples.empty:
        return {}
    check_signature(samples, fitted.settings["signature"], file)
    features = align(features, fitted.settings["feature_names"], fitted.settings["features"])
    prepared = fitted.preprocess.transform(features.rows(samples["sample_id"]))
    ids = samples["sample_id"].to_numpy()
    tables = {}
    for name, columns in fitted.model.tell(prepared, fitted.outputs).items():
        row = columns.pop("row").astype(int)
        tables[name] = pd.DataFrame({"sample_id": ids[row]} | columns)
    return tables
