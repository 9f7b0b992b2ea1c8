"""The benchmark's own arithmetic: ratios, what CI asks for, and the oracle before any clock."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.correction import gain_of
from bench.drugs import agree
from bench.run import too_low
from bench.timing import Goal, Suite, measure
from bench.variants import BEST, KIND, row
from bioloom.kinds import Calibration
from bioloom.reads.simulate import profile_of, simulate_pairs
from bioloom.samples import VARIANT
from bioloom.samples.variants import DEPTH, FOUND, GENOTYPES, REPEAT


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


@pytest.mark.slow
def test_the_gain_of_a_correction_is_that_of_reads_in_their_order():
    rng = np.random.default_rng(0)
    genome = rng.integers(0, 4, 20_000).astype(np.uint8)
    gain, seconds = gain_of("spectrum", simulate_pairs([genome], 30, rng, profile_of(0.01)))
    assert gain > 0.95
    assert seconds > 0


def test_variants_are_scored_apart_and_compared_on_blocks_of_loci():
    n = 40
    truth = np.tile([0, 1, 2, 1], n // 4)
    alt = np.where(np.arange(n) % 2, "A", "GG")  # each insertion is there in no copy or in two
    samples = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n)],
            "group": [f"c:{i // 4}" for i in range(n)],
            "label": np.array(GENOTYPES)[truth],
            f"{VARIANT}ref": "G",
            f"{VARIANT}alt": alt,
            FOUND: True,
            DEPTH: 9,
            REPEAT: 1,
        }
    )
    calibration = Calibration(threshold=0.5, quantile=[[0.0] * 3])
    right, half = np.eye(3)[truth], np.eye(3)[np.where(np.arange(n) < n // 2, truth, 0)]
    tables = [
        KIND.answer(p, list(GENOTYPES), calibration).assign(
            sample_id=samples["sample_id"], model=name, repeat=0, fold=0
        )
        for name, p in (("model", right), ("shipped", half), (BEST, half))
    ]
    *scores, best, ours, shipped = row(samples, pd.concat(tables), "snp_f1")
    assert [*scores, best] == ["1.000", "0.667", "0.667"]
    assert ours.startswith("+0.333 (+0.")
    assert shipped.startswith("+0.000")
