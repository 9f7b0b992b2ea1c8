"""Segment overlap equals published values and the definition written out loop by loop."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioloom.metrics.segments import segment_overlap

states = st.text("HEC", min_size=1, max_size=40)


def codes(text: str) -> np.ndarray:
    return np.array(["CEH".index(letter) for letter in text])


def runs(text: str) -> list[tuple[str, set[int]]]:
    found, start = [], 0
    for state, letters in groupby(text):
        length = len(list(letters))
        found.append((state, set(range(start, start + length))))
        start += length
    return found


def by_definition(observed: str, predicted: str) -> float:
    """The equations of Zemla et al. (1999), pair by pair."""
    total, normal = 0.0, 0
    for state, s1 in runs(observed):
        partners = [s2 for other, s2 in runs(predicted) if other == state and s1 & s2]
        normal += len(s1) * max(len(partners), 1)
        for s2 in partners:
            overlap = len(s1 & s2)
            extent = max(s1 | s2) - min(s1 | s2) + 1
            delta = min(extent - overlap, overlap, len(s1) // 2, len(s2) // 2)
            total += (overlap + delta) / extent * len(s1)
    return total / normal


@pytest.mark.parametrize(
    ("predicted", "expected"), [("CHCHCHCHCHCC", 0.125), ("CCCHHHHHCCCC", 0.632)]
)
def test_published_values(predicted, expected):
    """Two predictions of equal Q3 (58.3 %), as Zemla et al. compare them."""
    observed = "CHHHHHHHHHHC"
    assert np.mean(codes(observed) == codes(predicted)) == pytest.approx(7 / 12)
    assert segment_overlap(codes(observed), codes(predicted)) == pytest.approx(expected, abs=5e-4)


@given(st.data())
def test_equals_the_definition(data):
    observed = data.draw(states)
    predicted = data.draw(st.text("HEC", min_size=len(observed), max_size=len(observed)))
    ours = segment_overlap(codes(observed), codes(predicted))
    assert ours == pytest.approx(by_definition(observed, predicted))


@given(states)
def test_a_perfect_prediction_is_one(observed):
    assert segment_overlap(codes(observed), codes(observed)) == 1
