"""Exact kernel models: left-out answers are those of refits, and what they learn is found again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.models import _kernels, get_model
from bioloom.models._kernels import ridges, roots, variance_weights


def rbf(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.exp(-((a[:, None] - b) ** 2).sum(axis=2)) + 1


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 25), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_left_out_answers_are_those_of_refits(rows, outputs, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(rows, 3)), rng.normal(size=(rows, outputs))
    kernel, groups = rbf(X, X), rng.integers(0, 5, rows)
    for fitted in ridges(kernel, np.arange(rows), y, (0.1, 2.0)):
        strength, left_out = fitted.strength * np.eye(rows), fitted.left_out(groups)
        np.testing.assert_allclose((kernel + strength) @ fitted.coefficients, y, atol=1e-8)
        for group in np.unique(groups):
            out = groups == group
            inside = np.linalg.solve((kernel + strength)[np.ix_(~out, ~out)], y[~out])
            np.testing.assert_allclose(left_out[out], kernel[np.ix_(out, ~out)] @ inside, atol=1e-8)


def test_a_kernel_that_rounding_has_made_indefinite_is_inverted_as_it_is():
    """LAPACK goes on with half a factor, and does not fail."""
    rng = np.random.default_rng(0)
    turned, _ = np.linalg.qr(rng.normal(size=(50, 50)))
    kernel = (turned * np.linspace(-3, 5, 50)) @ turned.T
    [fitted] = ridges(kernel, np.arange(50), np.eye(50), (0.1,))
    identity = (kernel + 0.1 * np.eye(50)) @ fitted.coefficients
    np.testing.assert_allclose(identity, np.eye(50), atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.integers(8, 25), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_of_landmarks_they_are_those_of_refits_of_their_kernel(rows, size, seed):
    """The kernel of Nystroem, written out, with the exact formula."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(rows, 3)), rng.normal(size=(rows, 2))
    marks = np.sort(rng.permutation(rows)[:size])
    compared, groups = rbf(X, X[marks]), rng.integers(0, 4, rows)
    whole = compared @ np.linalg.pinv(compared[marks], rcond=1e-6, hermitian=True) @ compared.T
    few = list(ridges(compared, marks, y, (0.1, 2.0)))
    full = list(ridges(whole, np.arange(rows), y, (0.1, 2.0)))
    for a, b in zip(few, full, strict=True):
        np.testing.assert_allclose(a.left_out(groups), b.left_out(groups), atol=1e-5)
        np.testing.assert_allclose(compared @ a.coefficients, whole @ b.coefficients, atol=1e-5)


@pytest.mark.parametrize("kind", ["classes", "values"])
def test_many_rows_are_learnt_through_landmarks(kind, monkeypatch):
    monkeypatch.setattr(_kernels, "EXACT_ROWS", 100)
    monkeypatch.setattr(_kernels, "LANDMARKS", 60)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3)).astype(np.float32)
    signal = np.sin(2 * X[:, 0]) + X[:, 1]
    y = signal if kind == "values" else (signal > 0).astype(int)
    size = 1 if kind == "values" else 2
    model = get_model("kernel")(output=kind, n_outputs=size, seed=1)
    model.fit(X[:400], y[:400], X[400:], y[400:])
    assert len(model.rows[0]) == 60
    said = model.predict(X[400:]) if kind == "values" else model.predict_proba(X[400:])[:, 1]
    assert np.corrcoef(said, signal[400:])[0, 1] > 0.75


def test_more_rows_than_fit_into_memory_are_drawn(monkeypatch):
    monkeypatch.setattr(_kernels, "MOST_ROWS", 50)
    drawn = _kernels.drawn_rows(120, seed=3)
    assert len(drawn) == len(set(drawn)) == 50
    assert (np.diff(drawn) > 0).all()


@pytest.mark.parametrize("groups", [np.zeros(60, int), np.repeat([0, 1], 30)])
def test_groups_that_leave_a_class_alone_are_borne(groups):
    """One group, or two that are a class each: no fold can be held out."""
    X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    y = np.repeat([0, 1], 30)
    X[:, 0] += 3 * y
    model = get_model("kernel")(output="classes", n_outputs=2, seed=1)
    said = model.fit(X, y, X, y, groups=groups).predict_proba(X)
    np.testing.assert_allclose(said.sum(axis=1), 1)


def test_a_class_without_training_rows_is_never_called():
    X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    y = np.where(X[:, 0] > 0, 2, 0)
    model = get_model("kernel")(output="classes", n_outputs=3, seed=1).fit(X, y, X, y)
    said = model.predict_proba(X)
    assert said[:, 1].max() < 1e-6
    assert (said.argmax(axis=1) == y).mean() > 0.9
    alone = get_model("kernel")(output="classes", n_outputs=3, seed=1).fit(X, 0 * y + 1, X, y)
    assert (alone.predict_proba(X).argmax(axis=1) == 1).all()


def test_rows_of_no_count_weigh_nothing_and_are_still_answered():
    rng = np.random.default_rng(0)
    errors, counts = rng.normal(size=(60, 1)), rng.uniform(1, 9, 60)
    weight = variance_weights(errors, np.append(counts[:50], np.zeros(10)))
    assert (weight[50:] == 0).all()
    plain = variance_weights(errors[:50], counts[:50])
    np.testing.assert_allclose(weight[:50] / weight[:50].mean(), plain)
    assert (roots(weight) > 0).all()


def test_values_with_gaps_are_learnt_from_the_rows_that_have_them():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5)).astype(np.float32)
    y = np.repeat((X @ rng.normal(size=5))[:, None], 3, axis=1)
    gaps = y.copy()
    gaps[rng.random(300) > 0.2, 1] = np.nan
    gaps[:, 2] = np.nan
    model = get_model("kernel")(output="values", n_outputs=3, unit="sample", seed=0)
    said = model.fit(X, gaps, X[:0], gaps[:0], groups=np.arange(300))._outputs(X)
    explained = 1 - ((said - y) ** 2).mean(axis=0) / y.var(axis=0)
    assert explained[0] > 0.99
    assert explained[1] > 0.8
    assert (said[:, 2] == 0).all()
