"""How alike two rows of a table are."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.samples import feature_columns, text_columns
from bioloom.similarity import BLOCK, Compare, Measure, Nearest, auroc
from bioloom.similarity.chance import beyond_chance

CATEGORIES = 100
COLUMNS = 1_000
"""Of a wide table that are looked at together."""
ALARM = 0.98
KNOWN = ", known or not,"
"""What is told of a column that decides by whether it is known."""


def nearest_rows(queries: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest row of `targets (T, D)` of each query (Q, D), and its index, (Q,).

    Columns are scaled by 1.4826 median absolute deviations of the targets; where that is 0 (flags,
    sparse counts) by their range, so that two flags differ by 1. The distance is the root mean
    square difference over the columns measured (finite) in either row: 0 for duplicates, about 1.4
    for unrelated normal values. A column measured in one of them alone counts as a difference of 1,
    so that rows with few values are not alike by what they lack. Without a column measured in both:
    infinity and -1.
    """
    if queries.shape[1] != targets.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} columns, targets {targets.shape[1]}")
    distance, nearest = np.full(len(queries), np.inf), np.full(len(queries), -1)
    if not len(targets):
        return distance, nearest
    width = max(1, BLOCK // len(targets))
    columns = range(0, targets.shape[1], width)
    scales = [_robust_scale(targets[:, at : at + width].astype(float)) for at in columns]
    scale = np.concatenate([np.ones(0), *scales])
    size = max(1, BLOCK // len(targets))
    for start in range(0, len(queries), size):
        mean = _mean_square(queries[start : start + size], targets, scale)
        best = mean.argmin(axis=1)
        distance[start : start + size] = np.sqrt(mean[np.arange(len(best)), best])
        nearest[start : start + size] = best
    return distance, np.where(np.isfinite(distance), nearest, -1)


def _mean_square(queries: np.ndarray, targets: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The square of the distance of each query to each target, (Q, T), of columns by their scale.

    Sums over columns, a block of these at a time: a wide table is not copied whole.
    """
    from scipy.spatial.distance import cdist

    square, shared, alone = np.zeros((3, len(queries), len(targets)))
    width = max(1, BLOCK // (len(queries) + len(targets)))
    for first in range(0, queries.shape[1], width):
        block = slice(first, first + width)
        query, query_has = _fill_missing(queries[:, block] / scale[block])
        target, target_has = _fill_missing(targets[:, block] / scale[block])
        square += cdist(query, target, "sqeuclidean")
        # Missing values stand as 0; what they add where only one row has them is taken off.
        square -= query**2 @ (1 - target_has).T + (1 - query_has) @ (target**2).T
        shared += query_has @ target_has.T
        alone += query_has @ (1 - target_has).T + (1 - query_has) @ target_has.T
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (np.maximum(square, 0) + alone) / (shared + alone)
        return np.where(shared > 0, mean, np.inf)


def _robust_scale(values: np.ndarray) -> np.ndarray:
    """Scale of each column, (D,), never 0; see `nearest_rows`."""
    values = np.where(np.isfinite(values), values, np.nan)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        spread = 1.4826 * np.nanmedian(np.abs(values - np.nanmedian(values, axis=0)), axis=0)
        reach = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    scale = np.where(spread > 0, spread, reach)
    return np.where(scale > 0, scale, 1.0)


def _fill_missing(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    has = np.isfinite(values)
    return np.where(has, values, 0.0), has.astype(float)


def flagged(samples: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """These columns as numbers: a category becomes one flag a value, all missing where it is.

    Text of more than `CATEGORIES` values is no category and is left out.
    """
    table = samples[names]
    numeric = table.select_dtypes(["number", "bool"]).astype(float)
    flags = []
    for name in table.columns.difference(numeric.columns, sort=False):
        if table[name].nunique() <= CATEGORIES:
            flag = pd.get_dummies(table[name], prefix=name, dtype=float)
            flag.loc[table[name].isna()] = np.nan
            flags.append(flag)
    return pd.concat([numeric, *flags], axis=1)


def numbers(samples: pd.DataFrame) -> np.ndarray:
    """The feature columns as numbers, (N, D); DataError where there are none."""
    names = feature_columns(samples)
    blocks = [
        flagged(samples, names[first : first + COLUMNS]).to_numpy(dtype=float)
        for first in range(0, len(names), COLUMNS)
    ]
    if not any(block.shape[1] for block in blocks):
        raise DataError("the leakage audit of a table needs feature columns")
    return np.hstack(blocks)


def compare(samples: pd.DataFrame, nodes: pd.DataFrame | None, directed: bool) -> Compare:
    """Scales are fitted on the targets: the training rows of each partition.

    Samples of nothing but free text are at a distance of 0 where all texts are equal, else of 1.
    """
    texts = text_columns(samples)
    if texts and not feature_columns(samples):
        return _equal_texts(samples.groupby(texts, dropna=False).ngroup().to_numpy())
    values = numbers(samples)

    def nearest(queries: np.ndarray, targets: np.ndarray) -> Nearest:
        distance, index = nearest_rows(values[queries], values[targets])
        return 1 / (1 + distance), index

    return nearest


def _equal_texts(code: np.ndarray) -> Compare:
    def nearest(queries: np.ndarray, targets: np.ndarray) -> Nearest:
        known, first = np.unique(code[targets], return_index=True)
        at = pd.Index(known).get_indexer(pd.Index(code[queries]))
        return np.where(at >= 0, 1.0, 0.5), np.where(at >= 0, first[at], 0)

    return nearest


def _beyond_chance(
    samples: pd.DataFrame, rows: np.ndarray, others: np.ndarray, compared: int
) -> np.ndarray:
    """By the feature columns; equal texts are no chance."""
    if text_columns(samples) and not feature_columns(samples):
        return np.ones(len(rows), dtype=bool)
    return beyond_chance(samples[feature_columns(samples)], rows, others, compared)


def shortcuts(samples: pd.DataFrame, positive: np.ndarray) -> dict[str, float]:
    """The best single column, and all others that decide nearly all: results of the label, maybe.

    A column counts by its values, a category by the one that tells most, and by whether it is known
    at all: a date of death is, of the dead. Columns that lack together, as measurements of one
    block do, are told once, and of equal scores values before gaps.
    """
    names = feature_columns(samples)
    of_values, of_categories, of_gaps = dict[str, float](), dict[str, float](), dict[str, float]()
    lacking = dict[bytes, list[str]]()
    for first in range(0, len(names), COLUMNS):
        part = samples[names[first : first + COLUMNS]]
        for name, column in part.select_dtypes(["number", "bool"]).items():
            of_values[str(name)] = auroc(column, positive)
        gaps = part.isna()
        for name in gaps.columns[gaps.any()]:
            lacking.setdefault(np.packbits(gaps[name]).tobytes(), []).append(str(name))
        for name in [name for name in map(str, part) if name not in of_values]:
            flags = flagged(samples, [name])
            found = {str(flag): auroc(column, positive) for flag, column in flags.items()}
            if found:
                flag = max(found, key=lambda flag: found[flag])
                of_categories[flag] = found[flag]
    for name, *others in lacking.values():
        told = f"{name} and {len(others)} more" if others else name
        of_gaps[f"{told}{KNOWN}"] = auroc(samples[name].isna(), positive)
    scores = {**of_values, **of_categories, **of_gaps}  # of equal ones the first is told
    best = sorted(scores, key=lambda name: scores[name], reverse=True)
    decide = [*best[:1], *(name for name in best[1:] if scores[name] >= ALARM)]
    return {name: scores[name] for name in decide}


measure = Measure(
    name="table",
    description="1 / (1 + distance between rows), robustly scaled",
    fits=lambda samples: True,
    compare=compare,
    shortcuts=shortcuts,
    alarm=ALARM,
    distance=lambda similarity: 1 / similarity - 1,
    beyond_chance=_beyond_chance,
)
