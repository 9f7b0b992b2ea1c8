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

from bioloom.application import Measure
from bioloom.errors import DataError
from bioloom.options import Option, complete_options
from bioloom.samples import feature_columns
from bioloom.similarity.links import nearest_links
from bioloom.similarity.sequences import identities, nearest_sequences, nearest_variants
from bioloom.similarity.tables import nearest_rows
from bioloom.splits import SPLITS, check_splits

MEASURES = {
    "sequence": "identity of the best local alignment / length of the shorter sequence",
    "variants": "identical letters at the same positions / length",
    "table": "1 / (1 + distance between rows), robustly scaled",
    "pairs": "mean over both ends of the identity with the ends of a training pair",
    "ends": "share of the ends that a training pair has at the same place",
}
OPTIONS = {"limit": Option(None, type=float, minimum=0, maximum=1)}
BINS = 20
CATEGORIES = 100
NEAR = 0.9  # a near-duplicate
# AUROC of one trivial feature worth a warning.
SHORTCUT = {"sequence": 0.75, "variants": 0.75, "table": 0.98, "pairs": 0.75, "ends": 0.75}


def audit(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    options: dict[str, Any],
    *,
    measure: Measure,
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
    check_splits(splits, samples)
    items = nearest_training(samples, splits, measure, nodes, directed)
    if limit is not None:
        _check_limit(items, limit, private)
    report = {
        "measure": MEASURES[measure],
        "limit": limit,
        **_summary(items, measure),
        **_near_duplicates(items, samples),
        "groups": int(samples["group"].nunique()) if "group" in samples else len(samples),
        "groups_across_splits": 0,  # check_splits refuses any
        "sizes": _sizes(splits),
        "shortcuts": shortcuts(samples, measure),
    }
    report["flags"] = _flags(report, samples, splits, measure)
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
    alike = _alike(nodes, measure) if nodes is not None else None
    values = _ends(samples, nodes) if nodes is not None else _values(samples, measure)
    nearest_of = nearest_variants if measure == "variants" else nearest_sequences
    parts = []
    for (repeat, fold), part in splits.groupby(["repeat", "fold"]):
        rows, is_test = row_of[part["sample_id"]].to_numpy(), (part["split"] == "test").to_numpy()
        if not is_test.any():
            continue
        test, training = rows[is_test], rows[~is_test]
        if alike is not None:
            similarity, index = nearest_links(
                values[test], values[training], alike, directed=directed
            )
        elif measure == "table":
            distance, index = nearest_rows(values[test], values[training])
            similarity = 1 / (1 + distance)
        else:
            similarity, index = nearest_of(list(values[test]), list(values[training]))
        nearest = np.where(index >= 0, ids[training][index], "")
        columns = {"sample_id": ids[test], "repeat": repeat, "fold": fold, "nearest": nearest}
        parts.append(pd.DataFrame({**columns, "similarity": similarity}))
    return pd.concat(parts, ignore_index=True)


def shortcuts(samples: pd.DataFrame, measure: Measure) -> dict[str, float]:
    """AUROC of features that should not decide alone, over all samples with two classes.

    For sequences their length and an initial methionine (fragments and mature peptides lack it);
    for pairs how often their ends occur, whatever the label; for tables the best single column,
    which is suspect where it decides all: it may be a result of the label. Either direction counts,
    so 0.5 is the lowest.
    """
    if "label" not in samples or samples["label"].nunique() != 2:
        return {}
    positive = pd.factorize(samples["label"], sort=True)[0] == 1
    if measure in ("sequence", "variants"):
        texts = samples["sequence"].str.upper()
        features = pd.DataFrame({"length": texts.str.len(), "starts with M": texts.str[0] == "M"})
    elif measure in ("pairs", "ends"):
        ends = [samples[name].map(samples[name].value_counts()) for name in ("source", "target")]
        features = pd.DataFrame({"how often its ends occur": ends[0] + ends[1]})
    else:
        features = _flagged(samples)
    scores = {name: _auroc(column, positive) for name, column in features.items()}
    if measure == "table" and scores:
        best = max(scores, key=lambda name: scores[name])
        scores = {best: scores[best]}
    return {str(name): round(score, 4) for name, score in scores.items()}


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


def _summary(items: pd.DataFrame, measure: str) -> dict[str, Any]:
    """The distribution over all partitions, and the partition that comes nearest."""
    similarity = items["similarity"]
    summary: dict[str, Any] = {
        "test_samples": int(items["sample_id"].nunique()),
        "largest": round(float(similarity.max()), 4),
        "quantiles": _quantiles(similarity),
    }
    if measure == "table":
        summary["distance"] = _quantiles(1 / similarity[similarity > 0] - 1)
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


def _near_duplicates(items: pd.DataFrame, samples: pd.DataFrame) -> dict[str, int]:
    """Test samples equal to a training sample, or nearly so, and those with another class."""
    near = items[items["similarity"] >= NEAR]
    counts = {"identical": int((near["similarity"] == 1).sum()), "near_duplicates": len(near)}
    if "label" in samples and not pd.api.types.is_numeric_dtype(samples["label"]):
        label = samples.set_index("sample_id")["label"]
        own, other = label[near["sample_id"]].to_numpy(), label[near["nearest"]].to_numpy()
        counts["near_duplicates_of_another_class"] = int((own != other).sum())
    return counts


def _sizes(splits: pd.DataFrame) -> dict[str, float]:
    """Mean number of samples in train, valid and test over the tested partitions."""
    tested = splits[splits["repeat"] >= 0]
    partitions = len(tested[["repeat", "fold"]].drop_duplicates())
    counts = tested["split"].value_counts() / partitions
    return {name: round(float(counts[name]), 1) for name in SPLITS}


def _flags(
    report: dict[str, Any], samples: pd.DataFrame, splits: pd.DataFrame, measure: str
) -> list[str]:
    """What a reader should doubt, in words."""
    flags = [
        f"{name} alone separates the classes: AUROC {score:.2f}"
        for name, score in report["shortcuts"].items()
        if score >= SHORTCUT[measure]
    ]
    if report["near_duplicates"]:
        flags.append(f"{report['near_duplicates']} test samples are near-duplicates of training")
    if "label" in samples and not pd.api.types.is_numeric_dtype(samples["label"]):
        tested = splits.loc[splits["split"] == "test", "sample_id"]
        absent = set(samples["label"]) - set(samples["label"][samples["sample_id"].isin(tested)])
        if absent:
            flags.append(f"no test sample of class {', '.join(sorted(absent))}")
    return flags


def _values(samples: pd.DataFrame, measure: Measure) -> np.ndarray:
    return _numbers(samples) if measure == "table" else _sequences(samples)


def _alike(nodes: pd.DataFrame, measure: Measure) -> np.ndarray:
    """How alike all nodes are, (M, M): identity of their sequences, or 1 with itself alone."""
    matrix = np.eye(len(nodes), dtype=np.float32)
    if measure == "pairs" and "sequence" in nodes:
        known = np.flatnonzero(nodes["sequence"].notna())
        matrix[np.ix_(known, known)] = identities(nodes["sequence"].iloc[known].tolist())
    return matrix


def _ends(samples: pd.DataFrame, nodes: pd.DataFrame) -> np.ndarray:
    """Rows of the nodes at both ends of each sample, (N, 2)."""
    index = pd.Index(nodes["node_id"])
    ends = np.stack([index.get_indexer(pd.Index(samples[e])) for e in ("source", "target")], axis=1)
    if (ends < 0).any():
        raise DataError(f"{(ends < 0).any(axis=1).sum()} pairs have an end that is no node")
    return ends


def _sequences(samples: pd.DataFrame) -> np.ndarray:
    if "sequence" not in samples:
        raise DataError("the leakage audit of sequences needs them", column="sequence")
    return samples["sequence"].to_numpy(dtype=object)


def _flagged(samples: pd.DataFrame) -> pd.DataFrame:
    """Feature columns as numbers: a category becomes one flag a value, all missing where it is.

    Text of more than `CATEGORIES` values is no category and is left out.
    """
    table = samples[feature_columns(samples)]
    numeric = table.select_dtypes(["number", "bool"]).astype(float)
    flags = []
    for name in table.columns.difference(numeric.columns, sort=False):
        if table[name].nunique() <= CATEGORIES:
            flag = pd.get_dummies(table[name], prefix=name, dtype=float)
            flag.loc[table[name].isna()] = np.nan
            flags.append(flag)
    return pd.concat([numeric, *flags], axis=1)


def _numbers(samples: pd.DataFrame) -> np.ndarray:
    numbers = _flagged(samples).to_numpy(dtype=float)
    if not numbers.shape[1]:
        raise DataError("the leakage audit of a table needs feature columns")
    return numbers


def _auroc(values: pd.Series, positive: np.ndarray) -> float:
    """Area under the ROC curve of one column, turned to be 0.5 or more; missing rows left out."""
    known = values.notna().to_numpy()
    values, positive = values[known], positive[known]
    n_positive, n_negative = positive.sum(), (~positive).sum()
    if not n_positive or not n_negative:
        return 0.5
    ranks = values.astype(float).rank().to_numpy()
    above = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
    area = above / (n_positive * n_negative)
    return float(max(area, 1 - area))
