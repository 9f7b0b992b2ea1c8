"""The contract of embedders, the letters they take, and cheap features against Python."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.embedders import (
    AMINO_ACIDS,
    complete,
    embedder_names,
    get_embedder,
    weights_source,
)
from bioloom.errors import DataError
from bioloom.features.engine import embed

proteins = st.lists(
    st.text(AMINO_ACIDS + "XBUZOJ", min_size=1, max_size=30), min_size=1, max_size=8
)


def test_every_embedder_keeps_the_contract():
    assert set(embedder_names()) >= {"composition", "huggingface", "kmer", "one_hot", "unirep"}
    for name in embedder_names():
        module = get_embedder(name)
        assert hasattr(module, "features") != hasattr(module, "load")
        source = weights_source({"embedder": name})
        assert source is None or set(source) | {"member"} == {"artifact", "sha256", "member"}


def test_embedders_import_without_heavy_packages():
    code = (
        "import sys; from bioloom.embedders import *; [get_embedder(n) for n in embedder_names()];"
        "sys.exit(bool({'torch', 'transformers', 'numba', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "`embedder` is missing"),
        ({"embedder": "esm"}, "Unknown embedder 'esm'. Hint: known: composition"),
        ({"embedder": "unirep", "sizes": 64}, "did you mean 'size'"),
        ({"embedder": "unirep", "size": 65}, "one of 64, 256, 1900"),
        ({"embedder": "unirep", "pooling": "cls"}, "one of mean, max"),
        ({"embedder": "kmer", "k": 0}, "at least 1"),
        ({"embedder": "kmer", "k": True}, "takes a whole number"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        complete(options)


@pytest.mark.parametrize("name", ["unirep", "kmer", "one_hot", "composition"])
def test_protein_letters(name):
    module, options = get_embedder(name), complete({"embedder": name})
    for given_text, seen in [
        ("mkt", "MKT"),
        ("M K\nT*", "MKT"),
        ("M*K", "MXK"),
        ("M<mask>K", "MXK"),
        ("BJOUXZ", "BJOUXZ"),
    ]:
        assert module.normalise(given_text, options) == seen
    for bad in ("", "  ", "*", "M-K", "M1", "<cls>M"):
        with pytest.raises(DataError):
            module.normalise(bad, options)


@pytest.mark.parametrize("name", ["kmer", "one_hot", "composition"])
def test_dna_letters(name):
    module, options = get_embedder(name), complete({"embedder": name, "alphabet": "dna"})
    assert module.normalise("acguRYn<mask>", options) == "ACGTNNNN"
    for bad, message in [
        ("ACß", "'ß' at position 3"),
        ("AEC", "'E' at position 2"),
        ("AC*", "'*' at position 3"),
        ("", "empty"),
    ]:
        with pytest.raises(DataError, match=re.escape(message)):
            module.normalise(bad, options)


@pytest.mark.parametrize(
    ("alphabet", "given_text", "seen"),
    [
        ("protein", "mk<mask>j*t*", "MK<mask>XXT"),
        ("protein", "<mask>", "<mask>"),
        ("protein", " buoxz\n", "BUOXZ"),
        ("dna", "ac<mask>gu ry", "AC<mask>GTNN"),
        ("text", "Binds  the\nreceptor.", "Binds the receptor."),
    ],
)
def test_huggingface_letters(alphabet, given_text, seen):
    assert get_embedder("huggingface").normalise(given_text, {"alphabet": alphabet}) == seen


@pytest.mark.parametrize(
    ("alphabet", "bad"),
    [("protein", "  "), ("protein", "*"), ("protein", "M-K"), ("dna", ""), ("dna", "A<mask>E"),
     ("text", " ")],
)  # fmt: skip
def test_letters_that_huggingface_refuses(alphabet, bad):
    with pytest.raises(DataError):
        get_embedder("huggingface").normalise(bad, {"alphabet": alphabet})


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(proteins, st.integers(1, 3))
def test_kmers_are_the_counts_of_python(sequences, k):
    embedding = embed(sequences, {"embedder": "kmer", "k": k})
    for sequence, row in zip(sequences, embedding.X, strict=True):
        kmers = [sequence[i : i + k] for i in range(len(sequence) - k + 1)]
        counts = Counter(kmer for kmer in kmers if set(kmer) <= set(AMINO_ACIDS))
        expected = {kmer: n / counts.total() for kmer, n in counts.items()}
        got = {name: value for name, value in zip(embedding.names, row, strict=True) if value}
        assert got == pytest.approx(expected, rel=1e-6)


def test_a_k_of_too_many_columns_is_refused():
    with pytest.raises(DataError, match="smaller k"):
        embed(["MKT"], {"embedder": "kmer", "k": 5})


@settings(max_examples=30, deadline=None)
@given(proteins)
def test_one_hot_and_composition(sequences):
    tokens = embed(sequences, {"embedder": "one_hot"})
    shares = embed(sequences, {"embedder": "composition"})
    mean = embed(sequences, {"embedder": "one_hot", "pooling": "mean"})
    assert tokens.X.values.dtype == np.float16
    for i, sequence in enumerate(sequences):
        expected = [[float(letter == a) for a in AMINO_ACIDS] for letter in sequence]
        np.testing.assert_array_equal(tokens.X.item(i), expected)
        np.testing.assert_allclose(shares.X[i, :-1], np.mean(expected, axis=0), rtol=1e-6)
        assert shares.X[i, -1] == pytest.approx(math.log(len(sequence)))
    np.testing.assert_allclose(mean.X, shares.X[:, :-1], rtol=2e-3)


def test_cheap_features_take_30000_residues():
    long = "MKTAYIAKQR" * 3000
    assert embed([long], {"embedder": "one_hot"}).X.lengths.tolist() == [30_000]
    for name in ("kmer", "composition"):
        X = embed([long, long[:-10]], {"embedder": name}).X
        assert X.any(axis=1).all()
        np.testing.assert_allclose(X[0], X[1], atol=1e-3)


def test_one_hot_positions_are_named_columns_and_short_sequences_end_in_zeros():
    options = {"embedder": "one_hot", "alphabet": "dna", "pooling": "positions"}
    embedding = embed(["ACG", "T"], options)
    assert embedding.names[:5] == ["1=A", "1=C", "1=G", "1=T", "2=A"]
    assert embedding.X.shape == (2, 12)
    named = [np.array(embedding.names)[row == 1].tolist() for row in embedding.X]
    assert named == [["1=A", "2=C", "3=G"], ["1=T"]]
