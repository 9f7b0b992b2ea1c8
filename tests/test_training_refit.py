"""The model for new data learns from all rows; its scores, and what calibrates it, come before."""

import numpy as np
import pandas as pd
import pytest

from bioloom.kinds import Learnt, encode_labels, get_kind
from bioloom.models import get_model
from bioloom.pipeline.check import task_mistakes
from bioloom.splits.split import split_samples
from bioloom.training.recipe import Recipe
from bioloom.training.train import fit, partitions_of, train_task
from tests.toys import LOGISTIC, partition, table

OPTIONS = {"application": "disease_diagnosis", "model": {"name": "logistic_regression"}}


def trained(samples, splits, features, **options):
    return train_task(samples, splits, {"features": features}, OPTIONS | options, 1, [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("naive", {}),
        ("logistic_regression", {}),
        ("svm", {}),
        ("gradient_boosting", {}),
        ("random_forest", {"n_estimators": 5}),
        ("decision_tree", {"trees": 1}),
        ("decision_tree", {"trees": 30}),
        ("dnn", {"epochs": 12, "patience": 2}),
    ],
)
def test_on_the_same_rows_a_model_is_the_same_again(name, parameters):
    samples, features = table(n=160)
    X, y = features.X, (samples["label"] == "yes").to_numpy().astype(np.int64)
    model = get_model(name)(output="classes", n_outputs=2, seed=1, **parameters)
    model.fit(X[:90], y[:90], X[90:], y[90:])
    again = model.refitted(X[:90], y[:90])
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))


def test_the_model_for_new_data_has_learnt_all_rows_and_scores_stay():
    samples, features = table()
    fitted, scored, held_out = trained(samples, partition(samples), features)
    kept, same, before = trained(samples, partition(samples), features, refit=False)
    pd.testing.assert_frame_equal(held_out, before)
    assert kept is same
    assert fitted.calibration == scored.calibration == kept.calibration
    assert (fitted.settings["refitted"], fitted.settings["rows"]) == (True, 120)
    assert (kept.settings["refitted"], kept.settings["rows"]) == (False, 70)
    y = (samples["label"] == "yes").to_numpy().astype(np.int64)
    X = fitted.preprocess.transform(features.X)
    alone = get_model("logistic_regression")(output="classes", n_outputs=2, seed=1)
    expected = alone.fit(X, y, X[:0], y[:0]).predict_proba(X)
    np.testing.assert_allclose(fitted.model.predict_proba(X), expected)
    np.testing.assert_allclose(fitted.preprocess.tables[0].mean, features.X.mean(axis=0), atol=1e-6)


def test_cross_validation_calibrates_on_answers_of_models_that_did_not_see_the_row():
    samples, features = table(n=150)
    method = {"method": "cross_validation", "folds": 3, "by": "row", "valid": 0.2, "repeats": 2}
    splits = split_samples(samples, method, 1)
    labels, recipe = (
        encode_labels(samples, get_kind("binary")),
        Recipe(features=features, **LOGISTIC),
    )
    raw = np.full((150, 2), np.nan)
    for place in partitions_of(samples, splits):
        if place.repeat == 0:
            fold, rows = fit(recipe, labels, place, samples, 1), place.rows["test"]
            raw[rows] = fold.raw(fold.preprocess.transform(features.X[rows]))
    expected = get_kind("binary").calibrate(raw, labels.y, labels, Learnt(labels.y))
    fitted, scored, _ = trained(samples, splits, features)
    for model in (fitted, scored):
        assert model.calibration.temperature == pytest.approx(expected.temperature)
        np.testing.assert_allclose(model.calibration.quantile, expected.quantile)
    assert fitted.settings["rows"] == 150


def test_a_fine_tuned_embedder_is_not_taken_by_a_refitted_model():
    content = {
        "application": "protein_function",
        "datasets": {"training": {"sequences": "a.fasta"}},
        "split": {"method": "holdout", "by": "row"},
        "features": {"embedder": "huggingface", "model": "m", "finetune": "lora"},
        "refit": True,
    }
    assert any("`refit`" in mistake for mistake in task_mistakes("toy", content))
