"""metrics.json: the contract, paired differences and the verdict in words."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from bioloom.errors import DataError
from bioloom.evaluation.evaluate import evaluate
from bioloom.kinds import get_kind

N = 240


def samples_of(rng: np.random.Generator, labels: np.ndarray) -> pd.DataFrame:
    ids = [f"s{i}" for i in range(N)]
    return pd.DataFrame({"sample_id": ids, "label": labels, "group": rng.integers(0, 80, N)})


def holdout(samples: pd.DataFrame) -> pd.DataFrame:
    split = np.repeat(["train", "valid", "test"], [60, 20, 160])
    place = {"unit": samples["group"], "repeat": 0, "fold": 0}
    return pd.DataFrame({"sample_id": samples["sample_id"], **place, "split": split})


def classify(samples: pd.DataFrame, splits: pd.DataFrame, skill: dict[str, float]) -> pd.DataFrame:
    """Held-out predictions of models with the given skill (0 is chance)."""
    test = splits[splits["split"] == "test"].merge(samples, on="sample_id")
    classes = np.unique(samples["label"])
    tables = []
    for model, gain in skill.items():
        rng = np.random.default_rng(7)
        logits = rng.normal(size=(len(test), len(classes)))
        logits += gain * (test["label"].to_numpy()[:, None] == classes)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        table = test[["repeat", "fold", "sample_id"]].assign(model=model)
        table["prediction"] = classes[p.argmax(axis=1)]
        tables.append(table.assign(**{f"p.{c}": p[:, i] for i, c in enumerate(classes)}))
    return pd.concat(tables, ignore_index=True)


def measure(samples, splits, held_out, kind, nearest=None, **options):
    return evaluate(
        samples,
        splits,
        held_out,
        task="toy",
        application="toy",
        kind=get_kind(kind),
        options={"resamples": 100} | options,
        seed=1,
        nearest=nearest,
    )


@pytest.fixture
def binary():
    rng = np.random.default_rng(0)
    samples = samples_of(rng, rng.choice(["no", "yes"], N))
    return samples, holdout(samples)


def test_metrics_json_keeps_the_contract(binary):
    held_out = classify(*binary, {"model": 2, "naive": 0, "no_foundation_model": 1})
    metrics, plots = measure(*binary, held_out, "binary")
    json.dumps(metrics, allow_nan=False)
    assert metrics["n"] == {
        **{"train": 60, "valid": 20, "test": 160},
        **{"test_groups": metrics["n"]["test_groups"], "repeats": 1, "folds": 1},
    }
    names = "accuracy recall precision f1 auroc auprc mcc brier ece log_loss".split()
    for scores in (metrics["test"], *metrics["baselines"].values()):
        expected = {f"{n}{end}" for n in names for end in ("", "_low", "_high")}
        assert set(scores) == expected - {"ece_low", "ece_high"}
        assert all(scores[f"{n}_low"] <= scores[n] <= scores[f"{n}_high"] for n in ("auroc", "f1"))
    test = held_out[held_out["model"] == "model"].merge(binary[0], on="sample_id")
    assert metrics["test"]["auroc"] == pytest.approx(
        roc_auc_score(test["label"] == "yes", test["p.yes"])
    )
    assert set(plots) == {"roc", "pr", "calibration", "confusion"}
    assert metrics["difference"]["against"] == "no_foundation_model"
    assert set(metrics["differences"]) == {"naive", "no_foundation_model"}
    assert metrics == measure(*binary, held_out, "binary")[0]


@pytest.mark.parametrize(
    ("model", "baseline", "verdict"),
    [
        (3, 0, "better than the best baseline, naive"),
        (1, 1, "no better than the baseline naive"),
        (0, 3, "worse than the baseline naive"),
    ],
)
@pytest.mark.parametrize("primary", ["auroc", "brier", "log_loss"])
def test_verdict_says_better_for_a_lower_loss_too(binary, primary, model, baseline, verdict):
    held_out = classify(*binary, {"model": model, "naive": baseline})
    metrics, _ = measure(*binary, held_out, "binary", primary=primary)
    assert metrics["verdict"] == verdict


def test_equal_models_differ_by_nothing_but_groups_that_were_not_met(binary):
    held_out = classify(*binary, {"model": 1, "twin": 1})
    metrics, _ = measure(*binary, held_out, "binary")
    difference, unmet = metrics["difference"], 3 / metrics["n"]["test_groups"]
    assert (difference["value"], difference["against"]) == (0, "twin")
    assert -1.01 * unmet < difference["low"] < -0.9 * unmet
    assert difference["high"] == -difference["low"]
    assert metrics["outcome"] == "equal"


@pytest.mark.parametrize(("groups", "outcome"), [(1, "none"), (5, "none"), (6, "better")])
def test_few_groups_give_no_verdict(binary, groups, outcome):
    samples, splits = binary
    splits["unit"] = np.arange(N) % groups
    held_out = classify(samples, splits, {"model": 30, "naive": 0})
    metrics, _ = measure(samples, splits, held_out, "binary")
    assert metrics["test"]["auroc"] == 1
    assert metrics["test"]["auroc_low"] == pytest.approx(0.05 ** (1 / groups))
    assert metrics["outcome"] == outcome
    told = f"too few groups for a verdict: {groups}, and 6 are needed"
    assert (metrics["verdict"] == told) == (outcome == "none")


def test_shuffled_labels_are_no_better_than_chance(binary):
    samples, splits = binary
    held_out = classify(samples, splits, {"model": 3, "naive": 0})
    shuffled = samples.assign(label=np.random.default_rng(1).permutation(samples["label"]))
    metrics, _ = measure(shuffled, splits, held_out, "binary")
    assert metrics["test"]["auroc_low"] < 0.5 < metrics["test"]["auroc_high"]
    assert metrics["verdict"] == "no better than the baseline naive"


def test_multiclass_is_judged_by_macro_f1_unless_told_otherwise():
    rng = np.random.default_rng(2)
    samples = samples_of(rng, rng.choice(["a", "b", "c"], N, p=[0.8, 0.1, 0.1]))
    splits = holdout(samples)
    held_out = classify(samples, splits, {"model": 1, "naive": 0})
    metrics, plots = measure(samples, splits, held_out, "multiclass")
    test = held_out[held_out["model"] == "model"].merge(samples, on="sample_id")
    assert metrics["primary"] == "f1"
    assert metrics["test"]["f1"] == pytest.approx(
        f1_score(test["label"], test["prediction"], average="macro")
    )
    assert plots["confusion"]["count"].sum() == 160
    metrics, _ = measure(samples, splits, held_out, "multiclass", primary="accuracy")
    assert metrics["primary"] == "accuracy"


@pytest.mark.parametrize("targets", [None, ["a", "b", "c"]])
def test_numbers(targets):
    rng = np.random.default_rng(3)
    values = rng.normal(size=(N, 3))
    samples = samples_of(rng, values[:, 0])
    kind, primary, table = "value", "spearman", "predicted_observed"
    if targets:
        labels = {f"label.{t}": values[:, i] for i, t in enumerate(targets)}
        samples = samples.drop(columns="label").assign(**labels)
        kind, primary, table = "targets", "pearson_median", "per_target"
    splits = holdout(samples)
    test = splits[splits["split"] == "test"].drop(columns="split")
    tables = []
    for model, noise in (("model", 0.5), ("naive", 9.0)):
        said = values[test.index] + noise * rng.normal(size=(len(test), 3))
        for i, target in enumerate(targets or [None]):
            tables.append(test.assign(model=model, target=target, prediction=said[:, i]))
    metrics, plots = measure(samples, splits, pd.concat(tables), kind)
    assert metrics["primary"] == primary
    assert metrics["test"][primary] > 0.8
    assert metrics["verdict"] == "better than the best baseline, naive"
    assert set(plots) == {table}
    assert metrics["n"].get("targets") == (3 if targets else None)


def test_a_test_set_of_one_class_has_no_auroc(binary):
    samples, splits = binary
    samples.loc[splits["split"] == "test", "label"] = "yes"
    held_out = classify(samples, splits, {"model": 1, "naive": 0})
    with pytest.raises(DataError, match="auroc is not defined"):
        measure(samples, splits, held_out, "binary")
    metrics, plots = measure(samples, splits, held_out, "binary", primary="accuracy")
    assert "auroc" not in metrics["test"]
    assert "not defined on these test rows: auroc, mcc" in metrics["flags"]
    assert plots["roc"].empty


def test_flags_say_what_to_doubt(binary):
    samples, splits = binary
    splits["unit"] = np.arange(N) % 12
    metrics, _ = measure(
        samples, splits, classify(samples, splits, {"model": 30, "other": 0}), "binary"
    )
    assert metrics["flags"] == [
        "small test set: 12 groups",
        "suspiciously high score (auroc 1.000): check for leakage",
        "far better than every baseline: check for leakage",
    ]


def test_a_task_without_baselines_says_so(binary):
    metrics, _ = measure(*binary, classify(*binary, {"model": 1}), "binary")
    assert metrics["verdict"] == "no baseline to compare with"
    assert "difference" not in metrics


def test_unknown_options_and_metrics_are_refused(binary):
    held_out = classify(*binary, {"model": 1})
    with pytest.raises(DataError, match="unknown metric 'auc'"):
        measure(*binary, held_out, "binary", primary="auc")
    with pytest.raises(DataError, match="Unknown option 'resample'.*did you mean 'resamples'"):
        measure(*binary, held_out, "binary", resample=3)


def test_metric_by_distance_puts_every_test_row_in_one_bin(binary):
    held_out = classify(*binary, {"model": 2, "naive": 0})
    nearest = held_out[held_out["model"] == "model"][["repeat", "fold", "sample_id"]]
    nearest = nearest.assign(similarity=np.linspace(0, 1, len(nearest)))
    _, plots = measure(*binary, held_out, "binary", nearest=nearest)
    bins = plots["metric_by_distance"].query("model == 'model'")
    assert bins["n"].sum() == 160
    assert bins["similarity"].is_monotonic_increasing
    assert ((bins["low"] <= bins["value"]) & (bins["value"] <= bins["high"])).all()
