"""Rows on another scale, or with gaps, and data sets that drifted are told; others are not."""

from __future__ import annotations

import numpy as np
import pytest

from bioloom.fitted.marginals import MOST_COLUMNS, MOST_ROWS, Marginals
from bioloom.fitted.novelty import Novelty
from bioloom.fitted.preprocess import Preprocess

ROWS, COLUMNS = 200, 50


def expression(seed: int, rows: int = ROWS) -> np.ndarray:
    """Raw intensities: each column has a level of its own, and a spread by a factor."""
    level = np.random.default_rng(0).normal(6, 1.5, COLUMNS)
    spread = np.random.default_rng(seed).normal(0, 0.5, (rows, COLUMNS))
    return np.exp(level + spread).astype(np.float32)


@pytest.fixture(scope="module")
def fitted() -> tuple[Preprocess, Marginals, Novelty]:
    X = expression(1)
    preprocess = Preprocess.fit(X, np.zeros(ROWS), {})
    prepared = preprocess.transform(X)
    valid = preprocess.transform(expression(2))
    return preprocess, Marginals.fit(X, prepared, np.arange(ROWS)), Novelty.fit(prepared, valid)


def test_log2_values_are_on_another_scale(fitted):
    preprocess, marginals, _ = fitted
    new = expression(3)
    usual, logarithm = (preprocess.transform(rows) for rows in (new, np.log2(new + 1)))
    assert marginals.another_scale(logarithm).all()
    assert marginals.another_scale(usual).mean() < 0.05
    assert marginals.another_scale(preprocess.transform(1000 * new)).all()


def test_rows_that_lack_far_more_than_any_training_row_are_told():
    X = expression(1)
    X[:, 0] = np.nan
    X[0, :10] = np.nan
    marginals = Marginals.fit(X, np.nan_to_num(X), np.arange(ROWS))
    new = expression(2, rows=3)
    new[1, :14] = np.nan
    new[2, :16] = np.nan
    assert list(marginals.lacking(new)) == [False, False, True]


@pytest.mark.slow
@pytest.mark.parametrize("rows", [20, 200])
def test_data_of_the_same_kind_do_not_drift_more_often_than_promised(fitted, rows):
    preprocess, marginals, _ = fitted
    alarms = [
        (marginals.drift(preprocess.transform(expression(seed, rows)), np.arange(rows))[1] <= 0.05)
        for seed in range(10, 40)
    ]
    assert np.mean([alarm.any() for alarm in alarms]) <= 0.1


def test_a_shift_of_one_column_is_drift_of_that_column(fitted):
    preprocess, marginals, _ = fitted
    new = expression(3)
    new[:, 7] *= 2
    distance, p = marginals.drift(preprocess.transform(new), np.arange(ROWS))
    assert distance.argmax() == 7
    assert list(np.flatnonzero(p <= 0.05)) == [7]


def test_rows_of_few_groups_tell_less(fitted):
    preprocess, marginals, _ = fitted
    new = preprocess.transform(expression(3) * 1.3)
    alone, together = (marginals.drift(new, np.arange(ROWS) // size)[1] for size in (1, 40))
    assert alone.min() < 1e-3 < together.min()


def test_rows_of_one_group_weigh_as_one_in_both_data_sets():
    def cohort(seed: int, large: int) -> tuple[np.ndarray, np.ndarray]:
        """20 patients with a level each: one of many rows, the others of one."""
        rng = np.random.default_rng(seed)
        group = np.r_[np.zeros(large, int), np.arange(1, 20)]
        level = rng.normal(size=(20, COLUMNS))[group]
        return (level + 0.1 * rng.normal(size=level.shape)).astype(np.float32), group

    alarms = []
    for seed in range(30):
        (train, known), (new, groups) = cohort(seed, 100), cohort(100 + seed, 100)
        marginals = Marginals.fit(train, train, known)
        assert marginals.groups == 20
        alarms.append((marginals.drift(new, groups)[1] <= 0.05).any())
    assert np.mean(alarms) <= 0.1
    moved = cohort(0, 1)[0] + 3
    assert (marginals.drift(moved, np.arange(20))[1] <= 0.05).all()


def test_groups_are_those_of_the_rows_looked_at():
    X = np.zeros((3 * MOST_ROWS, 2), dtype=np.float32)
    assert Marginals.fit(X, X, np.arange(len(X))).groups == MOST_ROWS


def test_of_many_columns_some_tell_the_scale():
    X = np.random.default_rng(1).gamma(3, size=(50, 3 * MOST_COLUMNS)).astype(np.float32)
    marginals = Marginals.fit(X, X, np.arange(50))
    assert np.array_equal(marginals.quantiles[0], np.sort(X, axis=0)[0])
    assert marginals.another_scale(np.log2(X)).all()
    assert marginals.another_scale(X).mean() < 0.1


def test_what_is_saved_tells_the_same(fitted, tmp_path):
    preprocess, marginals, _ = fitted
    marginals.save(tmp_path)
    loaded, new = Marginals.load(tmp_path), preprocess.transform(expression(3))
    assert np.array_equal(loaded.another_scale(new), marginals.another_scale(new))
    assert np.array_equal(loaded.drift(new, np.arange(ROWS)), marginals.drift(new, np.arange(ROWS)))
    assert Marginals.load(tmp_path / "none") is None


@pytest.mark.parametrize(("sign", "is_reason"), [(1, True), (-1, False)])
def test_distance_is_a_reason_where_it_tells_wrong_answers(fitted, sign, is_reason):
    preprocess, _, novelty = fitted
    valid = preprocess.transform(expression(4))
    distance = sign * novelty.distance(valid)
    measured = novelty.measured(valid, distance > np.median(distance))
    assert measured.is_reason == is_reason
    few = novelty.measured(valid, np.arange(ROWS) < 5)
    assert np.isnan(few.separates[0])
    assert few.is_reason
