"""Whether a new data set as a whole is like the training data: drift.json, told before predictions.

A row may look usual while all rows together do not: another device, another protocol, another
ward. Predictions of such a data set may be wrong in a way that no single row shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bioloom.features import Features, align
from bioloom.fitted import Fitted
from bioloom.fitted.marginals import LEVEL, some_rows

FEWEST = 10
"""Groups: of fewer nothing is told."""
NAMED = 5  # columns


def drift(samples: pd.DataFrame, features: Features, fitted: Fitted) -> dict[str, Any]:
    """drift.json: `groups`, `columns`, how many of these `moved`, `largest`, `drifted`, `told`.

    `largest` are the columns that moved most, with the Kolmogorov-Smirnov distance to training and
    its p, adjusted for the number of columns; `told` is all of it in words. Where groups are too
    few, or the model does not know how its training data are distributed, there is no more.
    """
    samples = samples.iloc[some_rows(len(samples))]
    groups = samples["group"].to_numpy()
    count = len(np.unique(groups))
    if fitted.marginals is None:
        return {"groups": count, "told": "drift from training: the model cannot tell it"}
    if count < FEWEST:
        few = f"drift from training: not tested, {count} groups are too few to tell"
        return {"groups": count, "told": few}
    features = align(features, fitted.settings["feature_names"], fitted.settings["features"])
    prepared = fitted.preprocess.transform(features.rows(samples["sample_id"]))
    distance, p = fitted.marginals.drift(prepared, groups)
    names, moved = _names(fitted, len(distance)), p <= LEVEL
    order = np.argsort(-distance, kind="stable")
    largest = [
        {"column": names[i], "distance": round(float(distance[i]), 3), "p": float(p[i])}
        for i in order[moved[order]][:NAMED]
    ]
    found = {
        "groups": count,
        "columns": len(distance),
        "moved": int(moved.sum()),
        "drifted": bool(moved.any()),
        "largest": largest,
    }
    return found | {"told": _told(found)}


def _told(found: dict[str, Any]) -> str:
    if not found["drifted"]:
        return f"drift from training: none found in {found['columns']} columns"
    largest = ", ".join(f"{part['column']} {part['distance']:.2f}" for part in found["largest"])
    return (
        f"DRIFT from training: {found['moved']} of {found['columns']} columns are distributed "
        f"otherwise, most of all {largest} (distance of 0 to 1): the scores of the model may not "
        "hold here"
    )


def _names(fitted: Fitted, columns: int) -> list[str]:
    """The names of the columns that the model sees, as far as they have such."""
    names = [str(name) for name in fitted.settings["feature_names"]]
    support = fitted.preprocess.support
    return (
        [names[i] for i in support] if len(support) == columns else list(map(str, range(columns)))
    )
