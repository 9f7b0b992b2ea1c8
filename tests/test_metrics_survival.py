"""Times to an event: exact values of small cohorts by hand, and statsmodels on larger ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import SurvfuncRight

from bioloom.evaluation.survival import (
    followed,
    free_interval,
    incidence_interval,
    kaplan_meier_interval,
    risk_calibration,
    survival_groups,
)
from bioloom.files import write_sums
from bioloom.fitted import Fitted
from bioloom.kinds import HeldOut, Labels, Learnt, TestSet
from bioloom.kinds.survival import kind
from bioloom.metrics import survival
from bioloom.models._survival import RiskSets, partial_likelihood
from bioloom.models.cox import Model as Cox
from bioloom.models.decision_tree import Model as Trees
from bioloom.models.kaplan_meier import Model as KaplanMeier
from tests.toys import refused

ONES = np.ones((12, 1))


def outcomes(time, event, entry=None) -> np.ndarray:
    start = np.full(len(time), -np.inf) if entry is None else np.asarray(entry, float)
    return np.column_stack([start, time, event]).astype(float)


# Twelve patients with tied events, an event at the time of a censoring, and tied risks.
TIED = outcomes(
    [2, 4, 4, 5, 5, 6, 8, 9, 9, 11, 12, 15], [1, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0]
)  # fmt: skip


def test_pairs_of_the_concordance_are_counted_one_by_one():
    risk = np.array([0.9, 0.7, 0.4, 0.4, 0.6, 0.2, 0.5, 0.5, 0.3, 0.3, 0.3, 0.1])
    right = pairs = Fraction(0)
    for i in np.flatnonzero(TIED[:, 2]):
        for j in range(12):
            later = TIED[j, 1] > TIED[i, 1] or (TIED[j, 1] == TIED[i, 1] and not TIED[j, 2])
            if later:
                pairs += 1
                right += 1 if risk[i] > risk[j] else Fraction(1, 2) if risk[i] == risk[j] else 0
    assert survival.concordance(TIED, risk, ONES)[0] == pytest.approx(float(right / pairs))


def test_two_events_at_one_time_are_no_pair_and_an_event_comes_before_a_censoring():
    y = outcomes([3, 3], [1, 1])
    assert np.isnan(survival.concordance(y, np.array([1.0, 0.0]), np.ones((2, 1)))[0])
    y = outcomes([3, 3], [1, 0])
    assert survival.concordance(y, np.array([1.0, 0.0]), np.ones((2, 1)))[0] == 1


def test_weights_of_the_brier_score_give_back_kaplan_meier():
    """The mean of what events by t count is 1 - Kaplan-Meier, ties included."""
    when = np.array([4.0, 8.0, 11.0])
    counts = survival.brier_weights(TIED, when)
    by = (TIED[:, 1, None] <= when) & (TIED[:, 2, None] == 1)
    free = survival.kaplan_meier(TIED, when)
    np.testing.assert_allclose((counts * by).mean(axis=0), 1 - free)
    np.testing.assert_allclose(counts.mean(axis=0), 1)


def test_the_censored_leave_after_the_events_of_their_time():
    """Times 1+, 2, 2+, 3+, 4: G(t-) by hand; + is censored."""
    y = outcomes([1, 2, 2, 3, 4], [0, 1, 0, 0, 1])
    found = survival.uncensored(y, np.array([1.0, 2, 2.5, 3, 3.5, 9]), before=True)
    wanted = [1, 4 / 5, 4 / 5 * 2 / 3, 8 / 15, 8 / 15 * 1 / 2, 4 / 15]
    np.testing.assert_allclose(found, wanted)


def test_kaplan_meier_of_fractions_and_of_time_zero():
    y = outcomes([3, 4, 6, 9, 12, 18], [1, 0, 1, 1, 0, 1])
    expected = Fraction(5, 6) * Fraction(3, 4) * Fraction(2, 3)
    assert survival.kaplan_meier(y, np.array([9.5]))[0] == pytest.approx(float(expected))
    y = outcomes([0, 4, 6], [1, 0, 1])
    assert survival.kaplan_meier(y, np.array([0.0, 5.0])) == pytest.approx([2 / 3, 2 / 3])


def test_late_entry_counts_in_the_rows_at_risk_and_in_the_pairs():
    """At risk is entry < t <= time: who enters at the time of an event was not at risk of it."""
    y = outcomes([5, 8, 5, 9, 14], [1, 0, 1, 1, 1], [-np.inf, -np.inf, -np.inf, 5, 6])
    free = survival.kaplan_meier(y, np.array([5.0, 9.0, 14.0]))
    assert free == pytest.approx([1 / 3, 1 / 6, 0])
    risk = np.array([3.0, 1.0, 2.0, 9.0, 0.0])
    # pairs: each event at 5 with row 1 (both right), the event at 9 with row 4 (right)
    assert survival.concordance(y, risk, np.ones((5, 1)))[0] == 1
    known = SurvfuncRight(y[:, 1], y[:, 2], entry=np.maximum(y[:, 0], 0))
    np.testing.assert_allclose(survival.kaplan_meier(y, known.surv_times), known.surv_prob)


def test_competing_events_add_up_to_one_with_ties():
    time = [1, 2, 2, 2, 3, 5, 5, 6, 8, 9]
    cause = np.array([2, 1, 2, 0, 1, 1, 2, 0, 2, 1])
    y = outcomes(time, cause == 1)
    when = np.arange(1, 10.0)
    shares = survival.aalen_johansen(y, cause, when)
    free = survival.kaplan_meier(outcomes(time, cause > 0), when)
    np.testing.assert_allclose(shares.sum(axis=0) + free, 1)
    # by hand: after 1 there are 9/10 free, of whom 1/9 relapses at 2; at 3 of 6 left one does
    at_2, free_2 = Fraction(9, 10) * Fraction(1, 9), Fraction(9, 10) * Fraction(7, 9)
    assert shares[0, 1] == pytest.approx(float(at_2))
    assert shares[0, 2] == pytest.approx(float(at_2 + free_2 * Fraction(1, 6)))
    alone = 1 - survival.kaplan_meier(outcomes(time, cause == 1), when)
    assert (alone[3:] > shares[0, 3:]).all()  # which takes the others' deaths for censorings


def two_causes(n: int, seed: int = 0) -> np.ndarray:
    """Rows of two exponential causes and a censoring, in tied whole times."""
    rng = np.random.default_rng(seed)
    ends = np.ceil(rng.exponential([8.0, 12.0, 25.0], (n, 3)) * 2)
    first = ends.argmin(axis=1)
    y = outcomes(ends.min(axis=1), first == 0)
    return np.column_stack([y, first == 1])


def test_a_risk_among_competing_events_is_the_share_to_whom_it_happens_first():
    """Of constant hazards a and b by t: a / (a + b) (1 - exp(-(a + b) t))."""
    a, b, times = 0.3, 0.2, np.array([1.0, 2.5, 4.0])
    hazard = np.vstack([a * times, 0 * times])
    known = a / (a + b) * (1 - np.exp(-(a + b) * times))
    np.testing.assert_allclose(
        survival.incidence_of(hazard, np.tile(b * times, (2, 1))), [known, 0 * times]
    )
    alone = survival.incidence_of(hazard[:1], 0 * hazard[:1])
    np.testing.assert_allclose(alone[0], 1 - np.exp(-a * times))


def test_the_curve_of_all_rows_is_that_of_aalen_and_johansen():
    y, when = two_causes(2000), np.array([2.0, 6.0, 11.0, 20.0])
    known = survival.aalen_johansen(y, survival.cause_of(y), when)[0]
    options = {"output": "survival", "n_outputs": 4, "seed": 1, "times": when.tolist()}
    rows = np.zeros((len(y), 1))
    curve = KaplanMeier(**options).fit(rows, y, rows[:0], y[:0]).outputs(rows[:1])
    np.testing.assert_allclose(1 - curve[0], known)
    labels = Labels(kind, y, [f"{time:g}" for time in when], horizons=[6.0, 20.0])
    found = kind.calibrate(np.empty((0, 4)), y[:0], labels, Learnt(y))
    risks = kind.answer(curve, labels.outputs, found).filter(like="risk.").to_numpy()[0]
    np.testing.assert_allclose(risks, known[[1, 3]])
    alone = 1 - survival.kaplan_meier(y, when)
    assert (alone > known)[1:].all()
    # Of few ties a model of hazards that rise evenly says the same.
    y[:, 1] -= np.random.default_rng(1).random(len(y))
    known = survival.aalen_johansen(y, survival.cause_of(y), when)[0]
    times = np.arange(0.5, 20.5, 0.5)
    options |= {"n_outputs": len(times), "times": times.tolist()}
    cox = 1 - Cox(**options).fit(rows, y, rows[:0], y[:0]).outputs(rows[:1])[0]
    np.testing.assert_allclose(cox[np.isin(times, when)], known, atol=0.001)


def rivals(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of which one column moves the event, and one that which competes; hazards (N, 2)."""
    rng = np.random.default_rng(seed)
    X = (rng.random((n, 2)) < 0.5).astype(np.float32)
    hazard = np.column_stack([0.1 * np.exp(X[:, 0]), 0.05 * np.exp(2 * X[:, 1])])
    ends = np.column_stack([rng.exponential(1 / hazard), rng.exponential(25, n)])
    first = ends.argmin(axis=1)
    return X, np.column_stack([outcomes(ends.min(axis=1), first == 0), first == 1]), hazard


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "more"), [(Cox, {}), (Trees, {"trees": 100, "depth": 2}), (Trees, {"depth": 3})]
)
def test_the_risk_of_a_person_knows_who_dies_of_something_else(model, more, tmp_path):
    (X, y, hazard), (held, y_held, _) = rivals(3000, 1), rivals(600, 2)
    when = np.linspace(1, 12, 12)
    made = model(output="survival", n_outputs=12, seed=1, times=when.tolist(), **more)
    free = made.fit(X, y, held, y_held).outputs(X)
    both = hazard.sum(axis=1)
    true = hazard[:, 0] / both * -np.expm1(-both * 12)
    assert np.abs(1 - free[:, -1] - true).mean() < 0.02
    # Who has twice the hazard of the event, and of another one, has less risk than it looks.
    alike = (X[:, 0] == 1) & (X[:, 1] == 1)
    spared = (X[:, 0] == 1) & (X[:, 1] == 0)
    assert (1 - free[alike, -1]).mean() < (1 - free[spared, -1]).mean() - 0.15
    made.save(tmp_path)
    np.testing.assert_allclose(model.load(tmp_path).outputs(X), free)
    if model is Trees:
        rules = made.rules()
        of = {answer: " ".join(rows["rule"]) for answer, rows in rules.groupby("answer")}
        assert of.keys() == {0, 1}
        first = rules.groupby("answer")["rule"].first()
        assert ("x1" in first[0], "x2" in first[1]) == (True, True)
        assert made.why(X[:1])


@pytest.mark.parametrize(("model", "more"), [(Cox, {}), (Trees, {"trees": 20, "depth": 2})])
def test_a_model_of_an_older_version_has_no_axis_of_causes(model, more):
    X, y, _ = rivals(300, 1)
    options = {"output": "survival", "n_outputs": 3, "seed": 1, "times": [1.0, 4.0, 9.0], **more}
    made = model(**options).fit(X, y[:, :3], X[:60], y[:60, :3])
    state = {
        name: values[0] if name in ("coefficients", "hazard") else values
        for name, values in made.state().items()
    }
    old = model(**options)
    old.restore(state)
    np.testing.assert_allclose(old.outputs(X), made.outputs(X))


def test_a_model_of_competing_events_of_an_older_version_is_refused(tmp_path):
    (tmp_path / "model.yaml").write_text("model: cox\nkind: survival\ncompeting: [0.1, 0.2]\n")
    write_sums(tmp_path)
    refused(lambda: Fitted.load(tmp_path), "older version.*train it again")


def test_who_had_another_event_never_has_this_one():
    time, cause = np.array([2.0, 3, 3, 4, 5, 6, 7]), np.array([1, 2, 1, 0, 2, 1, 0])
    y = np.column_stack([outcomes(time, cause == 1), cause == 2])
    risk = np.array([0.4, 0.5, 0.9, 0.1, 0.2, 0.4, 0.3])
    right = pairs = Fraction(0)
    for i in np.flatnonzero(cause == 1):
        for j in range(7):
            if j != i and (time[j] > time[i] or cause[j] == 2):
                pairs += 1
                right += 1 if risk[i] > risk[j] else Fraction(1, 2) if risk[i] == risk[j] else 0
    assert survival.concordance(y, risk, np.ones((7, 1)))[0] == pytest.approx(float(right / pairs))


def test_the_brier_score_of_competing_events_weighs_the_censored_alone():
    """The weighted share that had the event is that of Aalen and Johansen, ties included."""
    y, when = two_causes(300), np.array([3.0, 8.0, 14.0])
    counts = survival.brier_weights(y, when)
    had = counts * survival.had_by(y, when)
    known = survival.aalen_johansen(y, survival.cause_of(y), when)[0]
    np.testing.assert_allclose(had.mean(axis=0), known)
    np.testing.assert_allclose(counts.mean(axis=0), 1)
    ones = np.ones((300, 1))
    free = np.tile(1 - known, (300, 1))
    scores = survival.brier(y, free, when, counts, ones)[:, 0]
    np.testing.assert_allclose(scores, known * (1 - known))
    found = survival.survival_scores(y, 1 - free[:, -1], free, when, ones)
    assert found["observed_expected"][0] == pytest.approx(1)
    worse = survival.survival_scores(y, 1 - free[:, -1], free**2, when, ones)
    assert worse["integrated_brier"][0] > found["integrated_brier"][0]
    late = y.copy()
    late[0, 0] = 0.5
    assert survival.survival_scores(late, 1 - free[:, -1], free, when, ones).keys() == {
        "concordance"
    }


def test_curves_of_groups_are_of_the_event_that_happened_first():
    y, when = two_causes(200), np.array([4.0, 10.0])
    known = survival.aalen_johansen(y, survival.cause_of(y), when)[0]
    free, low, high = free_interval(y, when)
    np.testing.assert_allclose(free, 1 - known)
    assert ((low < free) & (free < high)).all()
    np.testing.assert_allclose(free_interval(y[:, :3], when), kaplan_meier_interval(y[:, :3], when))


def test_a_curve_says_nothing_beyond_its_last_row_unless_nobody_is_left():
    when = np.array([2.0, 4.0, 9.0])
    watched = outcomes([1, 3, 4], [1, 0, 0])
    assert followed(watched, when).tolist() == [True, True, False]
    ended = outcomes([1, 3, 4], [1, 0, 1])
    assert followed(ended, when).all()


def test_groups_that_nobody_followed_so_long_are_not_drawn_as_calibrated():
    """The high risk is watched for 3 years, the low one for 20."""
    rng = np.random.default_rng(0)
    high = np.repeat([True, False], 100)
    event = rng.exponential(np.where(high, 5.0, 80.0))
    ends = np.where(high, 3.0, 20.0)
    y = outcomes(np.minimum(event, ends), (event < ends).astype(float))
    risk = 1 - np.exp(-10 / np.where(high, 5.0, 80.0)) + rng.uniform(0, 0.01, 200)
    when = np.array([2.0, 10.0])
    free = np.exp(-when / np.where(high, 5.0, 80.0)[:, None])
    place = {"fold": np.zeros(200, int), "sample_id": np.arange(200), "group": np.arange(200)}
    rows = HeldOut(0, **place, y=y, call=risk, p=free, facts={"risk.10": risk})
    test = TestSet({"model": [rows]}, ["2.0", "10.0"], 200)
    told = risk_calibration(test, np.ones((200, 1)))
    assert (told["predicted"] < 0.5).all()
    curves = survival_groups(test, np.ones((200, 1))).set_index(["group", "time"])["observed"]
    assert np.isfinite(curves["high risk", 2.0])
    assert np.isnan(curves["high risk", 10.0])


def test_the_interval_of_an_incidence():
    y = two_causes(150)
    observed, low, high = incidence_interval(y, 10.0)
    [known] = survival.aalen_johansen(y, survival.cause_of(y), np.array([10.0]))[0]
    assert observed == pytest.approx(known)
    rng = np.random.default_rng(1)
    drawn = [incidence_interval(y[rng.integers(0, 150, 150)], 10.0)[0] for _ in range(400)]
    assert (high - low) / 3.92 == pytest.approx(np.std(drawn), rel=0.15)
    free, below, above = kaplan_meier_interval(y[:, :3], np.array([10.0]))
    alone = incidence_interval(y[:, :3], 10.0)
    assert alone == pytest.approx((1 - free[0], 1 - above[0], 1 - below[0]))
    assert incidence_interval(y, 0.5)[:2] == (0, 0)
    competed = np.tile([0.0, 5.0, 0.0, 1.0], (50, 1))  # all had the other event, and none this one
    assert incidence_interval(competed, 10.0) == pytest.approx((0, 0, 1 - 0.025 ** (1 / 50)))


rows = st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.integers(0, 4)), min_size=2)


@given(rows, st.integers(0, 99))
def test_a_drawn_row_counts_as_often_as_it_was_drawn(rows, seed):
    time, event, risk = (np.array(column, float) for column in zip(*rows, strict=True))
    y = outcomes(time, event)
    drawn = np.random.default_rng(seed).integers(0, 3, len(y))
    again = np.repeat(np.arange(len(y)), drawn)
    weighted = survival.concordance(y, risk, drawn[:, None].astype(float))[0]
    repeated = survival.concordance(y[again], risk[again], np.ones((len(again), 1)))[0]
    assert weighted == pytest.approx(repeated, nan_ok=True)


@given(rows)
def test_kaplan_meier_is_that_of_statsmodels(rows):
    time, event, _ = (np.array(column, float) for column in zip(*rows, strict=True))
    known = SurvfuncRight(time, event)
    free = survival.kaplan_meier(outcomes(time, event), known.surv_times)
    np.testing.assert_allclose(free, known.surv_prob)


def cohort(n: int, late: bool = False):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 3))
    seen, end = rng.exponential(9, n) * np.exp(-X[:, 0]), rng.exponential(12, n)
    entry = rng.exponential(2, n) if late else np.zeros(n)
    time = np.ceil(np.minimum(seen, end) * 4) / 4
    inside = time > entry
    y = outcomes(time, seen <= end, entry if late else None)
    return X[inside], y[inside], entry[inside]


@pytest.mark.parametrize("late", [False, True])
def test_cox_is_that_of_statsmodels_with_ties_and_late_entry(late):
    X, y, entry = cohort(300, late)
    known = PHReg(y[:, 1], X, status=y[:, 2], entry=entry if late else None, ties="breslow").fit()
    model = Cox(output="survival", n_outputs=2, seed=1, times=[1.0, 5.0], penalty=1e-9)
    model.fit(X, y, X[:0], y[:0])
    np.testing.assert_allclose(model.coefficients[0], known.params, rtol=1e-5)


def test_more_columns_than_rows_are_fitted_as_if_by_all_of_them():
    X, y, _ = cohort(60)
    wide = np.hstack([X] * 30)  # which is X, with a penalty a thirtieth as strong
    options = {"output": "survival", "n_outputs": 1, "seed": 1, "times": [3.0]}
    narrow = Cox(**options, penalty=0.1).fit(X, y, X[:0], y[:0])
    same = Cox(**options, penalty=3.0).fit(wide, y, wide[:0], y[:0])
    np.testing.assert_allclose(same.outputs(wide), narrow.outputs(X), rtol=1e-5)


@pytest.mark.parametrize("late", [False, True])
def test_the_gradient_of_the_partial_likelihood(late):
    X, y, _ = cohort(40, late)
    sets, score = RiskSets.of(y), X[:, 1].copy()
    loss, gradient, expected = partial_likelihood(score, sets)
    for i in range(0, len(score), 7):
        moved = score.copy()
        moved[i] += 1e-6
        rise = (partial_likelihood(moved, sets)[0] - loss) / 1e-6
        assert gradient[i] == pytest.approx(rise, abs=1e-4)
    assert expected.sum() == pytest.approx(y[:, 2].sum())


def test_hazards_between_the_times_of_a_curve():
    free, when = np.array([[0.8, 0.4]] * 4), np.array([2.0, 6.0])
    hazard = survival.hazard_at(free, when, np.array([-np.inf, 1.0, 4.0, 99.0]))
    middle = -(np.log(0.8) + np.log(0.4)) / 2
    assert hazard == pytest.approx([0, -np.log(0.8) / 2, middle, -np.log(0.4)])
