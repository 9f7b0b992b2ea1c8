"""Held-out predictions joined to the true labels: what the scores and the plots are made of.

Training writes predictions without labels; the labels come from the samples table alone. Every
model must have predicted every test row of every partition, so that differences are paired.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.evaluation.intervals import drawn_scores
from bioloom.evaluation.links import macro_scores
from bioloom.kinds import RERUN, ROW, Given, Kind, TestSet
from bioloom.metrics import Scores
from bioloom.samples import label_columns


def read_test_set(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    held_out: pd.DataFrame,
    kind: Kind,
    options: dict[str, Any],
) -> TestSet:
    """Join predictions to labels; refuse gaps, strangers and unknown classes.

    `options` are those of `evaluate`: some kinds read `min_test` or `structures`.
    """
    tested = splits[splits["split"] == "test"]
    beside = [name for name in ("sample_weight", *kind.facts) if name in samples]
    labels = samples[["sample_id", *beside, *label_columns(samples)]]
    test = tested[[*ROW, "unit"]].merge(labels, on="sample_id", how="left")
    if test.empty or "model" not in set(held_out["model"]):
        raise DataError("there are no test rows predicted by the task's model", hint=RERUN)
    if kind.given is not None:
        test = test.merge(_facts(samples, splits, kind.given), on=ROW, how="left")
    return kind.test_set(test, held_out, options)


def scores_of(
    test: TestSet, samples: pd.DataFrame, kind: Kind, by: str | None, draws: np.ndarray
) -> dict[str, Scores]:
    """Each metric of each model for each column of `draws`, also averaged over values of `by`."""
    drawn = {name: drawn_scores(repeats, kind, draws) for name, repeats in test.models.items()}
    if by is not None:
        for name, repeats in test.models.items():
            drawn[name] |= macro_scores(repeats, samples, by, draws)
    return drawn


def _facts(samples: pd.DataFrame, splits: pd.DataFrame, given: Given) -> pd.DataFrame:
    """`repeat, fold, sample_id` and what the training rows of their partition tell of test rows."""
    tables = []
    for (repeat, fold), part in splits.groupby(["repeat", "fold"]):
        split = part.set_index("sample_id")["split"].reindex(samples["sample_id"]).to_numpy()
        test = split == "test"
        if test.any():
            known = given.facts(samples, split == "train")[test]
            ids = samples.loc[test, ["sample_id"]]
            tables.append(ids.join(known).assign(repeat=repeat, fold=fold))
    return pd.concat(tables, ignore_index=True)
