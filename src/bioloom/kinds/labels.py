"""The labels of samples as a model takes them: class codes, values, or one a residue or pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bioloom.arrays import Ragged
from bioloom.errors import DataError
from bioloom.kinds import Kind
from bioloom.samples import COORDINATES, RESIDUE_LABELS, label_columns
from bioloom.structures.distances import BINS, distance_bins, pair_offsets


@dataclass(frozen=True)
class Labels:
    """The labels as a model takes them: class codes (N,), values (N,) or (N, targets).

    Of residues: class codes as Ragged. `weight (N,)` is how much a sample counts; `high_above` is
    where a value starts to be called high: a number, or "median" for that of the training labels.
    """

    kind: Kind
    y: np.ndarray | Ragged
    outputs: list[str]
    weight: np.ndarray | None = None
    high_above: float | str | None = None


def encode_labels(
    samples: pd.DataFrame,
    kind: Kind,
    positive: str | None = None,
    high_above: float | str | None = None,
) -> Labels:
    """Class codes (the positive class last) or values, and the weights where there are any."""
    columns = label_columns(samples)
    if positive is not None and kind in ("regression", "multiregression"):
        raise DataError(
            f"`positive` names a class, the task is a {kind}",
            hint="`high_above` says which values of a regression are high",
        )
    if high_above is not None and kind != "regression":
        raise DataError(f"`high_above` needs a number as label, the task is {kind}")
    if kind == "per_residue":
        return _residue_labels(samples)
    if kind == "per_pair":
        return _pair_labels(samples)
    weight = samples["sample_weight"].to_numpy(float) if "sample_weight" in samples else None
    if kind == "multiregression":
        names = [name.removeprefix("label.") for name in columns]
        return Labels("multiregression", samples[columns].to_numpy(dtype=float), names, weight)
    if kind == "regression":
        values = samples["label"].to_numpy(dtype=float)
        return Labels("regression", values, ["label"], weight, high_above)
    classes = sorted(samples["label"].unique())
    if len(classes) < 2:
        raise DataError(
            f"All labels are one class: {classes[0]!r}", column="label", hint="two are needed"
        )
    if positive is not None:
        if positive not in classes:
            raise DataError(f"`positive: {positive}` is no class", hint=f"classes are {classes}")
        classes = [name for name in classes if name != positive] + [positive]
    codes = samples["label"].map({name: code for code, name in enumerate(classes)})
    return Labels(kind, codes.to_numpy(dtype=np.int64), classes, weight)


def _residue_labels(samples: pd.DataFrame) -> Labels:
    """A class a residue: the letters of `label.residues`, which is as long as the sequence."""
    lengths = samples[RESIDUE_LABELS].str.len()
    if (lengths != samples["sequence"].str.len()).any():
        raise DataError("Labels and sequence differ in length", column=RESIDUE_LABELS)
    letters = np.frombuffer("".join(samples[RESIDUE_LABELS]).encode("ascii"), dtype="S1")
    classes, codes = np.unique(letters, return_inverse=True)
    if len(classes) < 2:
        raise DataError("All residues are of one class", column=RESIDUE_LABELS)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Labels("per_residue", Ragged(codes, offsets), [name.decode() for name in classes])


def _pair_labels(samples: pd.DataFrame) -> Labels:
    """The distance bin of each pair of residues, from C-betas in `label.coordinates`."""
    lengths = samples["sequence"].str.len().to_numpy()
    coordinates = [np.asarray(values, float).reshape(-1, 6) for values in samples[COORDINATES]]
    if [len(values) for values in coordinates] != lengths.tolist():
        raise DataError("Coordinates and sequence differ in length", column=COORDINATES)
    bins = np.concatenate([distance_bins(values[:, 3:]) for values in coordinates])
    return Labels("per_pair", Ragged(bins.astype(np.int64), pair_offsets(lengths)), BINS)
