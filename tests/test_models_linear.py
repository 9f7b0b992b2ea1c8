"""Linear models without a setting to choose, and networks that sleep where they add nothing."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.feature_selection import f_classif, f_regression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score

from bioloom.errors import DataError
from bioloom.models import get_model, linear, residual_dnn
from bioloom.models._folds import folds_of
from bioloom.models.ensemble import joined_weights
from bioloom.models.linear import RowSpace, f_test


def wide(rows: int = 60, columns: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes of which the first three of many columns tell."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    X = rng.normal(size=(rows, columns))
    X[:, :3] += 1.2 * y[:, None]
    return X.astype(np.float32), y


def built(name: str, output: str = "classes", size: int = 2, **parameters):
    return get_model(name)(output=output, n_outputs=size, seed=1, **parameters)


def fitted(name: str, X, y, output: str = "classes", size: int = 2, **given):
    return built(name, output, size).fit(X, y, X[:0], y[:0], **given)


@pytest.mark.parametrize("columns", [8, 90])
def test_F_is_that_of_scikit_learn(columns):
    X, y = wide(50, columns)
    ones = np.ones(50)
    np.testing.assert_allclose(
        f_test(X, np.eye(2)[y], ones), f_classif(X.astype(float), y)[0], rtol=1e-6
    )
    z = X[:, 0].astype(float) + y
    np.testing.assert_allclose(
        f_test(X, z[:, None], ones), f_regression(X.astype(float), z)[0], rtol=1e-6
    )


@pytest.mark.parametrize("classes", [True, False])
def test_F_of_a_constant_column_is_nought_whatever_the_weights(classes):
    X, y = wide(50, 8)
    weight = np.random.default_rng(0).uniform(0.1, 3, 50)
    weight[:5] = 0
    X[:, 4], X[5:, 5] = 0.1, 123.456  # the other one is constant where rows count
    F = f_test(X, np.eye(2)[y] if classes else y[:, None] + 0.1, weight)
    assert (F[[4, 5]] == 0).all()
    assert F[0] > 1


def test_a_row_that_is_the_only_one_of_its_class_does_not_flatten_the_others():
    X, y = wide(80, 5)
    rare = np.append(y, 2)
    X = np.vstack([X, np.full((1, 5), 9)]).astype(np.float32)
    with_it, without = fitted("linear", X, rare, size=3), fitted("linear", X[:-1], y)
    new, truth = wide(80, 5, seed=1)
    said = log_loss(truth, with_it.predict_proba(new), labels=[0, 1, 2])
    assert said < log_loss(truth, without.predict_proba(new)) + 0.03


def test_classes_that_no_part_has_both_of_are_told_by_all_settings():
    X, y = wide(40, 5)
    said = fitted("linear", X, y, groups=y).predict_proba(X)[:, 1]
    assert np.isfinite(said).all()
    assert roc_auc_score(y, said) > 0.8


@pytest.mark.parametrize("columns", [8, 90])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_setting_in_the_space_of_rows_is_the_plain_one(columns, classes, monkeypatch):
    """One power and penalty alone: the answers are those of scikit-learn on weighted columns."""
    monkeypatch.setattr(linear, "POWERS", (1.0,))
    monkeypatch.setattr(linear, "PENALTIES", (3.0,))
    monkeypatch.setattr(linear, "TEMPERATURES", np.ones(1))
    monkeypatch.setattr(linear, "STOP", {"gtol": 1e-9, "ftol": 0.0})
    X, _ = wide(60, columns)
    y = np.digitize(X[:, 0] + X[:, 1], [0, 1][: classes - 1])
    model = fitted("linear", X, y, size=classes)

    def refit(rows):
        scale = np.sqrt(f_classif(X[rows].astype(float), y[rows])[0])
        scale /= np.sqrt((scale**2).sum())
        plain = LogisticRegression(C=3.0, tol=1e-10, max_iter=10_000)
        return plain.fit(X[rows] * scale, y[rows]), scale

    plain, scale = refit(np.arange(60))
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X * scale), atol=1e-6)
    left_out = model.cross_fitted(X, y)
    for fold in np.unique(model.folds):
        out = model.folds == fold
        plain, scale = refit(np.flatnonzero(~out))
        np.testing.assert_allclose(left_out[out], plain.predict_proba(X[out] * scale), atol=1e-6)


@pytest.mark.parametrize("columns", [8, 90])
def test_ridge_of_values_is_the_plain_one(columns, monkeypatch):
    monkeypatch.setattr(linear, "POWERS", (0.0,))
    monkeypatch.setattr(linear, "PENALTIES", (3.0,))
    X, _ = wide(60, columns)
    y = 50 + 10 * X[:, 0].astype(float)
    model = fitted("linear", X, y, "values", 1)
    scale = 1 / np.sqrt(columns)
    rows = X.astype(float) * scale
    for fold in np.unique(model.folds):
        out = model.folds == fold
        plain = Ridge(alpha=1 / 3).fit(rows[~out], y[~out])
        said = model.cross_fitted(X, y)[out, 0]
        np.testing.assert_allclose(said, plain.predict(rows[out]), atol=1e-6)
    plain = Ridge(alpha=1 / 3).fit(rows, y)
    np.testing.assert_allclose(model.predict(X), plain.predict(rows), atol=1e-4)


def test_few_telling_columns_among_many_are_found():
    X, y = wide()
    new, truth = wide(seed=1)
    plain = LogisticRegression().fit(X, y).predict_proba(new)
    said = fitted("linear", X, y).predict_proba(new)
    assert log_loss(truth, said) < log_loss(truth, plain) - 0.02
    assert roc_auc_score(truth, said[:, 1]) > roc_auc_score(truth, plain[:, 1])


def test_many_rows_and_columns_are_bounded(monkeypatch):
    monkeypatch.setattr(linear, "MOST_COLUMNS", 20)
    X, y = wide(60, 40)
    space = RowSpace.of(X, f_test(X, np.eye(2)[y], np.ones(60)), 1.0)
    assert len(space.columns) == 20
    assert {0, 1, 2} <= set(space.columns)
    new, truth = wide(60, 40, seed=1)
    assert roc_auc_score(truth, fitted("linear", X, y).predict_proba(new)[:, 1]) > 0.7


def test_folds_hold_whole_groups_and_all_classes():
    rng = np.random.default_rng(0)
    groups, y = np.repeat(np.arange(30), 3), np.repeat(np.arange(30) % 3, 3)
    folds = folds_of(y, groups, seed=1)
    assert pd.Series(folds).groupby(groups).nunique().eq(1).all()
    assert pd.Series(y).groupby(folds).nunique().eq(3).all()
    assert len(np.unique(folds_of(rng.normal(size=20), np.zeros(20), seed=1))) == 5


@pytest.mark.slow
@pytest.mark.parametrize("output", ["classes", "labels", "values"])
def test_left_out_answers_have_not_seen_the_group(output):
    """Rows of a group are one row, again and again; each group's label is drawn."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 4)
    X = rng.normal(size=(40, 6)).astype(np.float32)[groups]
    y = rng.integers(0, 2, 40)[groups]
    y = y if output == "classes" else y.astype(float)[:, None]
    model = fitted("residual_dnn", X, y, output, 2 if output == "classes" else 1, groups=groups)
    said = model.cross_fitted(X, y)[:, -1]
    assert abs(np.corrcoef(said, np.ravel(y))[0, 1]) < 0.4


@pytest.mark.slow
def test_networks_sleep_where_all_is_linear_and_wake_where_it_is_not(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4)).astype(np.float32)
    decision = 2 * X[:, 0]
    y = (rng.random(400) < 1 / (1 + np.exp(-decision))).astype(int)
    asleep = fitted("residual_dnn", X, y)
    assert not asleep.awake
    np.testing.assert_array_equal(asleep.predict_proba(X), asleep.linear.predict_proba(X))
    awake = fitted("residual_dnn", X, (X[:, 0] * X[:, 1] > 0).astype(int))
    new = rng.normal(size=(300, 4)).astype(np.float32)
    truth = (new[:, 0] * new[:, 1] > 0).astype(int)
    assert awake.awake
    assert roc_auc_score(truth, awake.linear.predict_proba(new)[:, 1]) < 0.65
    assert roc_auc_score(truth, awake.predict_proba(new)[:, 1]) > 0.9
    awake.save(tmp_path)
    awake.export(tmp_path, ["no", "yes"])
    table = pd.read_csv(tmp_path / "members.csv")
    assert table.to_dict("list") == {"member": ["linear", "networks"], "weight": [1.0, 1.0]}
    loaded = get_model("residual_dnn").load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(new), awake.predict_proba(new))


@pytest.mark.slow
def test_networks_sleep_on_noise():
    rng = np.random.default_rng(0)
    awake = []
    for _ in range(4):
        X, y = rng.normal(size=(100, 1000)).astype(np.float32), rng.integers(0, 2, 100)
        awake.append(fitted("residual_dnn", X, y).awake)
    assert sum(awake) <= 1


@pytest.mark.parametrize("rows", [30, 60])
def test_axes_are_those_along_which_rows_spread_most(rows, monkeypatch):
    monkeypatch.setattr(residual_dnn, "MOST_AXES", 5)
    X = np.random.default_rng(0).normal(size=(rows, 40)) * np.linspace(9, 1, 40)
    on_axes = X @ residual_dnn._turn(X)
    left, values, _ = np.linalg.svd(X)
    most = left[:, :5] * values[:5]
    most /= np.sqrt((most**2).mean())
    np.testing.assert_allclose(on_axes @ on_axes.T, most @ most.T, atol=1e-6)


def test_left_out_answers_are_mixed_by_the_losses_of_other_folds():
    """Two settings that answer 0 and 1; one is worth all where a fold's own losses count."""
    folds, crossed = np.arange(60) % 5, np.stack([np.zeros((60, 1)), np.ones((60, 1))])

    def worth(those):
        return np.array([0.0, 1.0]) if those[3] else np.array([1.0, 0.0])

    mean = linear._mean(np.zeros((2, 8, 1)), np.array([[5.0], [7.0]]), crossed, folds, worth)
    np.testing.assert_array_equal(mean.left_out[:, 0], folds != 3)
    assert mean.intercepts == 7


@pytest.mark.slow
def test_an_ensemble_weighed_on_left_out_answers_sees_through_one_that_learns_by_heart(tmp_path):
    """Trees to the last row are right about all training rows; they tell little of new ones."""
    X, y = wide(120, 200)
    by_heart = {"name": "random_forest", "min_samples_leaf": 1, "n_estimators": 10}
    members = [{"name": "linear"}, {**by_heart, "max_features": 0.0}]
    model = built("ensemble", of=members, weighed_on="left_out").fit(X, y, X[:0], y[:0])
    seen = joined_weights(model._answers(X), np.eye(2)[y], "classes")
    assert model.weights[1] < seen[1] / 2
    refitted = model.refitted(X, y)
    np.testing.assert_array_equal(refitted.weights, model.weights)
    model.save(tmp_path)
    assert json.loads((tmp_path / "weights.json").read_text()) == model.weights.tolist()


def test_left_out_answers_by_refits_are_those_of_models_without_the_fold():
    X, y = wide(60, 5)
    model = fitted("logistic_regression", X, y)
    left_out, folds = model.cross_fitted(X, y), folds_of(y, None, seed=1)
    for fold in np.unique(folds):
        out = folds == fold
        own = fitted("logistic_regression", X[~out], y[~out])
        np.testing.assert_allclose(left_out[out], own.predict_proba(X[out]), atol=1e-12)
    np.testing.assert_allclose(softmax(np.log(left_out), axis=1), left_out)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("y", "groups"),
    [
        (np.repeat([0, 0, 0, 1, 0, 0, 0, 0], 5), np.repeat(np.arange(8), 5)),
        (np.repeat([0, 1], 10), np.repeat([0, 1], 10)),
        (np.array([0, 1, 1]), None),
        (np.array([0, 1]), None),
    ],
)
@pytest.mark.parametrize("name", ["logistic_regression", "svm", "random_forest"])
def test_a_part_of_one_class_answers_with_it(name, y, groups):
    X = wide(len(y), 4)[0]
    left_out = fitted(name, X, y).cross_fitted(X, y, groups=groups)
    np.testing.assert_allclose(left_out.sum(axis=1), 1)
    members = [{"name": name}, {"name": "linear"}]
    model = built("ensemble", of=members, weighed_on="left_out")
    model.fit(X, y, X[:0], y[:0], groups=groups)
    assert np.isfinite(model.predict_proba(X)).all()


def test_residues_are_not_weighed_by_left_out_answers():
    X, y = wide(20, 5)
    of = [{"name": "linear"}, {"name": "kernel"}]
    model = get_model("ensemble")(
        output="classes", n_outputs=2, seed=1, unit="residue", of=of, weighed_on="left_out"
    )
    with pytest.raises(DataError, match="samples that stand alone"):
        model.fit(X, y, X, y)
