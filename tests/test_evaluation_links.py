"""Scores of links equal scikit-learn's for each regulator; pairs count by what of them was seen."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from bioloom.errors import DataError
from bioloom.evaluation.links import (
    by_seen,
    doubts,
    macro_scores,
    seen_ends,
    seen_scores,
    strongest_links,
)
from bioloom.kinds import HeldOut, TestSet, get_kind
from bioloom.metrics.links import early_precision


def rows(n: int = 300, groups: int = 30, seed: int = 0) -> tuple[HeldOut, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    score = np.round(rng.random(n) + 0.4 * y, 1) / 2
    ids = np.array([f"s{i}" for i in range(n)])
    group = np.append(np.arange(groups), rng.integers(groups, size=n - groups))
    p = np.column_stack([1 - score, score])
    call = (score > 0.5).astype(int)
    held = HeldOut(0, np.zeros(n, int), ids, group, y, call, p, np.full(n, np.nan))
    return held, pd.DataFrame({"sample_id": ids, "source": rng.choice(list("abcde"), n)})


def test_macro_scores_are_means_of_scikit_learns():
    held, samples = rows()
    draws = np.ones((30, 1), dtype=int)
    scores = macro_scores([held], samples, "source", draws)
    parts = [samples["source"].to_numpy() == name for name in "abcde"]
    aurocs = [roc_auc_score(held.y[part], held.p[part, 1]) for part in parts]
    auprcs = [average_precision_score(held.y[part], held.p[part, 1]) for part in parts]
    shares = [held.y[part].mean() for part in parts]
    assert scores["auroc_macro"][0] == pytest.approx(np.mean(aurocs))
    assert scores["auprc_macro"][0] == pytest.approx(np.mean(auprcs))
    ratios = np.divide(auprcs, shares)
    assert scores["auprc_ratio_macro"][0] == pytest.approx(np.mean(ratios))


def test_a_draw_weighs_rows_by_how_often_their_group_was_drawn():
    held, samples = rows()
    draws = np.random.default_rng(1).integers(0, 3, size=(30, 4))
    scores = macro_scores([held], samples, "source", draws)
    taken = np.repeat(np.arange(len(held.y)), draws[held.group, 2])
    source = samples["source"].to_numpy()[taken]
    aurocs = [
        roc_auc_score(held.y[taken[source == name]], held.p[taken[source == name], 1])
        for name in "abcde"
    ]
    assert scores["auroc_macro"][2] == pytest.approx(np.mean(aurocs))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30))
def test_early_precision_of_different_scores_counts_the_first(pairs):
    y = np.array([p[0] for p in pairs], dtype=int)
    score = np.array([p[1] for p in pairs]) + np.linspace(0, 0.5, len(y))
    got = early_precision(y, score, np.ones((len(y), 1)))[0]
    first = y[np.argsort(-score)][: y.sum()]
    assert np.isnan(got) if not y.sum() else got == pytest.approx(first.mean())


def test_ties_share_their_part_ofearly_precision():
    y = np.array([1, 0, 0, 0])
    assert early_precision(y, np.zeros(4), np.ones((4, 1)))[0] == pytest.approx(0.25)


def test_constant_scores_are_chance():
    held, samples = rows()
    constant = replace(held, p=np.full_like(held.p, 0.5))
    scores = macro_scores([constant], samples, "source", np.ones((30, 1), dtype=int))
    assert scores["auroc_macro"][0] == pytest.approx(0.5)
    assert scores["early_precision_ratio_macro"][0] == pytest.approx(1.0)


def test_a_column_that_is_not_there_and_one_of_too_few_rows():
    held, samples = rows()
    draws = np.ones((30, 1), dtype=int)
    with pytest.raises(DataError, match="no column"):
        macro_scores([held], samples, "regulator", draws)
    with pytest.raises(DataError, match="No value of `by`"):
        macro_scores([held], samples, "sample_id", draws)


def pairs() -> tuple[pd.DataFrame, pd.DataFrame]:
    ends = [("a", "b"), ("a", "c"), ("a", "d"), ("d", "e"), ("b", "c")]
    samples = pd.DataFrame(ends, columns=["source", "target"])
    samples["sample_id"] = samples["source"] + "|" + samples["target"]
    splits = pd.DataFrame({"sample_id": samples["sample_id"], "repeat": 0, "fold": 0})
    return samples, splits.assign(split=["train", "valid", "test", "test", "test"])


def test_ends_seen_in_train_or_valid_are_counted():
    samples, splits = pairs()
    seen = seen_ends(samples, splits)
    assert seen.droplevel([0, 1]).to_dict() == {"a|d": 1, "d|e": 0, "b|c": 2}
    directed = seen_ends(samples, splits, directed=True)  # b was a target only
    assert directed.droplevel([0, 1]).to_dict() == {"a|d": 1, "d|e": 0, "b|c": 1}


def test_the_strongest_pairs_go_by_name_and_say_the_truth():
    held, samples = rows()
    samples["target"] = samples["sample_id"]
    nodes = pd.DataFrame({"node_id": list("ab"), "name": ["recA", None]})
    test = TestSet({"model": [held]}, ["no", "yes"], 30)
    table = strongest_links(test, samples, nodes)
    assert len(table) == 30
    assert table["score"].iloc[0] == held.p[:, 1].max()
    assert table["score"].is_monotonic_decreasing
    assert set(table["source"]) <= {"recA", "b", "c", "d", "e"}
    truth = dict(zip(held.sample_id, held.y == 1, strict=True))
    assert table["linked"].tolist() == [truth[name] for name in table["target"]]


def test_a_score_too_good_on_new_proteins_raises_the_alarm():
    n = 40
    ids = np.array([f"s{i}|t{i}" for i in range(n)])
    samples = pd.DataFrame(
        {
            "sample_id": ids,
            "source": [f"s{i}" for i in range(n)],
            "target": [f"t{i}" for i in range(n)],
        }
    )
    splits = pd.DataFrame({"sample_id": ids, "repeat": 0, "fold": 0, "split": "test"})
    splits.loc[:9, "split"] = "train"
    y = np.arange(n - 10) % 2
    p = np.column_stack([1 - y, y]).astype(float)
    rows = np.arange(n - 10)
    held = HeldOut(0, np.zeros(n - 10, int), ids[10:], rows, y, y, p, np.full(n - 10, np.nan))
    test = TestSet({"model": [held]}, ["no", "yes"], n - 10)
    table = by_seen(test, samples, splits, np.ones((n - 10, 3), dtype=int), get_kind("links"))
    assert table["seen"].unique().tolist() == ["none"]
    assert "suspiciously high" in doubts(table)[0]
    assert not doubts(table.assign(value=0.8))


def test_pairs_with_both_one_and_no_end_in_training_have_scores_of_their_own():
    """C1, C2 and C3: nodes a to f are met in training, u to z are not."""
    rng, pairs = np.random.default_rng(0), {}
    for kind, left, right in (
        ("both", "abc", "def"),
        ("one", "abc", "uvw"),
        ("none", "uvw", "xyz"),
    ):
        pairs[kind] = rng.choice([f"{a}|{b}" for a in left for b in right], 9, replace=False)
    known = [f"{a}|{b}" for a, b in ("ad", "be", "cf", "ae")]
    ids = np.array([*known, *np.concatenate(list(pairs.values()))])
    ids = pd.unique(ids)
    ends = pd.DataFrame([name.split("|") for name in ids], columns=["source", "target"])
    samples = ends.assign(sample_id=ids)
    split = np.where(np.isin(ids, known), "train", "test")
    splits = pd.DataFrame({"sample_id": ids, "repeat": 0, "fold": 0, "split": split})
    tested = ids[split == "test"]
    n = len(tested)
    y = np.arange(n) % 2
    p = rng.random(n)
    place = np.zeros(n, int), tested, np.arange(n)
    held = HeldOut(0, *place, y, y, np.column_stack([1 - p, p]))
    test = TestSet({"model": [held]}, ["no", "yes"], n)
    table = by_seen(test, samples, splits, np.ones((n, 20), int), get_kind("links"))
    scores = seen_scores(table)
    assert {name: found["n"] for name, found in scores.items()} == {
        name: int(np.isin(tested, pairs[name]).sum()) for name in ("none", "one", "both")
    }
    inside = np.isin(tested, pairs["one"])
    assert scores["one"]["auroc"] == pytest.approx(roc_auc_score(y[inside], p[inside]))
