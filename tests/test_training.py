"""What is fitted comes from train and valid rows; held-out rows are predicted, never fitted."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import SelectKBest, f_classif, f_regression

from bioloom.arrays import Table, vectors
from bioloom.errors import DataError
from bioloom.features import Features, trained_identity
from bioloom.files import write_sums
from bioloom.fitted import Fitted
from bioloom.fitted.preprocess import Preprocess
from bioloom.kinds import Calibration, encode_labels, get_kind
from bioloom.models import get_model
from bioloom.training.calibrate import Answered
from bioloom.training.recipe import Recipe, member_of
from bioloom.training.train import Partition, _wrong, fit, train, train_task
from tests.toys import LOGISTIC, fit_once, partition, patients, table


def test_the_positive_class_is_last():
    samples, _ = table(classes=("malignant", "benign"))
    labels = encode_labels(samples, get_kind("binary"), positive="malignant")
    assert labels.outputs == ["benign", "malignant"]
    assert (labels.y == (samples["label"] == "malignant")).all()


def test_one_class_is_refused():
    samples, _ = table()
    with pytest.raises(DataError, match="one class"):
        encode_labels(samples.assign(label="yes"), get_kind("binary"))


def test_test_rows_change_nothing_that_is_fitted(tmp_path):
    samples, features = table()
    fitted, _ = fit_once(samples, features)
    changed = features.X.copy()
    changed[95:] = 1e3
    other_samples = samples.copy()
    other_samples.loc[95:, "label"] = samples.loc[95:, "label"].to_numpy()[::-1]
    other, _ = fit_once(
        other_samples, Features(features.sample_id, changed, features.names, "table")
    )
    assert np.array_equal(fitted.scores(features.X), other.scores(features.X))
    assert fitted.calibration == other.calibration
    assert np.array_equal(fitted.novelty.mean, other.novelty.mean)


def test_held_out_rows_are_the_test_rows():
    samples, features = table()
    _, held_out = fit_once(samples, features)
    assert list(held_out["sample_id"]) == list(samples["sample_id"][95:])
    assert np.allclose(held_out[["p.no", "p.yes"]].sum(axis=1), 1)
    decided = held_out["p.yes"] >= held_out["threshold"]
    assert (held_out["prediction"] == np.where(decided, "yes", "no")).all()


def test_saved_and_loaded_models_predict_the_same(tmp_path):
    samples, features = table()
    fitted, _ = fit_once(samples, features)
    fitted.save(tmp_path / "model")
    loaded = Fitted.load(tmp_path / "model")
    assert np.array_equal(loaded.scores(features.X), fitted.scores(features.X))
    assert np.array_equal(loaded.novelty.outside(features.X), fitted.novelty.outside(features.X))
    assert len(loaded.settings["id"]) == 12


def test_a_model_is_not_there_before_all_of_it_is(tmp_path, monkeypatch):
    """New data look for the model that is being trained, without waiting for it."""
    fitted, _ = fit_once(*table())
    model = tmp_path / "model"
    seen = []

    def last(folder):
        seen.append(trained_identity(model))
        write_sums(folder)

    monkeypatch.setattr("bioloom.fitted.write_sums", last)
    fitted.settings["features"] = "table"
    fitted.save(model)
    assert seen == [None]
    assert trained_identity(model) == "table"


def test_shuffled_labels_fall_to_chance():
    from sklearn.metrics import roc_auc_score

    samples, features = table(n=400)
    shuffled = samples.assign(label=samples["label"].sample(frac=1, random_state=3).to_numpy())
    labels = encode_labels(shuffled, get_kind("binary"))
    recipe = Recipe(features=features, **LOGISTIC)
    _, held_out = train(shuffled, partition(shuffled, 200, 50), labels, {"model": recipe}, seed=1)
    truth = shuffled.set_index("sample_id").loc[held_out["sample_id"], "label"] == "yes"
    assert 0.35 < roc_auc_score(truth, held_out["p.yes"]) < 0.65


def test_search_chooses_inside_the_training_rows():
    samples, features = table(n=200)
    labels = encode_labels(samples, get_kind("binary"))
    recipe = Recipe(features, "logistic_regression", {}, {}, {"C": [1e-6, 1.0]})
    rows = {"train": np.arange(120), "valid": np.arange(120, 160)}
    place = Partition(0, 0, rows, units=np.arange(200))
    assert fit(recipe, labels, place, samples, seed=1).parameters == {"C": 1.0}


@pytest.mark.parametrize("groups", [2, 1])
@pytest.mark.parametrize("kind", ["binary", "value"])
def test_search_is_possible_in_two_groups_and_in_one(kind, groups):
    samples, features = table(n=100)
    model, search = "logistic_regression", {"C": [1e-6, 1.0]}
    if kind == "value":
        samples["label"] = features.X[:, 0].astype(float)
        model, search = "svm", {"C": [1e-6, 1.0]}
    labels = encode_labels(samples, get_kind(kind))
    recipe = Recipe(features, model, {}, {}, search)
    rows = {"train": np.arange(80), "valid": np.arange(80, 100)}
    units = np.r_[np.arange(80) % groups, np.full(20, 9)]
    chosen = fit(recipe, labels, Partition(0, 0, rows, units), samples, seed=1).parameters
    assert [*chosen.values()] == [values[1] for values in search.values()]


@pytest.mark.parametrize("balanced", [{}, {"class_weight": "balanced"}])
def test_a_baseline_that_is_a_member_is_fitted_once(balanced, monkeypatch):
    samples, features = table()
    dnn = {"name": "dnn", "epochs": 3} | balanced
    ensemble = {"name": "ensemble", "of": [{"name": "dnn", "epochs": 3}, {"name": "kernel"}]}
    splits, fits, fit = partition(samples), [], get_model("dnn").fit

    def counted(self, *rows, **given):
        fits.append(self.seed)
        return fit(self, *rows, **given)

    monkeypatch.setattr(get_model("dnn"), "fit", counted)

    def held_out(model, **options):
        options |= {"application": "disease_diagnosis", "model": model, "refit": False}
        *_, answers = train_task(samples, splits, {"features": features}, options, 1, [])
        return answers

    both = held_out(ensemble | balanced, baselines={"dnn": {"model": dnn}})
    assert len(fits) == 1
    member = both[both["model"] == "dnn"].reset_index(drop=True)
    by_itself = held_out(dnn).query("model == 'model'").assign(model="dnn")
    pd.testing.assert_frame_equal(member, by_itself.reset_index(drop=True))


@pytest.mark.parametrize(
    ("kind", "whole", "baseline"),
    [
        ("residues", {}, {}),  # a member answers a sample, a CNN alone a residue
        ("binary", {"search": {"class_weight": [None, "balanced"]}}, {}),
        ("binary", {"preprocess": {"select": 3}}, {}),
        ("binary", {}, {"search": {"epochs": [1, 2]}}),
        ("binary", {}, {"parameters": {"epochs": 2}}),
    ],
)
def test_another_baseline_is_no_member(kind, whole, baseline):
    _, features = table()
    cnn = Recipe(features, "cnn", {"epochs": 3}, {}, {})
    members = [{"name": "kernel"}, {"name": "cnn", "epochs": 3}]
    ensemble = Recipe(features, "ensemble", {"of": members}, {}, {})
    assert member_of(ensemble, cnn, get_kind("binary")) == 1
    changed = replace(ensemble, **whole), replace(cnn, **baseline)
    assert member_of(*changed, get_kind(kind)) is None


def test_an_unknown_parameter_is_named():
    samples, features = table()
    labels = encode_labels(samples, get_kind("binary"))
    recipe = Recipe(features, "logistic_regression", {"depth": 3}, {}, {})
    with pytest.raises(
        DataError, match="Unknown parameter 'depth' of the model logistic_regression"
    ):
        train(samples, partition(samples), labels, {"model": recipe}, seed=1)


def test_missing_values_are_filled_from_training_rows():
    samples, features = table()
    X = features.X.copy()
    X[::7, 1] = np.nan
    fitted, _ = fit_once(samples, Features(features.sample_id, X, features.names, "table"))
    empty = np.full((1, 5), np.nan, dtype=np.float32)
    assert np.isfinite(fitted.scores(empty)).all()


def test_only_a_model_that_takes_tables_sees_categories_and_gaps(tmp_path):
    samples, features = patients()
    y = (samples["label"] == "yes").to_numpy().astype(np.int64)
    whole = Preprocess.fit(features.X, y, {}, takes=("table", "vectors"))
    filled = Preprocess.fit(features.X, y, {}, takes=("vectors",)).transform(features.X)
    seen = whole.transform(features.X)
    assert seen.columns == features.X.columns == ("age", "site", "marker")
    assert np.array_equal(seen.values[:, 1], features.X.values[:, 1], equal_nan=True)
    assert np.array_equal(np.isnan(seen.values), np.isnan(features.X.values))
    assert np.array_equal(seen.values[:, 0], filled[:, 0])
    assert np.isfinite(filled).all()
    assert filled.shape[1] == 8
    # what novelty looks at is the same
    assert np.array_equal(vectors(seen), filled)
    assert np.array_equal(vectors(seen[y == 1]), filled[y == 1])
    whole.save(tmp_path)
    again = Preprocess.load(tmp_path).transform(features.X)
    assert np.array_equal(again.values, seen.values, equal_nan=True)
    assert np.array_equal(vectors(again), filled)


def test_vectors_are_no_table():
    samples, features = patients()
    y = (samples["label"] == "yes").to_numpy().astype(np.int64)
    whole = Preprocess.fit(features.X, y, {}, takes=("table",))
    with pytest.raises(DataError, match="trained on a table, the features are vectors"):
        whole.transform(features.X.dense())


def test_a_column_is_selected_with_any_of_its_categories():
    samples, features = patients()
    y = (samples["label"] == "yes").to_numpy().astype(np.int64)
    seen = Preprocess.fit(features.X, y, {"select": 1}, takes=("table",)).transform(features.X)
    assert seen.columns == ("site",)
    assert seen.categories == (tuple("abcdef"),)
    assert vectors(seen).shape[1] == 1


@pytest.mark.slow
def test_a_table_of_whole_numbers_is_answered_as_vectors_are():
    samples, features = table()
    size = features.X.shape[1]
    whole = Table(features.X, tuple(features.names), ((),) * size, np.ones(size, np.float32))
    labels = encode_labels(samples, get_kind("binary"))
    for search in ({}, {"max_iter": [5, 20]}):
        answers = [
            train(
                samples,
                partition(samples),
                labels,
                {"model": Recipe(given, "gradient_boosting", {}, {}, search)},
                seed=1,
            )[1]
            for given in (features, replace(features, X=whole))
        ]
        pd.testing.assert_frame_equal(*answers)


@pytest.mark.parametrize("model", ["naive", "logistic_regression", "svm", "category_mean"])
def test_models_for_vectors_see_the_dissolved_table(model):
    samples, features = patients()
    labels = encode_labels(samples, get_kind("binary"))
    answers = [
        train(samples, partition(samples), labels, {"model": Recipe(f, model, {}, {}, {})}, seed=1)[
            1
        ]
        for f in (features, replace(features, X=features.X.dense()))
    ]
    pd.testing.assert_frame_equal(*answers)


def test_features_that_all_are_constant_are_refused():
    samples, features = table()
    constant = Features(features.sample_id, np.ones_like(features.X), features.names, "table")
    with pytest.raises(DataError, match="No feature varies"):
        fit_once(samples, constant)


@pytest.mark.parametrize("classes", [True, False])
def test_selection_is_that_of_scikit_learn(classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 12))
    y = rng.integers(0, 3, 40) if classes else X[:, 3] + rng.normal(size=40)
    test = f_classif if classes else f_regression
    expected = SelectKBest(test, k=4).fit(X, y).get_support(indices=True)
    np.testing.assert_array_equal(Preprocess.fit(X, y, {"select": 4}).support, expected)


def test_selection_takes_what_tells_most_of_any_label():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 9))
    y = (X[:, [2, 7]] > 0).astype(float)
    y[:20, 0] = np.nan
    few = np.full((60, 1), np.nan)
    few[:4, 0] = [0, 1, 0, 1]  # whatever a label of four rows says by chance
    y = np.hstack([y, few])
    assert Preprocess.fit(X, y, {"select": 2}).support.tolist() == [2, 7]


def test_the_signature_is_of_the_rows_that_were_learnt():
    samples, features = table()
    samples["site"] = ["north"] * 100 + ["south"] * 20  # train are the first 70 rows
    options = {"application": "disease_diagnosis", "model": {"name": "logistic_regression"}}
    fitted, scored, _ = train_task(
        samples, partition(samples), {"features": features}, options, seed=1, inputs=[]
    )
    assert scored.settings["signature"] == {"site": {"type": "category", "values": ["north"]}}
    assert fitted.settings["signature"]["site"]["values"] == ["north", "south"]


def test_rows_of_unknown_outcome_are_neither_right_nor_wrong():
    """Of a patient the outcome of the arm that was given is known; here of a third of none."""
    rng = np.random.default_rng(0)
    raw, y = rng.normal(size=(60, 2)), np.full((60, 2), np.nan)
    y[:40, 0] = raw[:40, 0] + rng.normal(size=40)
    answers = SimpleNamespace(kind=get_kind("arms"), calibration=Calibration())
    wrong = _wrong(answers, Answered(raw, y, None))
    assert wrong[:40].sum() == 20
    assert np.isnan(wrong[40:]).all()
    fitted, _ = fit_once(*table())
    X = rng.normal(size=(60, 5)).astype(np.float32)
    X[40:] *= 100  # further than all whose outcome is known
    novelty = replace(fitted.novelty, separates=np.array([np.nan]))
    measured = novelty.measured(X, wrong).separates
    assert measured == novelty.measured(X[:40], wrong[:40]).separates
    assert np.isfinite(measured)
    few = np.where(np.arange(60) < 3, wrong, np.nan)
    assert np.isnan(novelty.measured(X, few).separates)


def test_valid_rows_of_no_weight_stop_nothing(monkeypatch):
    """Their labels cannot be learnt: they would tell when a model forgets most."""
    samples, features = table()
    weight = np.where(np.arange(len(samples)) % 5 == 0, 0.0, 1.0)
    labels = encode_labels(samples.assign(sample_weight=weight), get_kind("binary"))
    model = get_model("logistic_regression")
    shown = {}

    def look(self, X, y, X_valid, y_valid, **options):
        shown.update(rows=X_valid, labels=y_valid)
        return plain(self, X, y, X_valid, y_valid, **options)

    plain = model.fit
    monkeypatch.setattr(model, "fit", look)
    rows = {"train": np.arange(60), "valid": np.arange(60, 95), "test": np.arange(95, 100)}
    part = Partition(0, 0, rows, np.arange(len(samples)))
    recipe = Recipe(features, "logistic_regression", {}, {}, {})
    fit(recipe, labels, part, samples, 1)
    assert len(shown["rows"]) == len(shown["labels"]) == 28
    assert np.array_equal(shown["labels"], labels.y[60:95][weight[60:95] > 0])


def test_a_fold_that_tells_nothing_does_not_end_a_search():
    """Of times to an event: one without any has no loss."""
    rng = np.random.default_rng(0)
    x, n = rng.normal(size=90), 90
    ids = np.array([f"s{i}" for i in range(n)])
    samples = pd.DataFrame({"sample_id": ids, "group": ids, "label.time": np.exp(1 - x)})
    samples["label.event"] = False
    samples.loc[:5, "label.event"] = True
    labels = encode_labels(samples, get_kind("survival"))
    features = Features(ids, x[:, None].astype(np.float32), np.array(["x"]), "table")
    recipe = Recipe(features, "decision_tree", {"trees": 5}, {}, {"depth": [1, 2]})
    rows = {"train": np.arange(70), "valid": np.arange(70, 90)}
    units = np.r_[np.zeros(30), np.ones(30), np.full(10, 2), np.full(20, 9)].astype(int)
    fitted = fit(recipe, labels, Partition(0, 0, rows, units=units), samples, seed=1)
    assert fitted.parameters["depth"] in (1, 2)
