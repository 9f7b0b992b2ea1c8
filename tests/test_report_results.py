"""Results: what the overview and the record say of a task."""

from __future__ import annotations

import pytest

from bioloom.report.layout import interval, plain, score, signed
from bioloom.report.overview import MARGIN, WIDTH, _strip
from bioloom.report.results import Result, scales


def result(task: str = "mine", primary: str = "auroc", **difference: float) -> Result:
    """Of a binary task whose score is 0.81234567, against a peer."""
    metrics = {
        "kind": "binary",
        "primary": primary,
        "test": {primary: 0.81234567, f"{primary}_low": 0.7},
        "baselines": {"naive": {primary: 0.5}, "peer": {primary: 0.8}, "other": {}},
        "outcome": "equal",
    }
    if difference:
        metrics["difference"] = {"against": "peer", **difference}
    return Result(task, task, metrics)


def test_a_metric_has_one_scale_with_the_better_to_the_right():
    first = result(value=0.01, low=-0.02, high=0.04)  # 0.81 from 0.7 on, beside 0.8 and 0.5
    other = result("other")
    other.metrics["test"] = {"auroc": 0.95, "auroc_low": 0.9, "auroc_high": 0.99}
    loss = result(primary="brier", value=0.01)
    assert scales([first, other]) == {(first.metric, ""): (0.5, 0.99)}
    assert scales([loss]) == {(loss.metric, ""): (0.81234567, 0.5)}
    strips = [_strip(each, (0.5, 0.99)) for each in (first, other)]
    assert MARGIN < strips[0]["low"] < strips[0]["baseline"] < strips[0]["value"]
    assert strips[0].keys() == {"value", "low", "baseline"}
    assert strips[0]["value"] < strips[1]["low"] < strips[1]["high"] == WIDTH - MARGIN
    assert _strip(loss, (0.81234567, 0.5))["value"] == MARGIN


def test_a_score_that_is_no_number_is_not_drawn():
    bare = result()
    bare.metrics["test"], bare.metrics["baselines"] = {"auroc": float("nan")}, {}
    assert scales([bare]) == {}
    assert _strip(bare, None) == {}
    bare.metrics["test"] = {"auroc": 0.5}
    assert _strip(bare, (0.5, 0.5)) == {"value": WIDTH / 2}


def test_scores_in_units_of_their_tasks_share_no_scale():
    years, counts = (
        Result(
            task, task, result(primary="rmse").metrics | {"kind": "value", "test": {"rmse": value}}
        )
        for task, value in (("years", 5.0), ("counts", 50_000.0))
    )
    assert {task for _, task in scales([years, counts])} == {"years", "counts"}


def test_what_is_not_known_is_none():
    bare = result()
    assert (bare.high, bare.against, bare.baseline) == (None, None, None)
    assert (bare.low, bare.verdict) == (0.7, "no better")


def test_the_record_has_the_numbers_that_a_text_quotes():
    said = result(value=0.0123456, low=-0.1, high=0.1).record
    assert said["value"] == pytest.approx(0.81235)
    assert said["baselines"] == {"naive": 0.5, "peer": 0.8}
    assert said["difference"] == {"against": "peer", "value": 0.01235, "low": -0.1, "high": 0.1}
    assert (said["metric"], said["verdict"]) == ("AUROC", "no better")


def test_numbers_are_written_with_a_minus_and_zero_without_one():
    assert [score(value) for value in (0.98765, -0.5, -0.0001, 12345.6)] == [
        "0.988",
        "−0.500",
        "−0.0001",
        "12,346",
    ]
    assert (signed(-0.5), signed(-0.0001), interval(-1, 0.5, True)) == (
        "−0.500",
        "−0.0001",
        "−1.000 to +0.500",
    )
    assert (score(0.00042), interval(0.00039, 0.0044)) == ("0.00042", "0.00039 to 0.0044")
    assert signed(-1234567.0) == "−1,234,567"
    assert (plain(45066.0), plain(0.123456), plain(True)) == ("45,066", "0.1235", "yes")
