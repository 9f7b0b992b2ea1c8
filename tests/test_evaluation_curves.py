"""The plot tables are small, aggregated and true to the predictions."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from bioloom.evaluation.curves import (
    calibration,
    confusion,
    precision_recall,
    predicted_observed,
    roc,
)
from bioloom.kinds import HeldOut, TestSet

DRAWS = np.ones((900, 1), dtype=int)


@pytest.fixture
def test_set() -> TestSet:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 900)
    score = 1 / (1 + np.exp(-rng.normal(2 * y - 1, 1.0)))
    p = np.c_[1 - score, score]
    zeros = np.zeros(900, dtype=int)
    rows = HeldOut(0, zeros, np.arange(900), np.arange(900), y, p.argmax(axis=1), p, zeros)
    return TestSet({"model": [rows], "twin": [rows]}, ["no", "yes"], 900)


def test_curves_enclose_the_area_of_scikit_learn(test_set):
    (rows,) = test_set.models["model"]
    curve = roc(test_set, DRAWS).query("model == 'model'")
    area = np.trapezoid(curve["true_positive_rate"], curve["false_positive_rate"])
    assert area == pytest.approx(roc_auc_score(rows.y, rows.p[:, 1]), abs=0.005)
    curve = precision_recall(test_set, DRAWS).query("model == 'model'")
    area = np.trapezoid(curve["precision"], curve["recall"])
    assert area == pytest.approx(average_precision_score(rows.y, rows.p[:, 1]), abs=0.005)


def test_no_table_has_a_row_a_sample(test_set):
    for table in (
        roc(test_set, DRAWS),
        precision_recall(test_set, DRAWS),
        calibration(test_set, DRAWS),
    ):
        assert table.groupby("model").size().max() <= 200
        assert list(table["model"].unique()) == ["model", "twin"]
    values = np.random.default_rng(0).normal(size=(2, 900))
    (rows,) = test_set.models["model"]
    numbers = HeldOut(0, rows.fold, rows.sample_id, rows.group, values[0], values[1], rows.p[:, :0])
    cells = predicted_observed(TestSet({"model": [numbers]}, [], 900), DRAWS)
    assert cells["count"].sum() == 900
    assert cells["predicted"].nunique() <= 30


def test_calibration_and_confusion_count_every_row_once(test_set):
    (rows,) = test_set.models["model"]
    bins = calibration(test_set, DRAWS).query("model == 'model'")
    assert bins["count"].sum() == 900
    assert np.average(bins["observed"], weights=bins["count"]) == pytest.approx(rows.y.mean())
    table = confusion(test_set, DRAWS).set_index(["observed", "predicted"])["count"]
    assert table["yes", "no"] == ((rows.y == 1) & (rows.call == 0)).sum()
    assert table.sum() == 900
