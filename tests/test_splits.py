"""Splits keep groups whole, hold each sample once, balance the classes and follow the seed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.splits import COLUMNS, FINAL, check_splits, read_splits, write_splits
from bioloom.splits.split import checked_options, chosen_options, split_samples


def table(groups, labels) -> pd.DataFrame:
    ids = [f"s{i}" for i in range(len(groups))]
    return pd.DataFrame({"sample_id": ids, "label": labels, "group": groups})


@st.composite
def grouped_samples(draw) -> pd.DataFrame:
    """20 to 60 groups of 1 to 8 samples, two classes mixed within and between groups."""
    sizes = draw(st.lists(st.integers(1, 8), min_size=20, max_size=60))
    groups = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    positive = draw(st.lists(st.booleans(), min_size=len(groups), max_size=len(groups)))
    labels = np.where(positive, "yes", "no")
    labels[:2], labels[-2:] = "yes", "no"
    return table(groups, labels)


OPTIONS = st.sampled_from(
    [
        {"method": "holdout", "test": 0.3, "valid": 0.2},
        {"method": "cross_validation", "folds": 3, "repeats": 2, "valid": 0.15},
    ]
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(grouped_samples(), OPTIONS, st.integers(0, 2**31))
def test_every_sample_once_and_no_group_on_two_sides(samples, options, seed):
    # A class of very few groups may be impossible to have on every side: that is refused.
    assume(samples.groupby("label")["group"].nunique().min() >= 5)
    splits = split_samples(samples, options, seed)
    assert list(splits.columns) == COLUMNS
    assert splits.equals(split_samples(samples, options, seed))
    joined = splits.merge(samples, on="sample_id")
    for key, part in joined.groupby(["repeat", "fold"]):
        assert sorted(part["sample_id"]) == sorted(samples["sample_id"])
        assert part.groupby("group")["split"].nunique().max() == 1
        assert set(part["split"]) == {"train", "valid"} | (set() if key == FINAL else {"test"})
        assert set(part.loc[part["split"] == "train", "label"]) == {"yes", "no"}


def test_cross_validation_tests_every_sample_once_a_repeat():
    samples = table([f"g{i // 2}" for i in range(60)], ["a", "b"] * 30)
    splits = split_samples(samples, {"method": "cross_validation", "folds": 5, "repeats": 3}, 1)
    tested = splits[splits["split"] == "test"].groupby(["repeat", "sample_id"]).size()
    assert len(tested) == 3 * 60
    assert (tested == 1).all()
    assert len(splits.groupby(["repeat", "fold"])) == 3 * 5 + 1


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 0.9))
def test_classes_and_sizes_are_as_asked_where_groups_allow(seed, positive):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 300, 600)
    samples = table(groups.astype(str), np.where(rng.random(600) < positive, "yes", "no"))
    splits = split_samples(samples, {"test": 0.2, "valid": 0.1}, seed)
    joined = splits.merge(samples, on="sample_id")
    share = pd.crosstab(joined["label"], joined["split"], normalize="index")
    np.testing.assert_allclose(share["test"], 0.2, atol=0.04)
    np.testing.assert_allclose(share["valid"], 0.1, atol=0.04)


def test_measured_labels_are_balanced_by_fifths():
    values = np.arange(500.0)
    samples = table(values.astype(int).astype(str), values)
    joined = split_samples(samples, {"test": 0.2}, 3).merge(samples, on="sample_id")
    means = joined.groupby("split")["label"].mean()
    np.testing.assert_allclose(means, values.mean(), rtol=0.12)


def test_another_seed_gives_another_split():
    samples = table([f"g{i}" for i in range(100)], ["a", "b"] * 50)
    assert not split_samples(samples, {}, 1).equals(split_samples(samples, {}, 2))


def test_several_targets_need_no_label():
    samples = table([f"g{i}" for i in range(30)], "").drop(columns="label")
    samples["label.drug"] = np.where(np.arange(30) % 2, np.nan, 1.0)
    counts = split_samples(samples, {"test": 0.2, "valid": 0.2}, 1)["split"].value_counts()
    assert counts.to_dict() == {"train": 18, "test": 6, "valid": 6}


def test_clusters_join_groups_and_stay_together():
    rng = np.random.default_rng(0)
    families = ["".join(rng.choice(list("ARNDCQEGHILKMFPSTWYV"), 60)) for _ in range(20)]
    sequences = [f + "AA" for f in families] + [f + "WW" for f in families]
    groups = [f"g{i}" for i in range(40)]
    groups[1] = groups[0]  # joins families 0 and 1, so samples 0, 1, 20 and 21
    samples = table(groups, ["a", "b"] * 20).assign(sequence=sequences)
    for seed in range(5):
        options = {"by": "cluster", "identity": 0.6, "test": 0.3, "valid": 0.2}
        split = split_samples(samples, options, seed)["split"].to_numpy()
        assert (split[:20] == split[20:]).all()
        assert split[0] == split[1]


def test_shipped_split_is_kept_and_valid_is_carved_from_train():
    samples = table([f"g{i}" for i in range(50)], ["a", "b"] * 25)
    samples["set"] = ["training"] * 40 + ["Test"] * 10
    options = {"method": "column", "column": "set", "valid": 0.2}
    splits = split_samples(samples, options, 1)
    assert (splits["split"] == "test").tolist() == [False] * 40 + [True] * 10
    assert (splits["split"] == "valid").sum() == 10
    samples.loc[:4, "set"] = "val"
    splits = split_samples(samples, options, 1)
    assert (splits["split"] == "valid").tolist() == [True] * 5 + [False] * 45


def test_written_splits_read_back(tmp_path):
    samples = table([f"g{i}" for i in range(30)], ["a", "b"] * 15)
    splits = split_samples(samples, {}, 1)
    write_splits(splits, samples, tmp_path / "splits.parquet")
    pd.testing.assert_frame_equal(read_splits(tmp_path / "splits.parquet", samples), splits)
    with pytest.raises(DataError, match="split them again"):
        read_splits(tmp_path / "splits.parquet", samples.iloc[1:])


def moved(splits, row, split):
    return splits.assign(split=splits["split"].where(splits.index != row, split))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: moved(s, 0, "test" if s["split"][0] != "test" else "train"), "1 groups are in"),
        (lambda s: moved(s, 0, "hold"), "hold"),
        (lambda s: s.iloc[1:], "must be once"),
        (lambda s: pd.concat([s.iloc[[1]], s.iloc[1:]], ignore_index=True), "must be once"),
        (lambda s: s.assign(split="train"), "expected train, valid, test, got train"),
        (lambda s: s.drop(columns="fold"), "columns"),
        (lambda s: s.iloc[:0], "no splits"),
    ],
)
def test_bad_splits_are_refused(tmp_path, change, message):
    samples = table([f"g{i // 2}" for i in range(60)], ["a", "b"] * 30)
    splits = change(split_samples(samples, {}, 1))
    with pytest.raises(DataError, match=message):
        write_splits(splits, samples, tmp_path / "splits.parquet")
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match=message):
        check_splits(splits, samples)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "random"}, "Unknown split method"),
        ({"tset": 0.2}, "Unknown option 'tset' under `split.*did you mean 'test'"),
        ({"folds": 5}, "Unknown option 'folds' under `split: holdout`"),
        ({"by": "family"}, "one of group, block, cluster, row"),
        ({"by": "cluster"}, "needs identity"),
        ({"identity": 0.4}, "only split by cluster"),
        ({"by": "cluster", "identity": 40}, "identity` is above 0 and at most 1"),
        ({"test": 0}, "test` is above 0"),
        ({"test": "0.2"}, "test` takes a number"),
        ({"test": 0.6, "valid": 0.4}, "no training samples"),
        ({"method": "cross_validation", "folds": 1}, "folds` is at least 2"),
        ({"method": "cross_validation", "folds": 2.0}, "folds` takes a whole number"),
        ({"method": "cross_validation", "repeats": 0}, "repeats` is at least 1"),
        ({"method": "cross_validation", "folds": 2, "valid": 0.5}, "no training samples"),
        ({"method": "column"}, "needs column"),
        ({"method": "column", "column": "set"}, "not in the samples"),
        ({"method": "column", "column": "group"}, "'g0'"),
        ({"by": "row"}, "groups repeat"),
        ({"by": "cluster", "identity": 0.4}, "sequence column"),
    ],
)
def test_bad_options_are_refused(options, message):
    samples = table([f"g{i // 2}" for i in range(40)], ["a", "b"] * 20)
    with pytest.raises(DataError, match=message):
        split_samples(samples, options, 1)


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (table(["g0"] * 9 + ["g1"] * 9, ["a", "b"] * 9), {}, "too few groups"),
        (table([f"g{i}" for i in range(20)], ["rare"] + ["a"] * 19),
         {"method": "cross_validation"}, "no training sample of class rare"),
        (table(["g0", "g1", None], ["a", "b", "a"]), {}, "1 samples have no group"),
        (table(["g0", "g1", "g2"], ["a", None, "a"]), {}, "1 samples have no label"),
        (table([], []), {}, "no samples"),
        (table(["g0", "g1"], ["a", "b"]).drop(columns="group"), {}, "needs a group column"),
    ],
)  # fmt: skip
def test_data_that_cannot_be_split_are_refused(samples, options, message):
    with pytest.raises(DataError, match=message):
        split_samples(samples, options, 1)


def test_folds_may_be_as_many_as_hospitals_but_not_as_samples():
    """One hospital a fold, however large; one sample a fold can be ranked with none."""
    hospitals = np.repeat(["north", "east", "south", "west"], [40, 30, 20, 10])
    samples = table(hospitals, ["a", "b"] * 50)
    options = {"method": "cross_validation", "folds": 4, "repeats": 3, "by": "group"}
    joined = split_samples(samples, options, 1).merge(samples, on="sample_id")
    tested = joined[joined["split"] == "test"].groupby(["repeat", "fold"])["group"]
    assert tested.nunique().tolist() == [1] * 12
    assert sorted(tested.first().xs(0)) == ["east", "north", "south", "west"]
    alone = table([f"g{i}" for i in range(20)], ["a", "b"] * 10)
    with pytest.raises(DataError, match=r"`folds: 20` tests one sample at a time.*such as 10"):
        split_samples(alone, options | {"folds": 20}, 1)
    assert split_samples(alone, options | {"folds": 10}, 1)["fold"].max() == 9


def test_one_group_of_nearly_all_samples_is_refused():
    samples = table(["family"] * 90 + [f"g{i}" for i in range(10)], ["a", "b"] * 50)
    with pytest.raises(DataError, match=r"largest group or cluster holds 90.0%"):
        split_samples(samples, {"test": 0.2}, 1)


def sequences(texts) -> pd.DataFrame:
    return table(texts, texts).assign(sequence=texts)


@pytest.mark.parametrize(
    ("samples", "chosen"),
    [
        (table(["g"] * 499, ["a"] * 499), {"method": "cross_validation", "by": "group"}),
        (table(["g"] * 500, ["a"] * 500), {"method": "holdout", "by": "group"}),
        (sequences(["MKV" * 7, "MAL" * 8]), {"by": "cluster", "identity": 0.7}),
        (sequences(["MKV" * 20, "MAL" * 30]), {"by": "cluster", "identity": 0.4}),
        (sequences(["ACGT" * 20, "ACG" * 30]), {"by": "cluster", "identity": 0.7}),
        (sequences(["MKV" * 20, "MAL" * 20]), {"by": "group"}),
    ],
)
def test_auto_chooses_a_split_by_the_samples(samples, chosen):
    options = chosen_options(samples, {"method": "auto"})
    assert options.items() >= chosen.items()
    assert checked_options(options)["method"] == options["method"] != "auto"


def test_genotypes_need_not_all_be_in_training():
    """A clean haploid genome has one genotype; of other labels each class has to be learnt."""
    table = pd.DataFrame({"sample_id": list("abcd"), "group": list("abcd"), "label": list("xxxy")})
    parts = ["train", "valid", "train", "test"]
    splits = table[["sample_id"]].assign(unit=list("abcd"), repeat=0, fold=0, split=parts)
    with pytest.raises(DataError, match="no training sample of class y"):
        check_splits(splits, table)
    check_splits(splits, table.assign(**{"variant.found": True}))


@pytest.mark.parametrize(("classes", "each"), [(6, 3), (8, 4), (20, 6)])
@pytest.mark.parametrize("numbers", [True, False])
def test_many_small_classes_give_folds_of_one_size(classes, each, numbers):
    n = classes * each
    labels = np.linspace(0, 1, n) if numbers else np.arange(n) % classes
    samples = table(np.arange(n), labels if numbers else labels.astype(str))
    splits = split_samples(samples, {"method": "auto"}, seed=1)
    sizes = splits[splits["split"] == "test"].groupby(["repeat", "fold"]).size()
    assert sizes.max() - sizes.min() <= max(2, n // 20)
