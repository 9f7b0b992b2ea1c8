"""Coordinates from distances: exact where they can be, of the right hand; scores equal peers'."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.metrics.structures import contact_precision, lddt, superpose, tm_score
from bioloom.structures.distances import (
    BINS,
    CENTRES,
    EDGES,
    distance_bins,
    pairs_of,
    pairwise,
    square,
    summarise,
    upper,
)
from bioloom.structures.folding import (
    confidence,
    embed_distances,
    fold,
    handedness,
    random_coil,
    trace_distances,
)
from tests.toys import helix

MIRROR = np.array([1, 1, -1])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16), st.integers(4, 30))
def test_exact_distances_give_the_points_up_to_a_mirror(seed, length):
    points = np.random.default_rng(seed).normal(size=(length, 3)) * 10
    found = embed_distances(pairwise(points))
    np.testing.assert_allclose(pairwise(found), pairwise(points), atol=1e-6)
    everything = np.ones(length, dtype=bool)
    off = [np.abs(superpose(p, points, everything) - points).max() for p in (found, found * MIRROR)]
    assert min(off) < 1e-5


@pytest.mark.slow
def test_a_folded_helix_is_right_handed_whichever_image_comes_first():
    trace = helix(20)
    distances = trace_distances(trace)
    for matrix in (distances, distances[::-1, ::-1]):  # either end first
        (folded,) = fold([matrix], [np.full_like(matrix, 0.3)])
        assert (handedness(folded) > 0).all()
        steps = np.linalg.norm(np.diff(folded, axis=0), axis=1)
        assert steps == pytest.approx(3.8, abs=0.2)
    assert (handedness(trace) > 0).all()
    assert (handedness(trace * MIRROR) < 0).all()
    assert tm_score(fold([distances], [np.full_like(distances, 0.3)])[0], trace) > 0.9


def test_very_short_chains_fold_too():
    for length in (1, 2, 3, 4, 5):
        distances = 3.8 * np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
        (trace,) = fold([distances], [np.ones_like(distances)])
        assert trace.shape == (length, 3)
        assert np.isfinite(trace).all()


def test_a_coil_has_the_steps_of_a_chain():
    coil = random_coil(80, seed=3)
    assert np.linalg.norm(np.diff(coil, axis=0), axis=1) == pytest.approx(3.8)
    second = np.linalg.norm(coil[2:] - coil[:-2], axis=1)
    assert ((second > 5) & (second < 7.3)).all()
    np.testing.assert_array_equal(coil, random_coil(80, seed=3))


def test_tm_score_equals_tmtools():
    tmtools = pytest.importorskip("tmtools")
    rng = np.random.default_rng(0)
    true = random_coil(60, seed=1)
    for noise in (0.3, 1.0):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        turn *= np.sign(np.linalg.det(turn))
        moved = (true + noise * rng.normal(size=true.shape)) @ turn + 5
        peer = tmtools.tm_align(moved, true, "A" * 60, "A" * 60).tm_norm_chain2
        assert tm_score(moved, true) == pytest.approx(peer, abs=0.02)
    assert tm_score(true + 3, true) == pytest.approx(1)
    assert tm_score(true * MIRROR, true) < 0.6


def test_lddt_by_its_definition():
    rng = np.random.default_rng(0)
    true = random_coil(30, seed=2)
    predicted = true + rng.normal(size=true.shape)
    expected = []
    for i in range(30):
        kept = [
            abs(np.linalg.norm(predicted[i] - predicted[j]) - np.linalg.norm(true[i] - true[j])) < t
            for j in range(30)
            for t in (0.5, 1, 2, 4)
            if i != j and np.linalg.norm(true[i] - true[j]) < 15
        ]
        expected.append(np.mean(kept))
    assert lddt(predicted, true) == pytest.approx(expected)
    assert lddt(true * MIRROR + 4, true) == pytest.approx(1)  # distances know no hand


def test_contact_precision_counts_the_surest_of_each_range():
    length = 40
    distance = np.full((length, length), 20.0)
    distance[0, 8] = distance[0, 30] = distance[1, 31] = 6
    distance = np.minimum(distance, distance.T)
    contact = (distance < 8) * 0.5
    scores = contact_precision(contact, distance)
    assert scores["contacts_short_l5"] == pytest.approx(1 / 8)
    assert scores["contacts_long_l5"] == pytest.approx(2 / 8)
    assert scores["contacts_long_l"] == pytest.approx(2 / 40)
    assert np.isnan(scores["contacts_medium_l"])


def test_pairs_bins_and_summaries_agree():
    points = np.array([[0, 0, 0], [3.9, 0, 0], [7.9, 0, 0], [50, 0, 0]], dtype=float)
    bins = distance_bins(points)
    assert [BINS[b] for b in bins] == ["to 4", "to 8", "from 20", "to 5", "from 20", "from 20"]
    pairs = pairs_of(np.array(["a", "b"]), np.array([3, 2]))
    assert list(zip(*pairs.values(), strict=True)) == [
        ("a", 1, 2), ("a", 1, 3), ("a", 2, 3), ("b", 1, 2),
    ]  # fmt: skip
    matrix = pairwise(points)
    np.testing.assert_array_equal(square(upper(matrix), 4), matrix)
    said = summarise(np.eye(len(BINS)))
    assert said["contact"].tolist() == [1.0 if end <= 8 else 0.0 for end in [*EDGES, np.inf]]
    np.testing.assert_allclose(said["distance"], CENTRES, atol=1e-5)
    np.testing.assert_allclose(said["spread"], 0, atol=1e-2)


def test_confidence_is_high_where_distances_are_sure():
    distance = trace_distances(helix(20))
    sure, unsure = (confidence(distance, np.full_like(distance, s)) for s in (0.1, 6.0))
    assert (sure > 99).all()
    assert (unsure < 30).all()
