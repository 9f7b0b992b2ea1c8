"""The rows that fine-tuning sees: labelled sequences of the train and valid parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.arrays import end_to_end
from bioloom.embedders import huggingface, normalise_all
from bioloom.errors import DataError
from bioloom.kinds import Kind, Output, kind_of


@dataclass(frozen=True)
class Rows:
    """Normalised sequences, their targets and how much each counts.

    `y` has class codes (N,) int64, or standardised values (N, T), or labels (N, T) 0 and 1, both
    with NaN where not known.
    """

    output: Output
    texts: list[str]
    y: np.ndarray
    weight: np.ndarray

    @property
    def answers(self) -> np.ndarray:
        """How many labels each row has, (N,): what a mean loss is the mean of."""
        return np.ones(len(self.y)) if self.y.ndim == 1 else np.isfinite(self.y).sum(axis=1)


def labelled_rows(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    application: Application,
    embedder: dict[str, Any],
) -> tuple[Kind, Rows, Rows]:
    """The kind of the task, and its train and valid rows: no other row is looked at."""
    if len(splits[["repeat", "fold"]].drop_duplicates()) > 1:
        raise DataError(
            "Fine-tuning takes one partition: cross-validation would need a network for each fold",
            hint="`split: {method: holdout}` or `column`",
        )
    part = splits.set_index("sample_id")["split"].reindex(samples["sample_id"]).to_numpy()
    samples, part = samples[part != "test"], part[part != "test"]
    kind, inputs = kind_of(application.kinds, samples), application.inputs(samples)
    if kind.unit != "sample" or not isinstance(inputs, list):
        raise DataError("Fine-tuning takes sequences with one label, or several values, each")
    texts = normalise_all(inputs, samples["sample_id"].tolist(), huggingface, embedder)
    y = _targets(samples, kind, part == "train")
    weight = samples["sample_weight"] if "sample_weight" in samples else pd.Series(1.0, part)
    rows = {}
    for name in ("train", "valid"):
        chosen = np.flatnonzero(part == name)
        # as in training: weights are of mean 1, and each valid row counts once
        share = weight.to_numpy(float)[chosen] if name == "train" else np.ones(len(chosen))
        chosen_texts = [texts[i] for i in chosen]
        rows[name] = Rows(kind.output, chosen_texts, y[chosen], share / share.mean())
    return kind, rows["train"], rows["valid"]


def _targets(samples: pd.DataFrame, kind: Kind, train: np.ndarray) -> np.ndarray:
    """Class codes, labels, or values (N, T) less the mean of train rows, over their deviation."""
    y = end_to_end(kind.encode(samples, kind.outputs(samples, None)))
    if kind.output != "values":
        return y
    values = y.reshape(len(y), -1)
    known = pd.DataFrame(values[train])
    centre, spread = known.mean().fillna(0), known.std(ddof=0).replace(0, 1).fillna(1)
    return (values - centre.to_numpy()) / spread.to_numpy()


def outputs_of(rows: Rows) -> int:
    """How many numbers the head gives: one a class (every class has training rows), or a target."""
    return rows.y.shape[1] if rows.y.ndim > 1 else int(rows.y.max()) + 1
