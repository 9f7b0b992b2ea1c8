"""Intervals by group cover, widen where rows repeat, and leave out what is undefined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from bioloom.evaluation.intervals import draw_groups, drawn_scores, interval, paired_interval
from bioloom.kinds import HeldOut, get_kind
from bioloom.metrics import Metric

SHARE, ERROR = Metric("accuracy", "Accuracy"), Metric("rmse", "RMSE", bounded=False)


def held_out(y: np.ndarray, call: np.ndarray, group: np.ndarray, p: np.ndarray) -> HeldOut:
    zeros = np.zeros(len(y), dtype=int)
    return HeldOut(
        0,
        fold=zeros,
        sample_id=np.arange(len(y)),
        group=group,
        y=y,
        call=call,
        p=p,
    )


def of_calls(y: np.ndarray, call: np.ndarray, group: np.ndarray) -> HeldOut:
    return held_out(y, call, group, np.eye(2)[call])


def test_draws_are_whole_groups_and_repeat_with_the_seed():
    draws = draw_groups(7, 50, seed=3)
    assert draws.shape == (7, 51)
    assert (draws[:, 0] == 1).all()
    assert (draws.sum(axis=0) == 7).all()
    assert (draws == draw_groups(7, 50, seed=3)).all()
    assert (draws != draw_groups(7, 50, seed=4)).any()


@pytest.mark.slow
def test_interval_covers_the_true_accuracy_about_95_times_in_100():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        right = rng.random(120) < 0.8
        y = rng.integers(0, 2, 120)
        rows = of_calls(y, np.where(right, y, 1 - y), np.arange(120))
        found = interval(
            drawn_scores([rows], get_kind("binary"), draw_groups(120, 200, trial))["accuracy"],
            120,
            SHARE,
        )
        covered += found["low"] <= 0.8 <= found["high"]
    assert 0.89 <= covered / 200 <= 0.99


def test_repeated_rows_do_not_narrow_the_interval():
    rng = np.random.default_rng(1)
    y, call = rng.integers(0, 2, (2, 60))
    copies = [np.repeat(values, 9) for values in (y, call)]

    def width(rows: HeldOut, groups: int) -> float:
        draws = draw_groups(groups, 300, 0)
        found = interval(drawn_scores([rows], get_kind("binary"), draws)["accuracy"], groups, SHARE)
        return found["high"] - found["low"]

    once = width(of_calls(y, call, np.arange(60)), 60)
    by_group = width(of_calls(*copies, np.repeat(np.arange(60), 9)), 60)
    by_row = width(of_calls(*copies, np.arange(540)), 540)
    assert by_group == pytest.approx(once)
    assert by_row < 0.5 * by_group


def test_repeats_are_averaged_with_the_same_draws():
    rng = np.random.default_rng(2)
    y, call = rng.normal(size=(2, 30))
    p = np.empty((30, 0))
    draws = draw_groups(30, 20, 0)
    first, second = (held_out(y, said, np.arange(30), p) for said in (call, y + call))
    alone = [drawn_scores([rows], get_kind("value"), draws)["mae"] for rows in (first, second)]
    both = drawn_scores([first, second], get_kind("value"), draws)["mae"]
    assert both == pytest.approx(np.mean(alone, axis=0))


def test_resamples_that_do_not_define_the_metric_are_left_out():
    assert interval(np.array([0.5, np.nan, 0.4, 0.6]), 100, ERROR) == pytest.approx(
        {"value": 0.5, "low": 0.405, "high": 0.595}
    )
    assert interval(np.array([0.5, np.nan]), 100, ERROR) == {"value": 0.5}
    assert interval(np.array([np.nan, 0.1]), 100, SHARE) == {}


@pytest.mark.parametrize("groups", [1, 6, 30, 400])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_score_without_an_error_has_the_interval_of_an_exact_test(groups, value):
    found = interval(np.full(100, value), groups, SHARE)
    exact = binomtest(int(value * groups), groups).proportion_ci(0.9, "exact")
    assert (found["low"], found["high"]) == pytest.approx((exact.low, exact.high))


@given(st.integers(1, 500), st.lists(st.floats(-1, 1), min_size=2, max_size=20))
def test_no_interval_of_a_bounded_score_is_without_width(groups, drawn):
    found = interval(np.array(drawn), groups, Metric("mcc", "MCC", least=-1))
    assert -1 - 1e-9 <= found["low"] < found["high"] <= 1 + 1e-9


def test_a_score_with_many_errors_keeps_the_interval_of_its_resamples():
    drawn = np.r_[0.02, np.linspace(0.01, 0.03, 101)]
    found = interval(drawn, 20, SHARE)
    assert (found["low"], found["high"]) == pytest.approx((0.0105, 0.0295))
    reaching = interval(np.r_[0.02, np.linspace(-0.001, 0.029, 101).clip(0)], 20, SHARE)
    assert reaching["high"] == pytest.approx(0.02 + (1 - 0.05 ** (1 / 20)) * 0.98)


def test_r2_below_0_has_not_reached_an_end_of_its_scale():
    drawn = np.r_[-0.2, np.linspace(-0.35, -0.05, 101)]
    found = interval(drawn, 8, SHARE)
    assert (found["low"], found["high"]) == pytest.approx((-0.3425, -0.0575))


def test_resamples_that_tell_more_than_the_rule_of_three_stay():
    drawn = np.r_[0.8, np.linspace(0.7, 0.9, 101)]
    found = interval(drawn, 100, SHARE)
    assert (found["low"], found["high"]) == pytest.approx((0.705, 0.895))


def test_an_unbounded_score_that_never_differs_has_no_interval():
    assert interval(np.full(9, 2.0), 5, ERROR) == {"value": 2.0}
    assert paired_interval(np.full(9, 2.0), np.full(9, 2.0), 5, ERROR) == {"value": 0}


def test_models_that_agree_on_all_groups_may_differ_on_others():
    found = paired_interval(np.ones(9), np.ones(9), 30, SHARE)
    unmet = 1 - 0.05 ** (1 / 30)
    assert found == pytest.approx({"value": 0, "low": -unmet, "high": unmet})


def test_a_resample_without_any_row_is_undefined_and_silent():
    rows = of_calls(np.array([0, 1]), np.array([0, 1]), np.array([0, 0]))
    draws = np.array([[1, 0, 2], [1, 2, 0]])
    accuracy = drawn_scores([rows], get_kind("binary"), draws)["accuracy"]
    assert np.isnan(accuracy).tolist() == [False, True, False]


def test_a_sum_over_classes_goes_to_2():
    [brier] = [m for m in get_kind("multiclass").metrics if m.name == "brier"]
    drawn = np.random.default_rng(0).normal(1.2, 0.03, 400)
    drawn[0] = 1.2
    found = interval(drawn, 50, brier)
    assert (found["low"], found["high"]) == pytest.approx((1.14, 1.26), abs=0.02)
