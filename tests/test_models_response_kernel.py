"""Many values a sample: what targets share, what each has of its own, and samples of a kind."""

import numpy as np
import pytest

from bioloom.models import get_model, response_kernel
from bioloom.models.response_kernel import _kernel, _scales, _shared, _single


def lines(
    rows: int = 150, targets: int = 12, noise: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flags, a number and a tissue of four; targets that follow two directions, with gaps."""
    rng = np.random.default_rng(seed)
    tissue = np.eye(4)[rng.integers(0, 4, rows)]
    flags = (rng.random((rows, 10)) < 0.3).astype(float)
    X = np.hstack([flags, rng.normal(200, 50, (rows, 1)), tissue]).astype(np.float32)
    scaled = np.hstack([flags, (X[:, 10:11] - 200) / 50, tissue])
    ways = np.random.default_rng(9).normal(size=(15, 2)) @ np.random.default_rng(8).normal(
        size=(2, targets)
    )
    Y = scaled @ ways + noise * rng.normal(size=(rows, targets))
    Y[rng.random(Y.shape) < 0.25] = np.nan
    return X, 10 * Y + 3, 10 * scaled @ ways + 3


NAMES = np.array([*(f"flag{i}" for i in range(10)), "dose", *(f"tissue={i}" for i in "abcd")])


def fitted(X: np.ndarray, Y: np.ndarray, **given: np.ndarray):
    model = get_model("response_kernel")(output="values", n_outputs=Y.shape[1], seed=1)
    return model.fit(X, Y, X[:0], Y[:0], columns=NAMES, **given)


def test_what_targets_share_is_found_and_kept(tmp_path):
    X, Y, _ = lines()
    new, _, truth = lines(seed=1)
    model = fitted(X, Y)
    said = model.predict(new)
    found = [np.corrcoef(a, b)[0, 1] for a, b in zip(said.T, truth.T, strict=True)]
    assert np.median(found) > 0.8
    model.save(tmp_path)
    np.testing.assert_array_equal(get_model("response_kernel").load(tmp_path).predict(new), said)


@pytest.mark.parametrize("whole", [True, False])
def test_left_out_answers_are_those_of_refits(whole, monkeypatch):
    if whole:
        monkeypatch.setattr(response_kernel, "MOST_WORK", 0.0)
    X, Y, _ = lines(40, 4)
    targets, groups = (Y - np.nanmean(Y, axis=0)) / np.nanstd(Y, axis=0), np.arange(40) // 2
    named = np.array(["=" in name for name in NAMES])
    near, same = _scales(X.astype(float), named, 0.5, 4.0)
    kernel, filled = _kernel(X * near, X * same), np.nan_to_num(targets)
    single = _single(kernel, targets, filled, groups)
    for place in range(4):
        known = np.isfinite(targets[:, place]) | whole
        # the strength is told by the coefficients: (K + strength I) a = y
        a = single.coefficients[known, place]
        left = filled[known, place] - kernel[np.ix_(known, known)] @ a
        strength = float(left @ a / (a @ a))
        for group in np.unique(groups[known]):
            out = known & (groups == group)
            rest = known & (groups != group)
            solved = np.linalg.solve(
                kernel[np.ix_(rest, rest)] + strength * np.eye(rest.sum()), filled[rest, place]
            )
            expected = kernel[np.ix_(out, rest)] @ solved
            np.testing.assert_allclose(single.left_out[out, place], expected, atol=1e-6)


def test_targets_of_noise_are_answered_by_their_means():
    rng = np.random.default_rng(0)
    X, Y, _ = lines()
    Y = 5 + rng.normal(size=Y.shape)
    shared = _shared(np.eye(150) + 1, Y - 5, np.arange(150))
    assert np.abs(shared.coefficients).mean() < 0.05
    assert np.abs(fitted(X, Y).predict(lines(seed=1)[0]) - 5).max() < 1


def test_a_number_counts_whatever_its_unit_and_a_category_by_its_weight():
    X, Y, _ = lines()
    other = X.copy()
    other[:, 10] = other[:, 10] * 1_000 - 7
    np.testing.assert_allclose(fitted(other, Y).predict(other), fitted(X, Y).predict(X), rtol=1e-3)


def test_rows_of_one_group_are_held_out_one_by_one():
    X, Y, _ = lines(60, 5)
    said = fitted(X, Y, groups=np.zeros(60)).predict(X)
    np.testing.assert_array_equal(said, fitted(X, Y).predict(X))


@pytest.mark.parametrize("targets", [2, 5])
def test_without_any_known_value_all_is_nought(targets):
    X, Y, _ = lines(30, targets)
    np.testing.assert_array_equal(fitted(X, np.full_like(Y, np.nan)).predict(X), 0)


def test_rows_are_answered_in_blocks(monkeypatch):
    X, Y, _ = lines(60, 5)
    model = fitted(X, Y)
    whole = model.predict(X)
    monkeypatch.setattr(response_kernel, "BLOCK", 7)
    np.testing.assert_allclose(model.predict(X), whole)


def test_a_target_without_values_is_nought_and_a_constant_one_itself():
    X, Y, _ = lines(60, 5)
    Y[:, 0], Y[:, 1] = np.nan, 7.0
    said = fitted(X, Y).predict(X)
    np.testing.assert_allclose(said[:, :2], [[0, 7]] * 60, atol=1e-9)


def test_altered_columns_are_answered_like_altered_rows():
    X, Y, _ = lines(80, 4)
    model, rng = fitted(X, Y), np.random.default_rng(3)
    for columns in ([2], [10], [11, 12, 13, 14]):
        others = np.stack([rng.permutation(X)[:, columns] for _ in range(3)])
        said = model.altered(X)(np.array(columns), others)
        for other, answer in zip(others, said, strict=True):
            changed = X.copy()
            changed[:, columns] = other
            np.testing.assert_allclose(answer, model.predict(changed), atol=1e-6)
