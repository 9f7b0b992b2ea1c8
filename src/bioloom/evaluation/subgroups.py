"""Scores of subgroups of the test rows, such as each sex, age band or site, against all others.

What is said of a subgroup is said of the same draws of groups as everything else, so that a
difference to the rest has an interval of its own. A disparity is one whose interval does not hold
0; among many subgroups one in twenty is so by chance, and the flag says among how many.
"""

from __future__ import annotations

from typing import Any

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
    less that of all other rows. Of persons (`private`) a subgroup of fewer than five is left out.
    """
    rows = []
    for column, starts in columns.items():
        names = _subgroups(samples, column, starts)
        repeats = test.models["model"]
        own = [names.reindex(part.sample_id).to_numpy() for part in repeats]
        for name in pd.unique(names.dropna()):
            inside = [part[n == name] for part, n in zip(repeats, own, strict=True)]
            outside = [part[n != name] for part, n in zip(repeats, own, strict=True)]
            size = len({sample for part in inside for sample in part.sample_id})
            if not size or (private and size < FEW):
                continue
            place = {"column": column, "subgroup": name, "n": size, "groups": groups_of(inside)}
            for found in _scores(inside, outside, kind, primary, draws[:, : 1 + RESAMPLES]):
                rows.append(place | found)
    return pd.DataFrame(rows)


def disparities(table: pd.DataFrame) -> list[str]:
    """In words, the subgroups that firmly differ from all others."""
    if "difference_low" not in table:
        return []
    compared = table.dropna(subset=["difference_low"])
    firm = compared[(compared["difference_low"] > 0) | (compared["difference_high"] < 0)]
    return [
        f"{row.metric} of {row.column} {row.subgroup} differs from that of the others by "
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


def _scores(
    inside: list[HeldOut], outside: list[HeldOut], kind: Kind, primary: str, draws: np.ndarray
) -> list[dict[str, Any]]:
    """Each metric of a subgroup, with its interval and the difference to the others."""
    sides = [
        _drawn([part for part in side if len(part.y)], kind, draws) for side in (inside, outside)
    ]
    groups = groups_of(inside)
    found = []
    for name in (primary, "coverage", EXCESS.name):
        if name not in sides[0]:
            continue
        metric = EXCESS if name == EXCESS.name else kind.metric(name)
        value = interval(sides[0][name], groups, metric)
        if not value:
            continue
        difference = {}
        if name in sides[1] and groups >= FEWEST_GROUPS and groups_of(outside) >= FEWEST_GROUPS:
            apart = difference_interval(sides[0][name], sides[1][name], groups, metric)
            difference = {
                "difference" if end == "value" else f"difference_{end}": value
                for end, value in apart.items()
            }
        found.append({"metric": name, **value, **difference})
    return found


def _drawn(parts: list[HeldOut], kind: Kind, draws: np.ndarray) -> dict[str, np.ndarray]:
    """Each metric for each column of `draws`; `excess` beside them where there are two classes."""
    if not parts:
        return {}
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
