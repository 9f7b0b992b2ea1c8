"""The samples table and what quality.json says of it."""

import json

import numpy as np
import pandas as pd
import pytest

from bioloom.application import Cleaned
from bioloom.errors import DataError
from bioloom.samples import (
    check_samples,
    feature_columns,
    label_columns,
    quality,
    read_samples,
    write_samples,
)


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


def test_an_empty_table_is_refused():
    with pytest.raises(DataError, match="No samples are left"):
        check_samples(cohort().iloc[:0], "samples.parquet")


def dropped(count):
    ids = [f"d{i}" for i in range(count)]
    return pd.DataFrame({"sample_id": ids, "reason": "duplicate"})


def test_quality_counts_rows_and_reasons():
    report = quality(cohort(50), Cleaned(cohort(40), dropped(10)), private=False)
    assert (report["rows_in"], report["rows_kept"]) == (50, 40)
    assert report["dropped"] == {"duplicate": 10}
    assert report["columns"]["age"]["range"] == [20.0, 90.0]


def test_quality_of_persons_shows_no_single_value():
    report = quality(cohort(), Cleaned(cohort(), dropped(0)), private=True)
    assert report["labels"]["sick"] == "fewer than 5"
    assert report["columns"]["sex"]["counts"]["m"] == "fewer than 5"
    low, high = report["columns"]["age"]["range"]
    assert low > 20
    assert high < 90
    assert "p1" not in json.dumps(report)
