"""Exact kernel models: left-out answers are those of refits, and what they learn is found again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.models._kernels import check_rows, ridges


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 25), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_left_out_answers_are_those_of_refits(rows, outputs, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(rows, 3)), rng.normal(size=(rows, outputs))
    kernel = np.exp(-((X[:, None] - X) ** 2).sum(axis=2)) + 1
    groups = rng.integers(0, 5, rows)
    for fitted in ridges(kernel, y, (0.1, 2.0)):
        strength, left_out = fitted.strength * np.eye(rows), fitted.left_out(groups)
        np.testing.assert_allclose((kernel + strength) @ fitted.coefficients, y, atol=1e-8)
        for group in np.unique(groups):
            out = groups == group
            inside = np.linalg.solve((kernel + strength)[np.ix_(~out, ~out)], y[~out])
            expected = kernel[np.ix_(out, ~out)] @ inside
            np.testing.assert_allclose(left_out[out], expected, atol=1e-8)


def test_more_rows_than_fit_into_memory_are_refused():
    with pytest.raises(DataError, match="15001 are too many"):
        check_rows("kernel", 15_001)
