"""Held-out answers joined to the true labels of test rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.kinds import RERUN, ROW, HeldOut, TestSet


@dataclass(frozen=True)
class Truth:
    """The labels of N test rows, which every model must have answered.

    `test` has a row a sample and partition: `repeat, fold, sample_id, unit` and labels. Where a
    sample has several answers, `at (N,)` says whose each is, and `place` what names it beside.
    """

    test: pd.DataFrame
    y: np.ndarray
    outputs: list[str]
    skipped: list[str] = field(default_factory=list)
    at: np.ndarray | None = None
    place: pd.DataFrame | None = None

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The keys of each row."""
        if self.at is None or self.place is None:
            return self.test[ROW]
        rows = self.test[ROW].iloc[self.at].reset_index(drop=True)
        return pd.concat([rows, self.place.reset_index(drop=True)], axis=1)

    def of_rows(self, values: np.ndarray) -> np.ndarray:
        """One value a test sample as one a row."""
        return values if self.at is None else values[self.at]

    def places(self, said: pd.DataFrame, model: str, *, several: str | None = None) -> np.ndarray:
        """The row that each answer belongs to; DataError for strangers and answers given twice.

        `several` is a column that tells apart the answers to one row.
        """
        keys = list(self.rows)
        index = pd.MultiIndex.from_frame(self.rows)
        at = index.get_indexer(pd.MultiIndex.from_frame(said[keys]))
        if (at < 0).any() or said.duplicated([*keys, *([several] if several else [])]).any():
            raise DataError(
                f"model {model} predicts a row twice or outside the test split", hint=RERUN
            )
        return at

    def level(self, values: np.ndarray) -> np.ndarray:
        """Make one constant of a prediction that is constant within every fold.

        Such a prediction ranks nobody. Pooled over folds, though, its constants (means of the other
        folds) would rank the folds backwards and look worse than chance.
        """
        frame = pd.DataFrame(values)
        folds = self.rows.groupby(["repeat", "fold"]).ngroup().to_numpy()
        constant = (frame.groupby(folds).nunique() <= 1).all().to_numpy()
        level = np.where(constant, frame.mean().to_numpy(), frame.to_numpy())
        return level.reshape(values.shape)


def check_complete(gaps: np.ndarray, model: str) -> None:
    """DataError where a test value has no finite prediction."""
    if gaps.any():
        raise DataError(
            f"model {model} has no finite prediction for {gaps.sum()} test values", hint=RERUN
        )


Said = Callable[[pd.DataFrame, Truth, str], dict[str, np.ndarray]]
"""One model's held-out answers as `call` and more of `HeldOut`, in the truth's order."""


def join(truth: Truth, held_out: pd.DataFrame, said: Said) -> TestSet:
    """What every model said of the rows of the truth."""
    groups, group = np.unique(truth.test["unit"], return_inverse=True)
    fold, sample, repeat = (
        truth.of_rows(truth.test[name].to_numpy()) for name in ("fold", "sample_id", "repeat")
    )
    weight = None
    if "sample_weight" in truth.test and truth.at is None:
        weight = (truth.test["sample_weight"] / truth.test["sample_weight"].mean()).to_numpy(float)
    nothing: dict[str, Any] = {"p": np.full((len(truth.y), 0), np.nan)}
    models = {}
    for name, table in held_out.groupby("model", sort=False):
        columns = nothing | said(table, truth, str(name))
        rows = HeldOut(-1, fold, sample, truth.of_rows(group), truth.y, weight=weight, **columns)
        models[str(name)] = rows.by_repeat(repeat)
    return TestSet(models, truth.outputs, len(groups), truth.skipped)
