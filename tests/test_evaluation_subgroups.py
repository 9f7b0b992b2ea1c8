"""Scores of subgroups are those of their rows alone; a disparity is told where it is one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from bioloom.errors import DataError
from bioloom.evaluation.intervals import draw_groups
from bioloom.evaluation.net_benefit import decision_curve
from bioloom.evaluation.subgroups import disparities, subgroup_table
from bioloom.kinds import HeldOut, TestSet, get_kind
from bioloom.report import patients

N = 400


def held_out(unfair: bool = False) -> tuple[TestSet, pd.DataFrame]:
    """Patients of two sexes; where it is unfair, the score says nothing of one of them."""
    rng = np.random.default_rng(0)
    sex, age = rng.choice(["f", "m"], N), rng.uniform(40, 80, N)
    truth = rng.normal(size=N)
    y = (truth + rng.normal(size=N) > 0).astype(int)
    score = np.where((sex == "m") & unfair, rng.normal(size=N), 2 * truth)
    chance = 1 / (1 + np.exp(-score))
    ids = np.array([f"p{i}" for i in range(N)])
    rows = HeldOut(
        repeat=0,
        fold=np.zeros(N, int),
        sample_id=ids,
        group=np.arange(N),
        y=y,
        call=(chance > 0.5).astype(int),
        p=np.column_stack([1 - chance, chance]),
        inside=np.ones(N),
    )
    samples = pd.DataFrame({"sample_id": ids, "clinical.sex": sex, "clinical.age": age})
    return TestSet(outputs=["no", "yes"], models={"model": [rows]}, groups=N), samples


def table_of(test: TestSet, samples: pd.DataFrame, columns: dict, private: bool = True):
    draws = draw_groups(N, 100, 0)
    return subgroup_table(
        test, samples, columns, get_kind("binary"), "auroc", draws, private=private
    )


def test_scores_are_those_of_the_subgroups_rows():
    test, samples = held_out()
    found = table_of(test, samples, {"sex": None}).set_index(["subgroup", "metric"])
    rows = test.models["model"][0]
    for sex in ("f", "m"):
        own = (samples["clinical.sex"] == sex).to_numpy()
        expected = roc_auc_score(rows.y[own], rows.p[own, 1])
        assert found.loc[(sex, "auroc"), "value"] == pytest.approx(expected)
        excess = (rows.p[own, 1] - rows.y[own]).mean()
        assert found.loc[(sex, "excess"), "value"] == pytest.approx(excess)
        assert found.loc[(sex, "auroc"), "n"] == own.sum()


def test_a_disparity_is_told_with_its_interval_and_fairness_is_not():
    fair, unfair = (
        disparities(table_of(*held_out(is_unfair), {"sex": None})) for is_unfair in (False, True)
    )
    assert not [told for told in fair if told.startswith("auroc")]
    told = {line.split()[3]: line for line in unfair if line.startswith("auroc")}
    assert "differs from the mean of the others by +0." in told["f"]
    assert "differs from the mean of the others by -0." in told["m"]
    assert "compared" in told["f"]


def test_bands_of_what_predicts_are_compared_with_bands():
    """Within a band of age a score by age ranks less well; no band is worse than the others."""
    rng = np.random.default_rng(3)
    test, samples = held_out()
    rows = test.models["model"][0]
    age = samples["clinical.age"].to_numpy()
    chance = (age - 35) / 50
    y = (rng.random(N) < chance).astype(int)
    again = replace(rows, y=y, p=np.column_stack([1 - chance, chance]))
    found = table_of(replace(test, models={"model": [again]}), samples, {"age": [50, 60, 70]})
    auroc = found[found["metric"] == "auroc"]
    assert auroc["value"].max() < 0.75 < roc_auc_score(y, chance)
    assert not [told for told in disparities(found) if told.startswith("auroc")]


def test_bands_of_a_number_and_what_is_not_known():
    test, samples = held_out()
    samples.loc[:9, "clinical.age"] = np.nan
    found = table_of(test, samples, {"age": [50, 65]})
    age = samples["clinical.age"]
    sizes = found.drop_duplicates("subgroup").set_index("subgroup")["n"].to_dict()
    assert sizes == {
        "below 50": (age < 50).sum(),
        "50 to 65": ((age >= 50) & (age < 65)).sum(),
        "65 and more": (age >= 65).sum(),
        "not known": 10,
    }


def test_of_few_persons_nothing_is_said():
    test, samples = held_out()
    samples["clinical.sex"] = np.where(np.arange(N) < 4, "x", samples["clinical.sex"])
    assert "x" not in set(table_of(test, samples, {"sex": None})["subgroup"])
    assert "x" in set(table_of(test, samples, {"sex": None}, private=False)["subgroup"])


def test_a_tiny_subgroup_of_one_class_leaves_the_others_compared():
    """It has no AUROC; in the mean of the others it counts for nothing."""
    test, samples = held_out(unfair=True)
    alone = table_of(test, samples, {"sex": None}).query("metric == 'auroc'")
    healthy = np.flatnonzero(test.models["model"][0].y == 0)[:6]
    samples.loc[healthy, "clinical.sex"] = "x"
    found = table_of(test, samples, {"sex": None})
    assert "x" in set(found["subgroup"])
    said = [line.split()[3] for line in disparities(found) if line.startswith("auroc")]
    assert sorted(said) == ["f", "m"]
    beside = found.query("metric == 'auroc'").set_index("subgroup")["difference"]
    for sex, difference in alone.set_index("subgroup")["difference"].items():
        assert beside[sex] == pytest.approx(difference, abs=0.02)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"sx": None}, "did you mean"),
        ({"age": None}, "too many"),
        ({"sex": [1]}, "numbers"),
    ],
)
def test_what_makes_no_subgroups_is_refused(columns, said):
    with pytest.raises(DataError, match=said):
        table_of(*held_out(), columns)


def test_net_benefit_is_counted_as_by_hand():
    test, samples = held_out()
    curve = decision_curve(test)
    rows = test.models["model"][0]
    for threshold in (0.1, 0.5, 0.8):
        at = curve[np.isclose(curve["threshold"], threshold)].set_index("model")["net_benefit"]
        treated = rows.p[:, 1] >= threshold
        hit, miss = (rows.y[treated] == 1).sum(), (rows.y[treated] == 0).sum()
        assert at["model"] == pytest.approx((hit - miss * threshold / (1 - threshold)) / N)
        share = rows.y.mean()
        assert at["treat all"] == pytest.approx(share - (1 - share) * threshold / (1 - threshold))
        assert at["treat none"] == 0
    assert "<svg" in patients.decision_curve(curve, None).svg
    assert "<svg" in patients.subgroups(table_of(test, samples, {"sex": None})).svg
