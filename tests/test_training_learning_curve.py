"""Learning curves: nested subsets of groups, the same test rows, and what features are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioloom.evaluation.evaluate import evaluate
from bioloom.evaluation.learning import labels_worth
from bioloom.features import Features
from bioloom.kinds import get_kind
from bioloom.metrics import Metric
from bioloom.training.learning_curve import DRAWS, learning_curve, subset
from bioloom.training.train import labels_of, partitions_of, train_task
from tests.toys import partition, table

OPTIONS = {
    "application": "protein_function",
    "kind": "binary",
    "model": {"name": "logistic_regression"},
    "baselines": {"no_foundation_model": {"features": {}}},
    "learning_curve": [12, 30, 5_000],
}
AUROC = Metric("auroc", "AUROC")


def cohort(rare: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Features]]:
    """Samples, splits of pairs of samples, and features of which the baseline has a noisy copy."""
    samples, features = table(n=240)
    samples["group"] = [f"g{i // 2}" for i in range(240)]
    if rare:
        samples["label"] = np.where(np.arange(240) < rare, "yes", "no")
    splits = partition(samples, 120, 40).assign(unit=np.arange(240) // 2)
    noise = np.random.default_rng(1).normal(size=features.X.shape).astype(np.float32)
    noisy = Features(features.sample_id, features.X + 2 * noise, features.names, "table")
    return samples, splits, {"features": features, "features.no_foundation_model": noisy}


def test_subsets_are_nested_whole_groups_and_have_each_class():
    samples, splits, _ = cohort(rare=4)
    labels = labels_of(samples, OPTIONS)
    whole = next(partitions_of(samples, splits))
    parts = [subset(whole, labels, n, np.random.default_rng(3)) for n in (10, 20, 60)]
    for part, n in zip(parts, (10, 20, 60), strict=True):
        for name in ("train", "valid"):
            rows = part.rows[name]
            assert set(rows) <= set(whole.rows[name])
            assert (np.bincount(whole.units[rows])[np.unique(whole.units[rows])] == 2).all()
        assert len(part.rows["train"]) == n
        assert abs(len(part.rows["valid"]) - n / 3) < 2
        assert set(labels.y[part.rows["train"]]) == {0, 1}
        assert np.array_equal(part.rows["test"], whole.rows["test"])
    for small, large in zip(parts, parts[1:], strict=False):
        assert set(small.rows["train"]) < set(large.rows["train"])
        assert set(small.rows["valid"]) <= set(large.rows["valid"])


def test_a_small_subset_has_each_of_many_classes():
    samples, splits, _ = cohort()
    samples["label"] = [f"class {i // 2 % 17}" for i in range(240)]
    labels = labels_of(samples, OPTIONS | {"kind": "multiclass"})
    whole = next(partitions_of(samples, splits))
    part = subset(whole, labels, 10, np.random.default_rng(3))
    assert len(np.unique(labels.y[part.rows["train"]])) == 17
    assert len(part.rows["train"]) == 34


def test_rows_of_whole_groups_are_told_and_draws_that_are_far_off_left_out(capsys):
    samples, splits, features = cohort()
    splits["unit"] = np.r_[np.zeros(60, int), np.repeat([1, 2, 3], 20), np.arange(4, 124)]
    said = learning_curve(samples, splits, features, OPTIONS | {"learning_curve": [25]}, seed=1)
    drawn = said.groupby("draw")["rows"].unique().explode()
    assert set(drawn) == {20}
    assert len(drawn) < DRAWS
    assert "25 labels, draw" in capsys.readouterr().err


@pytest.fixture(scope="module")
def curve():
    samples, splits, features = cohort()
    fewer = learning_curve(samples, splits, features, OPTIONS, seed=1)
    *_, held_out = train_task(samples, splits, features, OPTIONS, 1, [])
    metrics, plots = evaluate(
        samples,
        splits,
        held_out,
        task="toy",
        application="protein_function",
        kind=get_kind("binary"),
        options={"resamples": 100, "learning_curve": OPTIONS["learning_curve"]},
        seed=1,
        fewer=fewer,
    )
    return fewer, metrics, plots["learning_curve"]


def test_each_number_of_labels_is_drawn_and_scored_on_the_same_rows(curve):
    fewer, metrics, table = curve
    assert set(fewer["model"]) == {"model", "no_foundation_model"}
    assert set(fewer["labels"]) == {12, 30}
    assert all(len(rows) == 80 for _, rows in fewer.groupby(["model", "labels", "draw"]))
    means = table[table["draw"] == "mean"]
    assert list(means.groupby("model")["labels"].agg(list)) == [[12, 30, 120]] * 2
    assert (means["low"] <= means["value"]).all()
    assert (means["value"] <= means["high"]).all()
    drawn = table[(table["draw"] != "mean") & (table["labels"] == 12)]
    assert list(drawn.groupby("model").size()) == [DRAWS, DRAWS]
    value = means[(means["model"] == "model") & (means["labels"] == 12)]["value"].item()
    assert value == pytest.approx(drawn[drawn["model"] == "model"]["value"].mean())
    whole = means[(means["model"] == "model") & (means["labels"] == 120)]["value"].item()
    assert whole == pytest.approx(metrics["test"]["auroc"])
    assert "with pretrained features 12 labels are worth" in metrics["labels_worth"]


def points(model: list[float], letters: list[float]) -> pd.DataFrame:
    names = np.repeat(["model", "no_foundation_model"], 3)
    sizes = [100, 1_000, 10_000] * 2
    return pd.DataFrame({"model": names, "rows": sizes, "draw": "mean", "value": model + letters})


def test_what_features_are_worth_is_read_off_the_logarithm():
    told = labels_worth(points([0.7, 0.5, 0.95], [0.5, 0.6, 0.8]), AUROC)
    assert told == (
        "AUROC: with pretrained features 100 labels are worth about 3,162, 1,000 labels are worth "
        "100 or fewer, 10,000 labels are worth more than all 10,000 without."
    )


def test_a_model_on_letters_is_what_pretrained_features_are_compared_with():
    names = {"model": "pretrained", "no_foundation_model": "model"}
    curve = points([0.7, 0.5, 0.95], [0.5, 0.6, 0.8]).replace({"model": names})
    assert "pretrained features 100 labels are worth about 3,162," in labels_worth(curve, AUROC)


def test_numbers_without_a_score_say_nothing():
    told = labels_worth(points([np.nan, 0.5, 0.9], [0.4, 0.5, 0.8]), AUROC)
    assert "100 labels" not in told
    assert "1,000 labels are worth 1,000 or fewer" in told
    assert labels_worth(points([0.6, 0.7, 0.8], [np.nan, np.nan, 0.7]), AUROC) == ""


def test_of_a_loss_less_is_more():
    told = labels_worth(
        points([0.3, 0.2, 0.1], [0.5, 0.4, 0.2]), Metric("rmse", "RMSE", lower_is_better=True)
    )
    assert "1,000 labels are worth about 10,000," in told


def test_without_that_baseline_nothing_is_told():
    curve = points([0.7, 0.8, 0.9], [0.5, 0.6, 0.7])
    assert labels_worth(curve[curve["model"] == "model"], AUROC) == ""
