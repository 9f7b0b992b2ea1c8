"""SpliceAI's port against the layers as Keras computes them, in numpy."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.embedders import BASES, complete, spliceai, states_in_order, weights_source
from bioloom.errors import DataError
from bioloom.features.engine import embed
from bioloom.files import shared_cache
from tests.tiny_models import spliceai_wheel

SITES = ["CAGGTAAGT", "AAAAAAAAA", "CCGTTNAGA"]
Arrays = dict[str, np.ndarray]


def same(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, dilation: int = 1) -> np.ndarray:
    """A convolution of (n, C) that is as long as its input: tap by tap, zeros beyond the ends."""
    reach = len(kernel) // 2 * dilation
    padded = np.pad(x, ((reach, reach), (0, 0)))
    taps = [padded[i * dilation :][: len(x)] @ tap for i, tap in enumerate(kernel)]
    return sum(taps) + bias


def naive(arrays: Arrays, text: str, flanks: tuple[str, str] = ("", "")) -> np.ndarray:
    """Rows (T, 35) of all bases: the graph of Jaganathan et al. 2019, figure S1, in float64."""
    around = ("N" * 5_000 + flanks[0])[-5_000:], (flanks[1] + "N" * 5_000)[:5_000]
    x = np.array([[letter == base for base in BASES] for letter in around[0] + text + around[1]])
    weights = {name: array.astype(float) for name, array in arrays.items()}
    layers = iter(range(1, 40))

    def convolved(x: np.ndarray, dilation: int = 1) -> np.ndarray:
        name = f"conv1d_{next(layers)}"
        return same(x, weights[f"{name}/kernel"], weights[f"{name}/bias"], dilation)

    norms = iter(range(1, 33))

    def activated(x: np.ndarray) -> np.ndarray:
        name = f"batch_normalization_{next(norms)}"
        gamma, beta, mean, variance = (
            weights[f"{name}/{part}"]
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return np.maximum(gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta, 0)

    x = convolved(x.astype(float))
    skip = convolved(x)
    for dilation in (1, 4, 10, 25):
        for _ in range(4):
            x = x + convolved(activated(convolved(activated(x), dilation)), dilation)
        skip = skip + convolved(x)
    states = skip[5_000:-5_000]
    logits = convolved(states)
    chances = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return np.hstack([states, chances])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> tuple[Path, list[Arrays]]:
    path = tmp_path_factory.mktemp("spliceai") / "spliceai.whl"
    return path, spliceai_wheel(path, networks=2)


def encoder(path: Path, **options) -> spliceai.SpliceAI:
    section = complete({"embedder": "spliceai", "networks": 1, **options})
    return spliceai.load(section, path, "cpu", "float32")


@pytest.mark.slow
def test_sites_and_all_bases_follow_the_layers(wheel):
    path, (first, second) = wheel
    section, text = {"embedder": "spliceai", "networks": 2}, SITES[2]
    expected = np.hstack([naive(first, text), naive(second, text)])
    at_site = embed([text], section | {"site": 3}, weights=path).X
    np.testing.assert_allclose(at_site, expected[[2]], atol=2e-4)
    tokens = embed([text], section | {"pooling": "tokens"}, weights=path).X
    np.testing.assert_allclose(tokens.values, expected, atol=2e-2)  # half precision
    assert at_site.shape == (1, 70)


@pytest.mark.slow
def test_flanks_are_the_context(wheel):
    path, (first, _) = wheel
    rng = np.random.default_rng(0)
    flanks = ("".join(rng.choice(list(BASES), 700)), "".join(rng.choice(list(BASES), 6_000)))
    section = {"embedder": "spliceai", "networks": 1, "flanks": list(flanks), "site": 3}
    X = embed(SITES, section, weights=path).X
    np.testing.assert_allclose(X[0], naive(first, SITES[0], flanks)[2], atol=2e-4)
    assert not np.allclose(X, embed(SITES, section | {"flanks": ["", ""]}, weights=path).X)


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(
    st.lists(st.text("ACGTN", min_size=1, max_size=60), min_size=1, max_size=4),
    st.one_of(st.none(), st.just(1)),
)
def test_what_the_letters_reach_is_all_that_changes(wheel, texts, site):
    """The short way equals the whole context, of any lengths in one call."""
    made = encoder(wheel[0], site=site)
    fast = states_in_order(made.encode(texts), len(texts))
    for short, whole in zip(fast, made.reference(texts), strict=True):
        np.testing.assert_allclose(short, whole, atol=2e-4)


@pytest.mark.slow
def test_a_window_of_a_genome_has_its_context_and_is_read_in_stretches(wheel, monkeypatch):
    rng = np.random.default_rng(1)
    window = "".join(rng.choice(list(BASES), 10_001))
    at_site = next(encoder(wheel[0]).encode([window])).values.numpy()
    monkeypatch.setattr(spliceai, "CHUNK", 4_000)
    all_bases = next(encoder(wheel[0], pooling="tokens").encode([window])).values.numpy()
    assert all_bases.shape == (10_001, 35)
    np.testing.assert_allclose(at_site[0], all_bases[5_000], atol=2e-4)
    np.testing.assert_allclose(all_bases[5_000], naive(wheel[1][0], window)[5_000], atol=2e-4)


@pytest.mark.slow
def test_the_untrained_twin_is_finite_and_another(wheel):
    section = {"embedder": "spliceai", "networks": 1, "site": 3}
    trained, twin = (
        embed(SITES, section | more, weights=wheel[0]).X for more in ({}, {"untrained": 1})
    )
    assert np.isfinite(twin).all()
    assert not np.allclose(trained, twin)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"site": 10}, "sequence 1: `site: 10` is beyond its 9 bases"),
        ({"flanks": ["ACGT"]}, "`flanks` are two texts"),
        ({"flanks": ["ACGX", ""]}, "is not a nucleotide letter"),
        ({"networks": 6}, "networks"),
    ],
)
def test_refusals(wheel, options, message):
    with pytest.raises(DataError, match=message):
        embed(SITES, {"embedder": "spliceai"} | options, weights=wheel[0])


def test_other_weights_are_refused(wheel, tmp_path):
    with pytest.raises(DataError, match="needs the path of its weights"):
        embed(SITES, {"embedder": "spliceai"})
    other = tmp_path / "other.whl"
    other.write_bytes(b"no zip")
    with pytest.raises(DataError, match="no wheel with the networks"):
        embed(SITES, {"embedder": "spliceai"}, weights=other)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("spliceai/models/spliceai1.h5", b"no h5")
    with pytest.raises(DataError, match="no wheel with the networks"):
        embed(SITES, {"embedder": "spliceai"}, weights=other)


@pytest.mark.slow
def test_trained_weights():
    """With the trained ones a consensus donor is one, and what lacks GT or GC is none.

    The port and the layers in numpy agree on them; the numbers are those of the latter.
    """
    source = weights_source({"embedder": "spliceai"})
    assert source is not None
    path = shared_cache() / "downloads" / source["sha256"]
    if not path.exists():
        pytest.skip(f"{source['artifact']} has not been fetched")
    sites = ["CAGGTAAGT", "CAGGCAAGT", "CAGATAAGT", "AAAAAAAAA"]
    X = embed(sites, {"embedder": "spliceai", "networks": 1, "site": 3}, weights=path).X
    donor = np.exp(X[:, 34])
    np.testing.assert_allclose(donor[:2], [0.1990, 0.0222], atol=2e-4)
    assert (donor[2:] < 2e-4).all()
