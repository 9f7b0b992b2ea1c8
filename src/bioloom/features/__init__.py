"""Features: what a model takes of each sample, in the order of the samples table.

`sample_id (N,)`, `X (N, D) float32`, a `Table`, per-token `Ragged` or the `Links` of a network,
`names (D,)`, those of a table as dissolved, and the identity of the embedder that made them, its
precision included: a model refuses features of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bioloom.arrays import Shaped, aligned, from_arrays, shape_of, to_arrays
from bioloom.errors import DataError
from bioloom.files import AGAIN, reading, replacing
from bioloom.formats.npz import read_npz

PRECISIONS = ("bfloat16", "float32")
"""With one of these the identity of what a network made ends."""

PLACE = re.compile(r"(?:^|[.])(\d+)=\w$")
FIXED = {
    "tokens": ("Per-token features have other columns", None),
    "links": (
        "The nodes have other features",
        "expression profiles need the same conditions, in the same order",
    ),
}
"""Shapes whose columns cannot be put in another order: what is wrong, and a hint."""


@dataclass(frozen=True)
class Features:
    """The features of N samples; `embedder` says what made them."""

    sample_id: np.ndarray
    X: Shaped
    names: np.ndarray
    embedder: str

    @cached_property
    def _index(self) -> pd.Index:
        return pd.Index(self.sample_id)

    def rows(self, sample_ids: pd.Series) -> Shaped:
        """The features of these samples, in this order."""
        index = self._index.get_indexer(pd.Index(sample_ids))
        if (index < 0).any():
            raise DataError(
                f"{(index < 0).sum()} samples have no features",
                hint="samples and features come from different runs; remove the features file",
            )
        return self.X[index]


def write_features(features: Features, path: str | Path) -> None:
    """Write features.npz: plain arrays, per-token ones end to end with `offsets`."""
    arrays = {
        "sample_id": features.sample_id.astype(str),
        "feature_names": features.names.astype(str),
        "embedder": np.array(features.embedder),
    }
    arrays |= to_arrays(features.X)
    with replacing(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


def read_features(path: str | Path) -> Features:
    """Read features.npz; DataError for a damaged one."""
    arrays = read_npz(path, hint=AGAIN)
    with reading(path):
        X = from_arrays(arrays)
        return Features(arrays["sample_id"], X, arrays["feature_names"], str(arrays["embedder"]))


def own_sections(baselines: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The `features` sections of baselines that have one, by features file.

    Baselines with equal sections share a file, named after the first of them by name.

    >>> tokens = {"embedder": "one_hot", "pooling": "tokens"}
    >>> own_sections({"cnn": {"features": tokens}, "both": {"features": tokens}, "plain": {}})
    {'features.both': {'embedder': 'one_hot', 'pooling': 'tokens'}}
    """
    sections: dict[str, Any] = {}
    for name in sorted(baselines):
        section = baselines[name].get("features")
        if section is not None and section not in sections.values():
            sections[f"features.{name}"] = section
    return sections


def features_file(baseline: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> str:
    """The features file that one of the baselines takes: the task's, where it has none of its own.

    >>> features_file({"model": {"name": "svm"}}, {"svm": {"model": {"name": "svm"}}})
    'features'
    """
    files = (
        file
        for file, section in own_sections(baselines).items()
        if section == baseline.get("features")
    )
    return next(files, "features")


def precisions(identity: str) -> list[str]:
    """The precision of each part of features of this identity; "" where no network made it.

    >>> precisions("unirep 256 mean float32 + kmer 2")
    ['float32', '']
    """
    last = [part.rsplit(" ", 1)[-1] for part in identity.split(" + ")]
    return [word if word in PRECISIONS else "" for word in last]


def _but_precisions(identity: str) -> list[str]:
    parts = zip(identity.split(" + "), precisions(identity), strict=True)
    return [part.removesuffix(precision).strip() for part, precision in parts]


def trained_identity(model: Path) -> str | None:
    """The identity of the features that a model was trained on; None while there is no model."""
    described = model / "model.yaml"
    try:
        with reading(described):
            return str(yaml.safe_load(described.read_text())["features"])
    except FileNotFoundError:
        return None


def _places(names: Iterable[str]) -> int:
    """The last place of which features say the letter, by their names; 0 where there is none."""
    found = (PLACE.search(str(name)) for name in names)
    return max((int(place[1]) for place in found if place), default=0)


def align(features: Features, names: list[str], identity: str) -> Features:
    """The features in the model's column order; what new data lack is missing.

    Features of another embedder are refused, those of the same in another precision are not.
    """
    if _but_precisions(features.embedder) != _but_precisions(identity):
        raise DataError(
            f"The model was trained on features {identity!r}, got {features.embedder!r}",
            hint="extract the features with the task's own `features` section",
        )
    if list(features.names) == names:
        return features
    if shape_of(features.X) in FIXED:
        what, hint = FIXED[shape_of(features.X)]
        raise DataError(f"{what} than those of the training data", hint=hint)
    if "one_hot" in features.embedder:
        known, longest = _places(names), _places(features.names)
        if longest > known > 0:
            raise DataError(
                f"Sequences have up to {longest} letters, those of training up to {known}: what "
                "is beyond would not be seen",
                hint="cut them to what training had, or train on such",
            )
    X = aligned(features.X, list(features.names), names)
    return Features(features.sample_id, X, np.array(names), features.embedder)
