"""Thresholds by a rule, against trying all of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score

from bioloom.kinds import Labels, Learnt, encode_labels, get_kind, is_balanced
from bioloom.kinds._threshold import check_threshold, choose_threshold
from bioloom.pipeline.check import task_mistakes
from bioloom.training.recipe import Recipe
from bioloom.training.train import train
from tests.toys import LOGISTIC, partition, refused, table


def valid(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities with ties, and classes."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(int)
    return np.round(1 / (1 + np.exp(-rng.normal(2 * y - 1.5, 1.2))), 2), y


def youden(y, call):
    return recall_score(y, call) + recall_score(1 - y, 1 - call) - 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("rule", "score"), [("f1", f1_score), ("accuracy", accuracy_score), ("youden", youden)]
)
def test_a_rule_finds_the_best_of_all_thresholds(rule, score, seed):
    p, y = valid(seed=seed)
    chosen = choose_threshold(rule, p, y, 0.3)
    tried = [score(y, p >= threshold) for threshold in [*np.unique(p)]]
    assert score(y, p >= chosen) == pytest.approx(max(tried))


@pytest.mark.parametrize("limit", [0.5, 0.9, 1.0])
def test_the_highest_threshold_that_is_sensitive_enough(limit):
    p, y = valid()
    chosen = choose_threshold(f"sensitivity>={limit}", p, y, 0.3)
    assert recall_score(y, p >= chosen) >= limit
    above = np.unique(p[p >= chosen])
    assert all(recall_score(y, p > threshold) < limit for threshold in above)
    chosen = choose_threshold(f"specificity >= {limit}", p, y, 0.3)
    assert recall_score(1 - y, p < chosen) >= limit
    lower = p[p < chosen].max()
    assert recall_score(1 - y, p < lower) < limit


def test_a_number_is_itself_and_balanced_the_share_in_training():
    p, y = valid()
    assert choose_threshold(0.2, p, y, 0.3) == 0.2
    assert choose_threshold("balanced", p, y, 0.3) == 0.3


def test_nobody_is_called_where_that_is_right_most_often():
    positive, y = np.linspace(0.9, 0.1, 100), np.zeros(100, int)
    y[[1, 3, 50]] = 1
    assert (positive >= choose_threshold("accuracy", positive, y, 0.03)).sum() == 0


@pytest.mark.parametrize("rule", ["f1", "accuracy", "youden", "sensitivity>=0.9"])
def test_rows_that_tell_nothing_leave_a_half(rule):
    assert choose_threshold(rule, np.full(10, 0.3), np.array([1, 1, 1] + [0] * 7), 0.3) == 0.5
    assert choose_threshold(rule, np.linspace(0, 1, 10), np.ones(10, int), 0.3) == 0.5


def test_what_is_no_rule_is_refused():
    refused(lambda: check_threshold("f2"), "'f2' as `threshold`.*f1")
    refused(lambda: check_threshold("precision>=0.9"), "sensitivity>=")
    refused(lambda: check_threshold("sensitivity>=x"), "No number behind >=")
    for wrong in (0, 1.5, "sensitivity>=90"):
        refused(lambda wrong=wrong: check_threshold(wrong), "above 0 and below 1")
    for right in (0.3, "f1", "balanced", "sensitivity>=0.9", "specificity >= 0.8"):
        check_threshold(right)


def test_a_class_is_called_from_a_half_unless_the_task_says_otherwise():
    samples, features = table(n=200)
    recipes = {"model": Recipe(features=features, **LOGISTIC)}
    splits = partition(samples, 120, 40)
    for said, threshold in ((None, 0.5), (0.2, 0.2)):
        known = encode_labels(samples, get_kind("binary"), threshold=said)
        fitted, held_out = train(samples, splits, known, recipes, seed=1)
        assert fitted.calibration.threshold == threshold
        assert ((held_out["p.yes"] >= threshold) == (held_out["prediction"] == "yes")).all()


def test_only_what_is_called_by_a_threshold_takes_one(tmp_path, monkeypatch):
    samples = table(classes=("a", "b"))[0]
    many = samples.assign(label=[f"c{i % 3}" for i in range(len(samples))])
    refused(
        lambda: encode_labels(many, get_kind("multiclass"), threshold=0.3), "is for two classes"
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("id,label\na,1\n")
    task = {
        "application": "disease_diagnosis",
        "datasets": {"training": {"clinical": "x.csv"}},
        "threshold": "f3",
    }
    assert "threshold: " in "".join(task_mistakes("x", task))
    assert task_mistakes("x", task | {"threshold": "sensitivity>=0.9"}) == []


def test_a_model_of_balanced_classes_is_told_as_one_of_equal_shares():
    """At the share that is told later its probabilities are right."""
    rng = np.random.default_rng(0)
    y = (rng.random(4000) < 0.06).astype(int)
    logit = 1.5 * (rng.normal(size=4000) + 1.5 * y) - 1.125  # of equal classes
    raw = np.column_stack([1 / (1 + np.exp(logit)), 1 / (1 + np.exp(-logit))])
    kind = get_kind("binary")
    labels = Labels(kind, y, ["no", "yes"], threshold="balanced")
    fitted = kind.calibrate(raw, y, labels, Learnt(y, None, balanced=True))
    assert (fitted.share, fitted.threshold) == (0.5, 0.5)
    assert fitted.temperature == pytest.approx(1, abs=0.15)
    call = kind.decide(kind.scores(raw, fitted), fitted)
    assert 0.6 < call[y == 1].mean() < 0.95
    assert 0.6 < 1 - call[y == 0].mean() < 0.95
    there = kind.at_prior(fitted, 0.06, "balanced")
    assert kind.scores(raw, there)[:, 1].mean() == pytest.approx(y.mean(), rel=0.15)


def test_an_ensemble_is_balanced_where_all_of_its_members_are():
    balanced = {"class_weight": "balanced"}
    assert is_balanced(balanced)
    assert is_balanced(balanced | {"of": [{"name": "svm"}, {"name": "dnn"}]})
    assert is_balanced({"of": [{"name": "svm"} | balanced]})
    assert not is_balanced({"of": [{"name": "svm"} | balanced, {"name": "dnn"}]})
    assert not is_balanced({})
