"""Every model keeps the contract: it learns, repeats, is saved and bears awkward data.

The tests run over the registry, so a new model is tested when its file is there.
"""

import ast
import inspect
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import bioloom.models
from bioloom.arrays import Ragged, Table
from bioloom.errors import DataError
from bioloom.files import write_skops
from bioloom.kinds import get_kind
from bioloom.metrics.survival import concordance
from bioloom.models import check_parameters, get_model, model_names, parameters_of
from bioloom.progress import JOB
from tests.toys import patients

KINDS = ["binary", "multiclass", "value", "targets", "multilabel", "survival"]
CLASSES = ("binary", "multiclass")
OUTPUT = {kind: get_kind(kind).output for kind in KINDS}
# Models that are meant to look at no features, or at categories only.
FLOORS = {"naive", "category_mean", "kaplan_meier"}
BINNED = {"bayesian_network", "binned_regression"}
# Models of pairs of nodes: tests/test_models_links.py.
LINKS = {"gnn", "degree", "neighbours", "pair_kernel", "target_kernel"}
PAIRS = {"distance_cnn", "separation"}  # tests/test_kinds_residue_pairs.py
IMAGES = {"pileup_cnn", "posterior"}  # tests/test_kinds_genotypes.py
# Models of one-hot letters: tests/test_models_sequence_kernel.py.
SEQUENCES = {"sequence_kernel"}
VARIANTS = {"nearby_mean", "variant_kernel"}  # tests/test_models_variants.py
LETTERS = {"as_read", "denoising_autoencoder", "spectrum"}  # test_applications_genome_assembly.py
ELSEWHERE = LINKS | PAIRS | IMAGES | LETTERS | SEQUENCES | VARIANTS
TABLES = [name for name in model_names() if name not in ELSEWHERE]
LEARNERS = [name for name in TABLES if name not in FLOORS]
CLASSIFIERS = [name for name in TABLES if "classes" in get_model(name).gives]
ROWS = 200
TIMES = [5.0, 10.0, 20.0]


def dense(rows: int = ROWS, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 6)).astype(np.float32)


def ragged(rows: int = ROWS, seed: int = 0) -> Ragged:
    """1 to 9 tokens an item; what it is about is the mean of its tokens."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 10, rows)
    noise = rng.normal(size=(lengths.sum(), 6))
    values = np.repeat(dense(rows, seed), lengths, axis=0) + 0.3 * noise
    return Ragged(values.astype(np.float16), np.concatenate([[0], np.cumsum(lengths)]))


def tabular(rows: int = ROWS, seed: int = 0) -> Table:
    """The numbers of `dense`, one of them as a category without order, some of them missing."""
    values = dense(rows, seed)
    place = np.searchsorted([-1, -0.5, 0, 0.5, 1], values[:, 1])
    values[:, 1] = np.array([3, 0, 5, 1, 4, 2])[place]
    values[np.random.default_rng(seed).random(values.shape) < 0.03] = np.nan
    categories = tuple(tuple("abcdef") if i == 1 else () for i in range(6))
    return Table(values, tuple("uvwxyz"), categories, np.ones(6, dtype=np.float32))


def labels(signal: np.ndarray, kind: str) -> tuple[np.ndarray, int]:
    """Labels of a kind that follow the first columns of `signal`, and the number of outputs."""
    if kind == "binary":
        return (signal[:, 0] + signal[:, 1] > 0).astype(np.int64), 2
    if kind == "multiclass":
        return signal[:, :3].argmax(axis=1), 3
    if kind == "survival":
        rng = np.random.default_rng(2)
        seen, end = (rng.exponential(15, len(signal)) for _ in range(2))
        seen = seen * np.exp(2 * signal[:, 0])
        y = np.column_stack([np.full(len(signal), -np.inf), np.minimum(seen, end), seen <= end])
        return y.astype(float), len(TIMES)
    if kind == "value":
        return 50 + 10 * signal[:, 0].astype(float), 1
    targets = signal[:, :4].astype(float) * [1, 10, 100, 1] + 5
    if kind == "multilabel":
        targets = (targets > 5).astype(float)
    targets[np.random.default_rng(1).random(targets.shape) < 0.2] = np.nan
    return targets, 4


def build(name: str, kind: str, n_outputs: int, seed: int = 1, epochs: int = 15, **parameters):
    model = get_model(name)
    if "epochs" in inspect.signature(model).parameters:
        parameters = {"epochs": epochs, "learning_rate": 5e-3, **parameters}
    if name == "ensemble":
        parameters = {"of": [{"name": "kernel"}, {"name": "gradient_boosting"}], **parameters}
    if name == "cnn":
        parameters = {"width": 16, "layers": 2, **parameters}
    if name == "decision_tree":  # one alone is coarse
        parameters = {"trees": 100, "min_leaf": 5, **parameters}
    if name == "svm" and kind not in CLASSES:
        parameters = {"C": 100.0, **parameters}
    if kind == "survival":
        parameters["times"] = TIMES
    return model(output=OUTPUT[kind], n_outputs=n_outputs, seed=seed, **parameters)


def answers(model, X) -> np.ndarray:
    predict = model.predict if model.output == "values" else model.predict_proba
    return predict(X)


def inputs_of(name: str) -> list:
    makers = {"tokens": ragged, "table": tabular}
    return [dense, *(make for shape, make in makers.items() if shape in get_model(name).takes)]


def fit(name: str, kind: str, make=dense):
    """A model fitted on a signal that it should find, with fresh rows and their labels."""
    y, n_outputs = labels(dense(), kind)
    model = build(name, kind, n_outputs)
    X_valid, y_valid = make(60, seed=1), labels(dense(60, seed=1), kind)[0]
    model.fit(make(), y, X_valid, y_valid)
    return model, make(200, seed=2), labels(dense(200, seed=2), kind)[0]


@cache
def fit_once(name: str, kind: str, make, device: str):
    """The same for tests that change nothing about the model; on each device another."""
    return fit(name, kind, make)


def score(model, X, y: np.ndarray) -> float:
    """Accuracy, concordance, or the median squared correlation over targets."""
    if model.classes:
        return float((answers(model, X).argmax(axis=1) == y).mean())
    if model.labels:
        known = np.isfinite(y)
        return float(((answers(model, X) > 0.5) == y)[known].mean())
    if model.output == "survival":
        return float(concordance(y, 1 - answers(model, X)[:, 1], np.ones((len(y), 1)))[0])
    predicted, y = answers(model, X).reshape(len(y), -1), y.reshape(len(y), -1)
    pairs = zip(predicted.T, y.T, strict=True)
    return float(np.median([np.corrcoef(a[~np.isnan(b)], b[~np.isnan(b)])[0, 1] for a, b in pairs]))


def cases(names):
    return [
        (name, kind, make)
        for name in names
        for kind in KINDS
        for make in inputs_of(name)
        if OUTPUT[kind] in get_model(name).gives
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "make"), cases(LEARNERS))
def test_learns_a_signal(name, kind, make, device):
    model, X, y = fit_once(name, kind, make, device)
    # Of numbers in one bin these models cannot say which is the largest.
    assert score(model, X, y) > (0.7 if name in BINNED and kind == "multiclass" else 0.8)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LEARNERS if name in CLASSIFIERS])
def test_shuffled_labels_give_chance(name):
    """On average: a shuffle may point along the signal, and its opposite then against it."""
    X_new, y_new = dense(200, seed=2), labels(dense(200, seed=2), "binary")[0]
    aurocs = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        y, y_valid = (rng.permutation(labels(X, "binary")[0]) for X in (dense(), dense(60, seed=1)))
        for opposite in (False, True):
            model = build(name, "binary", 2, epochs=5)
            model.fit(dense(), y ^ opposite, dense(60, seed=1), y_valid ^ opposite)
            aurocs.append(roc_auc_score(y_new, answers(model, X_new)[:, 1]))
    assert 0.38 < np.mean(aurocs) < 0.62


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "make"), cases(TABLES))
def test_answers_have_the_shape_and_survive_saving(name, kind, make, device, tmp_path):
    model, X, y = fit_once(name, kind, make, device)
    before = answers(model, X)
    assert before.shape == ((len(y), model.n_outputs) if kind != "value" else (len(y),))
    assert before.dtype == np.float64
    assert np.isfinite(before).all()
    if kind in CLASSES:
        np.testing.assert_allclose(before.sum(axis=1), 1, atol=1e-6)
    if OUTPUT[kind] != "values":
        assert ((before >= 0) & (before <= 1)).all()
    model.save(tmp_path / "model")
    loaded = get_model(name).load(tmp_path / "model")
    np.testing.assert_array_equal(answers(loaded, X), before)
    files = (path for path in (tmp_path / "model").rglob("*") if path.is_file())
    suffixes = {path.suffix for path in files}
    assert suffixes <= {".json", ".safetensors", ".skops"}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_same_seed_gives_the_same_model(name, device):
    make = inputs_of(name)[-1]
    first, X, _ = fit(name, "binary", make)
    np.random.default_rng().normal(size=3)
    second, _, _ = fit(name, "binary", make)
    np.testing.assert_array_equal(answers(first, X), answers(second, X))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "make"), cases(TABLES))
def test_bears_a_constant_column_and_one_valid_row(name, kind, make):
    X = make(40)
    getattr(X, "values", X)[:, 3] = 2
    y, n_outputs = labels(dense(40), kind)
    model = build(name, kind, n_outputs, epochs=2).fit(X, y, X[np.arange(1)], y[:1])
    assert np.isfinite(answers(model, X)).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_bears_no_valid_row_and_no_row_to_predict(name):
    X, none = dense(40), np.zeros(0, np.int64)
    model = build(name, "binary", 2, epochs=2).fit(X, labels(X, "binary")[0], X[:0], none)
    assert answers(model, X[:0]).shape == (0, 2)


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if ragged in inputs_of(name)])
def test_an_item_without_tokens_changes_no_other(name):
    X, (y, n_outputs) = ragged(60), labels(dense(60), "multiclass")
    model = build(name, "multiclass", n_outputs, epochs=2).fit(X, y, X, y)
    lengths = np.concatenate([X.lengths[:5], [0], X.lengths[5:]])
    holed = Ragged(X.values, np.concatenate([[0], np.cumsum(lengths)]))
    with_hole = answers(model, holed)
    assert np.isfinite(with_hole).all()
    np.testing.assert_allclose(np.delete(with_hole, 5, axis=0), answers(model, X), atol=1e-5)


@pytest.mark.parametrize("name", [n for n in CLASSIFIERS if ragged not in inputs_of(n)])
def test_a_model_for_vectors_takes_the_mean_of_tokens(name):
    X, y = ragged(40), labels(dense(40), "binary")[0]
    model = build(name, "binary", 2, epochs=2).fit(X, y, X, y)
    np.testing.assert_allclose(answers(model, X), answers(model, X.mean()))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name != "category_mean"])
def test_a_label_that_all_rows_have_or_none_is_borne(name):
    X, (y, n_outputs) = dense(40), labels(dense(40), "multilabel")
    y[:, 0], y[:, 1], y[:, 2] = 1, 0, np.nan
    p = answers(build(name, "multilabel", n_outputs).fit(X, y, X[:0], y[:0]), X)
    assert np.isfinite(p).all()
    assert p[:, 0].mean() > p[:, 1].mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["logistic_regression", "gradient_boosting", "random_forest"])
def test_each_target_is_fitted_by_itself_on_its_known_rows(name):
    X, (y, n_outputs) = dense(60), labels(dense(60), "targets")
    y[:, 3] = np.nan
    together = build(name, "targets", n_outputs).fit(X, y, X, y).predict(X)
    np.testing.assert_array_equal(together[:, 3], 0)
    for target in range(3):
        rows = np.isfinite(y[:, target])
        alone = build(name, "value", 1).fit(X[rows], y[rows, target], X[:0], y[:0, 0])
        np.testing.assert_allclose(together[:, target], alone.predict(X))


@pytest.mark.parametrize("name", ["logistic_regression", "gradient_boosting"])
def test_a_single_target_is_one_value(name):
    X, (y, _) = dense(40), labels(dense(40), "targets")
    y = y[:, :1].copy()
    y[5] = np.nan
    model = get_model(name)(output="values", n_outputs=1, seed=1).fit(X, y, X, y)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("name", model_names())
def test_every_parameter_is_named_and_has_a_default(name):
    parameters = inspect.signature(get_model(name)).parameters
    assert list(parameters)[:5] == ["output", "n_outputs", "seed", "unit", "times"]
    for parameter in list(parameters.values())[5:]:
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default is not parameter.empty


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LEARNERS if name in CLASSIFIERS])
def test_balanced_classes_raise_the_rare_class(name):
    X, (y, _) = dense(), labels(dense() - 0.8, "binary")
    plain, balanced = (
        build(name, "binary", 2, class_weight=weight).fit(X, y, X[:60], y[:60])
        for weight in (None, "balanced")
    )
    assert (answers(balanced, X)[:, 1] - answers(plain, X)[:, 1]).mean() > 0


@pytest.mark.slow
def test_lists_the_modules_that_define_a_model():
    folder = Path(bioloom.models.__file__).parent
    trees = {path.stem: ast.parse(path.read_text()) for path in folder.glob("*.py")}
    defining = [
        name
        for name, tree in trees.items()
        if any(isinstance(node, ast.ClassDef) and node.name == "Model" for node in tree.body)
    ]
    assert model_names() == sorted(defining)


def test_an_unknown_name_gives_the_known_ones():
    with pytest.raises(DataError, match="Unknown model 'svn'. Hint: did you mean 'svm'"):
        get_model("svn")
    with pytest.raises(DataError, match="known: as_read, .*dnn"):
        get_model("qqq")


@pytest.mark.parametrize(
    ("model", "parameters", "message"),
    [
        ("dnn", {"learning_rate": "1e-3"}, "number of 0 or more, got '1e-3'. Hint: .*1.0e-3"),
        ("dnn", {"epochs": -3}, "epochs of the model dnn is a whole number above 0, got -3"),
        ("dnn", {"epochs": "many"}, "got 'many'"),
        ("dnn", {"epochs": 2.5}, "whole number"),
        ("dnn", {"dropout": 2}, "a share from 0 to 1"),
        ("svm", {"C": -1}, "number of 0 or more"),
        ("svm", {"kernel": "poly"}, "rbf or linear, got 'poly'"),
        ("svm", {"gamma": True}, "a number of 0 or more or scale"),
        ("svm", {"class_weight": "balance"}, "balanced or null"),
    ],
)
def test_an_impossible_value_of_a_parameter_is_named(model, parameters, message):
    with pytest.raises(DataError, match=message):
        check_parameters(model, parameters)


def test_possible_values_of_parameters_are_taken():
    check_parameters("svm", {"C": 1, "gamma": "scale", "class_weight": None, "kernel": "linear"})
    check_parameters("dnn", {"dropout": 0, "epochs": 3, "learning_rate": 1e-3})


@pytest.mark.parametrize("name", model_names())
def test_each_default_is_a_possible_value(name):
    model = get_model(name)(output="classes", n_outputs=2, seed=1)
    check_parameters(
        name, {parameter: getattr(model, parameter) for parameter in parameters_of(name)}
    )


def test_a_shared_module_is_no_model():
    with pytest.raises(DataError, match="Unknown model"):
        get_model("_network")


@pytest.mark.slow
def test_parameters_are_known_without_torch_and_scikit_learn():
    code = (
        "import sys; from bioloom.models import model_names, parameters_of; "
        "assert all(parameters_of(name) is not None for name in model_names()); "
        "assert not {'torch', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_naive_gives_frequencies_and_means_of_the_measured():
    model = build("naive", "binary", 2).fit(dense(4), np.array([0, 1, 1, 1]), dense(1), [0])
    np.testing.assert_allclose(model.predict_proba(dense(2)), [[0.25, 0.75]] * 2)
    y = np.array([[1.0, np.nan], [3.0, np.nan]])
    model = build("naive", "targets", 2).fit(dense(2), y, dense(2), y)
    np.testing.assert_allclose(model.predict(dense(1)), [[2.0, 0.0]])


def test_category_means_by_category_else_overall():
    X = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    y = np.array([[1.0, 4.0], [3.0, np.nan], [8.0, np.nan]])
    model = build("category_mean", "targets", 2).fit(X, y, X, y)
    new = np.array([[1, 0], [0, 1], [0, 0]], dtype=np.float32)
    np.testing.assert_allclose(model.predict(new), [[2, 4], [8, 4], [4, 4]])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from(["rbf", "linear"]), st.floats(0.1, 10))
def test_svm_targets_on_one_kernel_equal_a_scikit_learn_loop(seed, kernel, C):
    from sklearn.svm import SVR

    rng = np.random.default_rng(seed)
    X, new = (rng.normal(size=(n, 5)).astype(np.float32) for n in (50, 20))
    Y = X @ rng.normal(size=(5, 3)) + rng.normal(size=(50, 3))
    Y[rng.random(Y.shape) < 0.3] = np.nan
    model = build("svm", "targets", 3, kernel=kernel, C=C, gamma=0.2)
    predicted = model.fit(X, Y, X, Y).predict(new)
    for j in range(3):
        rows = ~np.isnan(Y[:, j])
        spread = Y[rows, j].std()
        peer = SVR(kernel=kernel, C=C, gamma=0.2).fit(X[rows].astype(float), Y[rows, j] / spread)
        expected = peer.predict(new.astype(float)) * spread
        np.testing.assert_allclose(predicted[:, j], expected, atol=1e-9)


def test_svm_binary_decision_equals_scikit_learn():
    from sklearn.svm import SVC

    X, (y, _) = dense(100), labels(dense(100), "binary")
    model = build("svm", "binary", 2, C=3.0).fit(X, y, X, y)
    peer = SVC(C=3.0).fit(X.astype(float), y)
    new = dense(50, seed=5)
    np.testing.assert_allclose(
        model.decision(new)[:, 0], peer.decision_function(new.astype(float)), atol=1e-9
    )


def test_svm_a_target_without_values_gives_zero_and_a_constant_one_itself():
    X = dense(30)
    Y = np.column_stack([np.full(30, np.nan), np.full(30, 7.0), X[:, 0]])
    predicted = build("svm", "targets", 3).fit(X, Y, X, Y).predict(X)
    np.testing.assert_allclose(predicted[:, :2], [[0, 7]] * 30)


def test_svm_too_many_rows_for_a_kernel_are_refused(monkeypatch):
    monkeypatch.setattr("bioloom.models.svm.MOST_ROWS", 39)
    with pytest.raises(DataError, match="40 are too many"):
        build("svm", "binary", 2).fit(dense(40), labels(dense(40), "binary")[0], None, None)


@pytest.mark.slow
def test_boosting_takes_a_column_of_many_categories_as_vectors(monkeypatch, tmp_path):
    monkeypatch.setattr("bioloom.models.gradient_boosting.MOST_CATEGORIES", 1)
    X, y = tabular(), labels(dense(), "binary")[0]
    X = replace(X, values=np.nan_to_num(X.values))
    model = build("gradient_boosting", "binary", 2).fit(X, y, X, y)
    dissolved = build("gradient_boosting", "binary", 2).fit(X.dense(), y, X, y)
    np.testing.assert_array_equal(answers(model, X), answers(dissolved, X.dense()))
    model.save(tmp_path)
    loaded = get_model("gradient_boosting").load(tmp_path)
    np.testing.assert_array_equal(answers(loaded, X), answers(model, X))


@pytest.mark.slow
def test_boosting_damaged_trees_are_refused(tmp_path):
    model, _, _ = fit("gradient_boosting", "binary")
    model.estimators[0]._predictors[0][0].nodes["left"][0] = 10_000
    model.save(tmp_path)
    with pytest.raises(DataError, match="damaged"):
        get_model("gradient_boosting").load(tmp_path)


@pytest.mark.parametrize("kind", ["multiclass", "value"])
def test_a_forest_says_what_that_of_scikit_learn_says(kind):
    from sklearn.ensemble import RandomForestRegressor

    y, n_outputs = labels(dense(), kind)
    model = build("random_forest", kind, n_outputs, n_estimators=20).fit(dense(), y, None, None)
    peer = RandomForestRegressor(20, min_samples_leaf=5, max_features=0.33, random_state=1)
    peer.fit(dense(), np.eye(n_outputs)[y] if kind == "multiclass" else y)
    new = dense(1500, seed=2)  # more than are looked at together
    np.testing.assert_allclose(answers(model, new), peer.predict(new))


def test_a_damaged_tree_of_a_forest_is_refused(tmp_path):
    model, _, _ = fit("random_forest", "binary")
    forest = model.forests[0]
    forest.left[np.flatnonzero(forest.feature >= 0)[5]] = 0  # a circle
    model.save(tmp_path)
    with pytest.raises(DataError, match="damaged"):
        get_model("random_forest").load(tmp_path)


def with_categories():
    """Boosted trees, one that splits by a category, and the place of the split."""
    model, _, _ = fit("gradient_boosting", "binary", tabular)
    trees = [predictors[0] for predictors in model.estimators[0]._predictors]
    tree = next(tree for tree in trees if tree.nodes["is_categorical"].any())
    split = int(np.flatnonzero(tree.nodes["is_categorical"])[0])
    return model, tree, split


def damage_set(model, tree, split):
    tree.nodes["bitset_idx"][split] = 1000


def damage_sets(model, tree, split):
    tree.raw_left_cat_bitsets = tree.raw_left_cat_bitsets[:, :1].copy()


def damage_kind(model, tree, split):
    tree.nodes["feature_idx"][split] = 5  # the category comes first


def damage_known(model, tree, split):
    mapper = model.estimators[0]._bin_mapper
    mapper.is_categorical_ = mapper.is_categorical_[:1]


def damage_encoder(model, tree, split):
    model.estimators[0]._preprocessor.transformers_[1] = (
        "numerical",
        "drop",
        np.zeros(0, dtype=int),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage", [damage_set, damage_sets, damage_kind, damage_known, damage_encoder]
)
def test_boosting_damaged_sets_of_categories_are_refused(tmp_path, damage):
    model, tree, split = with_categories()
    model.save(tmp_path)
    get_model("gradient_boosting").load(tmp_path)
    damage(model, tree, split)
    write_skops(model.estimators, tmp_path / "model.skops")
    with pytest.raises(DataError, match="damaged"):
        get_model("gradient_boosting").load(tmp_path)


def test_boosting_learns_from_a_category_and_from_what_is_missing():
    samples, features = patients(400)
    y = (samples["label"] == "yes").to_numpy().astype(np.int64)
    model = build("gradient_boosting", "binary", 2).fit(features.X, y, features.X[:0], y[:0])
    new, made = patients(400, seed=1)
    truth = new["label"] == "yes"
    assert roc_auc_score(truth, model.predict_proba(made.X)[:, 1]) > 0.85


@pytest.mark.parametrize("name", [n for n in CLASSIFIERS if tabular not in inputs_of(n)])
def test_a_model_for_vectors_takes_the_dissolved_table(name):
    X, y = tabular(40), labels(dense(40), "binary")[0]
    X = replace(X, values=np.nan_to_num(X.values))
    model = build(name, "binary", 2, epochs=2).fit(X, y, X, y)
    np.testing.assert_array_equal(answers(model, X), answers(model, X.dense()))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transformer", "lstm"])
def test_order_of_tokens_matters(name):
    """The same tokens in another order are another class, which no mean could tell."""

    def ordered(rows: int, seed: int) -> tuple[Ragged, np.ndarray]:
        y = np.random.default_rng(seed).integers(0, 2, rows)
        pair = np.eye(2, dtype=np.float32)
        return Ragged(
            np.concatenate([pair[::-1] if c else pair for c in y]), np.arange(rows + 1) * 2
        ), y

    X, y = ordered(200, 0)
    model = build(name, "binary", 2).fit(X, y, *ordered(50, 1))
    assert score(model, *ordered(50, 2)) > 0.95


def test_width_must_be_shared_by_the_heads():
    with pytest.raises(DataError, match="no multiple of heads"):
        build("transformer", "binary", 2, width=65)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=200), st.integers(1, 64))
def test_batches_hold_each_row_once_within_the_budget(lengths, size):
    from bioloom.models._networks import _loop

    offsets = np.concatenate([[0], np.cumsum(lengths)])
    X = Ragged(np.zeros((offsets[-1], 1), dtype=np.float16), offsets)
    batches = _loop.shuffled_batches(X, size, np.random.default_rng(0))
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    for rows in batches:
        assert len(rows) <= size
        assert len(rows) == 1 or len(rows) * X.lengths[rows].max() <= _loop.TOKENS_PER_BATCH


def test_the_weights_of_the_best_epoch_are_kept():
    import torch

    from bioloom.models._networks._loop import EarlyStopping

    network = torch.nn.Linear(1, 1)
    stop = EarlyStopping(network, patience=2)
    for epoch, loss in enumerate([3.0, 1.0, 2.0, 2.0]):
        torch.nn.init.constant_(network.weight, epoch)
        stopped = stop.should_stop(loss, epoch)
    assert stopped
    stop.restore_best()
    assert network.weight.item() == 1


@pytest.mark.slow
def test_training_leaves_the_random_state_of_others_alone():
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit("dnn", "binary")
    torch.testing.assert_close(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


WEIGHTED = [
    name
    for name in ["naive", *LEARNERS]
    if "sample_weight" in inspect.signature(get_model(name).fit).parameters
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["binary", "value"])
@pytest.mark.parametrize("name", WEIGHTED)
def test_rows_of_no_weight_teach_nothing(name, kind):
    """Half of the rows have wrong labels; with weight 0 the signal is found all the same."""
    X, (y, n_outputs) = dense(), labels(dense(), kind)
    wrong = np.arange(ROWS) % 2 == 1
    y = np.where(wrong, 1 - y if kind == "binary" else 500 - 9 * y, y)
    weight = np.where(wrong, 0.0, 2.0)
    clean = labels(dense(60, seed=1), kind)[0]
    model = build(name, kind, n_outputs)
    model.fit(X, y, dense(60, seed=1), clean, sample_weight=weight)
    new, truth = dense(200, seed=2), labels(dense(200, seed=2), kind)[0]
    if name in FLOORS:
        expected = y[~wrong].mean()
        assert answers(model, new)[0 if kind == "value" else (0, 1)] == pytest.approx(expected)
    else:
        assert score(model, new, truth) > 0.75


@pytest.mark.slow
def test_lstm_an_item_does_not_depend_on_its_batch(device):
    model, X, _ = fit("lstm", "value", ragged)
    alone = [answers(model, X[np.array([i])])[0] for i in range(20)]
    tolerance = 1e-5 if device == "cpu" else 0.05  # bf16
    np.testing.assert_allclose(answers(model, X)[:20], alone, rtol=tolerance, atol=1e-3)


def test_lstm_a_stride_that_skips_tokens_is_refused():
    with pytest.raises(DataError, match="skips tokens"):
        build("lstm", "binary", 2, kernel=3, stride=4)


def test_a_label_within_epsilon_is_answered_by_its_intercept():
    X, y = dense(30), np.full(30, 2.0) + 1e-3 * np.arange(30)
    model = get_model("svm")(output="values", n_outputs=1, seed=1, epsilon=5.0)
    model.fit(X, y, X[:0], y[:0])
    assert model.predict(X) == pytest.approx(np.full(30, y.mean()), abs=0.1)


@pytest.mark.parametrize(("kernel", "dilation"), [(5, 1), (5, 8), (4, 3), (1, 2)])
def test_a_convolution_by_one_product_is_that_of_torch(kernel, dilation):
    import torch
    from torch import nn

    from bioloom.models._networks.cnn import Convolution

    ours, x = Convolution(6, kernel, dilation), torch.randn(3, 11, 6)
    expected = nn.Conv1d.forward(ours, x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(ours(x), expected)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_dropout_is_that_of_torch(p, device):
    """Of the drawn values, too, but where torch has another generator for them."""
    import torch
    from torch import nn

    from bioloom.models._networks._dropout import Dropout

    x, given = torch.randn(3, 4001, 5, device=device).transpose(1, 2), []
    for drop in (Dropout(p), nn.Dropout(p)):
        torch.manual_seed(0)
        twice = [drop(x), drop(x)]
        assert torch.equal(*twice) == (p in (0, 1))
        torch.testing.assert_close(drop.eval()(x), x)
        given.append(torch.stack(twice))
    ours, theirs = given
    cpu = Path("/proc/cpuinfo")
    if not cpu.exists() or "GenuineIntel" not in cpu.read_text():
        assert torch.equal(ours, theirs)
    assert (ours == 0).float().mean().item() == pytest.approx(p, abs=0.01)
    assert ours.unique().numel() > 1 or p == 1
    kept = ours != 0
    torch.testing.assert_close(ours[kept], torch.stack([x, x])[kept] / (1 - p))


@pytest.mark.slow
@pytest.mark.parametrize("is_job", [True, False])
def test_a_job_reads_a_saved_model_without_pytorch(is_job, tmp_path):
    """In a user's process skops trusts what it always does."""
    X, y = dense(), np.arange(ROWS) % 2
    model = build("logistic_regression", "binary", 2)
    model.fit(X, y, X, y).save(tmp_path)
    code = (
        "import sys; from pathlib import Path; from bioloom.models import get_model;"
        f"get_model('logistic_regression').load(Path({str(tmp_path)!r}));"
        "from skops.io._trusted_types import SKLEARN_ESTIMATOR_TYPE_NAMES as trusted;"
        "print('torch' in sys.modules, 'sklearn.svm._classes.SVC' in trusted)"
    )
    environment = {k: v for k, v in os.environ.items() if k != JOB} | ({JOB: "x"} if is_job else {})
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, text=True, capture_output=True
    )
    assert done.stdout.split() == [str(not is_job)] * 2


@pytest.mark.parametrize("kind", ["value", "multilabel", "multiclass"])
def test_boosting_a_column_that_no_learnt_row_has_tells_nothing(kind):
    """Measured in a hospital where the label is not known."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3)).astype(np.float32)
    X[:60, 2] = np.nan
    y = X[:, 0] if kind == "value" else X[:, 0] > 0
    targets = np.column_stack([y, y]).astype(float)
    targets[60:, 1] = np.nan
    if kind == "multiclass":
        X[:, 2], targets = np.nan, (X[:, 0] > 0).astype(int)
    model = build("gradient_boosting", kind, 2).fit(X, targets, X[:0], targets[:0])
    other = X.copy()
    other[:, 2] = rng.normal(size=120)
    assert np.isfinite(model._outputs(X)).all()
    np.testing.assert_array_equal(model._outputs(other)[:, 1], model._outputs(X)[:, 1])


def test_a_device_too_small_for_a_network_is_told(monkeypatch):
    import torch

    model, X, _ = fit("dnn", "binary")

    def full(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(DataError, match="Training needs more memory.*lower `model: batch_size`"):
        fit("dnn", "binary")
    with pytest.raises(DataError, match="The model needs more memory than the device has"):
        model.outputs(X)
