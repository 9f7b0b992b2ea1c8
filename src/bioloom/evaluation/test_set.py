"""Held-out predictions joined to the true labels: what the scores and the plots are made of.

Training writes predictions without labels; the labels come from the samples table alone. Every
model must have predicted every test row of every partition, so that differences are paired.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from bioloom.arrays import residues_of
from bioloom.errors import DataError
from bioloom.kinds import CLASSIFICATION
from bioloom.samples import RESIDUE_LABELS, label_columns

ROW = ["repeat", "fold", "sample_id"]
RERUN = "run the train step again: held_out and splits do not belong together"


@dataclass(frozen=True)
class HeldOut:
    """What one model said of the test rows of one repeat (N rows, all folds together).

    A row is a sample, or a residue where residues have classes: sample after sample.

    Classification: `y`, `call (N,)` class indices, `p (N, K)` probabilities. Regression: `y`,
    `call (N,)` values, or `(N, T)` with NaN in `y` where a target was not measured; `p` is empty.
    `group (N,)` indexes the test units (`split.py`), the same in all models and repeats.
    `quantile`, of the shape of `call`, is the conformal quantile: how far from the truth a set or
    an interval reaches; NaN where none was given. `weight (N,)` is how much a row counts, mean 1;
    `threshold (N,)` is where a regression calls a value high.
    """

    repeat: int
    fold: np.ndarray
    sample_id: np.ndarray
    group: np.ndarray
    y: np.ndarray
    call: np.ndarray
    p: np.ndarray
    quantile: np.ndarray
    weight: np.ndarray | None = None
    threshold: np.ndarray | None = None

    def __getitem__(self, rows: np.ndarray) -> HeldOut:
        """The rows at `rows` (integers or a boolean mask)."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "repeat"}
        chosen = {name: a[rows] for name, a in arrays.items() if a is not None}
        return HeldOut(self.repeat, **chosen)


@dataclass(frozen=True)
class TestSet:
    """The predictions of all models on the test rows: `models[name][repeat]`.

    `classes` are in the order of the probability columns, the positive class of a binary task
    last; `targets` are those scored; `skipped` have too few test values or no spread.
    """

    models: dict[str, list[HeldOut]]
    classes: list[str]
    targets: list[str]
    skipped: list[str]
    groups: int

    __test__ = False  # not a test case, whatever pytest thinks of the name


def read_test_set(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    held_out: pd.DataFrame,
    kind: str,
    *,
    min_test: int = 10,
) -> TestSet:
    """Join predictions to labels by sample; refuse gaps, strangers and unknown classes.

    `min_test`: a target with fewer measured test values in any repeat is skipped.
    """
    tested = splits[splits["split"] == "test"]
    beside = [name for name in ("sample_weight",) if name in samples]
    labels = samples[["sample_id", *beside, *label_columns(samples)]]
    test = tested[[*ROW, "unit"]].merge(labels, on="sample_id", how="left")
    if test.empty or "model" not in set(held_out["model"]):
        raise DataError("there are no test rows predicted by the task's model", hint=RERUN)
    groups, group = np.unique(test["unit"], return_inverse=True)
    classes: list[str] = []
    targets: list[str] = []
    skipped: list[str] = []
    if kind in CLASSIFICATION:
        classes = _classes(held_out, kind)
        if kind == "per_residue":
            test, group = _residues(test, group)
        y = _codes(test["label"], classes, "label")
    elif kind == "multiregression":
        targets, skipped = _targets(test, min_test)
        y = test[[f"label.{target}" for target in targets]].to_numpy(float)
    else:
        y = test["label"].to_numpy(float)
        if not np.isfinite(y).all():
            raise DataError("a test sample has no label", column="label", hint="clean drops these")
    weight = None
    if "sample_weight" in test and kind != "per_residue":
        weight = (test["sample_weight"] / test["sample_weight"].mean()).to_numpy(float)
    models = {}
    for name, said in held_out.groupby("model", sort=False):
        call, p, quantile = _place(said, test, classes, targets, str(name))
        call = call if classes else _level(call, test)
        fold, sample = test["fold"].to_numpy(), test["sample_id"].to_numpy()
        threshold = _threshold(said, test) if kind == "regression" else None
        rows = HeldOut(-1, fold, sample, group, y, call, p, quantile, weight, threshold)
        models[str(name)] = _by_repeat(rows, test["repeat"].to_numpy())
    return TestSet(models, classes, targets, skipped, len(groups))


def _by_repeat(rows: HeldOut, repeat: np.ndarray) -> list[HeldOut]:
    return [replace(rows[repeat == number], repeat=int(number)) for number in np.unique(repeat)]


def _classes(held_out: pd.DataFrame, kind: str) -> list[str]:
    classes = [name[2:] for name in map(str, held_out) if name.startswith("p.")]
    if kind == "binary" and len(classes) != 2:
        raise DataError(f"a binary task has 2 classes, not {len(classes)}: {', '.join(classes)}")
    return classes


def _residues(test: pd.DataFrame, group: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """(test rows, group) of residues instead of samples: `label` is the letter at `position`."""
    lengths = test[RESIDUE_LABELS].str.len().to_numpy()
    rows = np.repeat(np.arange(len(test)), lengths)
    exploded = test[ROW].iloc[rows].reset_index(drop=True)
    exploded["position"] = residues_of(lengths, lengths)["position"]
    return exploded.assign(label=list("".join(test[RESIDUE_LABELS]))), group[rows]


def _codes(labels: pd.Series, classes: list[str], column: str) -> np.ndarray:
    codes = pd.Index(classes).get_indexer(pd.Index(labels.astype(str)))
    if (codes < 0).any():
        unknown = ", ".join(sorted(set(labels.astype(str)[codes < 0])))
        raise DataError(
            f"a test row has a class that the model was not trained on: {unknown}",
            column=column,
            hint="drop or merge rare classes, or split so that each class is in training",
        )
    return codes


def _targets(test: pd.DataFrame, min_test: int) -> tuple[list[str], list[str]]:
    """(targets scored, targets skipped) by the test values of each repeat."""
    columns = [name for name in map(str, test) if name.startswith("label.")]
    repeats = test.groupby("repeat")[columns]
    enough = (repeats.count().min() >= min_test) & (repeats.nunique().min() > 1)
    if not enough.any():
        raise DataError(
            f"no target has {min_test} different test values", hint="lower evaluate: min_test"
        )
    scored = enough.index[enough].str.removeprefix("label.")
    return list(scored), list(enough.index[~enough].str.removeprefix("label."))


def _place(
    said: pd.DataFrame, test: pd.DataFrame, classes: list[str], targets: list[str], model: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(call, p, quantile) of one model in the order of the test rows."""
    if targets:
        said = said[said["target"].isin(targets)]
    row = [*ROW, "position"] if "position" in test else ROW
    at = pd.MultiIndex.from_frame(test[row]).get_indexer(pd.MultiIndex.from_frame(said[row]))
    if (at < 0).any() or said.duplicated([*row, "target"] if targets else row).any():
        raise DataError(f"model {model} predicts a row twice or outside the test split", hint=RERUN)
    values = said["prediction"]
    p = np.full((len(test), len(classes)), np.nan)
    reach = said.get("quantile", pd.Series(np.nan, said.index)).to_numpy(float)
    quantile = np.full((len(test), len(targets)) if targets else len(test), np.nan)
    if classes:
        call = np.zeros(len(test), dtype=int)
        call[at], quantile[at] = _codes(values, classes, "prediction"), reach
        p[at] = said[[f"p.{name}" for name in classes]].to_numpy(float)
        gaps = ~np.isfinite(p)
    elif targets:
        call = np.full((len(test), len(targets)), np.nan)
        place = at, pd.Index(targets).get_indexer(pd.Index(said["target"]))
        call[place], quantile[place] = values.to_numpy(float), reach
        measured = test[[f"label.{target}" for target in targets]].notna().to_numpy()
        gaps = ~np.isfinite(call) & measured
    else:
        call = np.full(len(test), np.nan)
        call[at], quantile[at] = values.to_numpy(float), reach
        gaps = ~np.isfinite(call)
    if gaps.any():
        raise DataError(
            f"model {model} has no finite prediction for {gaps.sum()} test values", hint=RERUN
        )
    return call, _level(p, test), quantile


def _threshold(said: pd.DataFrame, test: pd.DataFrame) -> np.ndarray | None:
    """Where a value is called high, in the order of the test rows; None where nothing is."""
    if "threshold" not in said or said["threshold"].isna().all():
        return None
    given = said.set_index(ROW)["threshold"]
    return given.reindex(pd.MultiIndex.from_frame(test[ROW])).to_numpy(float)


def _level(values: np.ndarray, test: pd.DataFrame) -> np.ndarray:
    """Make one constant of a prediction that is constant within every fold.

    Such a prediction ranks nobody. Pooled over folds, though, its constants (means of the other
    folds) would rank the folds backwards and look worse than chance.
    """
    frame = pd.DataFrame(values)
    folds = test.groupby(["repeat", "fold"]).ngroup().to_numpy()
    constant = (frame.groupby(folds).nunique() <= 1).all().to_numpy()
    level = np.where(constant, frame.mean().to_numpy(), frame.to_numpy())
    return level.reshape(values.shape)
