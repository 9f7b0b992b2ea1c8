"""Several labels a sample, from the split to scores, predictions and the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from bioloom.application import get_application
from bioloom.errors import DataError
from bioloom.evaluation.evaluate import evaluate
from bioloom.explanation.permutation import permute
from bioloom.features import Features
from bioloom.fitted import Fitted
from bioloom.fitted.signature import make_signature
from bioloom.kinds import encode_labels, get_kind, kind_of
from bioloom.metrics.multilabel import METRICS, multilabel_scores
from bioloom.predictions.predict import predict
from bioloom.privacy.small_cells import HIDDEN
from bioloom.samples import Cleaned, Raw, read_samples, write_samples
from bioloom.samples.cleaning import without_rare_labels
from bioloom.samples.quality import quality
from bioloom.splits.leakage import audit
from bioloom.splits.split import split_samples
from bioloom.training.train import train
from tests.toys import partition, recipe, refused

KIND = get_kind("multilabel")
NAMES = ["binding", "membrane", "transport"]


def table(n: int = 160, seed: int = 0) -> tuple[pd.DataFrame, Features]:
    """Three labels, each with a column of features that tells it, nearly; a tenth not known."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)).astype(np.float32)
    flags = X[:, :3] + 0.4 * rng.normal(size=(n, 3)) > [0, 0.5, 1]
    ids = np.array([f"s{i}" for i in range(n)])
    samples = pd.DataFrame({"sample_id": ids, "group": ids})
    for name, flag in zip(NAMES, flags.T, strict=True):
        known = pd.Series(flag, dtype="boolean")
        samples[f"label.{name}"] = known.mask(rng.random(n) < 0.1)
    return samples, Features(ids, X, np.array(list("abcde")), "table")


def trained(model: str) -> tuple[Fitted, pd.DataFrame]:
    samples, features = table()
    recipes = {"model": recipe(features, model), "naive": recipe(features, "naive")}
    labels = encode_labels(samples, KIND)
    return train(samples, partition(samples, 80, 30), labels, recipes, seed=1)


def test_true_and_false_are_several_labels_and_numbers_are_not():
    samples, _ = table(10)
    names = get_application("protein_function").kinds
    assert kind_of(names, samples) is KIND
    assert not get_kind("targets").fits(samples)
    assert not KIND.fits(samples.rename(columns={f"label.{NAMES[0]}": "label"}))
    numbers = samples.assign(**{f"label.{name}": 1.0 for name in NAMES})
    assert not KIND.fits(numbers)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["logistic_regression", "dnn"])
def test_labels_go_from_training_to_scores_and_predictions(model, tmp_path):
    samples, features = table()
    fitted, held_out = trained(model)
    metrics, plots = evaluate(
        samples,
        partition(samples, 80, 30),
        held_out,
        task="t",
        application="protein_function",
        kind=KIND,
        options={"resamples": 50},
        seed=1,
    )
    assert metrics["primary"] == "auroc"
    assert metrics["test"]["auroc"] > 0.85
    assert metrics["baselines"]["naive"]["auroc"] == 0.5
    assert metrics["test"]["auroc_low"] < metrics["test"]["auroc"] < metrics["test"]["auroc_high"]
    assert metrics["n"]["targets"] == 3
    assert 0.8 < metrics["test"]["coverage"] <= 1
    assert set(plots["per_label"]["target"]) == set(NAMES)

    fitted.settings = {
        "features": "table",
        "feature_names": list("abcde"),
        "signature": make_signature(samples),
    }
    fitted.save(tmp_path / "model")
    new, new_features = table(20, seed=5)
    new = new[["sample_id", "group"]]
    predicted = predict(new, new_features, Fitted.load(tmp_path / "model"), Path("new.parquet"))
    assert predicted["sample_id"].tolist() == np.repeat(new["sample_id"], 3).tolist()
    assert predicted["target"].tolist() == NAMES * 20
    assert set(predicted["prediction"]) == {"yes", "no"}
    p = predicted["p.yes"].to_numpy().reshape(20, 3)
    np.testing.assert_allclose(p, fitted.scores(new_features.X))
    called = (p >= fitted.calibration.threshold).ravel()
    assert (predicted["prediction"].eq("yes") == called).all()
    sets = predicted["prediction_set"].isin(["no", "yes", "no | yes", ""])
    assert sets.all()


def test_a_label_of_few_validation_rows_silences_no_other():
    samples, features = table()
    samples.loc[85:109, "label.transport"] = pd.NA  # five of the rows 80 to 109 stay
    labels = encode_labels(samples, KIND)
    recipes = {"model": recipe(features, "logistic_regression")}
    fitted, _ = train(samples, partition(samples, 80, 30), labels, recipes, seed=1)
    assert dict(zip(fitted.outputs, fitted.sets_tell, strict=True)) == {
        "binding": True,
        "membrane": True,
        "transport": False,
    }
    known = {"features": "table", "feature_names": list("abcde"), "id": "toy"}
    fitted.settings = known | {"signature": make_signature(samples)}
    said = predict(samples, features, fitted, Path("new"))
    unsure = said["abstain"].str.contains("set holds").groupby(said["target"]).sum()
    assert unsure["binding"] > 0
    assert unsure["membrane"] > 0
    assert unsure["transport"] == 0


def test_what_tells_a_label_is_important():
    samples, features = table()
    fitted, _ = trained("logistic_regression")
    found = permute(
        samples.tail(40),
        features,
        fitted,
        repeats=2,
        seed=1,
        parts={"table": {"embedder": "table"}},
    )
    assert set(found["feature"].head(3)) == set("abc")


def test_scores_equal_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, (60, 4)).astype(float)
    p = np.clip(y * 0.3 + rng.random((60, 4)) * 0.7, 0, 1)
    call, weights = (p > 0.5).astype(float), rng.integers(0, 4, (60, 1)).astype(float)
    scores = multilabel_scores(y, call, p, (np.abs(y - p) <= 0.6).astype(float), weights)
    rows = np.repeat(np.arange(60), weights[:, 0].astype(int))
    truth, called, said = y[rows], call[rows], p[rows]
    assert set(scores) == {metric.name for metric in METRICS}
    expected = {
        "auroc": oracle.roc_auc_score(truth, said),
        "auprc": oracle.average_precision_score(truth, said),
        "f1": oracle.f1_score(truth, called, average="macro"),
        "recall": oracle.recall_score(truth, called, average="macro"),
        "precision": oracle.precision_score(truth, called, average="macro"),
        "f1_micro": oracle.f1_score(truth, called, average="micro"),
        "exact": oracle.accuracy_score(truth, called),
        "accuracy": (truth == called).mean(),
        "brier": ((truth - said) ** 2).mean(),
        "coverage": (np.abs(truth - said) <= 0.6).mean(),
    }
    assert {name: scores[name][0] for name in expected} == pytest.approx(expected)


def test_what_is_not_known_counts_nowhere():
    rng = np.random.default_rng(3)
    y, p = rng.integers(0, 2, (40, 2)).astype(float), rng.random((40, 2))
    ones, inside = np.ones((40, 1)), (rng.random((40, 2)) < 0.9).astype(float)
    y[30:, 1], y[38:] = np.nan, np.nan
    inside[np.isnan(y)] = np.nan
    before = multilabel_scores(y, (p > 0.5).astype(float), p, inside, ones)
    p[30:, 1], p[38:] = 1 - p[30:, 1], 1 - p[38:]
    after = multilabel_scores(y, (p > 0.5).astype(float), p, inside, ones)
    known = slice(0, 38)
    alone = multilabel_scores(
        y[known], (p[known] > 0.5).astype(float), p[known], inside[known], ones[known]
    )
    np.testing.assert_allclose(after["exact"], alone["exact"])
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, err_msg=name)


def test_each_label_is_balanced_over_the_parts():
    samples, _ = table(400, seed=4)
    splits = split_samples(samples, {"method": "holdout", "test": 0.25, "valid": 0.15}, seed=1)
    joined = samples.merge(splits, on="sample_id")
    labels = joined[[f"label.{name}" for name in NAMES]].fillna(False).astype(float)
    shares = labels.groupby(joined["split"]).mean()
    assert (shares.max() - shares.min()).max() < 0.02


def test_rare_labels_go_and_their_samples_stay():
    samples, _ = table(60)
    rare = pd.Series([True] * 7 + [False] * 53, dtype="boolean")
    left, notes = without_rare_labels(samples.assign(**{"label.rare": rare}), 8)
    pd.testing.assert_frame_equal(left, samples)
    assert notes == ["1 of 4 labels, which fewer than 8 have or lack, are left out: rare"]
    few = rare & (rare.index > 2)
    hidden = without_rare_labels(samples.assign(**{"label.rare": few}), 8, private=True)[1]
    assert hidden == ["1 of 4 labels, which fewer than 8 have or lack, are left out"]
    nobody = samples.assign(**{"label.none": pd.array([False] * 60, dtype="boolean")})
    assert "left out: none" in without_rare_labels(nobody, 1, private=True)[1][0]
    everyone = pd.Series([True] * 56 + [False] * 4, dtype="boolean")
    assert without_rare_labels(samples.assign(**{"label.all": everyone}), 1)[0].equals(samples)
    assert without_rare_labels(samples, 1)[1] == []


def test_samples_keep_what_is_not_known_and_quality_counts_labels(tmp_path):
    samples, _ = table(60)
    write_samples(samples, tmp_path / "samples.parquet")
    read = read_samples(tmp_path / "samples.parquet")
    pd.testing.assert_frame_equal(read, samples)
    assert KIND.fits(read)
    rare = pd.Series([True] * 2 + [False] * 58, dtype="boolean")
    raw = Raw(samples.assign(**{"label.rare": rare}))
    told = quality(raw, Cleaned(raw.samples, pd.DataFrame({"reason": []})), private=True)
    assert told["labels"]["binding"] == int(samples["label.binding"].sum())
    assert told["labels"]["other (1 labels)"] == HIDDEN


def peptides(x: list, y: list, sequences: list[str]) -> pd.DataFrame:
    """Sequences with two labels, and ten further ones that make neither rare."""
    ids = [f"p{i}" for i in range(len(sequences) + 10)]
    others = [f"MKT{'A' * i}W" for i in range(10)]
    table = pd.DataFrame({"sample_id": ids, "group": ids, "sequence": [*sequences, *others]})
    for name, given in {"x": x, "y": y}.items():
        table[f"label.{name}"] = pd.array([*given, *[True, False] * 5], dtype="boolean")
    return table


def test_copies_with_contradicting_labels_are_dropped_and_others_are_put_together():
    raw = peptides(
        [True, False, True, None, None, None],
        [None, None, None, False, True, None],
        ["MKD", "MKD", "MKE", "MKE", "MKF", "MKG"],
    )
    cleaned = get_application("protein_function").clean(raw, {})
    first = cleaned.samples.set_index("sample_id").loc[["p2", "p4"]]
    assert first["label.x"].tolist() == [True, pd.NA]
    assert first["label.y"].tolist() == [False, True]
    assert len(cleaned.samples) == 12
    assert cleaned.counts() == {
        "no label": 1,
        "sequence with contradicting labels": 2,
        "duplicate sequence": 1,
    }


@pytest.mark.parametrize("least", [1, 8])
def test_labels_that_are_all_rare_are_refused(least):
    raw = peptides([True] * 2, [False] * 2, ["MKD", "MKE"])
    if least == 1:
        raw = raw.head(6)
    options = {"min_class_size": least}
    refused(lambda: get_application("protein_function").clean(raw, options), "no label that")


def test_a_sample_known_by_a_rare_label_alone_is_counted_as_without_a_label():
    raw = peptides([None], [None], ["MKD"])
    raw["label.rare"] = pd.array([True] + [None] * 10, dtype="boolean")
    cleaned = get_application("protein_function").clean(raw, {})
    assert cleaned.counts() == {"no label": 1}
    assert "1 of 3 labels" in cleaned.notes[0]


def test_a_label_that_few_test_rows_have_is_not_scored():
    samples, features = table()
    samples["label.rare"] = pd.array([True] * 4 + [False] * 156, dtype="boolean")
    splits = split_samples(samples, {"method": "cross_validation", "folds": 4}, 1)
    recipes = {"model": recipe(features, "logistic_regression"), "naive": recipe(features, "naive")}
    _, held_out = train(samples, splits, encode_labels(samples, KIND), recipes, seed=1)
    test = KIND.test_set(
        splits[splits["split"] == "test"].merge(samples), held_out, {"min_test": 10}
    )
    assert (test.outputs, test.skipped) == (NAMES, ["rare"])


def test_a_feature_that_is_a_label_is_told():
    samples, _ = table(60)
    samples["leak"] = samples["label.binding"].fillna(False).astype(float)
    splits = partition(samples, 30, 15)
    report, _ = audit(samples, splits, {}, measure="table", private=True)
    assert report["shortcuts"] == {"leak for binding": 1.0}
    assert any("leak for binding" in flag for flag in report["flags"])


def test_too_few_known_values_of_every_label_are_refused():
    samples, _ = table()
    _, held_out = trained("logistic_regression")
    with pytest.raises(DataError, match="min_test"):
        KIND.test_set(
            partition(samples, 80, 30).merge(samples).query("split == 'test'"),
            held_out,
            {"min_test": 500},
        )
