"""Sets and intervals hold the truth as often as promised, also of rare classes and large values."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.evaluation.coverage import broken_promises, coverage_table
from bioloom.evaluation.intervals import draw_groups
from bioloom.kinds import Calibration, HeldOut, Labels, Learnt, TestSet, _classes, get_kind
from bioloom.kinds._calibration import DRAWN, conformal_quantile, quantile_of_part


def naive_quantile(scores: list[float], part: list[bool]) -> float:
    """Row after row, as the rule is written."""
    if len(scores) < 9:
        return float("inf")
    reached = 0.0
    for score, inside in sorted(zip(scores, part, strict=True)):
        reached += inside + DRAWN / len(scores)
        if reached >= 0.9 * (sum(part) + DRAWN + 1) - 1e-9:
            return score
    return max(scores)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60))
def test_the_quantile_of_a_class_is_drawn_to_the_common_one(rows):
    scores, part = [row[0] for row in rows], [row[1] for row in rows]
    found = quantile_of_part(np.array(scores), np.array(part, dtype=bool))
    assert found == pytest.approx(naive_quantile(scores, part))


def test_a_class_of_many_rows_has_its_own_quantile_and_one_without_a_cautious_one():
    rng = np.random.default_rng(0)
    scores = np.r_[rng.uniform(0, 0.2, 5000), rng.uniform(0, 1, 5000)]
    hard = np.arange(10_000) >= 5000
    assert quantile_of_part(scores, hard) == pytest.approx(0.9, abs=0.02)
    # A class that was not met is taken as one of ten rows like all.
    cautious = conformal_quantile(scores, 0.99)
    assert quantile_of_part(scores, np.zeros(10_000, bool)) == pytest.approx(cautious, abs=0.01)


def test_rare_classes_are_covered_and_no_set_is_empty():
    """One quantile for all would leave the rare class out: it is wrong most of the time."""
    rng = np.random.default_rng(1)
    kind, n = get_kind("binary"), 4000
    y = (rng.random(n) < 0.1).astype(int)
    score = 0.8 * y + rng.normal(size=n)
    p = 1 / (1 + np.exp(-(score - 2.0)))
    raw = np.column_stack([1 - p, p])
    fit, test = slice(0, n // 2), slice(n // 2, n)
    labels = Labels(kind, y, ["no", "yes"])
    calibration = kind.calibrate(raw[fit], y[fit], labels, Learnt(y[fit]))
    answers = kind.answer(kind.scores(raw[test], calibration), ["no", "yes"], calibration)
    held = _classes.classes_held(answers["prediction_set"], ["no", "yes"])
    inside = held[np.arange(n // 2), y[test]]
    assert held.any(axis=1).all()
    assert inside[y[test] == 1].mean() == pytest.approx(0.9, abs=0.05)
    assert inside[y[test] == 0].mean() > 0.9  # the likeliest class is in each set


def test_a_set_can_be_read_again_and_its_separator_is_no_part_of_a_name():
    sets = pd.Series(["a | b", "b", "a | b"])
    held = _classes.classes_held(sets, ["a", "b", "c"])
    assert held.tolist() == [[True, True, False], [False, True, False], [True, True, False]]
    samples = pd.DataFrame({"label": ["a | b", "c"]})
    with pytest.raises(DataError, match="1 classes have ' | ' in their name"):
        _classes.outputs(samples, None)


def test_large_values_are_covered_and_a_dose_is_never_negative():
    rng = np.random.default_rng(2)
    kind, n = get_kind("value"), 3000
    size = rng.uniform(1, 10, n)
    y = np.maximum(size + 0.3 * size * rng.normal(size=n), 0)
    raw = (size - 1.5)[:, None]
    fit, test = slice(0, n // 2), slice(n // 2, n)
    calibration = kind.calibrate(raw[fit], y[fit], Labels(kind, y, ["label"]), Learnt(y[fit]))
    answers = kind.answer(kind.scores(raw[test], calibration), ["label"], calibration)
    assert (answers[["prediction", "low"]] >= 0).all().all()
    inside = (answers["low"] <= y[test]) & (y[test] <= answers["high"])
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    large = size[test] > np.quantile(size, 2 / 3)
    assert inside[large].mean() == pytest.approx(0.9, abs=0.05)
    wide = (answers["high"] - answers["low"]).to_numpy()
    assert wide[large].mean() > 1.5 * wide[~large].mean()


def test_values_below_0_in_training_may_be_answered():
    kind, y = get_kind("value"), np.linspace(-1, 5, 40)
    calibration = kind.calibrate(y[:, None], y, Labels(kind, y, ["label"]), Learnt(y))
    assert kind.scores(np.array([[-3.0]]), calibration)[0, 0] == -3
    assert kind.scores(np.array([[-3.0]]), Calibration())[0, 0] == -3


@pytest.mark.parametrize("private", [True, False])
def test_a_promise_that_is_broken_is_told_and_one_that_may_hold_is_not(private):
    y = np.r_[np.zeros(300, int), np.ones(100, int), [2, 2]]
    inside = np.where(y == 1, np.arange(402) % 2, np.arange(402) % 20 > 0).astype(float)
    ids = np.arange(402)
    rows = HeldOut(0, ids * 0, ids, ids, y, y, np.eye(3)[y], inside)
    test = TestSet({"model": [rows]}, ["common", "hard", "rare"], 402)
    table = coverage_table(test, get_kind("multiclass"), draw_groups(402, 200, 1), private=private)
    assert list(table["part"]) == ["all", "common", "hard"] + ([] if private else ["rare"])
    assert table.set_index("part").loc["hard", "value"] == pytest.approx(0.5)
    told = broken_promises(table)
    assert [text.split(") of ")[1] for text in told] == [
        "all test rows, 0.90 were promised",
        "hard, 0.90 were promised",
    ]


def test_rows_that_stand_for_others_calibrate_for_these():
    """Of censoring weights: each row as if it were there so many times."""
    rng = np.random.default_rng(3)
    p = rng.uniform(0.05, 0.95, 400)
    y, times = (rng.random(400) < p).astype(int), rng.integers(0, 5, 400)
    raw = np.column_stack([1 - p, p]) ** 2
    raw /= raw.sum(axis=1, keepdims=True)
    again = np.repeat(np.arange(400), times)
    for name, answers, labels in (("binary", raw, y), ("multilabel", raw[:, 1:], y[:, None])):
        kind = get_kind(name)
        given = Labels(kind, labels, ["a", "b"], times.astype(float))
        weighed = kind.calibrate(answers, labels, given, Learnt(labels, times.astype(float)))
        plain = Labels(kind, labels[again], ["a", "b"])
        repeated = kind.calibrate(answers[again], labels[again], plain, Learnt(labels[again]))
        assert weighed.temperature == pytest.approx(repeated.temperature, rel=0.01)
        assert weighed.share == (repeated.share and pytest.approx(repeated.share))
