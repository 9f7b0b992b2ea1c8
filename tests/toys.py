"""Small inputs and checks that several test files share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.errors import DataError
from bioloom.features import Features
from bioloom.features.extract import extract_features
from bioloom.fitted import Fitted
from bioloom.fitted.marginals import Marginals
from bioloom.kinds import encode_labels, get_kind
from bioloom.training.recipe import Recipe
from bioloom.training.train import train

LOGISTIC = {"model": "logistic_regression", "parameters": {}, "preprocess": {}, "search": {}}


def write(path: Path, content: str | bytes) -> Path:
    """The path, with this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(call: Callable[[], Any], *expected: str) -> str:
    """The message of the DataError that the call ends with; each pattern is found in it."""
    with pytest.raises(DataError) as error:
        call()
    for pattern in expected:
        assert re.search(pattern, str(error.value)), str(error.value)
    return str(error.value)


def table(
    n: int = 120, seed: int = 0, classes: Sequence[str] = ("no", "yes")
) -> tuple[pd.DataFrame, Features]:
    """Samples of two classes, and five columns of which the first tells them apart, nearly."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)).astype(np.float32)
    label = np.array(classes)[(X[:, 0] + 0.3 * rng.normal(size=n) > 0).astype(int)]
    ids = np.array([f"s{i}" for i in range(n)])
    samples = pd.DataFrame({"sample_id": ids, "label": label, "group": ids})
    return samples, Features(ids, X, np.array(list("abcde")), "table")


def patients(n: int = 120, seed: int = 0, sites: str = "abcdef") -> tuple[pd.DataFrame, Features]:
    """Samples of which a category and what is missing tell the classes apart, and their table.

    The site has no order that tells it; the marker is measured in one class more than in the other.
    """
    rng = np.random.default_rng(seed)
    site, positive = rng.choice(list(sites), n), rng.random(n) < 0.5
    sick = np.isin(site, list("ace")) ^ (rng.random(n) < 0.1)
    marker = np.where(rng.random(n) < np.where(positive, 0.9, 0.1), rng.normal(size=n), np.nan)
    ids = np.array([f"s{i}" for i in range(n)])
    samples = pd.DataFrame({"sample_id": ids, "group": ids, "age": rng.normal(60, 9, n).round()})
    samples = samples.assign(site=pd.Series(site).mask(rng.random(n) < 0.05), marker=marker)
    samples["label"] = np.where(sick & positive, "yes", "no")
    application = get_application("disease_diagnosis")
    return samples, extract_features(samples, application, {"embedder": "table"})[0]


def partition(samples: pd.DataFrame, train: int = 70, valid: int = 25) -> pd.DataFrame:
    """Splits: the first samples train, the next validate, the rest test."""
    split = ["train"] * train + ["valid"] * valid + ["test"] * (len(samples) - train - valid)
    place = {"unit": range(len(samples)), "repeat": 0, "fold": 0}
    return pd.DataFrame({"sample_id": samples["sample_id"], **place, "split": split})


def recipe(features: Features, model: str, **parameters: Any) -> Recipe:
    """A model of these features as they are."""
    return Recipe(features, model, parameters, {"scale": False}, {})


def fit_once(samples: pd.DataFrame, features: Features) -> tuple[Fitted, pd.DataFrame]:
    """A logistic regression on the `partition`, with marginals, and its held-out answers."""
    recipes, splits = {"model": Recipe(features=features, **LOGISTIC)}, partition(samples)
    labels = encode_labels(samples, get_kind("binary"))
    fitted, held_out = train(samples, splits, labels, recipes, seed=1)
    trained = (splits["split"] == "train").to_numpy()
    X = features.rows(samples["sample_id"][trained])
    units = splits["unit"].to_numpy()[trained]
    fitted.marginals = Marginals.fit(X, fitted.preprocess.transform(X), units)
    return fitted, held_out


def helix(length: int) -> np.ndarray:
    """An ideal right-handed alpha helix of C-alphas: 100 degrees and 1.5 A a residue."""
    angle = np.radians(100) * np.arange(length)
    return np.stack([2.3 * np.cos(angle), 2.3 * np.sin(angle), 1.5 * np.arange(length)], axis=1)
