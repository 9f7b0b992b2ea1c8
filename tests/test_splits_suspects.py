"""Features that give the label away, or name a row, are told; usual ones are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioloom.similarity.shifts import nearest_shifted
from bioloom.splits.leakage import audit
from bioloom.splits.split import split_samples
from bioloom.splits.suspects import suspects
from tests.toys import patients

N = 200


def dosed(**more: object) -> pd.DataFrame:
    """Cell lines with two responses and usual features."""
    rng = np.random.default_rng(0)
    ids = [f"c{i}" for i in range(N)]
    table = {"sample_id": ids, "group": ids, "label.ERLOTINIB": rng.normal(size=N)}
    table |= {"label.AXITINIB": rng.normal(size=N), "mutated": rng.integers(0, 2, N)}
    return pd.DataFrame(table | {"tissue": rng.choice(list("abcd"), N)} | more)


def test_usual_features_are_not_told():
    assert suspects(dosed()) == []
    assert suspects(patients(n=200)[0]) == []


def test_flags_and_columns_without_a_value_do_not_number_rows():
    flag = np.arange(N) % 2 == 0
    empty = pd.array([pd.NA] * N, dtype="Int64")
    gaps = pd.Series(flag, dtype="boolean").mask(np.arange(N) < 5)
    assert suspects(dosed(flag=flag, gaps=gaps, empty=empty)) == []


def test_a_feature_that_correlates_with_a_target_is_told():
    samples = dosed()
    noise = np.random.default_rng(1).normal(size=N)
    gap = np.where(np.arange(N) < 50, np.nan, -3 * samples["label.AXITINIB"] + 0.3 * noise)
    samples = samples.assign(score=gap, weak=samples["label.AXITINIB"] + noise)
    assert suspects(samples) == ["score: features that correlate above .95 with what is predicted"]


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e8])
def test_it_is_told_wherever_the_target_lies(offset):
    dose = np.random.default_rng(0).normal(size=200)
    samples = dosed().iloc[:0].reindex(range(200)).assign(label=dose + offset, copied=dose * 2)
    samples = samples[["label", "copied"]].assign(sample_id=[str(i) for i in range(200)])
    assert "copied" in str(suspects(samples))


def test_another_measurement_of_a_target_is_told_by_its_name():
    samples = dosed(**{"response.erlotinib": np.random.default_rng(2).normal(size=N)})
    assert suspects(samples) == [
        "response.erlotinib: features that have the name of what is predicted"
    ]


def test_names_and_numbers_of_rows_are_told():
    names = [f"{first} {last}" for first in "ABCDEFGHIJ" for last in range(20)]
    rows = np.random.default_rng(3).permutation(N)
    told = suspects(dosed(**{"patient name": names, "line": rows}))
    assert told == [
        "patient name: features that have a value of their own in half of the rows, as names or "
        "ids have",
        "patient name: features that are called like what identifies a person",
        "line: features that number the rows",
    ]


def test_a_category_that_tells_the_class_is_told():
    samples, _ = patients(n=200)
    stage = np.where(samples["label"] == "yes", "II", "I")
    samples = samples.assign(stage=np.where(np.arange(200) % 3 == 0, "0", stage))
    samples.loc[samples["label"] == "yes", "stage"] = "II"
    assert suspects(samples) == ["stage: features that tell the class in nearly all rows"]


def genome(length: int = 4000) -> str:
    return "".join(np.random.default_rng(4).choice(list("ACGT"), length))


@pytest.mark.parametrize("shift", [1, 7, 40, -23])
def test_a_window_that_is_shifted_is_found(shift):
    dna = genome()
    targets = [dna[i : i + 100] for i in (500, 1500, 2500)]
    queries = [dna[1500 + shift : 1600 + shift], dna[3500:3600]]
    similarity, nearest = nearest_shifted(queries, targets)
    assert list(nearest) == [1, -1]
    assert similarity[0] == pytest.approx((100 - abs(shift)) / 100)
    assert similarity[1] == 0


def test_variants_of_one_sequence_have_no_shift():
    rng, dna = np.random.default_rng(5), genome(75)
    variants = []
    for _ in range(50):
        letters = list(dna)
        letters[rng.integers(75)] = rng.choice(list("ACGT"))
        variants.append("".join(letters))
    assert (nearest_shifted(variants[:20], variants[20:])[1] == -1).all()


def test_windows_that_overlap_across_splits_are_near_duplicates():
    dna = genome()
    windows = [dna[i : i + 100] for i in range(0, 3000, 5)]
    ids = [f"w{i}" for i in range(len(windows))]
    label = np.random.default_rng(6).normal(size=len(windows))
    samples = pd.DataFrame({"sample_id": ids, "group": ids, "sequence": windows, "label": label})
    splits = split_samples(samples, {"method": "holdout"}, 1)
    report, items = audit(samples, splits, {}, measure="variants")
    assert items["similarity"].median() == pytest.approx(0.95)
    assert report["near_duplicates"] > 0.9 * len(items)
    assert any("near-duplicates of training" in flag for flag in report["flags"])
