"""Scores that links need: each regulator by itself, and pairs by what of them was in training.

Pooled over regulators a score tells who has many targets; a mean over regulators tells whether
the right targets are found. A pair whose proteins were both in training is far easier than one of
new proteins, so each class has scores of its own: C1, C2 and C3 of Park & Marcotte (2012, Nature
Methods 9, 1134) are pairs of which both ends, one, or none were in training.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.evaluation.intervals import drawn_scores, groups_of, interval
from bioloom.kinds import HeldOut, Kind, TestSet
from bioloom.metrics import Scores
from bioloom.metrics.links import ranking_scores

STRONGEST = 30  # pairs that are drawn
FEWEST = 3  # positives, and negatives, that a value of `by` needs
ENDS = ("source", "target")
SEEN = {0: "none", 1: "one", 2: "both"}
SEEN_METRICS = ("auroc", "auprc")
SUSPICIOUS = 0.9  # AUROC of pairs of which neither end was in training


def macro_scores(
    repeats: list[HeldOut], samples: pd.DataFrame, by: str, draws: np.ndarray
) -> Scores:
    """Means over the values of the column `by` of scores within each, `{metric_macro: (B,)}`.

    `auroc`, `auprc`, the AUPRC over that of chance (`auprc_ratio`), and early precision: the share
    of positives among as many of the highest as there are positives (Pratapa et al. 2020, BEELINE),
    also over chance. A value counts with `FEWEST` positives and negatives among the test rows; a
    draw that leaves it none of either does not count it.
    """
    if by not in samples:
        raise DataError(f"`evaluate: by: {by}` is no column of the samples", column=by)
    column = samples.set_index("sample_id", drop=False)[by]
    parts = [_macro(rows, column.loc[rows.sample_id].to_numpy(), draws) for rows in repeats]
    return {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}


def _macro(rows: HeldOut, values: np.ndarray, draws: np.ndarray) -> Scores:
    if rows.y.ndim > 1 or rows.p.shape[1] != 2:
        raise DataError("`evaluate: by` is for two classes")
    scores: list[Scores] = []
    for value in pd.unique(values):
        part = rows[values == value]
        positives = int(part.y.sum())
        if min(positives, len(part.y) - positives) >= FEWEST:
            drawn = draws[part.group].astype(float)
            drawn = drawn if part.weight is None else drawn * part.weight[:, None]
            scores.append(ranking_scores(part.y, part.p[:, 1], drawn))
    if not scores:
        raise DataError(
            f"No value of `by` has {FEWEST} positive and {FEWEST} negative test rows",
            hint="leave `evaluate: by` out, or test on more",
        )
    with np.errstate(invalid="ignore"):
        return {
            f"{name}_macro": _mean_of_defined(np.stack([score[name] for score in scores]))
            for name in scores[0]
        }


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    defined = np.isfinite(values)
    count = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def seen_ends(samples: pd.DataFrame, splits: pd.DataFrame, directed: bool = False) -> pd.Series:
    """How many ends of each test pair (0, 1, 2) are in a train or valid pair of its partition.

    Indexed by `repeat, fold, sample_id`. Of directed pairs an end counts at its own place: a
    regulator that was only seen as a target of others is new.
    """
    ends = samples.set_index("sample_id")[["source", "target"]]
    parts = []
    for (repeat, fold), part in splits.groupby(["repeat", "fold"]):
        is_test = part["split"] == "test"
        known, tested = (ends.loc[part["sample_id"][chosen]] for chosen in (~is_test, is_test))
        everywhere = list(known.to_numpy().ravel())
        seen_at = {end: list(known[end]) if directed else everywhere for end in ENDS}
        count = tested.isin(seen_at).sum(axis=1)
        place = {"repeat": repeat, "fold": fold, "sample_id": tested.index}
        parts.append(pd.DataFrame(place).assign(seen=count.to_numpy()))
    return pd.concat(parts).set_index(["repeat", "fold", "sample_id"])["seen"]


def by_seen(
    test: TestSet,
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    draws: np.ndarray,
    kind: Kind,
    directed: bool = False,
) -> pd.DataFrame:
    """`model, seen, n, metric, value, low, high` for pairs with no, one and both ends in training.

    A class of pairs that lacks positives or negatives has no value.
    """
    seen = seen_ends(samples, splits, directed)
    tables = []
    for model, repeats in test.models.items():
        counts = [seen.reindex(part.keys()).to_numpy() for part in repeats]
        for ends, seen_as in SEEN.items():
            parts = [part[count == ends] for part, count in zip(repeats, counts, strict=True)]
            parts = [part for part in parts if len(part.y)]
            if not parts:
                continue
            drawn = drawn_scores(parts, kind, draws)
            place = {"model": model, "seen": seen_as, "n": len(parts[0].y)}
            groups = groups_of(parts)
            tables += [
                {**place, "metric": name, **interval(drawn[name], groups, kind.metric(name))}
                for name in SEEN_METRICS
            ]
    columns = ["model", "seen", "n", "metric", "value", "low", "high"]
    return pd.DataFrame(tables).reindex(columns=columns)


def seen_scores(seen: pd.DataFrame) -> dict[str, dict[str, float]]:
    """What metrics.json says of the model: `{none | one | both: {n, auroc, auroc_low, ...}}`."""
    found: dict[str, dict[str, float]] = {}
    own = seen[(seen["model"] == "model") & seen["value"].notna()]
    for row in own.to_dict("records"):
        scores = found.setdefault(row["seen"], {"n": row["n"]})
        metric = row["metric"]
        scores |= {metric: row["value"], f"{metric}_low": row["low"], f"{metric}_high": row["high"]}
    return found


def strongest_links(
    test: TestSet, samples: pd.DataFrame, nodes: pd.DataFrame | None
) -> pd.DataFrame:
    """The test pairs that the model is surest of: `source, target, score, linked`, best first.

    Nodes go by their names where they have some; `linked` is the truth.
    """
    rows = test.models["model"][0]
    score = rows.p[:, 1]
    first = np.argsort(-score, kind="stable")[:STRONGEST]
    ends = samples.set_index("sample_id").loc[rows.sample_id[first], ["source", "target"]]
    if nodes is not None and "name" in nodes:
        names = nodes.set_index("node_id")["name"].dropna()
        ends = ends.apply(lambda end: end.map(names).fillna(end))
    return ends.reset_index(drop=True).assign(score=score[first], linked=rows.y[first] == 1)


def doubts(seen: pd.DataFrame) -> list[str]:
    """The leak alarm: a score on pairs of unseen nodes that is too good to be true."""
    new = seen[(seen["model"] == "model") & (seen["seen"] == "none") & (seen["metric"] == "auroc")]
    return [
        f"AUROC {value:.3f} on pairs of which no end was in training: suspiciously high, check for "
        "leakage"
        for value in new["value"]
        if value > SUSPICIOUS
    ]
