"""Several numbers a sample, such as its response to each drug; some may not be measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.kinds import HeldOut, TestSet, value
from bioloom.kinds._rows import Truth, check_complete, join
from bioloom.metrics import Scores, coverage, regression
from bioloom.samples import label_columns
from bioloom.samples.columns import is_flag, is_number

LABEL = "label."
FEW_OF_EACH = 5
"""Test rows that have a label, and that lack it: of fewer, one row decides its score."""


def fits(samples: pd.DataFrame) -> bool:
    """Whether there are columns `label.<target>` of numbers."""
    columns = [name for name in label_columns(samples) if name.startswith(LABEL)]
    return bool(columns) and all(is_number(samples[c]) and not is_flag(samples[c]) for c in columns)


def outputs(samples: pd.DataFrame, positive: str | None) -> list[str]:
    """The names of the targets."""
    return [name.removeprefix(LABEL) for name in label_columns(samples)]


def encode(samples: pd.DataFrame, targets: list[str]) -> np.ndarray:
    """The values, (N, T), NaN where not measured."""
    columns = [f"{LABEL}{target}" for target in targets]
    return samples[columns].to_numpy(dtype=float, na_value=np.nan)


def rows(samples: pd.DataFrame, targets: list[str]) -> pd.DataFrame:
    """`sample_id, target`, all targets of a sample together."""
    return unanswered(samples["sample_id"].to_numpy(), targets)


def unanswered(ids: np.ndarray, targets: list[str]) -> pd.DataFrame:
    """A row a sample and target."""
    repeated = np.repeat(ids, len(targets))
    return pd.DataFrame({"sample_id": repeated, "target": np.tile(targets, len(ids))})


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """Test rows with all targets that have enough measured values in every repeat (`min_test`)."""
    chosen, skipped = scored(test, options["min_test"])
    return join(Truth(test, encode(test, chosen), chosen, skipped), held_out, said)


def scored(test: pd.DataFrame, min_test: int) -> tuple[list[str], list[str]]:
    """The targets with `min_test` values in every repeat, which are not all equal; the others.

    Of true and false there must be `FEW_OF_EACH` (or `min_test`, if that is less) of both.
    """
    columns = label_columns(test)
    repeats = test.groupby("repeat")[columns]
    enough = (repeats.count().min() >= min_test) & (repeats.nunique().min() > 1)
    for name in columns:
        if not is_flag(test[name]):
            continue
        each = pd.crosstab(test["repeat"], test[name])
        enough[name] &= each.to_numpy().min() >= min(FEW_OF_EACH, min_test)
    if not enough.any():
        raise DataError(
            f"no target has {min_test} different test values", hint="lower evaluate: min_test"
        )
    names = enough.index.str.removeprefix(LABEL)
    return list(names[enough]), list(names[~enough])


def said(table: pd.DataFrame, truth: Truth, model: str) -> dict[str, np.ndarray]:
    """`call, inside` (N, T) of one model in the order of the truth."""
    table = table[table["target"].isin(truth.outputs)]
    place = places(table, truth, model)
    call, inside = np.full(truth.y.shape, np.nan), np.full(truth.y.shape, np.nan)
    call[place] = table["prediction"].to_numpy(float)
    inside[place] = value.held(table, truth.y[place])
    check_complete(~np.isfinite(call) & np.isfinite(truth.y), model)
    return {"call": truth.level(call), "inside": inside}


def places(
    table: pd.DataFrame, truth: Truth, model: str
) -> tuple[np.ndarray, np.ndarray | pd.Index]:
    """The row and the target, both as numbers, that each answer belongs to."""
    at = truth.places(table, model, several="target")
    return at, pd.Index(truth.outputs).get_indexer(pd.Index(table["target"]))


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """Medians over the targets of the metrics of each, and how often intervals hold the truth."""
    found = regression.targets_scores(rows.y, rows.call, weights)
    return found | coverage.coverage(rows.inside, weights)


kind = replace(
    value.kind,
    name="targets",
    transforms=False,
    keys=("sample_id", "target"),
    fits=fits,
    outputs=outputs,
    encode=encode,
    rows=rows,
    unanswered=unanswered,
    test_set=test_set,
    score=score,
    metrics=(*regression.TARGET_METRICS, *coverage.METRICS),
    primary="pearson_median",
    plots=("per_target",),
    high_call=False,
)
