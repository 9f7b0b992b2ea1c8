"""Features keep the order of the samples, and nothing is fitted in them."""

import numpy as np
import pandas as pd
import pytest

from bioloom.application import Application
from bioloom.arrays import Ragged
from bioloom.errors import DataError
from bioloom.features import Features, read_features, write_features
from bioloom.features.extract import extract_features
from bioloom.samples import Cleaned


def application(inputs):
    return Application(
        kinds=("binary", "multiclass"),
        ingest=lambda files, options: pd.DataFrame(),
        clean=lambda raw, options: Cleaned(raw),
        inputs=inputs,
        sources=("table",),
        defaults=lambda task: {},
    )


TABLE = application(lambda samples: samples.drop(columns=["sample_id", "group"]))
SEQUENCES = application(lambda samples: list(samples["sequence"]))


def people():
    return pd.DataFrame(
        {
            "sample_id": ["a", "b", "c"],
            "group": ["a", "b", "c"],
            "age": [30.0, np.nan, 50.0],
            "sex": ["f", "m", None],
            "expression.FLT3": [0.1, 0.2, 0.3],
        }
    )


def test_a_table_keeps_missing_numbers_and_spreads_categories():
    features, record, _ = extract_features(people(), TABLE, {"embedder": "table"})
    assert list(features.names) == ["age", "sex=f", "sex=m", "expression.FLT3"]
    assert features.X.names == list(features.names)
    np.testing.assert_array_equal(features.X.values[:, 1], np.float32([0, 1, np.nan]))
    dense = features.X.dense()
    assert np.isnan(dense[1, 0])
    assert dense[:, 1:3].tolist() == [[1, 0], [0, 1], [0, 0]]
    assert record["identity"] == "table"


def test_a_block_can_be_chosen():
    options = {"embedder": "table", "blocks": ["expression"]}
    features, *_ = extract_features(people(), TABLE, options)
    assert list(features.names) == ["expression.FLT3"]


def test_a_column_can_weigh_more():
    options = {"embedder": "table", "weights": {"sex": 8}}
    features, *_ = extract_features(people(), TABLE, options)
    dense = features.X.dense()
    assert dense[:, 1:3].tolist() == [[8, 0], [0, 8], [0, 0]]
    assert dense[0, 3] == np.float32(0.1)


@pytest.mark.parametrize("options", [{"columns": ["weight"]}, {"blocks": ["mri"]}, {"size": 3}])
def test_what_is_not_there_is_refused(options):
    with pytest.raises(DataError):
        extract_features(people(), TABLE, {"embedder": "table"} | options)


def test_written_and_read_back_the_same(tmp_path):
    dense = Features(np.array(["a", "b"]), np.eye(2, dtype=np.float32), np.array(["x", "y"]), "k")
    values = np.arange(6, dtype=np.float16).reshape(3, 2)
    ragged = Features(dense.sample_id, Ragged(values, np.array([0, 1, 3])), dense.names, "k")
    for features in (dense, ragged):
        write_features(features, tmp_path / "features.npz")
        read = read_features(tmp_path / "features.npz")
        assert read.embedder == "k"
        assert list(read.sample_id) == ["a", "b"]
        if isinstance(features.X, Ragged):
            assert np.array_equal(read.X.values, values)
            assert np.array_equal(read.X.offsets, [0, 1, 3])
        else:
            assert np.array_equal(read.X, features.X)


def test_rows_follow_the_ids_asked_for():
    features = Features(np.array(["a", "b"]), np.array([[1.0], [2.0]]), np.array(["x"]), "k")
    assert features.rows(pd.Series(["b", "a"])).ravel().tolist() == [2.0, 1.0]
    with pytest.raises(DataError, match="1 samples have no features"):
        features.rows(pd.Series(["b", "z"]))


def test_sequences_go_through_the_embedder():
    samples = pd.DataFrame({"sample_id": ["p"], "group": ["p"], "sequence": ["AAC"]})
    features, *_ = extract_features(samples, SEQUENCES, {"embedder": "kmer", "k": 1})
    assert features.X.shape == (1, 20)
    assert np.isclose(features.X[0, list(features.names).index("A")], 2 / 3)


def test_a_sequence_that_cannot_be_embedded_is_named_by_its_sample():
    samples = pd.DataFrame({"sample_id": ["p", "q"], "sequence": ["AAC", "A-C"]})
    with pytest.raises(DataError, match="sequence q: '-' at position 2"):
        extract_features(samples, SEQUENCES, {"embedder": "kmer", "k": 1})


def test_segments_of_one_hot_letters_are_their_compositions():
    samples = pd.DataFrame(
        {"sample_id": ["p", "q"], "group": ["p", "q"], "sequence": ["AACC", "C"]}
    )
    options = {"embedder": "one_hot", "pooling": "segments", "segments": 2}
    features, *_ = extract_features(samples, SEQUENCES, options)
    assert list(features.X.lengths) == [2, 1]
    assert features.X.values[:, :2].tolist() == [[1, 0], [0, 1], [0, 1]]
