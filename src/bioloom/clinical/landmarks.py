"""Patients who are looked at again at times after the start (landmarks), as rows of their own.

What happened until a landmark is known there, and whoever had the event before it, or was last seen
then, has no row of it. That is the way out where what happens later, such as a transplantation, is
to be a feature: at the start it would tell who lived to see it (Anderson et al. 1983, J Clin Oncol
1, 710; van Houwelingen 2007, Scand J Stat 34, 70).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.clinical import outcomes
from bioloom.clinical.declared import LANDMARK, check_rising
from bioloom.errors import DataError
from bioloom.formats.columns import feature_names, numbers, require_columns, rows_told
from bioloom.options import Option, named_columns
from bioloom.privacy.small_cells import count_shown
from bioloom.samples import COMPETING, ENTRY, EVENT, TIME, Raw, persons

OPTIONS: dict[str, Any] = {
    "landmarks": Option(
        [], about="times after the start at which patients still at risk are looked at again"
    ),
    "later": Option(
        [], about="columns of the time at which something happened, known at landmarks from then on"
    ),
}
HAPPENED, SINCE = "_happened", "_since"


def read_outcome(
    table: pd.DataFrame, columns: Mapping[str, Any], options: dict[str, Any], file: Path
) -> tuple[pd.DataFrame, list[str]]:
    """The outcome (`clinical.outcomes`), after a look at what a task says of landmarks.

    Raises DataError for landmarks that are none, for columns of `later` that are no times by the
    task, and for what happened after the end, by row.
    """
    landmarks, later = options["landmarks"], [str(name) for name in options["later"]]
    if not landmarks and not later:
        return outcomes.read_outcome(table, columns, options, file)
    if not landmarks:
        raise DataError("`later` is of `landmarks`", hint="such as `landmarks: [0, 90, 365]`")
    if not all(type(time) in (int, float) and time >= 0 for time in landmarks):
        raise DataError(f"`landmarks` are times from 0 on, got {landmarks}")
    check_rising(landmarks, landmarks, "landmarks")
    if options["records"] and options["records"]["index"]["landmarks"]:
        raise DataError(
            "`landmarks` are those of the data set or of `records: index`, not both",
            hint="those of `records` are counted from the index event, and know what each record "
            "says until then",
        )
    if columns["label"] or options["horizon"] is not None:
        raise DataError(
            "`landmarks` are of a time to an event",
            hint="name `columns: time, event`, and leave `horizon` out: `horizons` of the task are "
            "counted from each landmark",
        )
    require_columns(table, later, file)
    _check_later(later, columns, options, file)
    happened = {name: numbers(table[name], file) for name in later}
    told, notes = outcomes.read_outcome(
        table, columns, {**options, "at_start": [*options["at_start"], *later]}, file
    )
    for name, days in happened.items():
        if TIME in told and (wrong := table.index[days > told[TIME]]).size:
            raise DataError(
                f"It happened after the end of follow-up: row {rows_told(wrong)}",
                file=file,
                column=name,
                hint="mend these rows, or leave them out by `exclude`",
            )
    return told, notes


def at_landmarks(raw: Raw, options: Mapping[str, Any], file: Path) -> Raw:
    """The rows of those who are still at risk at each landmark, times counted from it; and notes.

    Of a column of `later` there are `<column>_happened` (0 or 1) and `<column>_since` instead. Rows
    without a time, as new data have them, are at risk at all landmarks. Raises DataError for a
    landmark at which nobody is left, and for names of these columns that others have.
    """
    times = options["landmarks"]
    if not times:
        return raw
    names = list(feature_names(map(str, options["later"]), file).values())
    made = [LANDMARK, *(f"{name}{what}" for name in names for what in (HAPPENED, SINCE))]
    if taken := [name for name in made if name in raw.samples]:
        raise DataError(
            f"`landmarks` make columns of names that are taken: {', '.join(taken)}",
            file=file,
            column=taken[0],
            hint="rename the columns that have them",
        )
    parts, notes = [], list(raw.notes)
    for time in times:
        rows, told = _at_risk(raw.samples, time) if TIME in raw.samples else (raw.samples, [])
        notes += [f"Landmark {time}: {reason}: left out" for reason in told]
        if rows.empty:
            raise DataError(f"Nobody is at risk any more at `landmarks: {time}`", file=file)
        rows = _known_at(rows, names, time).assign(**{LANDMARK: float(time)})
        if len(times) > 1:
            rows = rows.assign(sample_id=rows["sample_id"] + f" at {time}")
        parts.append(rows)
    return Raw(pd.concat(parts, ignore_index=True), notes)


def _check_later(
    later: list[str], columns: Mapping[str, Any], options: Mapping[str, Any], file: Path
) -> None:
    """DataError for a column of `later` that the task says to be something else."""
    ours = feature_names(later, file)
    for name in later:
        other = {
            "it has another role in `columns`": name in named_columns(columns),
            "`drop` names it, too": ours[name] in options["drop"],
            "`types` say otherwise": options["types"].get(name, "number") != "number",
        }
        if reasons := [reason for reason, is_so in other.items() if is_so]:
            raise DataError(f"`later` are times, and {reasons[0]}", file=file, column=name)


def _at_risk(samples: pd.DataFrame, time: float) -> tuple[pd.DataFrame, list[str]]:
    """The rows that are under observation at a time, timed from then on; why others are not."""
    ended = samples[TIME] <= time
    event = samples[EVENT].eq(True).fillna(False)
    other = samples[COMPETING].eq(True).fillna(False) if COMPETING in samples else event & False
    reasons = {
        "have no outcome": samples[TIME].isna(),
        "had the event by then": ended & event,
        "had a competing event by then": ended & other,
        "were last seen by then": ended & ~event & ~other,
    }
    if ENTRY in samples:
        reasons["were not yet under observation"] = ~ended & (samples[ENTRY] > time)
    left = pd.Series(True, samples.index)
    told = []
    for reason, gone in reasons.items():
        left &= ~gone
        if gone.any():
            patients = count_shown(persons(samples)[gone].nunique())
            told.append(f"{count_shown(gone.sum())} rows of {patients} persons {reason}")
    rows = samples[left]
    rows = rows.assign(**{TIME: rows[TIME] - time})
    return rows.drop(columns=ENTRY, errors="ignore"), told


def _known_at(rows: pd.DataFrame, names: list[str], time: float) -> pd.DataFrame:
    """The rows with what had happened by a time, and for how long."""
    columns = {}
    for name in names:
        happened = rows[name] <= time
        columns[f"{name}{HAPPENED}"] = happened.astype(float)
        columns[f"{name}{SINCE}"] = (time - rows[name]).where(happened)
    return rows.drop(columns=names).assign(**columns)
