"""The benchmark's own arithmetic: ratios, what CI asks for, and the oracle before any clock."""

from __future__ import annotations

import numpy as np
import pytest

from bench.drugs import agree
from bench.run import too_low
from bench.timing import Goal, Suite, measure


def _suite(check=lambda outputs: {}, **options) -> Suite:
    """Two cases that take 1 and 5 ticks of a clock that counts."""
    now = [0]

    def case(n):
        def run():
            now[0] += n

        return run

    goals = [Goal("plain", "ours", "peer", 8.0), Goal("shown", "ours", "peer")]
    cases = {"ours": case(1), "peer": case(5)}
    return Suite("test", cases, check, goals, clock=lambda: now[0], **options)


def test_a_ratio_is_of_speeds_and_half_its_goal_is_asked_for():
    result = measure(_suite(), rounds=2)
    assert result["seconds"] == {"ours": 1, "peer": 5}
    assert [(r["value"], r["lowest"]) for r in result["ratios"]] == [(5, 4), (5, None)]
    assert too_low([result]) == []
    slow = measure(_suite(work={"ours": 1.0, "peer": 2.0}), rounds=1)
    assert too_low([slow]) == ["plain"]


def test_what_does_not_agree_is_not_timed():
    def check(outputs):
        raise SystemExit("no")

    suite = _suite(check)
    with pytest.raises(SystemExit):
        measure(suite, rounds=1)
    assert suite.clock() == 6  # each case ran once, for the check


@pytest.mark.parametrize("wrong", [1e-6, np.nan])
def test_predictions_that_differ_or_are_no_numbers_are_refused(wrong):
    y = np.zeros((3, 2))
    agree({"ours": y, "loop": y})
    with pytest.raises(SystemExit, match="differ"):
        agree({"ours": y + wrong, "loop": y})
