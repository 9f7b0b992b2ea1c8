"""Evaluate the held-out predictions of a task's model and its baselines: metrics.json and plots.

Every score has a 95 % interval from resampled groups (all but the calibration error, which
resampling inflates), every baseline the same metrics, and the difference to each baseline is
paired. A difference above 0 means that the model is better, also where lower scores are. Where
samples have a `sample_weight`, each test row counts by it in every score and interval.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.evaluation.coverage import broken_promises, coverage_table
from bioloom.evaluation.curves import plot_tables
from bioloom.evaluation.intervals import (
    FEWEST_GROUPS,
    LEVEL,
    draw_groups,
    interval,
    paired_interval,
)
from bioloom.evaluation.learning import labels_worth, learning_curve
from bioloom.evaluation.links import by_seen, doubts, seen_scores, strongest_links
from bioloom.evaluation.subgroups import disparities, subgroup_table
from bioloom.evaluation.test_set import read_test_set, scores_of
from bioloom.kinds import Kind, TestSet
from bioloom.metrics import Metric, Scores
from bioloom.options import Option, complete_options

OPTIONS: dict[str, Any] = {
    "primary": None,
    "resamples": 500,
    "min_test": 10,
    "by": None,
    "structures": 20,
    "subgroups": {},
    "learning_curve": Option(None, type=list),
}
SMALL_TEST = 30  # groups
SUSPICIOUS_SCORE = 0.995
SUSPICIOUS_GAIN = 0.3


class Measured(NamedTuple):
    """`metrics` but for what plots tell, and the test rows and draws of their groups behind it."""

    metrics: dict[str, Any]
    test: TestSet
    draws: np.ndarray


def evaluate(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    held_out: pd.DataFrame,
    *,
    task: str,
    application: str,
    kind: Kind,
    options: dict[str, Any],
    seed: int,
    nearest: pd.DataFrame | None = None,
    nodes: pd.DataFrame | None = None,
    fewer: pd.DataFrame | None = None,
    directed: bool = False,
    private: bool = False,
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """(metrics.json, plot tables by name) of one task.

    `options`: `primary` (metric that decides), `resamples`, `min_test` (measured test values that
    a target needs), `by` (a column over whose values scores are averaged, too), `structures` (test
    chains that are folded from their distances), `subgroups` (columns, with where bands of a number
    begin), `learning_curve` (numbers of labels, of which `fewer` has the answers). `nearest` has
    the similarity of each test row to its nearest training row: `repeat, fold, sample_id,
    similarity`. Of links, `nodes` has the names of their ends, and `directed` says that these
    differ in role. Of persons (`private`) no cell of `predicted_observed` is of a few. In repeated
    cross-validation the folds of a repeat are pooled and the metric is the mean over repeats.
    """
    settings = complete_options(options, OPTIONS, "evaluate")
    metrics, test, draws = measure(
        samples,
        splits,
        held_out,
        task=task,
        application=application,
        kind=kind,
        options=options,
        seed=seed,
    )
    primary = metrics["primary"]
    # A bin of distance has too few rows of each value of `by`, and pooled they say another thing.
    distance = nearest if settings["by"] is None else None
    plots = plot_tables(test, kind, primary, draws, distance, private=private)
    held = coverage_table(test, kind, draws, private=private)
    if not held.empty:
        plots["coverage"] = held
        metrics["flags"] += broken_promises(held)
    if settings["subgroups"]:
        parts = subgroup_table(
            test, samples, settings["subgroups"], kind, primary, draws, private=private
        )
        plots["subgroups"] = parts
        metrics["flags"] += disparities(parts)
    if fewer is not None and len(fewer):
        curve = learning_curve(fewer, held_out, samples, splits, kind, primary, settings, seed)
        plots["learning_curve"] = curve
        metrics["labels_worth"] = labels_worth(curve, kind.metric(primary))
    if "seen" in kind.plots:
        plots["seen"] = by_seen(test, samples, splits, draws, kind, directed)
        metrics["seen"] = seen_scores(plots["seen"])
        metrics["flags"] += doubts(plots["seen"])
    if "strongest_links" in kind.plots:
        plots["strongest_links"] = strongest_links(test, samples, nodes)
    return metrics, plots


def measure(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    held_out: pd.DataFrame,
    *,
    task: str,
    application: str,
    kind: Kind,
    options: dict[str, Any],
    seed: int,
) -> Measured:
    """Scores of the model and its baselines and the differences between them, without plots."""
    settings = complete_options(options, OPTIONS, "evaluate")
    test = read_test_set(samples, splits, held_out, kind, settings)
    draws = draw_groups(test.groups, settings["resamples"], seed)
    drawn = scores_of(test, samples, kind, settings["by"], draws)
    primary = _primary(settings["primary"] or kind.primary, drawn["model"])
    metrics = {
        "task": task,
        "application": application,
        "kind": kind.name,
        "n": _counts(splits, test, kind),
        "primary": primary,
        **_positive(kind, test),
        **_measured(drawn, kind, primary, test),
        **test.facts,
        "weights": "sample_weight" if test.models["model"][0].weight is not None else "none",
        "bootstrap": {
            "unit": "split unit",
            "resamples": settings["resamples"],
            "seed": seed,
            "level": LEVEL,
            "undefined": _undefined(drawn["model"]),
        },
    }
    metrics["flags"] = _flags(metrics, test, kind.metric(primary))
    return Measured(metrics, test, draws)


def _positive(kind: Kind, test: TestSet) -> dict[str, str]:
    two = kind.output == "classes" and len(test.outputs) == 2
    return {"positive": test.outputs[-1]} if two else {}


def _measured(drawn: dict[str, Scores], kind: Kind, primary: str, test: TestSet) -> dict[str, Any]:
    """Scores of the model and its baselines, and the differences between them."""
    baselines = [name for name in drawn if name != "model"]
    metric, groups = kind.metric(primary), test.groups
    differences = {
        name: paired_interval(drawn["model"][primary], drawn[name][primary], groups, metric)
        for name in baselines
    }
    return {
        "test": _flat(drawn["model"], kind, groups),
        "baselines": {name: _flat(drawn[name], kind, groups) for name in baselines},
        **_comparison(differences, kind.decisive, test),
    }


def _primary(name: str, drawn: Scores) -> str:
    if name not in drawn:
        raise DataError(f"unknown metric {name!r}", hint=f"there are {', '.join(drawn)}")
    if not np.isfinite(drawn[name][0]):
        raise DataError(
            f"{name} is not defined on the test rows",
            hint="a class is absent or all labels are equal: bring more data, or split otherwise",
        )
    return name


def _counts(splits: pd.DataFrame, test: TestSet, kind: Kind) -> dict[str, int]:
    """Samples in train, valid (mean over partitions) and test (each sample once)."""
    tested = splits[splits["repeat"] >= 0]
    sizes = tested.groupby(["repeat", "fold"])["split"].value_counts().unstack(fill_value=0).mean()
    rows = test.models["model"]
    counts = {part: round(float(sizes.get(part, 0))) for part in ("train", "valid")}
    counts["test"] = len({sample for repeat in rows for sample in repeat.sample_id})
    counts["test_groups"] = test.groups
    counts["repeats"] = len(rows)
    counts["folds"] = max(len(np.unique(repeat.fold)) for repeat in rows)
    if "target" in kind.keys:
        counts |= {"targets": len(test.outputs), "targets_skipped": len(test.skipped)}
    return counts


def _flat(drawn: Scores, kind: Kind, groups: int) -> dict[str, float]:
    """`{metric, metric_low, metric_high}` for each metric that the test rows define."""
    flat = {}
    for name, values in drawn.items():
        metric = kind.metric(name)
        found = interval(values, groups, metric)
        ends = found if metric.interval else {key: found[key] for key in found if key == "value"}
        for end, value in ends.items():
            flat[name if end == "value" else f"{name}_{end}"] = value
    return flat


def _undefined(drawn: Scores) -> dict[str, int]:
    """How many resamples do not define a metric (they lack a class, say), where any."""
    counts = {name: int((~np.isfinite(values[1:])).sum()) for name, values in drawn.items()}
    return {name: count for name, count in counts.items() if count}


def _comparison(
    differences: dict[str, dict[str, float]], decisive: str | None, test: TestSet
) -> dict[str, Any]:
    """The difference to the best baseline (the smallest one), all differences, the verdict.

    Where a kind has a `decisive` baseline, it is that one, whatever others say. `outcome` is the
    verdict in one word, `none` where there is none.
    """
    defined = {name: difference for name, difference in differences.items() if difference}
    if not defined:
        return {
            "differences": {},
            "outcome": "none",
            "verdict": "no baseline to compare with",
        }
    best = min(defined, key=lambda name: defined[name]["value"])
    best = decisive if decisive in defined else best
    difference = defined[best]
    words = {
        "better": f"better than the best baseline, {best}",
        "worse": f"worse than the baseline {best}",
        "equal": f"no better than the baseline {best}",
        **test.verdicts,
        "none": f"too few groups for a verdict: {test.groups}, and {FEWEST_GROUPS} are needed",
    }
    outcome = "none" if test.groups < FEWEST_GROUPS else _outcome(difference)
    return {
        "difference": {**difference, "against": best},
        "differences": defined,
        "outcome": outcome,
        "verdict": words[outcome],
    }


def _outcome(difference: dict[str, float]) -> str:
    if difference.get("low", -np.inf) > 0:
        return "better"
    return "worse" if difference.get("high", np.inf) < 0 else "equal"


def _flags(metrics: dict[str, Any], test: TestSet, metric: Metric) -> list[str]:
    """What a reader should doubt, in words."""
    primary, scores, n = metric.name, metrics["test"], metrics["n"]
    flags, grows = [], metric.bounded and not metric.lower_is_better
    if n["test_groups"] < SMALL_TEST:
        flags.append(f"small test set: {n['test_groups']} groups")
    if grows and scores[primary] > SUSPICIOUS_SCORE:
        high = f"{primary} {scores[primary]:.3f}"
        flags.append(f"suspiciously high score ({high}): check for leakage")
    difference = metrics.get("difference", {})
    peer = difference.get("against") != "naive"  # to beat that one by far is what models are for
    if grows and peer and difference.get("low", 0.0) > SUSPICIOUS_GAIN:
        flags.append("far better than every baseline: check for leakage")
    absent = sorted(set(metrics["bootstrap"]["undefined"]) - set(scores))
    if absent:
        flags.append(f"not defined on these test rows: {', '.join(absent)}")
    if test.skipped:
        flags.append(f"{len(test.skipped)} targets have too few test values and are left out")
    return flags + test.flags
