"""Several labels a sample, from the split to scores, predictions and the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from bioloom.application import get_application
from bioloom.errors import DataError
from bioloom.evaluation.evaluate import evaluate
from bioloom.explanation.permutation import permute
from bioloom.features import Features
from bioloom.fitted import Fitted
from bioloom.fitted.signature import make_signature
from bioloom.kinds import encode_labels, get_kind, kind_of
from bioloom.metrics.multilabel import METRICS, multilabel_scores
from bioloom.predictions.predict import predict
from bioloom.privacy.small_cells import HIDDEN
from bioloom.samples import Cleaned, Raw, read_samples, write_samples
from bioloom.samples.cleaning import without_rare_labels
from bioloom.samples.quality import quality
from bioloom.splits.split import split_samples
from bioloom.training.train import train
from tests.toys import partition, recipe, refused

KIND = get_kind("multilabel")
NAMES = ["binding", "membrane", "transport"]


def table(n: int = 160, seed: int = 0) -> tuple[pd.DataFrame, Features]:
    """Three labels, each with a column of features that tells it, nearly; a tenth not known."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)).astype(np.float32)
    flags = X[:, :3] + 0.4 * rng.normal(size=(n, 3)) > [0, 0.5, 1]
    ids = np.array([f"s{i}" for i in range(n)])
    samples = pd.DataFrame({"sample_id": ids, "group": ids})
    for name, flag in zip(NAMES, flags.T, strict=True):
        known = pd.Series(flag, dtype="boolean")
        samples[f"label.{name}"] = known.mask(rng.random(n) < 0.1)
    return samples, Features(ids, X, np.array(list("abcde")), "table")


def trained(model: str) -> tuple[Fitted, pd.DataFrame]:
    samples, features = table()
    recipes = {"model": recipe(features, model), "naive": recipe(features, "naive")}
    labels = encode_labels(samples, KIND)
    return train(samples, partition(samples, 80, 30), labels, recipes, seed=1)


def test_true_and_false_are_several_labels_and_numbers_are_not():
    samples, _ = table(10)
    names = get_application("protein_function").kinds
    assert kind_of(names, samples) is KIND
    assert not get_kind("targets").fits(samples)
    assert not KIND.fits(samples.rename(columns={f"label.{NAMES[0]}": "label"}))
    numbers = samples.assign(**{f"label.{name}": 1.0 for name in NAMES})
    assert not KIND.fits(numbers)


@pytest.mark.parametrize("model", ["logistic_regression", "dnn"])
def test_labels_go_from_training_to_scores_and_predictions(model, tmp_path):
    samples, features = table()
    fitted, held_out = trained(model)
    metrics, plots = evaluate(
        samples,
        partition(samples, 80, 30),
        held_out,
        task="t",
        application="protein_function",
        kind=KIND,
        options={"resamples": 50},
        seed=1,
    )
    assert metrics["primary"] == "auroc"
    assert metrics["test"]["auroc"] > 0.85
    assert metrics["baselines"]["naive"]["auroc"] == 0.5
    assert metrics["test"]["auroc_low"] < metrics["test"]["auroc"] < metrics["test"]["auroc_high"]
    assert metrics["n"]["targets"] == 3
    assert 0.8 < metrics["test"]["coverage"] <= 1
    assert set(plots["per_label"]["target"]) == set(NAMES)

    fitted.settings = {
        "features": "table",
        "feature_names": list("abcde"),
        "signature": make_signature(samples),
    }
    fitted.save(tmp_path / "model")
    new, new_features = table(20, seed=5)
    new = new[["sample_id", "group"]]
    predicted = predict(new, new_features, Fitted.load(tmp_path / "model"), Path("new.parquet"))
    assert predicted["sample_id"].tolist() == np.repeat(new["sample_id"], 3).tolist()
    assert predicted["target"].tolist() == NAMES * 20
    assert set(predicted["prediction"]) == {"yes", "no"}
    p = predicted["p.yes"].to_numpy().reshape(20, 3)
    np.testing.assert_allclose(p, fitted.scores(new_features.X))
    called = (p >= fitted.calibration.threshold).ravel()
    assert (predicted["prediction"].eq("yes") == called).all()
    sets = predicted["prediction_set"].isin(["no", "yes", "no | yes", ""])
    assert sets.all()


def test_what_tells_a_label_is_important():
    samples, features = table()
    fitted, _ = trained("logistic_regression")
    found = permute(
        samples.tail(40),
        features,
        fitted,
        repeats=2,
        seed=1,
        parts={"table": {"embedder": "table"}},
    )
    assert set(found["feature"].head(3)) == set("abc")


def test_scores_equal_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, (60, 4)).astype(float)
    p = np.clip(y * 0.3 + rng.random((60, 4)) * 0.7, 0, 1)
    call, weights = (p > 0.5).astype(float), rng.integers(0, 4, (60, 1)).astype(float)
    scores = multilabel_scores(y, call, p, np.full(p.shape, 0.6), weights)
    rows = np.repeat(np.arange(60), weights[:, 0].astype(int))
    truth, called, said = y[rows], call[rows], p[rows]
    assert set(scores) == {metric.name for metric in METRICS}
    expected = {
        "auroc": oracle.roc_auc_score(truth, said),
        "auprc": oracle.average_precision_score(truth, said),
        "f1": oracle.f1_score(truth, called, average="macro"),
        "recall": oracle.recall_score(truth, called, average="macro"),
        "precision": oracle.precision_score(truth, called, average="macro"),
        "f1_micro": oracle.f1_score(truth, called, average="micro"),
        "exact": oracle.accuracy_score(truth, called),
        "accuracy": (truth == called).mean(),
        "brier": ((truth - said) ** 2).mean(),
        "coverage": (np.abs(truth - said) <= 0.6).mean(),
    }
    assert {name: scores[name][0] for name in expected} == pytest.approx(expected)


def test_what_is_not_known_counts_nowhere():
    rng = np.random.default_rng(3)
    y, p = rng.integers(0, 2, (40, 2)).astype(float), rng.random((40, 2))
    ones, quantile = np.ones((40, 1)), np.full((40, 2), 0.5)
    y[30:, 1] = np.nan
    before = multilabel_scores(y, (p > 0.5).astype(float), p, quantile, ones)
    p[30:, 1] = 1 - p[30:, 1]
    after = multilabel_scores(y, (p > 0.5).astype(float), p, quantile, ones)
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, err_msg=name)


def test_each_label_is_balanced_over_the_parts():
    samples, _ = table(400, seed=4)
    splits = split_samples(samples, {"method": "holdout", "test": 0.25, "valid": 0.15}, seed=1)
    joined = samples.merge(splits, on="sample_id")
    labels = joined[[f"label.{name}" for name in NAMES]].fillna(False).astype(float)
    shares = labels.groupby(joined["split"]).mean()
    assert (shares.max() - shares.min()).max() < 0.02


def test_rare_labels_go_and_their_samples_stay():
    samples, _ = table(60)
    rare = pd.Series([True] * 2 + [False] * 58, dtype="boolean")
    left, notes = without_rare_labels(samples.assign(**{"label.rare": rare}), 3)
    pd.testing.assert_frame_equal(left, samples)
    assert "1 of 4 labels" in notes[0]
    assert without_rare_labels(samples.assign(**{"label.all": True}), 1)[0].equals(samples)
    assert without_rare_labels(samples, 1)[1] == []


def test_samples_keep_what_is_not_known_and_quality_counts_labels(tmp_path):
    samples, _ = table(60)
    write_samples(samples, tmp_path / "samples.parquet")
    read = read_samples(tmp_path / "samples.parquet")
    pd.testing.assert_frame_equal(read, samples)
    assert KIND.fits(read)
    rare = pd.Series([True] * 2 + [False] * 58, dtype="boolean")
    raw = Raw(samples.assign(**{"label.rare": rare}))
    told = quality(raw, Cleaned(raw.samples, pd.DataFrame({"reason": []})), private=True)
    assert told["labels"]["binding"] == int(samples["label.binding"].sum())
    assert told["labels"]["rare"] == HIDDEN


def test_a_sequence_with_contradicting_labels_is_dropped():
    application = get_application("protein_function")
    flags = pd.array([True, False, True, True, False, pd.NA], dtype="boolean")
    raw = pd.DataFrame(
        {
            "sample_id": list("abcdef"),
            "group": list("abcdef"),
            "sequence": ["MKT", "MKT", "MKL", "MKL", "MKV", "MKC"],
            "label.x": flags,
        }
    )
    cleaned = application.clean(raw, {})
    assert cleaned.samples["sample_id"].tolist() == ["c", "e"]
    assert cleaned.counts() == {
        "no label": 1,
        "sequence with contradicting labels": 2,
        "duplicate sequence": 1,
    }
    equal = raw.assign(**{"label.x": pd.array([True] * 6, dtype="boolean")})
    refused(lambda: application.clean(equal, {}), "labels are equal")


def test_too_few_known_values_of_every_label_are_refused():
    samples, _ = table()
    _, held_out = trained("logistic_regression")
    with pytest.raises(DataError, match="min_test"):
        KIND.test_set(
            partition(samples, 80, 30).merge(samples).query("split == 'test'"),
            held_out,
            {"min_test": 500},
        )
