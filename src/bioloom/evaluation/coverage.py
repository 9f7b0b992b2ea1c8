"""Whether sets and intervals hold what they promise: over all test rows, and over parts of them.

Parts are the true classes, and of numbers those that are predicted low, middle and high: a promise
may hold over all rows while a rare class, or every large value, goes uncovered.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioloom.evaluation.intervals import interval
from bioloom.kinds import HeldOut, Kind, TestSet
from bioloom.kinds._calibration import COVERAGE
from bioloom.metrics._weighted import ratio
from bioloom.privacy.small_cells import FEW

ALL = "all"
SIZES = ("predicted low", "predicted middle", "predicted high")


def coverage_table(test: TestSet, kind: Kind, draws: np.ndarray, *, private: bool) -> pd.DataFrame:
    """`part, n, value, low, high` of the task's model; of persons no part of a few. None: no row.

    `n` are test rows of one repeat, of several labels or targets what is known of them.
    """
    repeats = [rows for rows in test.models["model"] if rows.inside is not None]
    if not repeats:
        return pd.DataFrame()
    tables = []
    parted = [parts_of(rows, kind, test.outputs) for rows in repeats]
    for name in parted[0]:
        inside = [parts[name] for parts in parted]
        n = round(np.mean([np.isfinite(part).sum() for part in inside]))
        if n < (FEW if private else 1) or not all(np.isfinite(part).any() for part in inside):
            continue
        counts = [
            by_group(rows, part, len(draws)) for rows, part in zip(repeats, inside, strict=True)
        ]
        drawn = np.mean([ratio(held @ draws, known @ draws) for held, known in counts], axis=0)
        groups = max(int((known > 0).sum()) for _, known in counts)
        found = interval(drawn, groups, kind.metric("coverage"))
        tables.append({"part": name, "n": n, **found})
    return pd.DataFrame(tables)


def parts_of(rows: HeldOut, kind: Kind, outputs: list[str]) -> dict[str, np.ndarray]:
    """`inside` of all rows and of each part, NaN in the others."""
    inside = np.asarray(rows.inside)
    if kind.output == "classes":
        parts = {name: rows.y == code for code, name in enumerate(outputs)}
    elif kind.output == "labels":
        parts = {"no": rows.y == 0, "yes": rows.y == 1}
    else:
        # Of several targets each has its own scale.
        place = pd.DataFrame(rows.call).rank(pct=True).to_numpy().reshape(rows.call.shape)
        third = np.minimum((place * len(SIZES)).astype(int), len(SIZES) - 1)
        parts = {name: third == part for part, name in enumerate(SIZES)}
    return {ALL: inside} | {name: np.where(mask, inside, np.nan) for name, mask in parts.items()}


def by_group(rows: HeldOut, inside: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """How many sets or intervals hold the truth, and how many there are, of each group, (G,)."""
    each = inside.reshape(len(inside), -1)
    weight = np.ones(len(each)) if rows.weight is None else rows.weight
    counts = np.nansum(each, axis=1), np.isfinite(each).sum(axis=1)
    held, known = (np.bincount(rows.group, weight * count, groups) for count in counts)
    return held, known


def broken_promises(table: pd.DataFrame) -> list[str]:
    """In words, where fewer sets or intervals hold the truth than were promised, beyond chance."""
    return [
        f"sets or intervals hold the truth of {row['value']:.2f} ({row['low']:.2f} to "
        f"{row['high']:.2f}) of {'all test rows' if row['part'] == ALL else row['part']}, "
        f"{COVERAGE:.2f} were promised"
        for row in table.to_dict("records")
        if row["high"] < COVERAGE
    ]
