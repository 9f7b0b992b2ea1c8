"""The leakage audit: how near each test sample comes to what the model was trained on.

samples, splits -> (leakage.json, leakage.parquet: sample_id, repeat, fold, nearest, similarity).
Training means train and valid rows: the model has seen both. Similarity is 0 to 1: identity for
sequences and variants, 1 / (1 + distance) for tables, the mean over both ends for pairs of nodes
(`bioloom.similarity`). A test sample above the task's `limit` is a DataError, so that no score is
computed from it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.options import Option, complete_options
from bioloom.samples import label_columns
from bioloom.samples.columns import has_classes, is_flag
from bioloom.similarity import Measure, get_measure
from bioloom.splits import SPLITS, check_splits
from bioloom.splits.suspects import suspects

OPTIONS = {"limit": Option(None, type=float, minimum=0, maximum=1)}
BINS = 20
NEAR = 0.9  # a near-duplicate
MOST_TOLD = 20  # of features that decide alone


def audit(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    options: dict[str, Any],
    *,
    measure: str,
    private: bool = False,
    nodes: pd.DataFrame | None = None,
    directed: bool = False,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """(leakage.json, leakage.parquet) of one task: a row for each test sample of each partition.

    `options`: `limit`, the highest similarity that a test sample may have with a training sample;
    null measures without a limit. DataError above it, naming a few samples unless they are
    `private`, and for groups in two splits. `nodes` are the ends of pairs: without sequences a node
    is like itself alone.
    """
    limit = complete_options(options, OPTIONS, "leakage")["limit"]
    measured_by = get_measure(measure)
    check_splits(splits, samples)
    items = nearest_training(samples, splits, measured_by, nodes, directed)
    if limit is not None:
        _check_limit(items, limit, private)
    report = {
        "measure": measured_by.description,
        "limit": limit,
        **_summary(items, measured_by),
        **_near_duplicates(items, samples, measured_by),
        "groups": int(samples["group"].nunique()) if "group" in samples else len(samples),
        "groups_across_splits": 0,  # check_splits refuses any
        "sizes": _sizes(splits),
        "shortcuts": shortcuts(samples, measured_by),
    }
    report["flags"] = _flags(report, samples, splits, measured_by) + suspects(samples)
    counts, edges = np.histogram(items["similarity"], BINS, (0, 1))
    report["histogram"] = {"edges": edges.round(2).tolist(), "counts": counts.tolist()}
    return report, items


def nearest_training(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    measure: Measure,
    nodes: pd.DataFrame | None = None,
    directed: bool = False,
) -> pd.DataFrame:
    """The nearest training sample of each test sample, as leakage.parquet has it.

    `nearest` is an empty string where nothing is alike. Scales of a table are fitted on the
    training rows of each partition.
    """
    ids = samples["sample_id"].to_numpy()
    row_of = pd.Series(np.arange(len(ids)), index=ids)
    compare = measure.compare(samples, nodes, directed)
    parts = []
    for (repeat, fold), part in splits.groupby(["repeat", "fold"]):
        rows, is_test = row_of[part["sample_id"]].to_numpy(), (part["split"] == "test").to_numpy()
        if not is_test.any():
            continue
        test, training = rows[is_test], rows[~is_test]
        similarity, index = compare(test, training)
        nearest = np.where(index >= 0, ids[training][index], "")
        columns = {"sample_id": ids[test], "repeat": repeat, "fold": fold, "nearest": nearest}
        parts.append(pd.DataFrame({**columns, "similarity": similarity}))
    return pd.concat(parts, ignore_index=True)


def shortcuts(samples: pd.DataFrame, measure: Measure) -> dict[str, float]:
    """AUROC of features that should not decide alone, over all samples with two classes.

    Either direction counts, so 0.5 is the lowest. Of several labels the highest score is told, and
    the highest of each other feature that reaches the alarm, with the label that it is of.
    """
    if "label" in samples:
        scores = _shortcuts(samples, "label", measure)
    else:
        flags = [name for name in label_columns(samples) if is_flag(samples[name])]
        found = sorted(
            (
                (score, name, flag.partition(".")[2])
                for flag in flags
                for name, score in _shortcuts(samples, flag, measure).items()
            ),
            key=lambda one: -one[0],
        )
        best = dict[str, tuple[str, float]]()
        for score, name, flag in found:
            if not best or score >= measure.alarm:
                best.setdefault(name, (flag, score))
        scores = {f"{name} for {flag}": score for name, (flag, score) in best.items()}
    return {name: round(score, 4) for name, score in scores.items()}


def _shortcuts(samples: pd.DataFrame, label: str, measure: Measure) -> dict[str, float]:
    known = samples[samples[label].notna()]
    if known[label].nunique() != 2:
        return {}
    return measure.shortcuts(known, pd.factorize(known[label], sort=True)[0] == 1)


def _check_limit(items: pd.DataFrame, limit: float, private: bool) -> None:
    above = items[items["similarity"] > limit].sort_values("similarity", ascending=False)
    if above.empty:
        return
    message = f"{len(above)} of {len(items)} test samples are nearer to training than {limit}"
    if not private:
        examples = (
            f"{row.sample_id} to {row.nearest} {row.similarity:.2f}"
            for row in above.head(3).itertuples()
        )
        message += f": {', '.join(examples)}"
    raise DataError(
        message,
        hint="keep what is alike together (split by cluster, at this limit as identity, or by a "
        "coarser group), or set another leakage limit and say why",
    )


def _summary(items: pd.DataFrame, measure: Measure) -> dict[str, Any]:
    """The distribution over all partitions, and the partition that comes nearest."""
    similarity = items["similarity"]
    summary: dict[str, Any] = {
        "test_samples": int(items["sample_id"].nunique()),
        "largest": round(float(similarity.max()), 4),
        "quantiles": _quantiles(similarity),
    }
    if measure.distance is not None:
        summary["distance"] = _quantiles(measure.distance(similarity[similarity > 0]))
    fifths = np.histogram(similarity, 5, (0, 1))[0] / len(similarity)
    summary["shares"] = {f"{i / 5:.1f} to {(i + 1) / 5:.1f}": round(float(share), 4)
                         for i, share in enumerate(fifths)}  # fmt: skip
    medians = items.groupby(["repeat", "fold"], as_index=False)["similarity"].median()
    if len(medians) > 1:
        worst = medians.loc[medians["similarity"].idxmax()]
        place = {"repeat": int(worst["repeat"]), "fold": int(worst["fold"])}
        summary["worst_partition"] = {**place, "median": round(float(worst["similarity"]), 4)}
    return summary


def _quantiles(values: pd.Series) -> dict[str, float]:
    return {f"{q:g}": round(float(v), 4) for q, v in values.quantile([0.05, 0.5, 0.95]).items()}


def _near_duplicates(
    items: pd.DataFrame, samples: pd.DataFrame, measure: Measure
) -> dict[str, int]:
    """Test samples equal to one of training; those nearly so by no chance, and of another class."""
    near = items[items["similarity"] >= NEAR].drop_duplicates(["sample_id", "nearest"])
    counts = {"identical": near.loc[near["similarity"] == 1, "sample_id"].nunique()}
    if measure.beyond_chance is not None and len(near):
        row_of = pd.Series(np.arange(len(samples)), index=samples["sample_id"])
        rows, others = (row_of[near[end]].to_numpy() for end in ("sample_id", "nearest"))
        compared = len(items) * len(samples)
        near = near[measure.beyond_chance(samples, rows, others, compared)]
    counts["near_duplicates"] = near["sample_id"].nunique()
    if has_classes(samples):
        label = samples.set_index("sample_id")["label"]
        own, other = label[near["sample_id"]].to_numpy(), label[near["nearest"]].to_numpy()
        counts["near_duplicates_of_another_class"] = near.loc[own != other, "sample_id"].nunique()
    return counts


def _sizes(splits: pd.DataFrame) -> dict[str, float]:
    """Mean number of samples in train, valid and test over the tested partitions."""
    tested = splits[splits["repeat"] >= 0]
    partitions = len(tested[["repeat", "fold"]].drop_duplicates())
    counts = tested["split"].value_counts() / partitions
    return {name: round(float(counts[name]), 1) for name in SPLITS}


def _flags(
    report: dict[str, Any], samples: pd.DataFrame, splits: pd.DataFrame, measure: Measure
) -> list[str]:
    """What a reader should doubt, in words."""
    alone = {name: one for name, one in report["shortcuts"].items() if one >= measure.alarm}
    flags = [f"{name} alone separates the classes: AUROC {one:.2f}" for name, one in alone.items()]
    if more := flags[MOST_TOLD:]:
        least = min(alone.values())
        flags[MOST_TOLD:] = [f"and {len(more)} more alone, the least with an AUROC of {least:.2f}"]
    if report["near_duplicates"]:
        flags.append(f"{report['near_duplicates']} test samples are near-duplicates of training")
    if has_classes(samples):
        tested = splits.loc[splits["split"] == "test", "sample_id"]
        absent = set(samples["label"]) - set(samples["label"][samples["sample_id"].isin(tested)])
        if absent:
            flags.append(f"no test sample of class {', '.join(sorted(absent))}")
    return flags
