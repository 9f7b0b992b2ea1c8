"""What happened to patients after an index: yes or no within a time, or the time to it.

An event after the index is an outcome by when it happened. Until when a patient was followed is
declared; who was not followed long enough, and had none, has no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.clinical.declared import (
    ANSWERS,
    COMPLETE,
    DROP,
    LAST_EVENT,
    Column,
    codes_of,
    index_codes,
)
from bioloom.clinical.windows import SECONDS, Made, days_between, left_out_of, of_column, reduced
from bioloom.errors import DataError
from bioloom.formats.events import DEATH
from bioloom.formats.times import read_column
from bioloom.privacy.small_cells import count_shown

NO, YES, DIED = "0", "1", "2"
UNPLACED = "an outcome on the day of the index, or of no exact day: before or after is not known"


def make_outcome(
    events: pd.DataFrame, index: pd.Series, column: Column, said: Mapping[str, Any]
) -> tuple[dict[str, pd.Series], Made, pd.Index]:
    """Columns of an outcome, what was left out, and patients who had it before the index.

    `said` are the complete options of `records`. `take: any` gives `<name>` (1, 0 or missing),
    `take: time` also `<name>_days`, and 2 of who died first; other ways to take give the value as
    of a feature.
    """
    chosen = of_column(events, column)
    at = chosen["patient"].map(index)
    chosen, at = chosen[at.notna()], at[at.notna()]
    dead = chosen["code"] == DEATH
    # The event that is the index is none after it; nobody dies before it.
    itself = (chosen["time"] == at) & chosen["code"].isin(index_codes(said["index"]))
    begins = chosen["time"].where(~dead | (chosen["latest"] < at), chosen["time"].clip(lower=at))
    before = (chosen["latest"] < at) & ~itself
    after = (begins >= at) & ~itself
    unclear = ~before & ~after & ~itself
    if dead[before].any():
        raise DataError(
            f"{count_shown(before[dead].sum())} patients have an index after their death",
            column=column.name,
            hint="mend the records, or take another index",
        )
    gone = [left_out_of(chosen[unclear], pd.Series(UNPLACED, chosen.index[unclear]))]
    had = pd.Index(chosen.loc[before, "patient"].unique())
    if len(had) and column.prevalent is None and column.take in ANSWERS:
        raise DataError(
            f"{count_shown(len(had))} patients have it already before the index",
            column=column.name,
            hint="`prevalent: drop` leaves them out, `prevalent: keep` counts what comes after",
        )
    late = chosen.assign(time=begins, days=days_between(begins, at))[after]
    if column.within is not None:
        late = late[late["days"] <= _in_days(column.within)]
    prevalent = had if column.prevalent == DROP else had[:0]
    if column.take not in ANSWERS:
        rules = said["spellings"], said["wrong_units"]
        made = reduced(late, index.index, column, *rules, gone)
        return {column.name: made.values}, made, prevalent
    unknown = pd.Index(chosen.loc[unclear, "patient"].unique())
    zone = said["time_zone"] if isinstance(said["time_zone"], str) else "UTC"
    followed, death = _followed(events, index, column, zone)
    columns = _answers(late, index, column, followed, death, unknown)
    return columns, Made(columns[column.name], pd.concat(gone), {}), prevalent


def _followed(
    events: pd.DataFrame, index: pd.Series, column: Column, time_zone: str
) -> tuple[pd.Series, pd.Series]:
    """Days from the index until follow-up ends, and until death (missing: none is known)."""
    dated = events[events["time"].notna() & events["patient"].isin(index.index)]
    died = dated[dated["code"] == DEATH].groupby("patient")["time"].min().reindex(index.index)
    death = days_between(died, index).clip(lower=0)
    if column.followed == COMPLETE:
        return pd.Series(np.inf, index.index), death
    if column.followed == LAST_EVENT:
        last = dated.groupby("patient")["time"].max()
    elif isinstance(column.followed, list):
        codes = codes_of(column.followed, f"records: outcomes: {column.name}: followed")
        last = dated[dated["code"].isin(codes)].groupby("patient")["time"].max()
    else:
        day = pd.Series([str(column.followed)], name="followed")
        last = read_column(day, time_zone, Path("the task file"))[1]
        last = pd.Series(last.iloc[0], index.index)
    return days_between(last.reindex(index.index), index), death


def _in_days(length: pd.Timedelta | None) -> float:
    return float("inf") if length is None else length.total_seconds() / SECONDS


def _answers(
    late: pd.DataFrame,
    index: pd.Series,
    column: Column,
    followed: pd.Series,
    death: pd.Series,
    unclear: pd.Index,
) -> dict[str, pd.Series]:
    """The answer of each patient, and of a time the days until it.

    Who died first never has it: no, of a time 2, and the days until death.
    """
    patients, limit = index.index, _in_days(column.within)
    first = late.groupby("patient")["days"].min().reindex(patients)
    of_death = DEATH in column.codes
    end = followed.clip(upper=limit)
    # A death is known also where it comes after the last visit.
    seen = first.notna() & (of_death | (first <= end))
    died = death.notna() & (death <= end) & ~seen & (not of_death)
    unknown = pd.Series(patients.isin(unclear), patients) & ~seen
    if column.take == "any":
        known = (seen | died | (followed >= limit)) & ~unknown
        answer = pd.Series(NO, patients).mask(seen, YES).where(known)
        return {column.name: answer.astype("str")}
    known = (seen | died | (end >= 0)) & ~unknown
    days = end.mask(died, death).mask(seen, first).where(known)
    answer = pd.Series(NO, patients).mask(died, DIED).mask(seen, YES).where(known)
    return {column.name: answer.astype("str"), f"{column.name}_days": days}
