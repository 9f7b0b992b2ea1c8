"""Scores of subgroups of the test rows, such as each sex, age band or site, against the others.

What is said of a subgroup is said of the same draws of groups as everything else, so that a
difference to the others has an interval of its own. A disparity is one whose interval does not hold
0; among many subgroups one in twenty is so by chance, and the flag says among how many.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioloom.errors import DataError, unknown_name
from bioloom.evaluation.intervals import (
    FEWEST_GROUPS,
    difference_interval,
    drawn_scores,
    groups_of,
    interval,
)
from bioloom.kinds import HeldOut, Kind, TestSet
from bioloom.metrics import Metric
from bioloom.privacy.small_cells import FEW

RESAMPLES = 200
MOST_VALUES = 20
"""A column of more values is no grouping."""
MISSING = "not known"
EXCESS = Metric("excess", "mean probability less the observed share", least=-1.0, ordered=False)


def subgroup_table(
    test: TestSet,
    samples: pd.DataFrame,
    columns: dict[str, list[float] | None],
    kind: Kind,
    primary: str,
    draws: np.ndarray,
    *,
    private: bool,
) -> pd.DataFrame:
    """`column, subgroup, n, groups, metric, value, low, high, difference...` of the task's model.

    `columns` name columns of the samples; of a number they list where bands begin: [50, 65] makes
    below 50, 50 to 65, and 65 and more. Metrics are the primary one, the coverage and, of two
    classes, `excess`: the mean probability less the observed share. `difference` is the subgroup's
    less the mean over the column's other ones, by their sizes. It is not that of their rows
    together: where the column predicts, as age does, rows of several bands are easier to rank than
    those of one. Of persons (`private`) a subgroup of fewer than five is left out.
    """
    few, rows = draws[:, : 1 + RESAMPLES], []
    for column, starts in columns.items():
        names = _subgroups(samples, column, starts)
        parts = _parts(test.models["model"], names, FEW if private else 1)
        drawn = {name: _drawn(part, kind, few) for name, part in parts.items()}
        for name, part in parts.items():
            others = {other: drawn[other] for other in parts if other != name}
            sizes = {other: _size(parts[other]) for other in others}
            groups = groups_of(part)
            place = {"column": column, "subgroup": name, "n": _size(part), "groups": groups}
            for metric in (n for n in (primary, "coverage", EXCESS.name) if n in drawn[name]):
                known = EXCESS if metric == EXCESS.name else kind.metric(metric)
                own = drawn[name][metric]
                apart = _against(own, others, sizes, known, groups)
                found = interval(own, groups, known)
                rows += [place | {"metric": metric} | found | apart] if found else []
    return pd.DataFrame(rows)


def _parts(repeats: list[HeldOut], names: pd.Series, least: int) -> dict[str, list[HeldOut]]:
    """The rows of each subgroup of at least so many samples, repeat by repeat."""
    own = [names.reindex(part.sample_id).to_numpy() for part in repeats]
    parts = {}
    for name in pd.unique(names.dropna()):
        inside = [part[n == name] for part, n in zip(repeats, own, strict=True)]
        inside = [part for part in inside if len(part.y)]
        if inside and _size(inside) >= least:
            parts[str(name)] = inside
    return parts


def _size(parts: list[HeldOut]) -> int:
    return len({sample for part in parts for sample in part.sample_id})


def _against(
    own: np.ndarray,
    others: dict[str, dict[str, np.ndarray]],
    sizes: dict[str, int],
    metric: Metric,
    groups: int,
) -> dict[str, float]:
    """`difference, difference_low, difference_high` to the other subgroups' mean."""
    known = {
        name: scores[metric.name]
        for name, scores in others.items()
        if metric.name in scores and np.isfinite(scores[metric.name][0])
    }
    if not known or groups < FEWEST_GROUPS:
        return {}
    # A draw in which one of them has no score, a class being absent, is the mean of the others.
    values = np.stack(list(known.values()))
    weights = np.isfinite(values) * np.array([[sizes[name]] for name in known])
    mean = (np.nan_to_num(values) * weights).sum(axis=0) / weights.sum(axis=0)
    found = difference_interval(own, mean, groups, metric)
    ends = {"value": "difference", "low": "difference_low", "high": "difference_high"}
    return {ends[end]: value for end, value in found.items()}


def disparities(table: pd.DataFrame) -> list[str]:
    """In words, the subgroups that firmly differ from all others."""
    if "difference_low" not in table:
        return []
    compared = table.dropna(subset=["difference_low"])
    firm = compared[(compared["difference_low"] > 0) | (compared["difference_high"] < 0)]
    return [
        f"{row.metric} of {row.column} {row.subgroup} differs from the mean of the others by "
        f"{row.difference:+.3f} ({row.difference_low:+.3f} to {row.difference_high:+.3f}; "
        f"{len(compared)} compared)"
        for row in firm.itertuples()
    ]


def _subgroups(samples: pd.DataFrame, column: str, starts: list[float] | None) -> pd.Series:
    """The subgroup of each sample, by its id; DataError for a column that makes none."""
    # A clinical column `sex` is `clinical.sex` among the samples.
    bare = [str(name).split(".", 1)[-1] for name in samples.columns]
    found = [str(n) for n, b in zip(samples.columns, bare, strict=True) if column in (str(n), b)]
    if len(found) != 1:
        raise unknown_name("column", column, bare, " of the samples in evaluate: subgroups")
    values = samples.set_index("sample_id")[found[0]]
    if starts:
        if not pd.api.types.is_numeric_dtype(values):
            raise DataError(
                "evaluate: subgroups: bands need a column of numbers",
                column=column,
                hint=f"`{column}: null` takes each of its values",
            )
        return _bands(values.astype(float), sorted(starts))
    if values.nunique() > MOST_VALUES:
        raise DataError(
            f"evaluate: subgroups: {values.nunique()} values are too many for subgroups",
            column=column,
            hint=f"say where bands begin: `{column}: [50, 65]`",
        )
    return values.astype("str").where(values.notna(), MISSING)


def _bands(values: pd.Series, starts: list[float]) -> pd.Series:
    edges = [f"{start:g}" for start in starts]
    middle = [f"{low} to {high}" for low, high in zip(edges, edges[1:], strict=False)]
    names = np.array([f"below {edges[0]}", *middle, f"{edges[-1]} and more", MISSING])
    place = np.searchsorted(starts, values, side="right")
    return pd.Series(names[np.where(values.isna(), -1, place)], index=values.index)


def _drawn(parts: list[HeldOut], kind: Kind, draws: np.ndarray) -> dict[str, np.ndarray]:
    """Each metric for each column of `draws`; `excess` beside them where there are two classes."""
    scores = dict(drawn_scores(parts, kind, draws))
    if kind.output == "classes" and parts[0].p.shape[1] == 2:
        with np.errstate(divide="ignore", invalid="ignore"):
            scores[EXCESS.name] = np.mean([_excess(part, draws) for part in parts], axis=0)
    return scores


def _excess(part: HeldOut, draws: np.ndarray) -> np.ndarray:
    weight = draws[part.group].astype(float)
    if part.weight is not None:
        weight *= part.weight[:, None]
    return (part.p[:, 1] - part.y) @ weight / weight.sum(axis=0)
