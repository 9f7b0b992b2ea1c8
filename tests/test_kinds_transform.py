"""`transform`: learnt on another scale, predicted with intervals in the label's own unit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioloom.features import Features
from bioloom.kinds import encode_labels, from_scale, get_kind
from bioloom.training.train import train_task
from tests.toys import partition, refused

N = 400
OPTIONS = {
    "application": "gene_expression",
    "kind": "value",
    "model": {"name": "svm"},
}


def doses(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, Features]:
    """Labels that a sum of two features multiplies, with an error by a factor."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 2)).astype(np.float32)
    label = np.exp(3 + X.sum(axis=1) + 0.3 * rng.normal(size=N))
    ids = np.array([f"s{i}" for i in range(N)])
    samples = pd.DataFrame({"sample_id": ids, "label": label, "group": ids})
    return samples, partition(samples, 200, 100), Features(ids, X, np.array(["a", "b"]), "table")


def trained(**options: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Held-out answers of the model, and the true labels beside them."""
    samples, splits, features = doses()
    *_, held_out = train_task(samples, splits, {"features": features}, OPTIONS | options, 1, [])
    said = held_out[held_out["model"] == "model"].reset_index(drop=True)
    return said, samples.set_index("sample_id").loc[said["sample_id"], "label"].to_numpy()


def test_a_logarithm_is_undone_in_predictions_and_intervals():
    (plain, truth), (said, _) = trained(), trained(transform="log")
    error = [
        np.abs(np.log(table["prediction"].clip(lower=1e-3) / truth)) for table in (plain, said)
    ]
    assert np.median(error[1]) < 0.23 < np.median(error[0])
    assert (said["low"] > 0).all()
    assert ((said["low"] <= truth) & (truth <= said["high"])).mean() > 0.8
    wide = (said["high"] - said["low"]).corr(said["prediction"], method="spearman")
    assert wide > 0.9  # an error by a factor is large where the label is


def test_a_square_root_takes_zero():
    samples, _, _ = doses()
    samples.loc[0, "label"] = 0.0
    labels = encode_labels(samples, get_kind("value"), transform="sqrt")
    assert np.allclose(np.asarray(labels.taught) ** 2, samples["label"])
    refused(lambda: encode_labels(samples, get_kind("value"), transform="log"), "1 of 400", "sqrt")
    samples.loc[1, "label"] = -1.0
    refused(lambda: encode_labels(samples, get_kind("value"), transform="sqrt"), "below 0")


def test_a_class_has_no_scale():
    samples, _, _ = doses()
    classes = samples.assign(label=np.where(samples["label"] > 20, "high", "low"))
    refused(lambda: encode_labels(classes, get_kind("binary"), transform="log"), "of one number")


@pytest.mark.parametrize("transform", ["log", "sqrt"])
def test_high_is_told_in_the_unit_of_the_label(transform):
    samples, splits, features = doses()
    options = OPTIONS | {"transform": transform, "high_above": "median"}
    fitted, *_ = train_task(samples, splits, {"features": features}, options, 1, [])
    assert fitted.calibration.threshold == pytest.approx(np.median(samples["label"]))


@pytest.mark.parametrize("power", [1.0, 0.5, 0.0])
def test_an_end_that_is_not_known_is_told_as_such(power):
    low, high = from_scale(np.array([-np.inf, np.inf]), power)
    assert high == np.inf
    assert low == (-np.inf if power == 1 else 0)
    assert np.isfinite(from_scale(np.array([1e6, -1e6]), 0.0)).all()


def test_high_means_the_same_in_all_folds():
    """Else a constant prediction would be told apart by its fold."""
    samples, _, _ = doses()
    labels = encode_labels(samples, get_kind("value"), high_above="median")
    assert labels.high_above == np.median(samples["label"])
