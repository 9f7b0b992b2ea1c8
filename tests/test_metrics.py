"""Each metric, at each weighting, equals scikit-learn or SciPy on the rows repeated as weighted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from bioloom.kinds import HeldOut, get_kind, kind_names
from bioloom.metrics.classification import (
    binary_scores,
    high_call_scores,
    multiclass_scores,
)
from bioloom.metrics.coverage import coverage
from bioloom.metrics.regression import regression_scores, target_scores, targets_scores
from bioloom.models import get_model

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=20, deadline=None)  # each is three weightings


def drawn(rng: np.random.Generator, n: int) -> np.ndarray:
    weights = rng.integers(0, 4, (n, 3)).astype(float)
    weights[:, 0] = 1
    return weights


def ece(outcome: np.ndarray, p: np.ndarray) -> float:
    bins = np.minimum(np.floor(p * 10), 9)
    gaps = [abs((outcome - p)[bins == b].mean()) * (bins == b).mean() for b in set(bins)]
    return float(sum(gaps))


@pytest.mark.parametrize("name", kind_names())
def test_a_kind_lists_the_metrics_that_it_scores(name):
    kind = get_kind(name)
    y = np.array([[0.0], [1.0], [0.0]]) if "target" in kind.keys else np.array([0, 1, 0])
    if kind.output == "survival":
        y = np.array([[-np.inf, 3.0, 1.0], [-np.inf, 5.0, 0.0], [-np.inf, 4.0, 1.0]])
    none = np.zeros(3)
    inside = np.ones(y.shape)
    width = {"values": 0, "classes": 2, "labels": 1, "survival": 2}[kind.output]
    p = np.full((3, width), 0.5)
    facts = {name: np.array([0, 1, 0]) > 0 for name in ("found", "indel", "wrong")}
    facts |= {"arm": np.array([0, 1, 0]), "best": np.array([1, 1, 1])}
    facts |= dict.fromkeys(("expected", "levelled", "allowed"), np.ones((3, 2)))
    facts |= dict.fromkeys(("binary", "known", "propensity", "sign"), np.ones(3))
    facts |= {"counted": np.ones(3, bool), "when": np.tile([2.0, 4.0], (3, 1))}
    call = none if kind.output == "survival" else y
    rows = HeldOut(0, none, none, none, y, call, p, inside, threshold=none, facts=facts)
    assert set(kind.score(rows, np.ones((3, 1)))) <= {metric.name for metric in kind.metrics}
    assert kind.primary in {metric.name for metric in kind.metrics}
    assert get_model(kind.floor)


@pytest.mark.slow
@few
@given(seeds)
def test_binary_scores_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    y = np.r_[0, 1, rng.integers(0, 2, 38)]
    score = rng.random(40).round(rng.integers(1, 8))  # few digits: many ties
    p, call = np.c_[1 - score, score], (score > 0.4).astype(int)
    weights = drawn(rng, 40)
    weights[:2] += 1  # both classes are drawn
    scores = binary_scores(y, call, p, weights)
    for b in range(3):
        rows = np.repeat(np.arange(40), weights[:, b].astype(int))
        truth, said, s = y[rows], call[rows], score[rows]
        expected = {
            "accuracy": sk.accuracy_score(truth, said),
            "recall": sk.recall_score(truth, said),
            "precision": sk.precision_score(truth, said, zero_division=0),
            "f1": sk.f1_score(truth, said),
            "auroc": sk.roc_auc_score(truth, s),
            "auprc": sk.average_precision_score(truth, s),
            "mcc": sk.matthews_corrcoef(truth, said),
            "brier": sk.brier_score_loss(truth, s),
            "ece": ece(truth, s),
            "log_loss": sk.log_loss(truth, np.c_[1 - s, s]),
        }
        assert {name: values[b] for name, values in scores.items()} == pytest.approx(expected)


@pytest.mark.slow
@few
@given(seeds)
def test_multiclass_scores_equal_scikit_learn_over_the_classes_present(seed):
    rng = np.random.default_rng(seed)
    y = np.r_[0, 1, rng.choice([0, 1, 3], 48)]  # class 2 never occurs
    p = rng.dirichlet(np.ones(4), 50)
    call, weights = p.argmax(axis=1), drawn(rng, 50)
    weights[:2] += 1
    scores = multiclass_scores(y, call, p, weights)
    for b in range(3):
        rows = np.repeat(np.arange(50), weights[:, b].astype(int))
        truth, said, s = y[rows], call[rows], p[rows]
        labels = np.unique(truth)
        macro = {"labels": labels, "average": "macro", "zero_division": 0}
        expected = {
            "accuracy": sk.accuracy_score(truth, said),
            "recall": sk.recall_score(truth, said, **macro),
            "precision": sk.precision_score(truth, said, **macro),
            "f1": sk.f1_score(truth, said, **macro),
            "auroc": np.mean([sk.roc_auc_score(truth == k, s[:, k]) for k in labels]),
            "auprc": np.mean([sk.average_precision_score(truth == k, s[:, k]) for k in labels]),
            "mcc": sk.matthews_corrcoef(truth, said),
            "brier": sk.brier_score_loss(truth, s, labels=[0, 1, 2, 3]),
            "ece": ece(truth == s.argmax(axis=1), s.max(axis=1)),
            "log_loss": sk.log_loss(truth, s, labels=[0, 1, 2, 3]),
        }
        assert {name: values[b] for name, values in scores.items()} == pytest.approx(expected)


def regression_oracle(truth: np.ndarray, said: np.ndarray) -> dict[str, float]:
    return {
        "spearman": stats.spearmanr(truth, said).statistic,
        "pearson": stats.pearsonr(truth, said).statistic,
        "r2": sk.r2_score(truth, said),
        "rmse": sk.root_mean_squared_error(truth, said),
        "mae": sk.mean_absolute_error(truth, said),
    }


@few
@given(seeds, st.sampled_from([1.0, 1e-6, 1e6]), st.sampled_from([0.0, 1e4]))
def test_regression_scores_equal_scipy_at_any_scale(seed, scale, shift):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=40).round(rng.integers(0, 6))
    y[:2] = -5, 5
    said = y + rng.normal(size=40)
    y, said = scale * (y + shift), scale * (said + shift)
    weights = drawn(rng, 40)
    weights[:2] += 1
    scores = regression_scores(y, said, weights)
    for b in range(3):
        rows = np.repeat(np.arange(40), weights[:, b].astype(int))
        expected = regression_oracle(y[rows], said[rows])
        assert {n: v[b] for n, v in scores.items()} == pytest.approx(expected, rel=1e-5)


def test_targets_take_each_target_alone_and_then_the_median():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(60, 5)) + 10 * np.arange(5)
    y[rng.random(y.shape) < 0.3] = np.nan
    said = np.nan_to_num(y, nan=3.0) + rng.normal(size=y.shape)
    weights = drawn(rng, 60)
    scores = targets_scores(y, said, weights)
    rows = np.repeat(np.arange(60), weights[:, 1].astype(int))
    measured = np.isfinite(y[rows])
    targets = [
        regression_oracle(t[ok], s[ok])
        for t, s, ok in zip(y[rows].T, said[rows].T, measured.T, strict=True)
    ]
    for name in ("spearman", "pearson", "r2", "rmse"):
        median = np.median([target[name] for target in targets])
        assert scores[f"{name}_median"][1] == pytest.approx(median)
    pooled = sk.r2_score(y[rows][measured], said[rows][measured])
    assert scores["r2_pooled"][1] == pytest.approx(pooled)
    assert pooled > 0.95 > scores["r2_median"][1]  # pooled counts the targets' means as skill


def test_a_constant_prediction_ranks_nothing():
    y, p = np.array([0, 1, 0, 1]), np.full((4, 2), 0.5)
    ones = np.ones((4, 1))
    binary = binary_scores(y, np.zeros(4, int), p, ones)
    assert (binary["auroc"], binary["mcc"], binary["precision"]) == (0.5, 0, 0)
    flat = regression_scores(y.astype(float), np.full(4, 0.3), ones)
    assert (flat["spearman"], flat["pearson"]) == (0, 0)


def test_what_the_drawn_rows_do_not_define_is_nan():
    one_class, both = np.array([[1.0, 1], [1, 0], [0, 1]]), np.array([1, 1, 0])
    p = np.array([[0.3, 0.7], [0.4, 0.6], [0.8, 0.2]])
    scores = binary_scores(both, both, p, one_class)
    for name in ("auroc", "mcc"):
        assert np.isnan(scores[name]).tolist() == [True, False]
    assert scores["accuracy"].tolist() == [1, 1]
    values = regression_scores(np.ones(3), np.arange(3.0), np.ones((3, 1)))
    assert np.isnan([values["spearman"], values["pearson"], values["r2"]]).all()
    nothing = target_scores(np.full((3, 1), np.nan), np.ones((3, 1)), one_class)
    assert np.isnan(nothing["rmse"]).all()


def test_coverage_counts_the_truths_inside():
    inside = np.array([[1.0, np.nan], [0.0, 1.0]])
    found = coverage(inside, np.array([[1.0, 0.0], [1.0, 2.0]]))["coverage"]
    np.testing.assert_allclose(found, [2 / 3, 1 / 2])
    assert coverage(np.full(3, np.nan), np.ones((3, 1))) == coverage(None, np.ones((3, 1))) == {}


@pytest.mark.slow
@few
@given(seeds)
def test_high_call_scores_equal_binary_ones_of_the_call(seed):
    rng = np.random.default_rng(seed)
    y, prediction = rng.normal(size=(2, 40)).round(1)
    threshold = np.repeat([0.0, 0.2], 20)
    weights = drawn(rng, 40) * rng.random((40, 1))
    high, call = (v > threshold for v in (y, prediction))
    scores = high_call_scores(y, prediction, threshold, weights)
    for b in range(3):
        options = {"sample_weight": weights[:, b], "zero_division": 0.0}
        assert scores["call_accuracy"][b] == pytest.approx(
            sk.accuracy_score(high, call, sample_weight=weights[:, b])
        )
        for name, peer in {"f1": sk.f1_score, "recall": sk.recall_score}.items():
            assert scores[f"call_{name}"][b] == pytest.approx(peer(high, call, **options))
        assert scores["call_auroc"][b] == pytest.approx(
            sk.roc_auc_score(high, prediction - threshold, sample_weight=weights[:, b])
        )


@few
@given(seeds)
def test_row_weights_that_are_no_counts_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    y, prediction = rng.normal(size=(2, 30))
    weights = rng.random((30, 1)) + 0.1
    scores = regression_scores(y, prediction, weights)
    options = {"sample_weight": weights[:, 0]}
    assert scores["r2"][0] == pytest.approx(sk.r2_score(y, prediction, **options))
    assert scores["mae"][0] == pytest.approx(sk.mean_absolute_error(y, prediction, **options))
