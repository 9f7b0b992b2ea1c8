"""The samples table and what quality.json says of it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.errors import DataError
from bioloom.samples import (
    Cleaned,
    Raw,
    feature_columns,
    label_columns,
    read_samples,
    write_samples,
)
from bioloom.samples.cleaning import likely_slips
from bioloom.samples.quality import quality

ROOT = Path(__file__).parents[1]


def cohort(n=40):
    return pd.DataFrame(
        {
            "sample_id": [f"p{i}" for i in range(n)],
            "group": [f"g{i // 2}" for i in range(n)],
            "label": ["sick"] * 3 + ["well"] * (n - 3),
            "age": np.linspace(20, 90, n),
            "sex": ["f"] * (n - 2) + ["m"] * 2,
        }
    )


def test_written_and_read_back_the_same(tmp_path):
    write_samples(cohort(), tmp_path / "samples.parquet")
    pd.testing.assert_frame_equal(read_samples(tmp_path / "samples.parquet"), cohort())


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="more than once"):
        write_samples(cohort().assign(sample_id="same"), tmp_path / "samples.parquet")
    assert not list(tmp_path.iterdir())


def test_labels_and_features_are_told_apart():
    table = cohort().rename(columns={"label": "label.drug"})
    assert label_columns(table) == ["label.drug"]
    assert feature_columns(table) == ["age", "sex"]


def dropped(count):
    ids = [f"d{i}" for i in range(count)]
    return pd.DataFrame({"sample_id": ids, "reason": "duplicate"})


def test_quality_counts_rows_and_reasons():
    report = quality(Raw(cohort(50)), Cleaned(cohort(40), dropped(10)), private=False)
    assert (report["rows_in"], report["rows_kept"]) == (50, 40)
    assert report["dropped"] == {"duplicate": 10}
    assert report["columns"]["age"]["range"] == [20.0, 90.0]


def test_quality_of_persons_shows_no_single_value():
    report = quality(Raw(cohort()), Cleaned(cohort(), dropped(0)), private=True)
    assert report["labels"]["sick"] == "fewer than 5"
    assert report["columns"]["sex"]["counts"] == {"f": 38, "other (1 category)": "fewer than 5"}
    low, high = report["columns"]["age"]["range"]
    assert low > 20
    assert high < 90
    assert "p1" not in json.dumps(report)


def test_quality_of_persons_says_nothing_of_a_few():
    table = cohort(60).assign(
        marker=[7.25] + [np.nan] * 59,
        visits=[3.5] * 36 + [np.nan] * 24,  # 36 rows, but of 18 persons
        stage=["rare one"] * 8 + ["rare two"] * 8 + ["common"] * 44,
        note=[f"text {i}" for i in range(31)] + [None] * 29,
    )
    block = pd.DataFrame(9.5, index=table.index, columns=[f"expression.g{i}" for i in range(61)])
    block.iloc[2:] = np.nan
    table = pd.concat([table, block], axis=1)
    report = quality(Raw(table), Cleaned(table, dropped(3), []), private=True)
    columns = report["columns"]
    for name in ("marker", "visits", "expression (61 columns)"):
        assert (columns[name]["median"], columns[name]["range"]) == (None, None)
    assert columns["stage"]["counts"] == {"common": 44, "other (2 categories)": 16}
    assert columns["note"]["length"] is None
    assert columns["age"]["missing"] == 0
    assert columns["expression (61 columns)"]["rows_without_block"] == 58
    assert report["dropped"] == {"duplicate": "fewer than 5"}
    lacking = table.assign(age=[np.nan] + [50.0] * 59)
    report = quality(Raw(lacking), Cleaned(lacking, dropped(0)), private=True)
    assert report["columns"]["age"]["missing"] == "fewer than 5"
    shown = quality(Raw(table), Cleaned(table, dropped(3)), private=False)
    assert shown["columns"]["marker"]["range"] == [7.25, 7.25]
    assert shown["columns"]["stage"]["counts"]["rare one"] == 8
    assert shown["dropped"] == {"duplicate": 3}


def classes(**counts: int) -> pd.DataFrame:
    """Rows with a label each."""
    return pd.DataFrame({"label": [name for name, count in counts.items() for _ in range(count)]})


@pytest.mark.parametrize("slip", ["resistnat", "resistan", "ressistant", "resistent", "Resistant"])
def test_a_class_that_is_likely_a_slip_of_the_pen_is_told(slip):
    rows = classes(resistant=40, susceptible=40, **{slip: 2})
    [note] = likely_slips(rows, private=False)
    assert f"The class '{slip}' of 2 rows is called nearly as 'resistant'" in note
    [note] = likely_slips(rows, private=True)
    assert note.startswith("A class of fewer than 5 rows is called nearly as 'resistant'")
    assert f"'{slip}'" not in note


def test_two_letters_that_are_exchanged_in_a_short_word_are_told():
    [note] = likely_slips(classes(sick=40, well=40, scik=2), private=False)
    assert "The class 'scik' of 2 rows is called nearly as 'sick'" in note


@pytest.mark.parametrize(
    "counts",
    [
        {"mild": 40, "wild": 2},
        {"lung": 40, "lungs": 2},
        {"CTGA": 40, "CTAG": 2},
        {"low": 40, "lwo": 2},
        {"sick": 40, "scik": 5},
        {"resistant": 40, "resistnat": 5},  # not so few
        {"resistant": 12, "resistnat": 2},  # nor so many beside it
        {"stage 1": 40, "stage 4": 2},
        {"IIIa": 40, "IIIb": 2},
        {"resistant": 40, "resistance": 2},
        {"resistant": 40},
        {"grade II": 40, "grade I": 2},
        {"luminal A": 40, "luminal B": 2},
        {"HLA-DR+": 40, "HLA-DR-": 2},
    ],
)
def test_other_classes_are_no_slips(counts):
    assert likely_slips(classes(**counts), private=False) == []


def test_numbers_and_several_labels_are_no_classes():
    assert likely_slips(pd.DataFrame({"label": [1.5, 2.5]}), private=False) == []
    assert likely_slips(pd.DataFrame({"label.a": [True, False]}), private=False) == []


@pytest.mark.slow
def test_labels_of_new_data_are_not_looked_at(tmp_path):
    ids = ["a", "b", "c"]
    raw = pd.DataFrame({"sample_id": ids, "group": ids, "sequence": "MKVLA", "label": "x"})
    raw.to_parquet(tmp_path / "raw.parquet")
    (tmp_path / "notes").write_text("[]")

    def clean(dataset):
        files = ("raw", "notes", "samples", "dropped", "quality")
        paths = [part for name in files for part in (f"--{name}", str(tmp_path / name))]
        paths[1] += ".parquet"
        options = ["--application", "protein_function", "--dataset", dataset, "--options", "{}"]
        command = [sys.executable, ROOT / "scripts/clean.py", *options, *paths]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert clean("ward").returncode == 0
    kept = pd.read_parquet(tmp_path / "samples")
    assert kept["sample_id"].tolist() == ids
    assert "label" not in kept
    refused = clean("training")
    assert refused.returncode == 2
    assert "needs two classes" in refused.stderr
    labels = ["strong"] * 12 + ["feeble"] * 12 + ["stronk"]
    letters = {"sequence": ["MKVLA" * (i + 2) for i in range(25)], "label": labels}
    many = pd.DataFrame({"sample_id": map(str, range(25)), "group": map(str, range(25)), **letters})
    many.to_parquet(tmp_path / "raw.parquet")
    note = "The class 'stronk' of 1 rows is called nearly as 'strong'"
    assert note in clean("training").stderr
    assert note in (tmp_path / "quality").read_text()
    raw.assign(sequence="").to_parquet(tmp_path / "raw.parquet")
    assert "Dropped 3 of 3 rows: no sequence" in clean("ward").stderr
    assert len(pd.read_parquet(tmp_path / "dropped")) == 3


def test_gaps_of_a_block_of_texts_are_counted():
    flags = {f"flag_{i}": ["yes", None, "no", None] for i in range(61)}
    table = pd.DataFrame({"sample_id": list("abcd"), "group": list("abcd"), "label": 1.0} | flags)
    report = quality(Raw(table), Cleaned(table, dropped(0)), private=False)
    [block] = (told for name, told in report["columns"].items() if "(61 columns)" in name)
    assert (block["missing"], block["rows_without_block"]) == (122, 2)
