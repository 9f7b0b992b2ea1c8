"""Features keep the order of the samples, and nothing is fitted in them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.application import Application
from bioloom.arrays import Ragged, Table
from bioloom.errors import DataError
from bioloom.features import Features, align, read_features, write_features
from bioloom.features.extract import extract_features
from bioloom.samples import Cleaned
from tests.toys import refused


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


NUMBERS = st.one_of(st.none(), st.floats(-100, 100, width=32))
SEXES = st.sampled_from([None, "f", "m", "x=y"])
COLUMNS = {"age": NUMBERS, "sex": SEXES, "stage": SEXES, "dose": NUMBERS}


@st.composite
def clinical(draw, rows: int = 5) -> pd.DataFrame:
    """Some of the columns, in any order, with gaps; a category may have no value at all."""
    names = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, unique=True))
    values = {name: draw(st.lists(COLUMNS[name], min_size=rows, max_size=rows)) for name in names}
    types = {name: float if COLUMNS[name] is NUMBERS else str for name in names}
    ids = [f"s{i}" for i in range(rows)]
    table = pd.DataFrame({name: pd.Series(v, dtype=types[name]) for name, v in values.items()})
    return table.assign(sample_id=ids, group=ids)


def extracted(samples: pd.DataFrame, weights: dict[str, float] | None = None) -> Features:
    options = {"embedder": "table", "weights": weights or {}}
    return extract_features(samples, TABLE, options)[0]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(clinical(), st.sampled_from([0, 1, 2.5, -3]))
def test_a_dissolved_table_is_what_a_loop_makes(samples, weight):
    features = extracted(samples, {samples.columns[0]: weight})
    columns = {}
    for name in samples.columns.drop(["sample_id", "group"]):
        factor, column = np.float32(weight if name == samples.columns[0] else 1), samples[name]
        if COLUMNS[name] is NUMBERS:
            columns[name] = [factor * np.float32(value) for value in column]
            continue
        for value in sorted(column.dropna().unique()):
            columns[f"{name}={value}"] = [factor * np.float32(other == value) for other in column]
    assert list(features.names) == list(columns)
    expected = (
        np.array(list(columns.values()), dtype=np.float32).reshape(len(columns), len(samples)).T
    )
    np.testing.assert_array_equal(features.X.dense(), expected)
    assert features.X.dense().dtype == np.float32


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(clinical(), clinical())
def test_a_table_in_the_columns_of_a_model_dissolves_as_vectors_do(known, new):
    names = [str(name) for name in extracted(known).names]
    features = extracted(new)
    dissolved = Features(features.sample_id, features.X.dense(), features.names, "table")
    aligned = align(features, names, features.embedder)
    assert list(aligned.names) == names
    assert aligned.X.names == names
    expected = align(dissolved, names, "table").X
    np.testing.assert_array_equal(aligned.X.dense(), expected)


def test_a_table_takes_the_codes_of_the_model():
    new = people().assign(sex=["m", "x", None]).drop(columns="expression.FLT3")
    X = align(extracted(new), ["weight", "sex=f", "sex=m", "age"], extracted(new).embedder).X
    nan = np.nan
    assert X.columns == ("weight", "sex", "age")
    assert X.categories == ((), ("f", "m"), ())
    np.testing.assert_array_equal(X.values, np.float32([[nan, 1, 30], [nan] * 3, [nan, nan, 50]]))


@settings(max_examples=25, deadline=None)
@given(clinical())
def test_a_table_is_read_back_the_same(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("table") / "features.npz"
    features = extracted(samples)
    write_features(features, path)
    read = read_features(path).X
    assert isinstance(read, Table)
    assert (read.columns, read.categories) == (features.X.columns, features.X.categories)
    np.testing.assert_array_equal(read.values, features.X.values)
    np.testing.assert_array_equal(read.weight, features.X.weight)
    np.testing.assert_array_equal(read.dense(), features.X.dense())


def test_a_category_of_which_nothing_is_known_is_no_column():
    samples = people().assign(stage=pd.Series([None] * 3, dtype=str))
    assert extracted(samples).X.columns == ("age", "sex", "expression.FLT3")


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


def test_letters_beyond_those_of_training_are_refused():
    task = {"embedder": "one_hot", "alphabet": "dna", "pooling": "positions"}
    known, longer, shorter = (
        extract_features(pd.DataFrame({"sample_id": texts, "sequence": texts}), SEQUENCES, task)[0]
        for texts in (["ACGT", "ACGA"], ["ACGTT"], ["ACG"])
    )
    names = list(known.names)
    refused(lambda: align(longer, names, known.embedder), "up to 5 letters.*of training up to 4")
    assert align(shorter, names, known.embedder).X.shape == (1, 16)
