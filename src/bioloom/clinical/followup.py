"""What happened to patients after an index: yes or no within a time, or the time to it.

An event after the index is an outcome by when it happened. One of which the times do not say
whether it was before the index or after it, or within the time or later, is unclear: it decides
nothing, and its patient has no answer. Until when a patient was followed is declared; who was not
followed long enough, and had none, has no answer.
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
    FOLLOWED,
    KEEP,
    LAST_EVENT,
    Column,
    codes_of,
    index_codes,
)
from bioloom.clinical.windows import (
    SECONDS,
    Made,
    Rules,
    days_between,
    of_column,
    reduced,
)
from bioloom.errors import DataError
from bioloom.formats.events import DEATH, OPEN, left_out_of
from bioloom.formats.times import of_exact_day, read_column
from bioloom.privacy.small_cells import count_shown

NO, YES, DIED = "0", "1", "2"
BEFORE, INSIDE, OUTSIDE = "before", "inside", "outside"
UNPLACED = "an outcome on the day of the index, or of no exact day: before or after is not known"
STRADDLES = "an outcome of which the day does not say whether it was within the time"
NO_DAY = "an outcome of no exact day: the time to it is not known"


def refuse_dead(events: pd.DataFrame, index: pd.DataFrame) -> None:
    """DataError where patients have an index after their death."""
    deaths = events[(events["code"] == DEATH) & events["patient"].isin(index.index)]
    late = deaths["latest"] < deaths["patient"].map(index["time"].groupby(level=0).max())
    if late.any():
        raise DataError(
            f"{count_shown(deaths.loc[late, 'patient'].nunique())} patients have an index after "
            "their death",
            hint="mend the records, or take another index",
        )


def make_outcome(
    events: pd.DataFrame,
    index: pd.DataFrame,
    column: Column,
    said: Mapping[str, Any],
    rules: Rules,
) -> tuple[dict[str, pd.Series], Made, pd.Index]:
    """Columns of an outcome, what was left out, and patients who had it before the index.

    `index` has `time, latest` of each patient, and how long it is `since` the index event (of a
    landmark); `said` are the complete options of `records`, and `rules` how values are read. `take:
    any` gives `<name>` (1, 0 or missing), `take: time` also `<name>_days`, and 2 of who died first,
    `count` a number or missing; other ways to take give the value as of a feature.
    """
    placed = _placed(of_column(events, column), index, column, index_codes(said["index"]))
    had = pd.Index(placed.loc[placed["place"] == BEFORE, "patient"].unique())
    if len(had) and column.prevalent is None and column.take in ANSWERS:
        raise DataError(
            f"{count_shown(len(had))} patients have it already before the index",
            column=column.name,
            hint="`prevalent: drop` leaves them out, `prevalent: keep` counts what comes after",
        )
    prevalent = had if column.prevalent == DROP else had[:0]
    inside = placed[placed["place"] == INSIDE]
    unclear = placed[~placed["place"].isin([BEFORE, INSIDE, OUTSIDE])]
    gone = [left_out_of(unclear, unclear["place"])]
    if column.take not in FOLLOWED:
        made = reduced(inside, index.index, column, rules, gone)
        return {column.name: made.values}, made, prevalent
    zone = said["time_zone"] if isinstance(said["time_zone"], str) else "UTC"
    followed, death = _followed(events, index, column, zone)
    if column.take == "count":
        made = reduced(inside, index.index, column, rules, gone)
        died = death <= followed.clip(upper=_in_days(column.within))
        known = _whole(followed, column) | died
        known &= ~index.index.isin(unclear["patient"])
        return {column.name: made.values.where(known)}, made, prevalent
    columns = _answers(inside, unclear, column, followed, death)
    return columns, Made(columns[column.name], pd.concat(gone), {}), prevalent


def _placed(
    chosen: pd.DataFrame, index: pd.DataFrame, column: Column, own: Mapping[str, Any]
) -> pd.DataFrame:
    """Events with `days` from the index on, and their `place`: else the reason why it is unclear.

    The event that is the index (of the codes `own`) is none after it. Nobody dies before it.
    """
    chosen = chosen[chosen["patient"].isin(index.index)]
    at = index.loc[chosen["patient"]].set_axis(chosen.index, axis=0)
    first, last, dead = chosen["time"], chosen["latest"], chosen["code"] == DEATH
    itself = (first == at["time"] - at["since"]) & (last == at["latest"] - at["since"])
    itself &= chosen["code"].isin(own)
    begins = first.where(~dead, first.clip(lower=at["time"]))
    instant = at["time"] == at["latest"]
    after = (begins > at["latest"]) | (begins.eq(at["latest"]) & instant) | (dead & first.notna())
    limit = _in_days(column.within)
    days = days_between(begins, at["time"])
    place = pd.Series(UNPLACED, chosen.index, dtype="str").mask(after, INSIDE)
    if column.take == "time":
        place = place.mask(after & ~of_exact_day(first, last), NO_DAY)
    place = place.mask(after & (days_between(last, at["time"]) > limit), STRADDLES)
    place = place.mask(after & (days_between(begins, at["latest"]) > limit), OUTSIDE)
    place = place.mask(last < at["time"], BEFORE).mask(itself, OUTSIDE)
    return chosen.assign(time=begins, days=days, place=place)


def _followed(
    events: pd.DataFrame, index: pd.DataFrame, column: Column, time_zone: str
) -> tuple[pd.Series, pd.Series]:
    """Days from the index until follow-up ends, and until death (missing: no day is known)."""
    dated = events[(events["time"].dt.year < OPEN) & events["patient"].isin(index.index)]
    deaths = dated[(dated["code"] == DEATH) & of_exact_day(dated["time"], dated["latest"])]
    died = deaths.groupby("patient")["time"].min().reindex(index.index)
    death = days_between(died, index["time"]).clip(lower=0)
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
    return days_between(last.reindex(index.index), index["time"]), death


def _in_days(length: pd.Timedelta | None) -> float:
    return float("inf") if length is None else length.total_seconds() / SECONDS


def _whole(followed: pd.Series, column: Column) -> pd.Series:
    """Whether patients were followed to the end of `within`."""
    return followed >= _in_days(column.within)


def _answers(
    inside: pd.DataFrame,
    unclear: pd.DataFrame,
    column: Column,
    followed: pd.Series,
    death: pd.Series,
) -> dict[str, pd.Series]:
    """The answer of each patient, and of a time the days until it.

    Who died first never has it: no, of a time 2, and the days until death.
    """
    patients, end = followed.index, followed.clip(upper=_in_days(column.within))
    seen_until = end.reindex(inside["patient"]).to_numpy()
    # A death is known also where it comes after the last visit; not after the last day of the data.
    by_visits = isinstance(column.followed, list)
    counts = (inside["days"] <= seen_until) | (by_visits & (inside["code"] == DEATH))
    first = inside[counts].groupby("patient")["days"].min().reindex(patients)
    seen = first.notna()
    died = (death <= end) & ~seen
    if column.take == "any":
        # What may have been before the index may be why there is more of it after.
        decides = unclear["place"].eq(UNPLACED) & (column.prevalent != KEEP)
        doubted = patients.isin(unclear["patient"]) & ~seen
        doubted |= patients.isin(unclear.loc[decides, "patient"])
        known = (seen | died | _whole(followed, column)) & ~doubted
        answer = pd.Series(NO, patients).mask(seen, YES).where(known)
        return {column.name: answer.astype("str")}
    maybe = unclear["days"].fillna(-np.inf).groupby(unclear["patient"]).min().reindex(patients)
    known = (seen | died | (end >= 0)) & ~(maybe.notna() & ~(first < maybe))
    days = end.mask(died, death).mask(seen, first).where(known)
    answer = pd.Series(NO, patients).mask(died, DIED).mask(seen, YES).where(known)
    return {column.name: answer.astype("str"), f"{column.name}_days": days}
