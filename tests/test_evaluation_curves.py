"""The plot tables are small, aggregated and true to the predictions."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from bioloom.evaluation.curves import (
    calibration,
    confusion,
    metric_by_distance,
    per_class,
    precision_recall,
    predicted_observed,
    roc,
)
from bioloom.evaluation.intervals import draw_groups
from bioloom.kinds import HeldOut, TestSet, get_kind

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


def rows_of(y, call, p, weight=None) -> HeldOut:
    place = np.arange(len(y))
    ids = np.array([f"s{i}" for i in place])
    return HeldOut(0, np.zeros(len(y), int), ids, place, y, call, p, weight=weight)


def test_similarities_that_many_rows_share_have_fewer_bins():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 102), rng.random(102)
    rows = rows_of(y, (p > 0.5).astype(int), np.column_stack([1 - p, p]))
    near = pd.DataFrame({"repeat": 0, "fold": 0, "sample_id": rows.sample_id})
    near["similarity"] = np.repeat([0, 0.5, 1], [21, 71, 10])
    test = TestSet({"model": [rows]}, ["a", "b"], 102)
    found = metric_by_distance(test, get_kind("binary"), "auroc", draw_groups(102, 20, 0), near)
    assert found["n"].sum() == 102


def test_a_class_that_is_called_but_in_no_test_row_has_a_precision():
    y = np.repeat([0, 1], 30)
    call = np.r_[2, y[1:]]
    test = TestSet({"model": [rows_of(y, call, np.full((60, 3), 1 / 3))]}, ["E", "H", "I"], 60)
    found = per_class(test, draw_groups(60, 20, 0)).set_index(["class", "metric"])["value"]
    assert found["I", "precision"] == 0
    assert np.isnan(found["I", "recall"])


def test_curves_count_rows_by_their_weights():
    """As rows that are there so many times, such as those who were followed longer."""
    rng = np.random.default_rng(1)
    y, p, times = rng.integers(0, 2, 80), rng.random(80), rng.integers(0, 4, 80)
    both = np.column_stack([1 - p, p])
    weighed = TestSet({"model": [rows_of(y, y, both, times.astype(float))]}, ["a", "b"], 80)
    again = np.repeat(np.arange(80), times)
    repeated = TestSet({"model": [rows_of(y[again], y[again], both[again])]}, ["a", "b"], 80)
    for curve in (calibration, roc, precision_recall):
        expected, found = curve(repeated, np.ones(1)), curve(weighed, np.ones(1))
        numbers = [name for name in found if name not in ("model", "count")]
        np.testing.assert_allclose(found[numbers], expected[numbers])
