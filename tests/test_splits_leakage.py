"""The audit measures each test sample against training, and fails on a planted leak."""

import json

import numpy as np
import pandas as pd
import pytest

from bioloom.errors import DataError
from bioloom.similarity import get_measure
from bioloom.similarity.table import nearest_rows
from bioloom.splits.leakage import audit, shortcuts
from bioloom.splits.split import split_samples

RESIDUES = list("ARNDCQEGHILKMFPSTWYV")


def proteins(count=60, seed=1) -> pd.DataFrame:
    """Unrelated sequences of 90 residues of two classes, each its own group."""
    rng = np.random.default_rng(seed)
    ids = [f"P{i:03d}" for i in range(count)]
    sequences = ["".join(rng.choice(RESIDUES, 90)) for _ in ids]
    labels = np.where(np.arange(count) % 2, "yes", "no")
    columns = {"sample_id": ids, "label": labels, "group": ids, "sequence": sequences}
    return pd.DataFrame(columns)


def patients(count=60, seed=1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ids = [f"patient {i}" for i in range(count)]
    table = pd.DataFrame({"sample_id": ids, "group": ids})
    table["label"] = np.where(np.arange(count) % 2, "ill", "well")
    table["age"] = rng.normal(60, 10, count)
    table["expression.FLT3"] = rng.normal(5, 2, count)
    table["sex"] = rng.choice(["f", "m"], count)
    table.loc[:4, "sex"] = None
    return table


def plant(samples, splits, columns, source="train") -> tuple[str, str]:
    """Copy `columns` of a training sample into a test sample; the ids of both."""
    joined = splits.merge(samples, on="sample_id")
    test = joined.loc[joined["split"] == "test", "sample_id"].iloc[0]
    training = joined.loc[joined["split"] == source, "sample_id"].iloc[0]
    copied = samples.loc[samples["sample_id"] == training, columns].to_numpy()
    samples.loc[samples["sample_id"] == test, columns] = copied
    return test, training


def test_unrelated_sequences_pass_and_every_test_sample_is_measured():
    samples = proteins()
    splits = split_samples(samples, {"test": 0.25}, 1)
    report, items = audit(samples, splits, {"limit": 0.5}, measure="sequence")
    assert list(items.columns) == ["sample_id", "repeat", "fold", "nearest", "similarity"]
    assert set(items["sample_id"]) == set(splits.loc[splits["split"] == "test", "sample_id"])
    assert report["largest"] == pytest.approx(items["similarity"].max(), abs=1e-4)
    assert 0 < report["largest"] <= 0.5
    assert sum(report["histogram"]["counts"]) == len(items) == report["test_samples"]
    assert len(report["histogram"]["edges"]) == len(report["histogram"]["counts"]) + 1
    assert report["groups_across_splits"] == report["near_duplicates"] == 0
    assert report["flags"] == []
    json.dumps(report, allow_nan=False)


@pytest.mark.parametrize("source", ["train", "valid"])
def test_a_planted_copy_fails_the_task(source):
    samples = proteins()
    splits = split_samples(samples, {}, 1)
    test, training = plant(samples, splits, ["sequence"], source)
    with pytest.raises(DataError, match=f"1 of 12 test samples .* {test} to {training} 1.00"):
        audit(samples, splits, {"limit": 0.5}, measure="sequence")


def test_a_planted_copy_is_counted_where_there_is_no_limit():
    samples = proteins()
    splits = split_samples(samples, {}, 1)
    test, training = plant(samples, splits, ["sequence"])
    other = "no" if (samples.set_index("sample_id").loc[training, "label"] == "yes") else "yes"
    samples.loc[samples["sample_id"] == test, "label"] = other
    report, items = audit(samples, splits, {}, measure="sequence")
    assert (report["identical"], report["near_duplicates"]) == (1, 1)
    assert report["near_duplicates_of_another_class"] == 1
    assert "1 test samples are near-duplicates of training" in report["flags"]
    assert items.set_index("sample_id").loc[test, "nearest"] == training


def test_what_is_alike_by_chance_is_no_near_duplicate():
    rng = np.random.default_rng(1)
    coarse = {"age": rng.integers(4, 8, 400) * 10, "sex": rng.choice(["f", "m"], 400)}
    fine = {f"marker {i}": rng.normal(size=400) for i in range(8)}
    samples = pd.DataFrame({"sample_id": [f"p{i}" for i in range(400)]} | coarse | fine)
    samples["group"] = samples["sample_id"]
    samples["label"] = rng.normal(size=400)
    splits = split_samples(samples, {}, 1)
    report, _ = audit(
        samples[["sample_id", "group", "label", *coarse]], splits, {}, measure="table"
    )
    assert report["identical"] > 50
    assert report["near_duplicates"] == 0
    assert not report["flags"]
    plant(samples, splits, [*coarse, *fine])
    samples["age"] += 1e-3 * rng.normal(size=400)
    report, _ = audit(samples, splits, {}, measure="table")
    assert (report["identical"], report["near_duplicates"]) == (0, 1)


def test_mutants_of_one_sequence_are_near_duplicates_where_they_share_rare_letters():
    rng = np.random.default_rng(2)
    letters = np.tile(rng.choice(list("ACGT"), 75), (300, 1))
    mutated = rng.random(letters.shape) < 0.06
    letters[mutated] = rng.choice(list("ACGT"), mutated.sum())
    ids = [f"m{i}" for i in range(300)]
    samples = pd.DataFrame({"sample_id": ids, "group": ids, "label": rng.normal(size=300)})
    samples["sequence"] = ["".join(row) for row in letters]
    splits = split_samples(samples, {}, 1)
    report, items = audit(samples, splits, {}, measure="variants")
    assert (items["similarity"] >= 0.9).all()
    assert report["near_duplicates"] < 0.1 * len(items)
    many = samples["sequence"][mutated.sum(axis=1).argmax()]
    first = splits.drop_duplicates("split").set_index("split")["sample_id"]
    samples.loc[samples["sample_id"].isin(first[["train", "test"]]), "sequence"] = many
    planted, _ = audit(samples, splits, {}, measure="variants")
    assert planted["near_duplicates"] == report["near_duplicates"] + 1


def test_cluster_split_keeps_the_limit_that_a_row_split_breaks():
    samples = proteins(40)
    relatives = samples.assign(
        sample_id=samples["sample_id"] + "b",
        group=samples["group"] + "b",
        sequence=samples["sequence"].str[10:] + "WWCC",
    )
    samples = pd.concat([samples, relatives], ignore_index=True)
    by_cluster = {"by": "cluster", "identity": 0.5, "test": 0.3}
    audit(samples, split_samples(samples, by_cluster, 1), {"limit": 0.5}, measure="sequence")
    by_row = split_samples(samples, {"by": "row", "test": 0.3}, 1)
    with pytest.raises(DataError, match="nearer to training than 0.5"):
        audit(samples, by_row, {"limit": 0.5}, measure="sequence")


def test_cross_validation_audits_every_partition():
    samples = patients()
    options = {"method": "cross_validation", "folds": 3, "repeats": 2}
    splits = split_samples(samples, options, 1)
    report, items = audit(samples, splits, {}, measure="table", private=True)
    assert len(items.groupby(["repeat", "fold"])) == 6
    assert (items.groupby("repeat")["sample_id"].nunique() == 60).all()
    assert report["test_samples"] == 60
    worst = report["worst_partition"]
    medians = items.groupby(["repeat", "fold"])["similarity"].median()
    assert worst["median"] == pytest.approx(medians.max(), abs=1e-4)
    assert medians[worst["repeat"], worst["fold"]] == medians.max()
    assert report["sizes"]["test"] == 20
    json.dumps(report, allow_nan=False)


def test_table_similarity_is_by_the_distance_to_training_rows():
    samples = patients()[["sample_id", "group", "label", "age", "expression.FLT3"]]
    splits = split_samples(samples, {}, 1)
    report, items = audit(samples, splits, {"limit": 0.999}, measure="table")
    values = samples.set_index("sample_id")[["age", "expression.FLT3"]]
    is_test = splits.set_index("sample_id")["split"][values.index] == "test"
    distance, _ = nearest_rows(values[is_test].to_numpy(), values[~is_test].to_numpy())
    expected = pd.Series(1 / (1 + distance), index=values.index[is_test])
    np.testing.assert_allclose(items["similarity"], expected[items["sample_id"]])
    assert report["distance"]["0.5"] == pytest.approx(np.median(distance), abs=1e-4)


def test_a_copied_patient_fails_without_being_named():
    samples = patients()
    splits = split_samples(samples, {}, 1)
    test, _ = plant(samples, splits, ["age", "expression.FLT3", "sex"])
    with pytest.raises(DataError, match="1 of 12 test samples") as caught:
        audit(samples, splits, {"limit": 0.99}, measure="table", private=True)
    assert "patient" not in str(caught.value)
    assert str(round(samples["age"].max())) not in str(caught.value)
    report, _ = audit(samples, splits, {}, measure="table", private=True)
    assert report["identical"] == 1
    assert "patient" not in json.dumps(report)


def test_group_in_two_splits_fails():
    samples = proteins()
    splits = split_samples(samples, {}, 1)
    with pytest.raises(DataError, match="1 groups are in more than one split"):
        audit(samples.assign(group=["same", "same", *samples["group"][2:]]),
              splits.assign(split=["train", "test", *splits["split"][2:]]),
              {}, measure="sequence")  # fmt: skip


def test_shortcuts_of_sequences():
    samples = proteins(200)
    positive = samples["label"] == "yes"
    chance = shortcuts(samples, get_measure("sequence"))
    assert chance["length"] == 0.5
    assert chance["starts with M"] < 0.6
    samples.loc[positive, "sequence"] = "M" + samples.loc[positive, "sequence"].str[1:40]
    assert shortcuts(samples, get_measure("sequence"))["length"] == 1
    assert shortcuts(samples, get_measure("sequence"))["starts with M"] > 0.9
    splits = split_samples(samples, {}, 1)
    report, _ = audit(samples, splits, {}, measure="sequence")
    assert "length alone separates the classes: AUROC 1.00" in report["flags"]
    assert shortcuts(samples.drop(columns="label"), get_measure("sequence")) == {}
    assert shortcuts(samples.assign(label=samples["sample_id"]), get_measure("sequence")) == {}


def test_all_columns_that_decide_alone_are_told():
    samples = patients(200)
    ill = samples["label"] == "ill"
    rng = np.random.default_rng(3)
    samples["death_day"] = np.where(ill, rng.integers(1, 30, 200), np.nan)
    samples["last_contact"] = np.where(ill, 20, 90) + rng.integers(0, 9, 200)
    samples["visit"] = np.where(rng.random(200) < 0.5, 3.0, np.nan)
    report, _ = audit(samples, split_samples(samples, {}, 1), {}, measure="table")
    assert {flag for flag in report["flags"] if "alone" in flag} == {
        "death_day, known or not, alone separates the classes: AUROC 1.00",
        "last_contact alone separates the classes: AUROC 1.00",
    }


def test_a_block_of_gaps_is_told_once_and_hides_no_column():
    samples = patients(200)
    ill = samples["label"] == "ill"
    block = {f"gene_{n}": np.where(ill, n, np.nan) for n in range(40)}
    samples = samples.assign(**block, outcome=np.where(ill, 1, 0))
    assert list(shortcuts(samples, get_measure("table")).items()) == [
        ("outcome", 1),
        ("gene_0 and 39 more, known or not,", 1),
    ]
    several = samples.assign(**{f"copy_{n}": samples["outcome"] for n in range(29)})
    report, _ = audit(several, split_samples(several, {}, 1), {}, measure="table")
    alone = [flag for flag in report["flags"] if "alone" in flag]
    assert alone[20:] == ["and 11 more alone, the least with an AUROC of 1.00"]


def test_of_several_labels_all_columns_that_decide_are_told():
    samples = patients(200)
    ill = samples.pop("label") == "ill"
    samples["label.event"] = ill
    samples["label.competing"] = ~ill
    samples["death_day"] = np.where(ill, 3.0, np.nan)
    samples["last_contact"] = np.where(ill, 20, 90)
    assert list(shortcuts(samples, get_measure("table")).items()) == [
        ("last_contact for event", 1),
        ("death_day, known or not, for event", 1),
    ]


def test_shortcut_of_a_table_is_its_best_column():
    samples = patients(200)
    assert max(shortcuts(samples, get_measure("table")).values()) < 0.65
    samples["outcome"] = np.where(samples["label"] == "ill", "died", "alive")
    (name, score), = shortcuts(samples, get_measure("table")).items()  # fmt: skip
    assert name.startswith("outcome_")
    assert score == 1


def test_a_class_without_test_sample_is_flagged():
    samples = proteins()
    samples.loc[0, "label"] = "rare"
    splits = split_samples(samples, {}, 1)
    report, _ = audit(samples, splits, {}, measure="sequence")
    assert report["flags"] == ["no test sample of class rare"]


@pytest.mark.parametrize(
    "options", [{"limt": 0.4}, {"limit": 40}, {"limit": "0.4"}, {"limit": True}]
)
def test_bad_options_are_refused(options):
    samples = proteins()
    with pytest.raises(DataError, match="leakage"):
        audit(samples, split_samples(samples, {}, 1), options, measure="sequence")


@pytest.mark.parametrize("measure", ["sequence", "table"])
def test_samples_without_anything_to_measure_are_refused(measure):
    samples = proteins().drop(columns="sequence")
    with pytest.raises(DataError, match="leakage audit of"):
        audit(samples, split_samples(samples, {}, 1), {}, measure=measure)


def test_several_targets_have_no_classes():
    samples = patients().drop(columns="label").assign(**{"label.drug": 1.0})
    splits = split_samples(samples, {}, 1)
    report, _ = audit(samples, splits, {}, measure="table")
    assert report["shortcuts"] == {}
    assert "near_duplicates_of_another_class" not in report
