"""Predictions and labels are joined row for row, or refused."""

import numpy as np
import pandas as pd
import pytest

from bioloom.errors import DataError
from bioloom.evaluation.evaluate import OPTIONS
from bioloom.evaluation.test_set import read_test_set
from bioloom.kinds import TestSet, get_kind

IDS = [f"s{i}" for i in range(12)]
SAMPLES = pd.DataFrame({"sample_id": IDS, "label": ["no", "yes"] * 6, "group": IDS})


def read(samples, splits, held_out, kind: str, **options) -> TestSet:
    return read_test_set(samples, splits, held_out, get_kind(kind), OPTIONS | options)


def cross_validation(folds: int = 3, repeats: int = 1) -> pd.DataFrame:
    rows = [
        (sample, i, repeat, fold, "test" if i % folds == fold else "train")
        for repeat in range(repeats)
        for fold in range(folds)
        for i, sample in enumerate(IDS)
    ]
    return pd.DataFrame(rows, columns=["sample_id", "unit", "repeat", "fold", "split"])


def said(splits: pd.DataFrame, **columns: object) -> pd.DataFrame:
    test = splits[splits["split"] == "test"].drop(columns="split")
    return test.assign(model="model", **columns)


@pytest.fixture
def splits() -> pd.DataFrame:
    return cross_validation()


@pytest.fixture
def binary(splits: pd.DataFrame) -> pd.DataFrame:
    return said(splits, prediction="yes", **{"p.no": 0.3, "p.yes": 0.7})


def test_rows_are_matched_by_sample_whatever_their_order(splits, binary):
    binary["p.yes"] = np.arange(12) / 100
    expected = binary.set_index("sample_id")["p.yes"]
    test = read(SAMPLES.sample(frac=1, random_state=0), splits, binary[::-1], "binary")
    (rows,) = test.models["model"]
    assert test.outputs == ["no", "yes"]
    assert rows.p[:, 1] == pytest.approx(expected[rows.sample_id].to_numpy())
    labels = SAMPLES.set_index("sample_id")["label"]
    assert [test.outputs[code] for code in rows.y] == list(labels[rows.sample_id])


def test_each_repeat_is_apart(binary):
    splits = cross_validation(repeats=2)
    held_out = said(splits, prediction="yes", **{"p.no": 0.3, "p.yes": 0.7})
    repeats = read(SAMPLES, splits, held_out, "binary").models["model"]
    assert [rows.repeat for rows in repeats] == [0, 1]
    assert all(sorted(rows.sample_id) == sorted(IDS) for rows in repeats)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.iloc[1:], "no finite prediction for 2 test values"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "predicts a row twice"),
        (lambda t: t.assign(fold=0), "outside the test split"),
        (lambda t: t.assign(model="naive"), "no test rows predicted by the task's model"),
        (lambda t: t.assign(**{"p.yes": np.nan}), "no finite prediction for 12"),
        (lambda t: t.assign(**{"p.maybe": 0.0}), "a binary task has 2 classes, not 3"),
        (lambda t: t.assign(prediction="maybe"), "not trained on: maybe"),
    ],
)
def test_predictions_that_do_not_fit_the_split_are_refused(splits, binary, change, message):
    with pytest.raises(DataError, match=message):
        read(SAMPLES, splits, change(binary), "binary")


def test_columns_of_the_samples_do_not_clash_with_those_of_the_splits(splits, binary):
    samples = SAMPLES.assign(fold="x", unit=1, split="y", prediction=0.0)
    assert read(samples, splits, binary, "binary").groups == 12


def test_a_label_that_the_model_does_not_know_is_refused(splits, binary):
    samples = SAMPLES.assign(label=["no", "yes"] * 5 + ["no", "rare"])
    with pytest.raises(DataError, match="not trained on: rare"):
        read(samples, splits, binary, "binary")


def test_constants_of_the_folds_become_one_constant():
    splits = cross_validation(repeats=2)
    samples = SAMPLES.assign(label=np.arange(12.0))
    per_fold = said(splits).assign(prediction=lambda t: 0.5 * t["repeat"] - t["fold"])
    for rows in read(samples, splits, per_fold, "value").models["model"]:
        assert (rows.call == -0.75).all()
    varied = per_fold.assign(prediction=np.arange(24.0))
    for rows in read(samples, splits, varied, "value").models["model"]:
        assert len(set(rows.call)) == 12


def test_targets_without_enough_test_values_are_skipped(splits):
    few = [np.nan] * 8 + [1.0, 2, 3, 4]
    samples = SAMPLES[["sample_id", "group"]].assign(
        **{"label.a": np.arange(12.0), "label.b": few, "label.flat": 1.0}
    )
    held_out = pd.concat(said(splits, prediction=0.5, target=t) for t in ("a", "b", "flat"))
    test = read(samples, splits, held_out, "targets", min_test=6)
    assert (test.outputs, test.skipped) == (["a"], ["b", "flat"])
    with pytest.raises(DataError, match="no target has 13"):
        read(samples, splits, held_out, "targets", min_test=13)
    with pytest.raises(DataError, match="no finite prediction for 1 test values"):
        read(samples, splits, held_out.iloc[1:], "targets", min_test=6)
