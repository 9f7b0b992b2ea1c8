"""Which of several arms to give to whom: values of policies, their intervals, and what is refused.

Expected values are fractions that were worked out by hand.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.application import get_application
from bioloom.evaluation.evaluate import evaluate
from bioloom.features.extract import extract_features
from bioloom.files import write_json
from bioloom.fitted import Fitted
from bioloom.kinds import Learnt, _policies, arms, encode_labels, get_kind, kind_of
from bioloom.kinds._assignment import Support, known_weights, partition_facts, sign_of
from bioloom.metrics import policy
from bioloom.predictions.predict import predict
from bioloom.report.page import build_page
from bioloom.samples import EVENT, TIME, feature_columns, label_columns, write_table
from bioloom.samples.arms import ARM, HORIZON, OUTCOME, PROPENSITY, SIGN
from bioloom.splits.split import split_samples
from bioloom.training.train import train_task
from tests.toys import refused

KIND = get_kind("arms")
ARMS = ["A", "B", "C"]

# A trial of three arms, drawn with probability 1/3 each. The policy gives B where the marker is 1,
# else C, and C is the best arm for all.
MARKER = "00011100010101101011101100101101001010"
GIVEN = "BAABAACACBCACCABBBCABCBBBABAABAAACCBCC"
ALIVE = "00010010101000001111111000111001110111"
EXPECTED = {"0": (0.35, 0.5, 0.75), "1": (0.45, 0.6, 0.7)}
# A cohort in which no frail patient got C; the policy gives C to all of these.
FRAIL = "001000001000000010100001001000011011000101100111100000100011"
COHORT = "CAABCABAAACCAACCABBCABCACAAABAAAACBBBCBBAAABCAAABABABBACBCAA"
COHORT_ALIVE = "110011010111101101111000111010101010111000101100011011011100"
COHORT_POLICY = "BCCCCBCCCCBCCCCBCCCCBCCCCBCCCCBCCCCCCCCCBCCCCCCCCCBCCCCBCCCC"


def patients(given: str, alive: str, name: str, values: str, propensity: float) -> pd.DataFrame:
    ids = [f"TEST-{n:04d}" for n in range(len(given))]
    table = pd.DataFrame({"sample_id": ids, "group": ids, name: [float(v) for v in values]})
    labels = {ARM: list(given), OUTCOME: [float(y) for y in alive], SIGN: 1.0}
    return table.assign(**labels, **{PROPENSITY: propensity})


def valued(samples: pd.DataFrame, said: np.ndarray, facts: pd.DataFrame) -> Any:
    """The test set of a model that `said (N, K)`, all rows of it tested."""
    place = {"repeat": 0, "fold": 0}
    test = samples[["sample_id", *label_columns(samples)]].assign(unit=range(len(samples)), **place)
    held = KIND.rows(samples, ARMS).assign(prediction=said.ravel(), model="model", **place)
    return _policies.test_set(test.join(facts), held, {})


def trial(chosen: np.ndarray) -> Any:
    """What a model says that gives the arms `chosen (N,)`."""
    samples = patients(GIVEN, ALIVE, "marker", MARKER, 1 / 3)
    facts = partition_facts(samples, np.ones(len(samples), bool))
    facts[[f"typical.{arm}" for arm in ARMS]] = [0.4, 0.5, 0.6]  # of the training rows
    return valued(samples, np.eye(3)[chosen], facts)


def of_trial() -> dict[str, np.ndarray]:
    code = pd.Index(ARMS).get_indexer(list(GIVEN))
    q = np.array([EXPECTED[marker] for marker in MARKER])
    chosen = np.where(np.array(list(MARKER)) == "1", 1, 2)
    return {"code": code, "q": q, "policy": np.eye(3)[chosen], "y": np.array(list(map(int, ALIVE)))}


def test_values_of_a_policy_of_c_for_all_and_of_random_arms():
    known, thirds = of_trial(), np.full(38, 1 / 3)
    y, code = known["y"], known["code"]
    chosen = {
        "policy": known["policy"],
        "c": np.eye(3)[np.full(38, 2)],
        "random": np.full((38, 3), 1 / 3),
    }
    expected = {  # plain, self-normalised, doubly robust
        "policy": (Fraction(33, 38), Fraction(11, 15), Fraction(3, 4)),
        "c": (Fraction(12, 19), Fraction(8, 11), Fraction(137, 190)),
    }
    terms = {}
    for name, matrix in chosen.items():
        ratio = policy.ratios(matrix, code, thirds)
        terms[name] = policy.doubly_robust(y, known["q"], matrix, code, ratio)
        normal = policy.self_normalised_value(y, ratio, np.ones((38, 1)))[0]
        found = ((ratio * y).mean(), normal, terms[name].mean())
        wanted = expected.get(name, (Fraction(10, 19), Fraction(10, 19), found[2]))
        np.testing.assert_allclose(found, [float(value) for value in wanted], rtol=1e-12)
    gain = policy.normal_interval(terms["policy"] - terms["c"], np.arange(38))
    np.testing.assert_allclose(gain, (0.0289, -0.2423, 0.3001), atol=1e-4)


def test_scores_of_a_policy_that_is_not_shown_to_be_better():
    """The plain value alone would gain .24, of 15 followers against 11."""
    known = of_trial()
    found = trial(known["policy"].argmax(axis=1))
    [part] = found.models["model"]
    part.facts["expected"][:] = known["q"]
    scores = _policies.score(part, np.ones((38, 1)))
    wanted = {"value": 3 / 4, "value_ipw": 11 / 15, "best_arm": 137 / 190, "best_arm_ipw": 8 / 11}
    wanted |= {"random_ipw": 10 / 19, "gain": 3 / 4 - 137 / 190, "followed": 15 / 38}
    for name, value in wanted.items():
        np.testing.assert_allclose(scores[name], value, rtol=1e-12)
    table = _policies.policy_table([part], ARMS, False).set_index(["policy", "estimator"])
    row = table.loc[("recommended", "doubly robust"), ["gain", "gain_low", "gain_high"]]
    np.testing.assert_allclose(row.astype(float), (0.0289, -0.2423, 0.3001), atol=1e-4)
    plain = table.xs("plain", level="estimator")["value"]
    wanted = {"recommended": 33 / 38, "best arm for all": 12 / 19, "random arms": 10 / 19}
    np.testing.assert_allclose(plain[list(wanted)], list(wanted.values()))
    assert table.loc["C for all", "followers"].tolist() == [11.0] * 3
    assert found.verdicts["equal"] == "no better than C for all"
    assert not found.facts["association"]


def test_a_policy_that_is_the_best_arm_gains_nothing_and_says_so():
    found = trial(np.full(38, 2))
    [part] = found.models["model"]
    rng = np.random.default_rng(0)
    scores = _policies.score(part, rng.multinomial(38, np.full(38, 1 / 38), 200).T.astype(float))
    for name in ("gain", "gain_ipw"):
        np.testing.assert_array_equal(scores[name], 0)
    assert found.verdicts["equal"] == "the same as C for all"


def test_where_rules_leave_nobody_all_arms_or_none_the_words_say_so():
    samples = patients(GIVEN, ALIVE, "marker", MARKER, 1 / 3)
    left = np.arange(38) % 3
    for code, arm in enumerate(ARMS):
        samples[f"option.{arm}"] = np.where(left == code, None, "rule 1")
    facts = partition_facts(samples, np.ones(38, bool))
    found = valued(samples, np.eye(3)[left], facts)
    assert found.verdicts["equal"] == "the same as the best arm that rules leave each patient"
    assert found.facts["best_arm"] == "the best arm that rules leave each patient"
    none = facts.assign(**{f"option.{arm}": "rule 1" for arm in ARMS})
    refused(lambda: valued(samples, np.eye(3)[left], none), "exclude every option of every tested")
    nobody = facts.assign(supported=False, gap="a rare value of marker")
    refused(lambda: valued(samples, np.eye(3)[left], nobody), "hardly anybody like it")


def test_no_count_of_one_to_four_patients_is_told():
    given, alive = "A" * 20 + "B" * 15 + "C" * 3, ALIVE
    samples = patients(given, alive, "marker", MARKER, 1 / 3)
    found = valued(samples, np.eye(3)[np.full(38, 2)], partition_facts(samples, np.ones(38, bool)))
    assert found.facts["arms"] == {"A": 20, "B": 15, "C": "fewer than 5"}
    table = found.tables["policies"].set_index("policy")["followers"]
    assert set(table["C for all"]) == {"fewer than 5"}
    assert set(table["A for all"]) == {20}


def test_what_cannot_be_arms_is_not_shown():
    samples = simulated(1.0, 60)
    told = refused(lambda: KIND.outputs(samples.assign(**{ARM: samples["sample_id"]}), None), "60")
    assert "p3" not in told
    refused(lambda: KIND.outputs(samples.assign(**{ARM: "A"}), None), "All patients got A")


def test_options_that_are_equal_but_for_rounding_are_the_best_arm():
    tied = np.array([[0.3, 0.3 - 1e-12, 0.1]])
    allowed = np.ones((1, 3), bool)
    assert _policies.choose(tied, allowed, np.array([1]))[0] == 1
    assert _policies.choose(tied, allowed, np.array([2]))[0] == 0


def cohort() -> tuple[pd.DataFrame, np.ndarray]:
    samples = patients(COHORT, COHORT_ALIVE, "frail", FRAIL, np.nan)
    chosen = pd.Index(ARMS).get_indexer(list(COHORT_POLICY))
    return samples, np.eye(3)[chosen]


def test_a_value_only_where_each_arm_was_given():
    samples, said = cohort()
    facts = partition_facts(samples, np.ones(60, bool))
    assert facts["supported"].tolist() == [frail == "0" for frail in FRAIL]
    found = valued(samples, said, facts)
    table = found.tables["policies"].set_index(["policy", "estimator"])["value"]
    assert table[("recommended", "plain")] == pytest.approx(55 / 84, abs=1e-6)
    assert table[("recommended", "self-normalised")] == pytest.approx(55 / 67, abs=1e-6)
    [told] = [flag for flag in found.flags if flag.startswith("No value")]
    assert "20 of 60 patients" in told
    assert "C was never given where frail is 1 (20)" in told
    assert "between 0.437 and 0.770" in told
    assert all("association" in flag for flag in found.flags)
    assert all("association" in verdict for verdict in found.verdicts.values())


def finished(samples: pd.DataFrame, new: pd.DataFrame, expected: list[float]) -> pd.DataFrame:
    """What new patients are told, of each of whom the same is expected, after model.yaml."""
    remembered = yaml.safe_load(yaml.safe_dump(arms.remember(samples)))
    names = sorted(samples[ARM].unique())
    table = KIND.rows(new, names).assign(prediction=expected * len(new), low=0.0, high=1.0)
    return arms.finish(table.assign(abstain=""), new, remembered)


def test_new_patients_are_told_nothing_where_nobody_like_them_got_some_arm():
    samples, _ = cohort()
    new = pd.DataFrame({"sample_id": ["x", "y", "z"], "frail": [1.0, 0.0, np.nan]})
    done = finished(samples, new, [0.1, 0.2, 0.9])
    assert done.loc[done["recommended"], ["sample_id", "option"]].values.tolist() == [["y", "C"]]
    assert done.loc[done["sample_id"] != "y", "rank"].isna().all()
    why = done.groupby("sample_id")["abstain"].unique().explode().to_dict()
    assert why == {"x": "C was never given where frail is 1", "y": "", "z": "a rare value of frail"}
    assert (done["meaning"] == arms.ASSOCIATION).all()


@pytest.mark.parametrize("expected", [[1.0, 1.0, 0.2], [1.0, 1.0 - 1e-12, 1.0 - 1e-12]])
def test_of_equal_options_the_one_that_was_best_for_all_is_recommended(expected):
    """As in the evaluation, whose policy would else be another one."""
    samples = patients(GIVEN, ALIVE, "marker", MARKER, 1 / 3)
    typical = arms.remember(samples)["typical"]
    best = max((arm for arm, q in zip(ARMS, expected, strict=True) if q > 0.9), key=typical.get)
    new = pd.DataFrame({"sample_id": ["x"], "marker": [1.0]})
    done = finished(samples, new, expected)
    assert done.loc[done["recommended"], "option"].tolist() == [best]
    good = np.array([expected])
    tied = np.array([ARMS.index(max(typical, key=typical.get))])
    if expected[tied[0]] > 0.9:
        assert ARMS[_policies.choose(good, np.ones((1, 3), bool), tied)[0]] == best


def test_a_model_that_does_not_know_what_is_best_for_all_is_refused():
    new = pd.DataFrame({"sample_id": ["x"]})
    table = KIND.rows(new, ARMS).assign(prediction=0.5, low=0.0, high=1.0, abstain="")
    older = {"good": "low", "association": False, "horizon": None, "support": None}
    refused(lambda: arms.finish(table, new, older), "older version.*train it again")


def test_an_arm_of_which_no_outcome_is_known_has_no_usual_one():
    samples = patients(GIVEN, ALIVE, "marker", MARKER, 1 / 3)
    samples[OUTCOME] = samples[OUTCOME].mask(samples[ARM] == "B")
    refused(
        lambda: partition_facts(samples, np.ones(len(samples), bool)), "some got B with a known"
    )


@pytest.mark.slow
def test_who_gets_no_recommendation_is_who_has_no_value_in_evaluation():
    """The site c has one patient, who got B; and hardly anybody with a high marker got A."""
    rng = np.random.default_rng(7)
    samples = simulated(1.0, 2000, **{PROPENSITY: np.nan})
    samples["site"] = np.where(np.arange(2000) == 0, "only_one_here", rng.choice(["a", "b"], 2000))
    samples["marker"] = samples["marker"].mask(rng.random(2000) < 0.1)
    chance = 1 / (1 + np.exp(-3 * samples["marker"].fillna(0)))
    samples[ARM] = np.where(rng.random(2000) < chance, "B", "A")
    facts = partition_facts(samples, np.ones(2000, bool))
    assert (~facts["supported"]).sum() > 100
    assert facts["gap"].iloc[0] == "a rare value of site"
    done = finished(samples, samples.drop(columns=label_columns(samples)), [0.3, 0.2])
    each = done.groupby("sample_id", sort=False)
    assert each["recommended"].any().tolist() == facts["supported"].tolist()
    assert each["abstain"].first().tolist() == facts["gap"].tolist()
    assert "only_one_here" not in str(arms.remember(samples))


@pytest.mark.parametrize("first", [0, 1_000_000, 10_000_000])
def test_codes_of_many_digits_are_different_values(first):
    """At the second of four sites nobody got B."""
    rng = np.random.default_rng(0)
    site, arm = first + rng.integers(1, 5, 800), rng.choice(["A", "B"], 800)
    arm[site == first + 2] = "A"
    ids = [f"TEST-{n:04d}" for n in range(800)]
    samples = pd.DataFrame({"sample_id": ids, ARM: arm, "site": site.astype(float)})
    support = Support.fit(samples.assign(age=rng.normal(60, 9, 800)), ["A", "B"])
    gaps = support.gaps(samples.assign(age=60.0))
    assert (gaps != "").tolist() == (site == first + 2).tolist()
    assert set(gaps[gaps != ""]) == {f"B was never given where site is {first + 2}"}


@pytest.mark.slow
@settings(deadline=None)
@given(st.data())
def test_no_score_gives_an_excluded_option(data):
    n = data.draw(st.integers(1, 8))
    numbers = st.lists(st.floats(-1e6, 1e6), min_size=3 * n, max_size=3 * n)
    good = np.array(data.draw(numbers)).reshape(n, 3)
    flags = st.lists(st.booleans(), min_size=3 * n, max_size=3 * n)
    allowed = np.array(data.draw(flags)).reshape(n, 3)
    tied = _policies.choose(np.zeros((n, 3)), allowed)
    for call in (_policies.choose(good, allowed), _policies.choose(good, allowed, tied)):
        left = allowed.any(axis=1)
        assert (call[~left] == -1).all()
        assert allowed[np.flatnonzero(left), call[left]].all()
    new = pd.DataFrame({"sample_id": [f"p{i}" for i in range(n)]})
    for code, arm in enumerate(ARMS):
        new[f"option.{arm}"] = np.where(allowed[:, code], None, "rule 1")
    table = KIND.rows(new, ARMS).assign(prediction=good.ravel(), low=0.0, high=1.0, abstain="")
    remembered = {"good": "low", "association": False, "horizon": None, "support": None}
    remembered |= {"typical": dict.fromkeys(ARMS, 0.5), "words": []}
    done = arms.finish(table, new, remembered)
    assert (done["excluded"] == np.where(allowed.ravel(), "", "excluded by rule 1")).all()
    assert done["rank"].notna().tolist() == allowed.ravel().tolist()
    assert not (done["recommended"] & (done["excluded"] != "")).any()
    each = done.groupby("sample_id", sort=False)
    assert each["recommended"].sum().tolist() == allowed.any(axis=1).astype(int).tolist()
    lost = each["abstain"].first() == arms.NONE_LEFT
    assert lost.tolist() == (~allowed.any(axis=1)).tolist()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 60))
def test_weighted_outcomes_are_the_curve_of_kaplan_and_meier(seed, n):
    """Weighting by G is the same estimate where all are weighted by one curve (Satten 2001)."""
    rng = np.random.default_rng(seed)
    time, event = rng.integers(1, 9, n).astype(float), rng.integers(0, 2, n).astype(float)
    horizon = float(time.max()) if event[time == time.max()].all() else 5.0
    if time.max() < horizon:
        return
    labels = {ARM: "A", TIME: time, EVENT: event, HORIZON: horizon, SIGN: 1.0, PROPENSITY: 0.5}
    samples = pd.DataFrame({"sample_id": map(str, range(n)), **labels})
    weights = known_weights(samples, np.ones(n, bool))
    left = 1.0
    for t in np.unique(time[(event == 1) & (time <= horizon)]):
        left *= 1 - ((time == t) & (event == 1)).sum() / (time >= t).sum()
    y = np.nan_to_num(KIND.encode(samples, ["A"])[:, 0])
    assert weights.sum() == pytest.approx(n)
    assert (weights * y).sum() / n == pytest.approx(left)


def simulated(effect: float, n: int = 600, seed: int = 0, **labels: Any) -> pd.DataFrame:
    """A trial in which the marker tells who needs B, by `effect`; A is as good for all."""
    rng = np.random.default_rng(seed)
    marker, given = rng.normal(size=n), rng.choice(["A", "B"], n)
    ids = [f"p{i}" for i in range(n)]
    y = effect * np.sign(marker) * (given == "B") - 0.3 * effect * (given == "B")
    y = y + rng.normal(size=n)
    table = pd.DataFrame({"sample_id": ids, "group": ids, "marker": marker})
    table["sex"] = rng.choice(["f", "m"], n)
    return table.assign(**{ARM: given, OUTCOME: y, SIGN: 1.0, PROPENSITY: 0.5, **labels})


SMALL = {"name": "random_forest", "n_estimators": 30, "min_samples_leaf": 10}


def run(samples: pd.DataFrame) -> tuple[Fitted, dict[str, Any], dict[str, pd.DataFrame]]:
    split = {"method": "cross_validation", "folds": 3, "valid": 0.2}
    splits = split_samples(samples, split, 1)
    application = get_application("treatment_recommendation")
    features, _, _ = extract_features(samples, application, {"embedder": "table"})
    options = {"application": "treatment_recommendation", "model": SMALL}
    _, fitted, held_out = train_task(samples, splits, {"features": features}, options, 1, inputs=[])
    metrics, plots = evaluate(
        samples,
        splits,
        held_out,
        task="t",
        application="treatment_recommendation",
        kind=KIND,
        options={"resamples": 200},
        seed=1,
        private=True,
    )
    return fitted, metrics, plots


@pytest.mark.slow
def test_a_policy_that_helps_is_better_and_one_that_cannot_is_not():
    samples = simulated(effect=2.0)
    assert kind_of(["binary", "arms"], samples) is KIND
    assert feature_columns(samples) == ["marker", "sex"]
    fitted, metrics, _ = run(samples)
    assert metrics["verdict"] == "better than A for all"
    assert metrics["difference"]["against"] == "naive"
    assert metrics["difference"]["low"] > 0
    assert metrics["test"]["gain"] == pytest.approx(0.5 * 1.4, abs=0.25)
    assert metrics["test"]["r2_in_arms"] > 0
    floor = metrics["baselines"]["naive"]
    assert (floor["gain"], "gain_low" in floor) == (0, False)
    assert floor["value_ipw"] == pytest.approx(floor["best_arm_ipw"])
    _, nothing, _ = run(simulated(effect=0.0))
    assert "better than" not in nothing["verdict"].replace("no better than", "")


def test_an_outcome_is_a_number_though_a_part_of_its_patients_have_0_and_1_alone():
    """And where a draw has equal outcomes, what rounding leaves of their spread is none."""
    samples = simulated(effect=0.0, n=300)
    rng = np.random.default_rng(3)
    thirds = np.where(rng.random(300) < 0.93, 0, rng.choice([1 / 3, 2 / 3, 2.0], 300))
    samples[OUTCOME] = thirds
    facts = partition_facts(samples, np.ones(300, bool))
    said = np.tile(rng.random((300, 1)), (1, 2))
    held = KIND.rows(samples, ["A", "B"]).assign(prediction=said.ravel(), model="model")
    place = {"repeat": 0, "fold": 0}
    test = samples[["sample_id", *label_columns(samples)]].assign(unit=range(300), **place)
    [own] = _policies.test_set(test.join(facts), held.assign(**place), {}).models["model"]
    part = own[own.y == 0]
    assert "rmse" in _policies.score(part, np.ones((len(part.y), 1)))
    draws = rng.multinomial(300, np.full(300, 1 / 300), 500).T.astype(float)
    few = own[np.arange(300) < 40]
    assert np.nanmin(_policies.score(few, draws[:40])["r2_in_arms"]) > -1e6


@pytest.mark.slow
def test_of_a_small_outcome_that_is_good_the_least_is_recommended():
    samples = simulated(effect=2.0)
    turned = samples.assign(**{OUTCOME: -samples[OUTCOME], SIGN: -1.0})
    (_, high, _), (fitted, low, _) = run(samples), run(turned)
    assert low["test"]["gain"] == pytest.approx(high["test"]["gain"])
    assert low["test"]["value"] == pytest.approx(-high["test"]["value"])
    assert (low["good"], low["verdict"]) == ("low", high["verdict"])
    done = predicted(fitted, turned.head(20))
    best = done.loc[done.groupby("sample_id")["prediction"].idxmin()]
    assert best["recommended"].all()


def predicted(fitted: Fitted, samples: pd.DataFrame, folder: Path = Path()) -> pd.DataFrame:
    new = samples.drop(columns=label_columns(samples))
    application = get_application("treatment_recommendation")
    rows, _, _ = extract_features(new, application, {"embedder": "table"})
    fitted.settings.setdefault("id", "x")
    return predict(new, rows, fitted, folder / "new.parquet")


@pytest.mark.slow
def test_rules_hold_from_training_to_predictions(tmp_path):
    samples = simulated(effect=2.0)
    samples["option.B"] = np.where(samples["sex"] == "f", "rule 1", None)
    fitted, metrics, _ = run(samples)
    free, _, _ = run(simulated(effect=2.0))
    assert metrics["test"]["gain"] == pytest.approx(0.5 * 0.5 * 1.4, abs=0.2)  # half may have B
    fitted.save(tmp_path / "model")
    loaded = Fitted.load(tmp_path / "model")
    done = predicted(loaded, samples)
    female = done["sample_id"].isin(samples.loc[samples["sex"] == "f", "sample_id"])
    excluded = female & (done["option"] == "B")
    assert (done["excluded"] == np.where(excluded, "excluded by rule 1", "")).all()
    assert not done.loc[excluded, "recommended"].any()
    assert done.groupby("sample_id")["recommended"].sum().eq(1).all()
    without = samples.drop(columns="option.B")
    refused(lambda: predicted(loaded, without), "option.B", "rules that the training data have")
    nobody = predicted(loaded, samples.head(0))
    assert list(nobody) == list(done)


@pytest.mark.slow
def test_whatever_is_said_of_a_cohort_is_an_association(tmp_path):
    samples = simulated(effect=1.0, **{PROPENSITY: np.nan})
    fitted, metrics, plots = run(samples)
    assert metrics["association"]
    assert metrics["verdict"].endswith("an association, for treatment was not randomised")
    assert 0 < metrics["test"]["followed"] < 1
    assert set(plots["overlap"]["option"]) == {"A", "B"}
    assert (plots["overlap"]["count"] >= 5).all()
    assert (predicted(fitted, samples.head(3))["meaning"] == arms.ASSOCIATION).all()
    write_json(metrics, tmp_path / "metrics.json")
    for name, table in plots.items():
        write_table(table, tmp_path / "plots" / f"{name}.csv")
    files = {"metrics": tmp_path / "metrics.json", "plots": tmp_path / "plots"}
    build_page("t", files, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "Overlap of arms" in page
    assert "(doubly robust), an association" in page
    assert "An association: treatment was not randomised." in page


def test_propensities_are_of_training_rows_and_undo_confounding():
    """The sick get B more often; B helps. By itself B looks worse than A."""
    rng = np.random.default_rng(3)
    n = 6000
    sick = rng.random(n) < 0.5
    given = np.where(rng.random(n) < np.where(sick, 0.8, 0.2), "B", "A")
    y = 0.3 * (given == "B") - 1.0 * sick + 0.1 * rng.normal(size=n)
    samples = pd.DataFrame({"sample_id": map(str, range(n)), "sick": sick.astype(float)})
    samples["group"] = samples["sample_id"]
    samples = samples.assign(**{ARM: given, OUTCOME: y, SIGN: 1.0, PROPENSITY: np.nan})
    train = np.arange(n) < n // 2
    facts = partition_facts(samples, train)
    own = facts["propensity.B"].groupby(sick).first()
    np.testing.assert_allclose(own, [0.2, 0.8], atol=0.03)
    assert facts["typical.B"].iloc[0] - facts["typical.A"].iloc[0] == pytest.approx(0.3, abs=0.05)
    assert samples[train].groupby(ARM)[OUTCOME].mean().diff().iloc[-1] < 0
    labels = arms.weighted(encode_labels(samples, KIND), samples, train)
    weighted = (labels.weight * y * (given == "B"))[train].sum()
    assert weighted / (labels.weight * (given == "B"))[train].sum() == pytest.approx(
        facts["typical.B"].iloc[0]
    )
    other = samples.copy()
    other.loc[~train, OUTCOME] = 99.0  # what only test rows say is not looked at
    pd.testing.assert_frame_equal(partition_facts(other, train), facts)


@pytest.mark.slow
def test_intervals_hold_the_mean_outcome_of_patients_alike():
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(300):
        x = rng.uniform(0.1, 0.9, 60)
        y = (rng.random(60) < x + 0.05).astype(float)  # the model is a bit too low
        labels = encode_labels(simulated(1.0, 10), KIND)
        fitted = KIND.calibrate(x[:, None], y[:, None], labels, Learnt(y[:, None]))
        table = KIND.answer(np.array([[0.3], [0.7]]), ["A"], fitted)
        hits.append((table["low"] <= [0.35, 0.75]) & (table["high"] >= [0.35, 0.75]))
        assert (table["low"] <= table["prediction"]).all()
        assert table["high"].between(table["prediction"], 1).all()
    assert 0.86 < np.mean(hits) <= 0.99


def test_few_validation_rows_give_the_widest_interval():
    labels = encode_labels(simulated(1.0, 10), KIND)
    y = np.array([0.0, 1.0, 1.0])
    fitted = KIND.calibrate(y[:, None], y[:, None], labels, Learnt(y[:, None]))
    table = KIND.answer(np.array([[0.4]]), ["A"], fitted)
    assert (table["low"][0], table["high"][0]) == (0, 1)


def test_data_sets_of_two_directions_are_refused():
    samples = simulated(1.0, 40)
    samples.loc[3, SIGN] = -1.0
    refused(lambda: sign_of(samples), "large outcome is good, another that it is bad")


def test_there_is_no_value_where_an_arm_is_hardly_ever_given():
    rng = np.random.default_rng(5)
    samples = simulated(1.0, 2000, **{PROPENSITY: np.nan})
    chance = 1 / (1 + np.exp(-3 * samples["marker"]))
    samples[ARM] = np.where(rng.random(2000) < chance, "B", "A")
    facts = partition_facts(samples, np.ones(2000, bool))
    likely = facts[["propensity.A", "propensity.B"]].min(axis=1)
    assert (facts["supported"] == (likely >= 0.05)).all()
    assert 0 < (~facts["supported"]).sum() < 1000
    assert "below 0.05" in facts.loc[~facts["supported"], "gap"].iloc[0]


def test_an_arm_that_nobody_like_the_tested_got_ends_the_run():
    samples = simulated(1.0, 60, **{PROPENSITY: np.nan})
    samples["sex"] = np.where(samples[ARM] == "A", "f", "m")
    refused(lambda: partition_facts(samples, np.ones(60, bool)), "No training patients", "drop")


@pytest.mark.parametrize("share", [0.003, 0.02])
def test_an_arm_that_hardly_anybody_got_is_refused_and_is_never_best(share):
    """Patients whom it has a probability of are none, though some have no rare value."""
    rng = np.random.default_rng(0)
    samples = simulated(0.0, n=1500)
    rare = rng.permutation(1500) < share * 1500
    samples[ARM] = np.where(rare, "C", rng.choice(["A", "B"], 1500))
    samples[PROPENSITY] = np.nan
    train = np.arange(1500) < 1100
    refused(
        lambda: partition_facts(samples, train), "No training patients are left of whom some got"
    )
